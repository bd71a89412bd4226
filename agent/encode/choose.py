"""Which encoder makes the picture: the hardware's where it works, x264 where it does not, and why.

Used by one thread at a time: the composition root's while it builds, then the `encode` thread.
"""

from __future__ import annotations

import difflib
import sys
import time
from collections.abc import Callable, Sequence
from typing import Literal

import structlog

from agent.encode.options import SOFTWARE_ENCODER, CodecName, candidates, known_encoders
from agent.encode.probe import OpenEncoder, probe_encoder
from agent.encode.probe_memory import Finding, ProbeMemory
from agent.encode.quality import Shape
from agent.encode.video import VideoEncoder
from agent.errors import EncoderUnavailable, InputUnusable
from protos.timebase import MILLISECOND_NS

log = structlog.get_logger()

AUTO = "auto"
# Written before a probe and overwritten by its answer: a driver that takes the process down is tried once.
_CRASHED = "it was being tried when the engine ended"


def now_unix_ms() -> int:
    """The wall clock."""
    return time.time_ns() // MILLISECOND_NS


class Encoders:
    """Opens the picture's encoder; when that fails, x264 from then on.

    Args:
        codec: `auto` is h264; one without hardware here falls back to h264.
        encoder: `auto`, or FFmpeg's name of one.
        memory: of earlier probes; None probes each time.
        platform: as `sys.platform`.

    Attributes:
        name: FFmpeg's name of the encoder that is opened next.
        reason: why it is not the one that was wished for; empty when it is.

    Raises:
        InputUnusable: No encoder of that name may be used here.
    """

    def __init__(
        self,
        *,
        codec: Literal["auto", "h264", "hevc", "av1"] = "auto",
        encoder: str = AUTO,
        memory: ProbeMemory | None = None,
        platform: str = sys.platform,
        open_encoder: OpenEncoder = VideoEncoder,
        now_unix_ms: Callable[[], int] = now_unix_ms,
    ) -> None:
        self._memory = memory or ProbeMemory(None, machine="")
        self._open_encoder = open_encoder
        self._now_unix_ms = now_unix_ms
        self.reason = ""
        self.name = self._named(encoder, platform) if encoder != AUTO else self._best(codec, platform)
        log.info("encoder_chosen", encoder=self.name, reason=self.reason)

    def open(self, shape: Shape, *, rate_bps: int) -> VideoEncoder:
        """The encoder for a shape.

        Args:
            rate_bps: 0 follows the number of pixels.

        Raises:
            EncoderUnavailable: Not even x264 opens; says why.
        """
        while True:
            try:
                return self._open_encoder(
                    width_px=shape.width_px,
                    height_px=shape.height_px,
                    frame_rate=shape.frame_rate,
                    rate_bps=rate_bps,
                    encoder=self.name,
                    preset=shape.preset,
                )
            except EncoderUnavailable as exc:
                if not self.give_up(str(exc)):
                    raise

    def give_up(self, problem: str) -> bool:
        """The encoder failed: forget that it works, and use x264; False when it was x264 that failed."""
        if self.name == SOFTWARE_ENCODER:
            return False
        log.warning("encoder_given_up", encoder=self.name, problem=problem)
        self._memory.forget(self.name)
        self.name = SOFTWARE_ENCODER
        self.reason = f"{problem}; {SOFTWARE_ENCODER} instead"
        return True

    def _named(self, encoder: str, platform: str) -> str:
        known = known_encoders(platform)
        if encoder not in known:
            near = difflib.get_close_matches(encoder, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are auto, {', '.join(known)}"
            raise InputUnusable(f"encode.encoder = {encoder!r} is no encoder that can be used here; {hint}")
        if encoder == SOFTWARE_ENCODER or not (problem := self._look_at(encoder)):
            return encoder
        self.reason = f"{problem}; {SOFTWARE_ENCODER} instead"
        return SOFTWARE_ENCODER

    def _best(self, codec: Literal["auto", "h264", "hevc", "av1"], platform: str) -> str:
        if codec in ("hevc", "av1"):
            name, problems = self._first_that_works(codec, platform)
            if name is not None:
                return name
            self.reason = f"no {codec} encoder works here ({'; '.join(problems)}); h264 instead"
        name, problems = self._first_that_works("h264", platform)
        if name is None and problems and not self.reason:
            self.reason = f"no hardware encoder works here ({'; '.join(problems)})"
        return name or SOFTWARE_ENCODER

    def _first_that_works(self, codec: CodecName, platform: str) -> tuple[str | None, Sequence[str]]:
        problems = []
        for name in candidates(codec, platform):
            problem = self._look_at(name)
            if not problem:
                return name, ()
            problems.append(problem)
        return None, problems or ["there is none"]

    def _look_at(self, encoder: str) -> str:
        """Why an encoder cannot be used, remembered or probed; empty: it can."""
        found = self._memory.find(encoder, now_unix_ms=self._now_unix_ms())
        if found is not None:
            return found.problem
        self._memory.put(encoder, Finding(at_unix_ms=self._now_unix_ms(), problem=f"{encoder}: {_CRASHED}"))
        problem = ""
        try:
            probe_encoder(encoder, open_encoder=self._open_encoder)
        except EncoderUnavailable as exc:
            problem = str(exc)
        except BaseException:
            self._memory.forget(encoder)  # interrupted, which says nothing of the encoder
            raise
        log.info("encoder_probed", encoder=encoder, problem=problem)
        self._memory.put(encoder, Finding(at_unix_ms=self._now_unix_ms(), problem=problem))
        return problem
