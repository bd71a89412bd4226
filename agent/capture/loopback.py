"""What a Windows PC plays, by WASAPI's loopback through `soundcard`. Written against its documentation, not run yet.

PortAudio's own libraries have no loopback. `soundcard` runs code when it is imported, so that happens where a device is
opened; it gives zeros where WASAPI gives nothing because nothing plays. It has no time stamps: a block is stamped by
when it came, which is off by up to a block (10 ms), and evened out by the session's timeline.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import structlog

from agent.errors import SoundUnavailable
from agent.model.media import SOUND_RATE_HZ, SoundBlock, SoundName
from agent.worker import Worker
from protos.timebase import SECOND_NS

log = structlog.get_logger()
AUTO = "auto"
_BLOCK_SAMPLES = 480  # 10 ms: as often as WASAPI has some
_OPEN_DEADLINE_S = 5.0
_SILENT_AFTER_NS = SECOND_NS


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LoopbackDevice:
    """An output whose sound can be recorded."""

    name: str
    is_default: bool


class WasapiLoopback:
    """What one output plays, at 48,000 Hz, as stereo.

    Args:
        name: which sound it is.
        device: the output's name, or `auto` for the default one, which is followed when it changes.
    """

    def __init__(self, name: SoundName, device: str = AUTO) -> None:
        self.name: SoundName = name
        self.device = device
        self._wanted = device
        self._puller: _Puller | None = None

    def open(self, on_block: Callable[[SoundBlock], None]) -> None:
        """Start recording, in a thread of its own.

        Raises:
            SoundUnavailable: `soundcard` is missing, or there is no such output.
        """
        self.close()
        puller = _Puller(self.name, self._wanted, on_block)
        puller.start()
        if not puller.has_begun.wait(_OPEN_DEADLINE_S) or puller.failure:
            puller.stop()
            reason = puller.failure or f"no answer in {_OPEN_DEADLINE_S:.0f} s"
            raise SoundUnavailable(
                f"cannot open {self.name} sound from {self._wanted}: {reason}; "
                "see `clippy devices` for what there is"
            )
        self.device = puller.device
        self._puller = puller

    @property
    def is_running(self) -> bool:
        """Has a block come within the last second, from the output that is wanted?"""
        puller = self._puller
        if puller is None or time.monotonic_ns() - puller.last_block_ns > _SILENT_AFTER_NS:
            return False
        return self._wanted != AUTO or _default_output() in ("", self.device)

    def close(self) -> None:
        """Stop; no block comes after it returns. Twice is once."""
        puller, self._puller = self._puller, None
        if puller is not None:
            puller.stop()


class _Puller(Worker):
    """Pulls blocks, each when it is there. COM wants a device used in the thread that opened it."""

    def __init__(self, name: SoundName, wanted: str, on_block: Callable[[SoundBlock], None]) -> None:
        super().__init__(f"loopback-{name}", on_problem=lambda problem: self._give_up(str(problem)))
        self.device = ""
        self.failure = ""
        self.has_begun = threading.Event()
        self.last_block_ns = 0
        self._name = name
        self._wanted = wanted
        self._on_block = on_block
        self._recorder: Any = None

    def set_up(self) -> None:
        try:
            library = _soundcard()
            output = library.default_speaker() if self._wanted == AUTO else library.get_speaker(self._wanted)
            self.device = str(output.name)
            microphone = library.get_microphone(output.id, include_loopback=True)
            recorder = microphone.recorder(SOUND_RATE_HZ, channels=[0, 1], blocksize=_BLOCK_SAMPLES)
            self._recorder = recorder.__enter__()
        except (SoundUnavailable, RuntimeError, IndexError, TypeError, OSError) as exc:
            self._give_up(str(exc))
            return
        self.last_block_ns = time.monotonic_ns()
        self.has_begun.set()

    def step(self) -> None:
        try:
            samples = np.asarray(self._recorder.record(numframes=None), np.float32)
        except (RuntimeError, OSError) as exc:
            self._give_up(str(exc))
            return
        if not len(samples):
            self.wait(0.005)
            return
        now_ns = time.monotonic_ns()
        self.last_block_ns = now_ns
        heard_ns = now_ns - len(samples) * SECOND_NS // SOUND_RATE_HZ
        if not self.is_stopping:
            self._on_block(SoundBlock(source=self._name, monotonic_ns=heard_ns, samples=samples))

    def tear_down(self) -> None:
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            recorder.__exit__(None, None, None)

    def _give_up(self, problem: str) -> None:
        """Whoever opened it is told, or sees that no block comes any more."""
        log.info("loopback_ended", source=self._name, problem=problem)
        self.failure = problem
        self.last_block_ns = 0
        self.has_begun.set()
        self.request_stop()


def list_devices() -> list[LoopbackDevice]:
    """Every output.

    Raises:
        SoundUnavailable: `soundcard` is missing or finds none.
    """
    default = _default_output()
    try:
        names = [str(speaker.name) for speaker in _soundcard().all_speakers()]
    except (RuntimeError, OSError) as exc:
        raise SoundUnavailable(f"cannot list outputs: {exc}; is the Windows Audio service running?") from exc
    return [LoopbackDevice(name=name, is_default=name == default) for name in names]


def _default_output() -> str:
    """The name of the default output; empty where there is none."""
    try:
        return str(_soundcard().default_speaker().name)
    except (RuntimeError, OSError) as exc:
        log.info("default_output_unknown", problem=str(exc))
        return ""


def _soundcard() -> Any:
    try:
        import soundcard
    except (ImportError, OSError, RuntimeError) as exc:
        raise SoundUnavailable(f"cannot load soundcard: {exc}; install clippy[agent] again") from exc
    return soundcard
