"""The demo's run: plays, presses the key, tells what happens while it happens, and waits until everything is done."""

from __future__ import annotations

import contextlib
import json
import select
import time
from pathlib import Path
from typing import Any

import httpx
from given import DemoFailed, say
from stage import Stage

# The key is pressed so long after the last shot: its clip holds the whole highlight, and its post is not in the way of
# the highlight's own.
_AFTER_SHOT_S = 22.5
_LOOK_EVERY_S = 2.0
_GENERATED_S = 36.0
_FINISH_S = 120.0
_QUIET_LOOKS = 6


class Watch:
    """What was seen during the run."""

    def __init__(self, stage: Stage, *, is_engine_stopped: bool = True) -> None:
        """Args: is_engine_stopped: stop the engine when the stream has ended, so that the session is complete."""
        self.stage = stage
        self._is_engine_stopped = is_engine_stopped
        self.t0_monotonic_ns = 0
        self.pressed_ns = 0
        self.clip: dict[str, Any] | None = None
        self.press_error = ""
        self.status: dict[str, Any] = {}
        self.sessions: list[str] = []
        self.session: dict[str, Any] = {}
        self.moments_while_live: set[str] = set()
        self.posts_while_live: dict[str, float] = {}
        self._ended_s = 0.0
        self.cpu_s_per_s: float | None = None
        self._told: set[str] = set()
        self._is_playing = True

    def run(self) -> None:
        """Play to the end, and wait for what follows from it."""
        cpu_before, began = self._engine_cpu_s(), time.monotonic()
        if self.stage.has_screen:
            self._play()
        else:
            self._record_generated()
        status = self.stage.agent("status")
        if status is None:
            raise DemoFailed(f"the engine does not answer any more; see {self.stage.log('engine')}")
        self.status = status
        cpu_after = self._engine_cpu_s()
        if cpu_before is not None and cpu_after is not None:
            self.cpu_s_per_s = (cpu_after - cpu_before) / (time.monotonic() - began)
        self._ended_s = int(status["now_ns"]) / 1e9
        self._is_playing = False
        say("the stream ended; finishing what is under way")
        self._finish()

    # ---- while the stream runs

    def _play(self) -> None:
        started = self.stage.start_player()
        self.t0_monotonic_ns = started["t0_monotonic_ns"]
        say("live: the stream is running")
        press_at_s = self._press_at_s(started)
        next_look_s = 0.0
        while not self._has_player_ended():
            at_s = (time.monotonic_ns() - self.t0_monotonic_ns) / 1e9
            if not self.pressed_ns and at_s >= press_at_s:
                self._press()
            if at_s >= next_look_s:
                next_look_s = at_s + _LOOK_EVERY_S
                self._look(at_s)
        if not self.pressed_ns:
            self._press()

    def _press_at_s(self, started: dict[str, Any]) -> float:
        """In a match after the last shot; in a recording two thirds in."""
        if self.stage.arguments.video:
            return 2 / 3 * float(started.get("duration_s") or 45.0)
        truth = json.loads(self.stage.truth_file.read_text(encoding="utf-8"))
        shots = [span["shot_s"] for span in truth["highlights"]]
        at_s = shots[-1] + _AFTER_SHOT_S if shots else self.stage.arguments.seconds / 2
        return float(min(at_s, self.stage.arguments.seconds - 2))

    def _has_player_ended(self) -> bool:
        player = self.stage.player
        assert player is not None
        assert player.stdout is not None
        readable, _, _ = select.select([player.stdout], [], [], 0.2)
        if not readable:
            return False
        line = player.stdout.readline()
        if line:
            event = json.loads(line)
            if event["event"] in ("highlight", "decoy"):
                say(f"{event.get('at_s', event.get('start_s', 0.0)):6.1f} s  on screen: {event.get('kind')}")
            elif event["event"] == "broken":
                raise DemoFailed(f"the recording broke off: {event['message']}", code="input_unusable")
            return bool(event["event"] == "ended")
        return True

    def _press(self) -> None:
        assert self.stage.press_key is not None
        say("        pressing the key")
        self.pressed_ns = self.stage.press_key()

    def _record_generated(self) -> None:
        say(f"recording a generated picture and sound for {_GENERATED_S:.0f} s")
        deadline = time.monotonic() + _GENERATED_S
        while time.monotonic() < deadline:
            time.sleep(1.0)
        self.pressed_ns = time.monotonic_ns()
        if self.stage.agent("clip", "--last", "30") is None:
            raise DemoFailed(f"no clip could be saved; see {self.stage.log('engine')}")

    def _look(self, at_s: float) -> None:
        """Tell what is new."""
        if self.clip is None and self.pressed_ns:
            self._look_for_clip()
        session = self._fetch_session()
        for moment in session.get("moments", []):
            self._tell(
                moment["moment_id"],
                f"found: {moment['title'] or moment['kind']} ({moment['score']:.2f})",
                at_s,
            )
            for export in moment["exports"]:
                if export["state"] == "ready":
                    self._tell(export["export_id"], f"post ready: {moment['title'] or moment['kind']}", at_s)
                    if self._is_playing:
                        self.posts_while_live.setdefault(export["export_id"], at_s)

    def _tell(self, key: str, words: str, at_s: float) -> None:
        if key not in self._told:
            self._told.add(key)
            say(f"{at_s:6.1f} s  {words}")

    def _look_for_clip(self) -> None:
        library = self.stage.agent("library", "--limit", "1") or {"clips": []}
        if library["clips"]:
            self.clip = library["clips"][0]
            say(f"        saved {self.clip['duration_s']:.2f} s: {Path(self.clip['path']).name}")
        else:
            status = self.stage.agent("status") or {}
            if status.get("last_press_error"):
                self.press_error = status["last_press_error"]

    # ---- afterwards

    def _heard_s(self) -> float:
        """Up to where the streamer was heard, on the session's line."""
        return float(self.session.get("heard_s") or 0.0)

    def _finish(self) -> None:
        """Let what was streamed become what it becomes; then stop the engine, and let its last chunks be heard too.

        The engine goes on recording meanwhile: it alone can give the full quality of the last moments.
        """
        if self.clip is None:
            self._look_for_clip()
        self._wait_until_quiet(is_over=False)
        if self._is_engine_stopped:
            self.stage.agent("stop")
            self._wait_until_quiet(is_over=True)

    def _wait_until_quiet(self, *, is_over: bool) -> None:
        """Until nothing is under way for some looks in a row: a look for moments follows the last chunk."""
        deadline = time.monotonic() + _FINISH_S
        num_quiet = 0
        while time.monotonic() < deadline:
            self._look((time.monotonic_ns() - self.t0_monotonic_ns) / 1e9 if self.t0_monotonic_ns else 0.0)
            num_quiet = num_quiet + 1 if self.session and self._is_settled(is_over=is_over) else 0
            if num_quiet >= _QUIET_LOOKS:
                return
            time.sleep(0.5)
        self.stage.left_out.append(f"not everything was finished {_FINISH_S:.0f} s after the stream's end")

    def _is_settled(self, *, is_over: bool) -> bool:
        """Is nothing under way? `is_over`: and will nothing come any more?"""
        session = self.session
        if is_over and (session["is_live"] or session["jobs"]["waiting"] or not _is_all_stored(session)):
            return False
        if session["jobs"]["running"] or self._heard_s() < self._ended_s:
            return False
        exports = [
            export for item in (*session["moments"], *session["presses"]) for export in item["exports"]
        ]
        waiting = [
            item for item in session["moments"] if item["source"]["state"] in ("wanted", "sent", "pinned")
        ]
        waiting += [
            item for item in session["presses"] if item["source"]["state"] in ("wanted", "sent", "pinned")
        ]
        return not waiting and all(export["state"] != "pending" for export in exports)

    def _fetch_session(self) -> dict[str, Any]:
        """The newest session, with what older ones of this run found."""
        with contextlib.suppress(httpx.HTTPError, json.JSONDecodeError, IndexError):
            sessions = httpx.get(f"{self.stage.page}api/sessions", timeout=5).json()
            self.sessions = [session["session_id"] for session in sessions]
            self.session = httpx.get(f"{self.stage.page}api/sessions/{self.sessions[0]}", timeout=5).json()
        return self.session

    def _engine_cpu_s(self) -> float | None:
        """User and system seconds of the engine so far (Linux)."""
        import os

        try:
            fields = (
                Path(f"/proc/{self.stage.engine_pid}/stat")
                .read_text(encoding="ascii")
                .rsplit(")", 1)[1]
                .split()
            )
        except OSError:
            return None
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _is_all_stored(session: dict[str, Any]) -> bool:
    """Is every chunk in the object store, so that the agent need not keep it any more?"""
    return all(lane["num_stored"] == lane["num"] for lane in session.get("chunks", {}).values())
