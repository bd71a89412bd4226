"""Is what is recorded what it should be? Decisions on what one look measured. Pure.

A finding that is not sure is looked at once more before anybody is alarmed: a look takes two seconds, in which a
healthy screen may change at any moment.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

from agent.health.pictures import SmallPicture, has_detail, is_black, is_different, is_lit, is_same
from protos.timebase import SECOND_NS

CheckName = Literal["decodes", "stale", "black", "frozen", "silent", "drift"]
# Zeros for so long are no pause of a microphone's noise; with a look every 30 s they are told within 55 s.
SILENT_AFTER_NS = 20 * SECOND_NS
MAX_DRIFT_MS = 40.0
MAX_AGE_GOPS = 2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SoundFacts:
    """What is known of one source.

    Attributes:
        zeros_ns: for how long every sample was exactly zero, up to now; None: not known.
        excuse: why zeros are right (muted, nothing plays); empty: no reason is known.
        drift_ms: how far its track is from where its device's stamps say it should be; None: not known.
    """

    name: str
    device: str
    is_running: bool = True
    zeros_ns: int | None = None
    excuse: str = ""
    drift_ms: float | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look measured.

    Attributes:
        age_ns: how old the newest picture was when it should have come.
        decode_problem: why the newest GOP cannot be decoded; empty when it can.
        ours: pictures of the ring from the time of the look, oldest first; empty when there are none.
        screen: the screen at the beginning, and if it was needed at the end, by a source of its own.
        screen_problem: why there is none; empty when there is.
    """

    age_ns: int
    gop_ns: int = SECOND_NS
    decode_problem: str = ""
    ours: tuple[SmallPicture, ...] = ()
    screen: tuple[SmallPicture, ...] = ()
    screen_problem: str = ""
    sounds: tuple[SoundFacts, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What earlier looks leave to the next.

    Attributes:
        ours, screen: the newest pictures of the last look; None where it had none.
        is_comparable: ours once looked like the screen's, so that unlike means wrong.
    """

    ours: SmallPicture | None = None
    screen: SmallPicture | None = None
    is_comparable: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check of one look.

    Attributes:
        code: the alarm's; empty when all is well.
        detail: what was seen, or the alarm's message: what, which value, what to do.
        is_sure: no second look is needed.
    """

    name: CheckName
    detail: str
    code: str = ""
    is_sure: bool = False

    @property
    def is_ok(self) -> bool:
        """Is all well?"""
        return not self.code


def judge(look: Look, before: Baseline) -> list[Finding]:
    """All checks of one look, in the order of their weight."""
    return [_decodes(look), _stale(look), _black(look), _frozen(look, before), *_silent(look), _drift(look)]


def needs_more(look: Look, before: Baseline) -> bool:
    """Would a fault be found on what is known so far? Then the whole GOP and a second grab are worth their cost."""
    return any(not finding.is_ok for finding in (_black(look), _frozen(look, before)))


def next_baseline(look: Look, before: Baseline) -> Baseline:
    """What the next look is held against."""
    is_alike = any(
        is_same(picture, screen) for picture in look.ours for screen in look.screen if has_detail(screen)
    )
    return Baseline(
        ours=look.ours[-1] if look.ours else before.ours,
        screen=look.screen[-1] if look.screen else before.screen,
        is_comparable=before.is_comparable or is_alike,
    )


def _decodes(look: Look) -> Finding:
    if look.decode_problem:
        return Finding(
            name="decodes",
            code="undecodable",
            detail=f"the newest recorded pictures cannot be decoded: {look.decode_problem}; restart the engine",
        )
    return Finding(name="decodes", detail="" if look.ours else "no picture to decode")


def _stale(look: Look) -> Finding:
    age_s = look.age_ns / SECOND_NS
    if look.age_ns > MAX_AGE_GOPS * look.gop_ns:
        return Finding(
            name="stale",
            code="stale",
            detail="no new picture reaches the buffer: the screen source does not answer; "
            "is the screen there? else restart the engine",
        )
    return Finding(name="stale", detail=f"the newest picture was {max(0.0, age_s):.1f} s old")


def _black(look: Look) -> Finding:
    if not look.ours or not all(is_black(picture) for picture in look.ours):
        return Finding(name="black", detail="")
    if not look.screen:
        return Finding(name="black", detail=f"black; the screen could not be asked: {look.screen_problem}")
    if not all(is_lit(screen) for screen in look.screen):
        return Finding(name="black", detail="black, as the screen itself is")
    return Finding(
        name="black",
        code="black",
        detail="the recorded picture is black while the screen is not; set capture.screen to another source",
    )


def _frozen(look: Look, before: Baseline) -> Finding:
    if not look.ours or all(is_black(picture) for picture in look.ours):
        return Finding(name="frozen", detail="")
    newest = look.ours[-1]
    if not all(is_same(picture, newest) for picture in look.ours):
        return Finding(name="frozen", detail="the picture moves")
    if not look.screen:
        return Finding(name="frozen", detail=f"still; the screen could not be asked: {look.screen_problem}")
    if not all(is_different(newest, screen) for screen in look.screen):
        return Finding(name="frozen", detail="still, as the screen is")
    has_changed_alone = (
        before.ours is not None
        and before.screen is not None
        and is_same(newest, before.ours)
        and all(is_different(before.screen, screen) for screen in look.screen)
    )
    if before.is_comparable or has_changed_alone:
        return Finding(
            name="frozen",
            code="frozen",
            detail="the recorded picture stands still while the screen changes; "
            "set capture.screen to another source, or restart the engine",
        )
    return Finding(name="frozen", detail="still, and unlike the screen, which it was never like")


def _silent(look: Look) -> list[Finding]:
    findings = []
    for sound in look.sounds:
        has_zeros = sound.zeros_ns is not None and sound.zeros_ns >= SILENT_AFTER_NS
        if not sound.is_running or not has_zeros:
            continue
        if sound.excuse:
            findings.append(Finding(name="silent", detail=f"{sound.name}: {sound.excuse}"))
            continue
        what = "the microphone" if sound.name == "mic" else f"{sound.name} sound"
        findings.append(
            Finding(
                name="silent",
                code=f"silent_{sound.name}",
                detail=f"{what} ({sound.device}) gives digital silence, not even noise; "
                "is it switched off, or the wrong device? see `clippy devices`",
                is_sure=True,
            )
        )
    return findings or [Finding(name="silent", detail="")]


def _drift(look: Look) -> Finding:
    known = [(abs(sound.drift_ms), sound.name) for sound in look.sounds if sound.drift_ms is not None]
    if not known:
        return Finding(name="drift", detail="")
    drift_ms, name = max(known)
    if drift_ms >= MAX_DRIFT_MS:
        return Finding(
            name="drift",
            code="drift",
            detail=f"{name} is over {MAX_DRIFT_MS:.0f} ms from the picture; unplug and replug the device",
        )
    return Finding(name="drift", detail=f"at most {drift_ms:.0f} ms")
