"""Thread `self-test`: looks at the newest recorded pictures and sound, and says what is wrong with them.

A look: grab the screen by a source of its own; wait for the GOP that holds that moment; decode two or three pictures
of it. Only where these would mean a fault is the whole GOP decoded and the screen grabbed once more. What is not sure
is looked at again 5 s later, and only then an alarm.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from agent.errors import InputUnusable, NothingToClip, ScreenUnavailable
from agent.health.alarms import AlarmBook
from agent.health.content import (
    MAX_AGE_GOPS,
    Baseline,
    Finding,
    Look,
    SoundFacts,
    judge,
    needs_more,
    next_baseline,
)
from agent.health.decoding import decode_deep, decode_light
from agent.health.glance import ScreenGlance
from agent.health.memory import give_back
from agent.health.pictures import SmallPicture
from agent.model.media import EncodedPacket, TrackParams
from agent.ports import PacketSpan
from agent.worker import OnProblem, Worker, ignore_problem
from protos.timebase import MILLISECOND_NS, SECOND_NS

log = structlog.get_logger()

FIRST_LOOK_S = 5.0
RETRY_S = 5.0
# While an alarm stands its end is to be noticed soon.
_ALARMED_S = 10.0
_SLICE_S = 0.25


class WatchedRing(Protocol):
    """What the self-test needs of the ring. Any thread."""

    @property
    def newest_ns(self) -> int: ...
    def wait_for(self, time_ns: int, *, timeout_s: float) -> bool: ...
    def snapshot(self, start_ns: int, end_ns: int) -> PacketSpan: ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SelfTestHooks:
    """What the self-test asks of the recording, in its own thread.

    Attributes:
        now_ns: now, on the session's line.
        outage: why the screen is known to be away; empty when it is not.
        sounds: each source as it is now, with the excuses for silence looked up.
        on_checked: a look is done; what a user sees may have changed.
    """

    now_ns: Callable[[], int]
    outage: Callable[[], str]
    sounds: Callable[[], Sequence[SoundFacts]]
    on_checked: Callable[[], None] = lambda: None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CheckedContent:
    """The last look: when, by both clocks, and what was found."""

    monotonic_ns: int
    unix_ms: int
    findings: tuple[Finding, ...]


class SelfTest(Worker):
    """Checks content every `interval_s`.

    Args:
        size_px: of the recorded picture, until the first look finds it in the ring.

    Attributes:
        last: the last look, None before the first. Any thread.
        num_looks, cpu_ns: how many there were, and what they cost in all.
    """

    def __init__(
        self,
        ring: WatchedRing,
        glance: ScreenGlance,
        alarms: AlarmBook,
        hooks: SelfTestHooks,
        *,
        size_px: tuple[int, int],
        interval_s: float,
        first_look_s: float = FIRST_LOOK_S,
        retry_s: float = RETRY_S,
        on_problem: OnProblem = ignore_problem,
    ) -> None:
        super().__init__("self-test", on_problem=on_problem)
        self._ring = ring
        self._glance = glance
        self._alarms = alarms
        self._hooks = hooks
        self._interval_s = interval_s
        self._retry_s = retry_s
        self._next_s = min(first_look_s, interval_s)
        self._baseline = Baseline()
        self._size_px = size_px
        self._gop_ns = SECOND_NS
        self._suspects: set[str] = set()
        self._raised: set[str] = set()
        self.last: CheckedContent | None = None
        self.num_looks = 0
        self.cpu_ns = 0

    def step(self) -> None:
        """Wait for the next look, and take it."""
        if self.wait(self._next_s):
            return
        began_ns, glanced_ns = time.thread_time_ns(), self._glance.cpu_ns
        findings = self.look()
        give_back()
        self.cpu_ns += time.thread_time_ns() - began_ns + self._glance.cpu_ns - glanced_ns
        log.debug("content_checked", cpu_ms=round(self.cpu_ns / MILLISECOND_NS / self.num_looks, 1))
        if self.is_stopping:
            return
        self._conclude(findings)
        self._hooks.on_checked()

    def forget(self) -> None:
        """Keep no picture of what was before. Any thread."""
        self._baseline = Baseline(is_comparable=self._baseline.is_comparable)

    def look(self) -> list[Finding]:
        """One look, about two seconds."""
        self.num_looks += 1
        asked_ns = self._hooks.now_ns()
        look = dataclasses.replace(self._glanced(Look(age_ns=0)), sounds=tuple(self._hooks.sounds()))
        self._wait_for(self._hooks.now_ns() + self._gop_ns)
        age_ns = 0 if self._hooks.outage() else self._age_ns()
        look = dataclasses.replace(look, age_ns=age_ns, gop_ns=self._gop_ns)
        packets, track = self._newest_packets(asked_ns)
        if track is None:
            return judge(look, self._baseline)
        self._follow_size(track)
        look = self._decoded(look, lambda: decode_light(packets, track))
        if needs_more(look, self._baseline):
            look = self._decoded(self._glanced(look), lambda: decode_deep(packets, track))
        findings = judge(look, self._baseline)
        self._baseline = next_baseline(look, self._baseline)
        return findings

    def _glanced(self, look: Look) -> Look:
        """With one more grab of the screen."""
        try:
            screen = self._glance.take(into_px=self._size_px)
        except ScreenUnavailable as exc:
            return dataclasses.replace(look, screen=(), screen_problem=str(exc))
        return dataclasses.replace(look, screen=(*look.screen, screen))

    def _wait_for(self, time_ns: int) -> None:
        """Until the picture has come so far, or is known not to come."""
        while not (self.is_stopping or self._hooks.outage() or self._age_ns() > MAX_AGE_GOPS * self._gop_ns):
            if self._ring.wait_for(time_ns, timeout_s=_SLICE_S):
                return

    def _age_ns(self) -> int:
        return self._hooks.now_ns() - max(0, self._ring.newest_ns)

    def _newest_packets(self, since_ns: int) -> tuple[list[EncodedPacket], TrackParams | None]:
        """The picture's packets from the key frame before `since_ns` on."""
        try:
            with self._ring.snapshot(since_ns, self._ring.newest_ns + 1) as span:
                number = next(index for index, track in enumerate(span.tracks) if track.kind == "video")
                packets = [packet for packet in span.packets() if packet.track == number]
                track = span.tracks[number]
        except NothingToClip:
            return [], None
        keys_ns = [packet.pts_ns for packet in packets if packet.is_key_frame]
        if len(keys_ns) > 1:
            self._gop_ns = max(SECOND_NS // 4, keys_ns[1] - keys_ns[0])
        return packets, track

    def _follow_size(self, track: TrackParams) -> None:
        size_px = (track.width_px, track.height_px)
        if size_px != self._size_px:
            self._size_px = size_px
            self._baseline = Baseline()

    def _decoded(self, look: Look, decode: Callable[[], list[SmallPicture]]) -> Look:
        try:
            return dataclasses.replace(look, ours=tuple(decode()))
        except InputUnusable as exc:
            return dataclasses.replace(look, ours=(), decode_problem=str(exc))

    def _conclude(self, findings: Sequence[Finding]) -> None:
        """Raise what is sure or was found twice in a row; clear what was not found."""
        failing = {finding.code: finding for finding in findings if not finding.is_ok}
        told = {
            code
            for code, finding in failing.items()
            if finding.is_sure or code in self._suspects or code in self._raised
        }
        for code in sorted(self._raised - failing.keys()):
            self._alarms.report(code, None)
        for code in sorted(told):
            self._alarms.report(code, failing[code].detail)
        self._raised, self._suspects = told, failing.keys() - told
        if self._suspects:
            log.info("content_looks_wrong", codes=sorted(self._suspects))
            self._next_s = self._retry_s
        else:
            self._next_s = min(self._interval_s, _ALARMED_S) if told else self._interval_s
        self.last = CheckedContent(
            monotonic_ns=time.monotonic_ns(),
            unix_ms=time.time_ns() // MILLISECOND_NS,
            findings=tuple(findings),
        )
