"""A whole recording with what watches over it, in this process: what `clippy engine` runs, without its control API."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.config import Config, load_config
from agent.engine.recording import Recording
from agent.engine.ticking import Ticker
from agent.engine.watching import Watching
from agent.health.clocks import Clocks
from agent.model.clips import SavedClip
from agent.paths import AgentPaths
from agent.ports import ScreenSource
from protos.timebase import SECOND_NS


class WatchedRecording:
    """Starts when it is entered; looks at its content as often as it may.

    Args:
        settings: named as in the environment, without the prefix.
        make_second: what the self-test looks at; None: what this machine has.
    """

    def __init__(
        self,
        folder: Path,
        *,
        is_generated: bool = False,
        make_second: Callable[[], ScreenSource | None] | None = None,
        clocks: Clocks | None = None,
        **settings: Any,
    ) -> None:
        named = {"CLIPS__FOLDER": folder / "clips", "HEALTH__CHECK_INTERVAL_S": 2, **settings}
        environment = {f"CLIPPY_AGENT_{name}": str(value) for name, value in named.items()}
        self.paths = AgentPaths(data=folder)
        self.config: Config = load_config(folder / "agent.toml", environment)
        self.heard = 0
        self.recording = Recording(self.paths, self.config, is_generated=is_generated)
        self.watching = Watching(
            self.recording,
            self.config,
            on_sound=self._hear,
            make_second=make_second,
            clocks=clocks,
            first_look_s=0.5,
            retry_s=0.2,
        )
        self._ticker = Ticker(self.recording, self.watching)

    def _hear(self) -> None:
        self.heard += 1

    @property
    def alarms(self) -> list[str]:
        """The codes of those that stand, the worst first."""
        return [alarm.code for alarm in self.watching.alarms.standing()]

    @property
    def state(self) -> str:
        return self.recording.session.state.value

    def detail(self, name: str) -> str:
        """What the last look said of one check."""
        last = self.watching.self_test.last
        return "" if last is None else next(item.detail for item in last.findings if item.name == name)

    def wait_for_looks(self, num: int, deadline_s: float = 40.0) -> None:
        """Until so many more looks are done."""
        wanted = self.watching.self_test.num_looks + num + 1  # the one under way may have begun before
        self.wait_until(lambda: self.watching.self_test.num_looks >= wanted, f"{num} looks", deadline_s)

    def wait_until(self, is_so: Callable[[], Any], what: str, deadline_s: float = 40.0) -> None:
        ends = time.monotonic() + deadline_s
        while not is_so():
            assert time.monotonic() < ends, f"not in time: {what}; alarms {self.alarms}, {self.state}"
            time.sleep(0.05)

    def clip(self, last_s: float) -> SavedClip:
        """Save the last so many seconds."""
        future = self.recording.desk.presses.save(
            monotonic_ns=time.monotonic_ns(), last_ns=round(last_s * SECOND_NS), trigger="command"
        )
        return future.result(timeout=20)

    def __enter__(self) -> WatchedRecording:
        self.recording.start()
        self._ticker.start()
        self.watching.start()
        self.wait_until(lambda: self.recording.ring.buffered_ns > SECOND_NS, "a second in the ring")
        return self

    def __exit__(self, *exc: object) -> None:
        self.watching.stop()
        self._ticker.stop()
        self.recording.stop()
        self.recording.library.close()
