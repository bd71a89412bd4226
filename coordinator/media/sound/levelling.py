"""Bring sound to a loudness and below a peak, as they will be after the encoder.

A gain that does not move keeps the dynamics; a limiter at four times the rate holds the peaks between the
samples. Only where the limiter alone would have to take more than `MAX_LIMITED_DB` from what is heard does
FFmpeg's `loudnorm` even out the dynamics first: it costs as much as the encoder and moves with the sound.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
import structlog

from coordinator.media.intake.decoding import SAMPLE_RATE_HZ, Samples
from coordinator.media.sound.aac import heard_after_aac
from coordinator.media.sound.filtering import Step, filtered
from coordinator.media.sound.loudness import Loudness, measure

log = structlog.get_logger()
# Gives the same sound anew each time it is called.
OpenSound: TypeAlias = "Callable[[], Iterator[Samples]]"
TARGET_LUFS = -14.0
TOLERANCE_LU = 0.2
# What is promised is -1 dBTP. Another meter, and another decoder, may see a few tenths more than ours.
CEILING_DBTP = -1.5
# Where the limiter begins: AAC adds a little to what it was given, and where it adds more, this goes down.
FIRST_LIMIT_DBTP = -2.1
LOWEST_LIMIT_DBTP = -12.0
MAX_GAIN_DB = 30.0
MAX_LIMITED_DB = 6.0
# Beyond the gain that the loudness asks for: what the limiter took may be asked for again, but a lone click must
# not lift the hiss around it without end.
MAX_PUSH_DB = 9.0
MAX_ROUNDS = 6
MAX_ENCODED_ROUNDS = 4
MIN_OFFSET = 0.002
# It looks three seconds ahead; of less it makes one piece.
MIN_EVENED_S = 4.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Levelling:
    """What is done to a sound, in this order: its offset removed, its dynamics evened, a gain, a ceiling."""

    has_offset: bool = False
    is_evened: bool = False
    gain_db: float = 0.0
    limit_dbtp: float = FIRST_LIMIT_DBTP


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LevelledSound:
    """A sound ready to be encoded.

    Attributes:
        loudness: as decoded from the encoder's output.
        note: why it is not at the target, in words for the user; None where it is.
    """

    open: OpenSound
    loudness: Loudness
    note: str | None

    @property
    def lufs(self) -> float | None:
        """What the standard measures of it; None where that is nothing: silence, or less than 400 ms."""
        return None if self.loudness.is_repeated else self.loudness.integrated_lufs

    @property
    def true_peak_dbtp(self) -> float | None:
        """The highest peak, rounded as it can be known; None where there is none."""
        peak_dbtp = self.loudness.true_peak_dbtp
        return round(peak_dbtp, 2) if math.isfinite(peak_dbtp) else None


def level_sound(open_sound: OpenSound, *, bitrate_bps: int) -> LevelledSound | None:
    """Find what brings a sound to `TARGET_LUFS` and below `CEILING_DBTP` in AAC of this bit rate; None: no sound.

    Where both cannot be had the ceiling holds.
    """
    before = measure(open_sound())
    if not before.num_samples:
        return None
    if before.integrated_lufs is None:
        # Silence: left as it is, but for its peaks.
        levelling = Levelling(has_offset=_has_offset(before))
        after = before
    else:
        first = _first_attempt(before)
        levelling, after = _closest(
            first, before, lambda it: measure(level(open_sound(), it)), num_rounds=MAX_ROUNDS
        )
        levelling, after = _closest(
            levelling,
            before,
            lambda it: measure(heard_after_aac(level(open_sound(), it), bitrate_bps)),
            num_rounds=MAX_ENCODED_ROUNDS,
        )
    note = _note(after)
    log.info(
        "sound_levelled",
        from_lufs=before.integrated_lufs,
        to_lufs=after.integrated_lufs,
        true_peak_dbtp=round(after.true_peak_dbtp, 2),
        gain_db=round(levelling.gain_db, 2),
        is_evened=levelling.is_evened,
    )
    return LevelledSound(open=lambda: level(open_sound(), levelling), loudness=after, note=note)


def _has_offset(before: Loudness) -> bool:
    return max(map(abs, before.offset)) > MIN_OFFSET


def _first_attempt(before: Loudness) -> Levelling:
    assert before.integrated_lufs is not None
    gain_db = min(MAX_GAIN_DB, TARGET_LUFS - before.integrated_lufs)
    limited_db = before.crest_dbfs + gain_db - FIRST_LIMIT_DBTP
    is_evened = limited_db > MAX_LIMITED_DB and before.num_samples >= MIN_EVENED_S * SAMPLE_RATE_HZ
    return Levelling(
        has_offset=_has_offset(before),
        is_evened=is_evened,
        gain_db=gain_db if not is_evened else 0.0,
    )


def _closest(
    first: Levelling, before: Loudness, attempt: Callable[[Levelling], Loudness], *, num_rounds: int
) -> tuple[Levelling, Loudness]:
    """Try, correct and try again until it is good; returns the best that was tried, and how it measured."""
    levelling = first
    tried: list[tuple[tuple[bool, float], Levelling, Loudness]] = []
    for _ in range(num_rounds):
        after = attempt(levelling)
        tried.append((_badness(after), levelling, after))
        following = _corrected(levelling, before, after)
        if following == levelling or any(following == it for _, it, _ in tried):
            break
        levelling = following
    _, levelling, after = min(tried, key=lambda it: it[0])
    return levelling, after


def _badness(after: Loudness) -> tuple[bool, float]:
    lufs = after.integrated_lufs if after.integrated_lufs is not None else -math.inf
    return after.true_peak_dbtp > CEILING_DBTP, abs(lufs - TARGET_LUFS)


def _corrected(levelling: Levelling, before: Loudness, after: Loudness) -> Levelling:
    """Return the next attempt, or the same levelling where its result is good or no gain can mend it."""
    gain_db, limit_dbtp = levelling.gain_db, levelling.limit_dbtp
    if after.integrated_lufs is not None and abs(after.integrated_lufs - TARGET_LUFS) > TOLERANCE_LU:
        # What the limiter took must be asked for again, and a little more, as it takes from that too.
        gain_db += 1.2 * (TARGET_LUFS - after.integrated_lufs)
    if after.true_peak_dbtp > CEILING_DBTP:
        limit_dbtp -= after.true_peak_dbtp - CEILING_DBTP + 0.1
    return dataclasses.replace(
        levelling,
        gain_db=round(min(gain_db, _max_gain_db(levelling, before)), 2),
        limit_dbtp=round(max(limit_dbtp, LOWEST_LIMIT_DBTP), 2),
    )


def _max_gain_db(levelling: Levelling, before: Loudness) -> float:
    if levelling.is_evened:
        return MAX_PUSH_DB
    assert before.integrated_lufs is not None
    return min(MAX_GAIN_DB, TARGET_LUFS - before.integrated_lufs + MAX_PUSH_DB)


def _note(after: Loudness) -> str | None:
    if after.integrated_lufs is None:
        return "silence: left as it is"
    if after.is_repeated:
        return "shorter than the 400 ms that loudness is measured over: levelled as if it were repeated"
    if abs(after.integrated_lufs - TARGET_LUFS) <= 0.5:
        return None
    wanting_lu = TARGET_LUFS - after.integrated_lufs
    return (
        f"{after.integrated_lufs:.1f} LUFS, {wanting_lu:.1f} below {TARGET_LUFS:g}: too short, too sudden or too "
        "quiet to be made louder without being distorted"
    )


def level(pieces: Iterator[Samples], levelling: Levelling) -> Iterator[Samples]:
    """Yield the sound after `levelling`; neither its length nor its timing changes."""
    limit = 10 ** (levelling.limit_dbtp / 20)
    chain: list[Step] = []
    if levelling.has_offset:
        chain.append(("highpass", "f=10:poles=1"))
    if levelling.is_evened:
        chain.append(("loudnorm", f"I={TARGET_LUFS}:TP={FIRST_LIMIT_DBTP}:LRA=11"))
        chain.append(("aresample", f"{SAMPLE_RATE_HZ}"))
    chain.append(("volume", f"{levelling.gain_db:.3f}dB:precision=float"))
    chain.append(("aresample", f"{4 * SAMPLE_RATE_HZ}"))
    # latency=1 gives back the look-ahead, so that sound stays where it was.
    chain.append(("alimiter", f"limit={limit:.6f}:level=0:attack=5:release=60:latency=1"))
    for frame in filtered(pieces, *chain):
        yield np.asarray(frame.to_ndarray(), np.float32)
