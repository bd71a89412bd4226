"""Bring sound to a loudness and below a peak, as they will be after the encoder.

A gain that does not move keeps the dynamics; a limiter at four times the rate holds the peaks between the
samples. Only where the limiter alone would have to take more than `MAX_LIMITED_DB` from what is heard does
FFmpeg's `loudnorm` even out the dynamics first: it costs as much as the encoder and moves with the sound.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import structlog
from av.packet import Packet

from coordinator.media.intake.decoding import SAMPLE_RATE_HZ, Samples
from coordinator.media.sound.aac import bandwidth_hz, heard_after_aac
from coordinator.media.sound.filtering import Step, filtered
from coordinator.media.sound.loudness import Loudness, measure

log = structlog.get_logger()
# Gives the same sound anew each time it is called.
OpenSound: TypeAlias = "Callable[[], Iterator[Samples]]"
TARGET_LUFS = -14.0
# What is promised, and what we are content with.
MAX_ERROR_LU, TOLERANCE_LU = 0.5, 0.2
# What is promised is -1 dBTP. Another meter, and another decoder, may see a tenth more than ours.
CEILING_DBTP = -1.1
# Where the limiter begins: AAC adds a little to what it was given, and where it adds more, this goes down.
FIRST_LIMIT_DBTP = -2.0
LOWEST_LIMIT_DBTP = -12.0
MAX_GAIN_DB = 30.0
MAX_LIMITED_DB = 6.0
# Beyond the gain that the loudness asks for: what the limiter took may be asked for again. A lone click must not
# lift the hiss around it without end, so more than the least is given only as far as the floor stays below this.
LEAST_PUSH_DB, EVENED_PUSH_DB, MOST_PUSH_DB = 6.0, 9.0, 28.0
HIGHEST_FLOOR_DBFS = -16.0
# Attack and release of the limiter. Bursts that are shorter than its release take the sound behind them along; one
# that is as quick as the last distorts a voice, so that it comes only where nothing else gets there.
GENTLE_MS, HARD_MS, SUDDEN_MS = (5.0, 60.0), (5.0, 20.0), (1.0, 5.0)
MAX_ROUNDS, MAX_ENCODED_ROUNDS = 6, 8
# How much louder it gets by a decibel of gain: less, the more of it the limiter takes.
FIRST_SLOPE, LEAST_SLOPE = 0.85, 0.2
RAISED_SHARE = 0.7
# Where the filter is half-way down, above the bandwidth.
FULL_BAND = 1.05
MIN_OFFSET = 0.01
# It looks three seconds ahead; of less it makes one piece.
MIN_EVENED_S = 4.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Levelling:
    """What is done to a sound, in this order: its offset removed, its dynamics evened, a gain, a ceiling.

    Attributes:
        limit_dbtp: None: nothing reaches the ceiling.
        limiter_ms: attack and release.
        bandwidth_hz: what the encoder drops anyway is taken away before the limiter: it would answer for peaks that
            nobody hears, and others would come up where they were.
    """

    has_offset: bool = False
    is_evened: bool = False
    gain_db: float = 0.0
    limit_dbtp: float | None = FIRST_LIMIT_DBTP
    limiter_ms: tuple[float, float] = GENTLE_MS
    bandwidth_hz: int = SAMPLE_RATE_HZ // 2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LevelledSound:
    """A sound ready to be encoded.

    Attributes:
        open: the sound before the encoder.
        packets: what the encoder makes of it, as `heard_after_aac` says: whoever writes no other sound around it need
            not encode it once more.
        levelling: what was done to it.
        loudness: of what the encoder makes of it.
        note: why it is not at the target, in words for the user; None where it is.
    """

    open: OpenSound
    packets: Sequence[Packet[Any]]
    levelling: Levelling
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


@dataclasses.dataclass(frozen=True, slots=True)
class _Plan:
    """What to begin with, and how much gain may come of it."""

    levelling: Levelling
    max_gain_db: float


@dataclasses.dataclass(frozen=True, slots=True)
class _Try:
    """What was tried, and how it measured."""

    levelling: Levelling
    after: Loudness
    packets: Sequence[Packet[Any]] = ()

    @property
    def wanting_lu(self) -> float:
        """How much louder it should be."""
        lufs = self.after.integrated_lufs
        return math.inf if lufs is None else TARGET_LUFS - lufs

    @property
    def error_lu(self) -> float:
        return abs(self.wanting_lu)

    @property
    def is_good(self) -> bool:
        return self.error_lu <= MAX_ERROR_LU and self.after.true_peak_dbtp <= CEILING_DBTP

    @property
    def limit_dbtp(self) -> float:
        limit_dbtp = self.levelling.limit_dbtp
        return FIRST_LIMIT_DBTP if limit_dbtp is None else limit_dbtp

    @property
    def is_limited(self) -> bool:
        """Whether the ceiling is in the way, and not the gain alone; the encoder moves peaks by a few decibels."""
        return self.after.true_peak_dbtp > self.limit_dbtp - 3.0

    @property
    def badness(self) -> tuple[float, float]:
        """How far it is from what is wanted: the ceiling comes first."""
        return max(0.0, self.after.true_peak_dbtp - CEILING_DBTP), self.error_lu


def level_sound(open_sound: OpenSound, *, bitrate_bps: int) -> LevelledSound | None:
    """Find what brings a sound to `TARGET_LUFS` and below `CEILING_DBTP` in AAC of this bit rate; None: no sound.

    Where both cannot be had the ceiling holds.
    """
    before = measure(open_sound())
    if not before.num_samples:
        return None

    def encoded(levelling: Levelling) -> _Try:
        packets: list[Packet[Any]] = []
        after = measure(heard_after_aac(level(open_sound(), levelling), bitrate_bps, packets))
        return _Try(levelling, after, packets)

    plans = _plans(before, bandwidth_hz(bitrate_bps))
    first, harder = _first_plan(open_sound, plans)
    best = _closest(first, encoded, num_rounds=MAX_ENCODED_ROUNDS)
    for plan in harder:
        if best.is_good or not best.is_limited:
            break
        other = _closest(plan, encoded, num_rounds=MAX_ENCODED_ROUNDS)
        best = min(best, other, key=lambda it: it.badness)
    log.info(
        "sound_levelled",
        from_lufs=before.integrated_lufs,
        to_lufs=best.after.integrated_lufs,
        true_peak_dbtp=round(best.after.true_peak_dbtp, 2),
        gain_db=round(best.levelling.gain_db, 2),
        is_evened=best.levelling.is_evened,
    )
    return LevelledSound(
        open=lambda: level(open_sound(), best.levelling),
        packets=best.packets,
        levelling=best.levelling,
        loudness=best.after,
        note=_note(best),
    )


def _plans(before: Loudness, heard_hz: int) -> list[_Plan]:
    """Return what to try, the gentlest first and the hardest last."""
    plain = Levelling(has_offset=max(map(abs, before.offset)) > MIN_OFFSET, bandwidth_hz=heard_hz)
    if before.integrated_lufs is None:
        # Silence is left as it is, but for its peaks.
        return [_Plan(plain, 0.0)]
    gain_db = round(min(MAX_GAIN_DB, TARGET_LUFS - before.integrated_lufs), 2)
    push_db = min(MOST_PUSH_DB, HIGHEST_FLOOR_DBFS - before.floor_dbfs - gain_db)
    most_db = min(MAX_GAIN_DB, gain_db + max(LEAST_PUSH_DB, push_db))
    harder = [
        _Plan(dataclasses.replace(plain, gain_db=gain_db, limiter_ms=each), most_db)
        for each in (HARD_MS, SUDDEN_MS)
    ]
    is_long = before.num_samples >= MIN_EVENED_S * SAMPLE_RATE_HZ
    if is_long and before.crest_dbfs + gain_db - FIRST_LIMIT_DBTP > MAX_LIMITED_DB:
        return [_Plan(dataclasses.replace(plain, is_evened=True), EVENED_PUSH_DB), *harder]
    is_below = before.true_peak_dbtp + gain_db <= FIRST_LIMIT_DBTP and not plain.has_offset
    gentle = dataclasses.replace(plain, gain_db=gain_db, limit_dbtp=None if is_below else FIRST_LIMIT_DBTP)
    return [_Plan(gentle, min(MAX_GAIN_DB, gain_db + LEAST_PUSH_DB)), *harder]


def _first_plan(open_sound: OpenSound, plans: Sequence[_Plan]) -> tuple[_Plan, Sequence[_Plan]]:
    """Return the first plan that reaches the target before the encoder, or the closest, with the gain it takes.

    And what is harder than that. A round without the encoder costs half of one with it.
    """
    if plans[0].levelling.limit_dbtp is None or len(plans) == 1:
        return plans[0], plans[1:]

    def unencoded(levelling: Levelling) -> _Try:
        return _Try(levelling, measure(level(open_sound(), levelling)))

    found: list[tuple[float, int, _Plan]] = []
    for number, plan in enumerate(plans):
        best = _closest(plan, unencoded, num_rounds=MAX_ROUNDS)
        found.append((best.error_lu, number, _Plan(best.levelling, plan.max_gain_db)))
        if best.error_lu <= MAX_ERROR_LU:
            break
    _, number, first = min(found, key=lambda it: it[:2])
    return first, plans[number + 1 :]


def _closest(plan: _Plan, attempt: Callable[[Levelling], _Try], *, num_rounds: int) -> _Try:
    """Try, correct and try again until it is good; returns the best that was tried."""
    levelling = plan.levelling
    tries: list[_Try] = []
    while len(tries) < num_rounds and all(levelling != it.levelling for it in tries):
        tries.append(attempt(levelling))
        levelling = _corrected(tries, plan.max_gain_db)
    return min(tries, key=lambda it: it.badness)


def _corrected(tries: Sequence[_Try], max_gain_db: float) -> Levelling:
    """Return the next attempt, or the last one where its result is good or no gain can mend it."""
    last = tries[-1]
    gain_db, limit_dbtp = last.levelling.gain_db, last.levelling.limit_dbtp
    if last.after.true_peak_dbtp > CEILING_DBTP:
        limit_dbtp = round(max(LOWEST_LIMIT_DBTP, last.limit_dbtp - _step_db(tries)), 2)
    elif limit_dbtp is not None and last.wanting_lu > MAX_ERROR_LU:
        # What AAC added to the one before may have been bad luck: up again by some of what is free.
        free_db = CEILING_DBTP - last.after.true_peak_dbtp
        limit_dbtp = round(min(FIRST_LIMIT_DBTP, limit_dbtp + free_db * RAISED_SHARE), 2)
    lowered_db = last.limit_dbtp - (FIRST_LIMIT_DBTP if limit_dbtp is None else limit_dbtp)
    if last.error_lu > TOLERANCE_LU and math.isfinite(last.error_lu):
        # A lower ceiling takes everything along with it, so the gain must make up for that as well.
        gain_db += (last.wanting_lu + lowered_db) / _slope(tries) - lowered_db
    return dataclasses.replace(
        last.levelling, gain_db=round(min(gain_db, max_gain_db), 2), limit_dbtp=limit_dbtp
    )


def _step_db(tries: Sequence[_Try]) -> float:
    """Return by how much to lower the ceiling: by what is too much, or more where that helped little."""
    excess_db = [it.after.true_peak_dbtp - CEILING_DBTP for it in tries[-2:]]
    step_db = excess_db[-1] + 0.1
    if len(tries) > 1:
        lowered_db = tries[-2].limit_dbtp - tries[-1].limit_dbtp
        if lowered_db > 0 and excess_db[0] - excess_db[1] < lowered_db / 2:
            # What AAC adds need not stand where the highest peak was.
            step_db = max(step_db, 1.5 * lowered_db)
    return step_db


def _slope(tries: Sequence[_Try]) -> float:
    """Return by how much the loudness rose for each decibel of gain, both counted from the ceiling."""
    if len(tries) < 2:
        return FIRST_SLOPE
    before, after = (
        (it.levelling.gain_db - it.limit_dbtp, (it.after.integrated_lufs or 0.0) - it.limit_dbtp)
        for it in tries[-2:]
    )
    if abs(after[0] - before[0]) < 0.2:
        return FIRST_SLOPE
    return min(1.0, max(LEAST_SLOPE, (after[1] - before[1]) / (after[0] - before[0])))


def _note(best: _Try) -> str | None:
    if best.after.integrated_lufs is None:
        return "silence: left as it is"
    if best.after.is_repeated:
        return "shorter than the 400 ms that loudness is measured over: levelled as if it were repeated"
    if best.wanting_lu <= MAX_ERROR_LU:
        return None
    if not best.is_limited:
        why = f"too quiet, and more than {MAX_GAIN_DB:g} dB would publish the noise of its recording"
    else:
        why = "too short or too sudden to be made louder without being distorted"
    return f"{best.wanting_lu:.1f} LU below {TARGET_LUFS:g} LUFS: {why}"


def level(pieces: Iterator[Samples], levelling: Levelling) -> Iterator[Samples]:
    """Yield the sound after `levelling`; neither its length nor its timing changes."""
    chain: list[Step] = []
    if levelling.has_offset:
        chain.append(("highpass", "f=10:poles=1"))
    if levelling.is_evened:
        chain.append(("loudnorm", f"I={TARGET_LUFS}:TP={FIRST_LIMIT_DBTP}:LRA=11"))
        chain.append(("aresample", f"{SAMPLE_RATE_HZ}"))
    chain.append(("volume", f"{levelling.gain_db:.3f}dB:precision=float"))
    if levelling.limit_dbtp is not None:
        limit = 10 ** (levelling.limit_dbtp / 20)
        # FFmpeg counts the cut-off by the higher rate. A long filter is steep: nothing that is kept gets lower.
        cutoff = min(0.97, levelling.bandwidth_hz * FULL_BAND / (SAMPLE_RATE_HZ / 2)) / 4
        chain.append(("aresample", f"{4 * SAMPLE_RATE_HZ}:cutoff={cutoff:.5f}:filter_size=64"))
        attack_ms, release_ms = levelling.limiter_ms
        # latency=1 gives back the look-ahead, so that sound stays where it was.
        options = f"limit={limit:.6f}:level=0:attack={attack_ms:g}:release={release_ms:g}:latency=1"
        chain.append(("alimiter", options))
    for frame in filtered(pieces, *chain):
        yield np.asarray(frame.to_ndarray(), np.float32)
