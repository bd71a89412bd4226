"""The real thing in a folder of its own: coordinator, engine and match player as processes, as a user starts them.

Owned by one test (or one module's tests); everything is ended by its id when that is over, however it went.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncpg
import httpx

from tests.e2e.processes import MARK, ROOT, Started, kill_left_over, marked, wait_until
from tests.fakes.desktop_here import load_packaging

HOTKEY = "Ctrl+Shift+F10"
KEYS = "ctrl+shift+F10"
SECOND_NS = 1_000_000_000
_OPEN_SOURCES = ("wanted", "sent", "pinned")


class Stack:
    """One coordinator and one agent.

    Args:
        desktop: the screen and sound card (`desktop` fixture); None: the engine makes a picture and sound of its own.
        coordinator, agent: settings over ours, named as in the environment without the prefix.
    """

    def __init__(
        self,
        desktop: Any = None,
        *,
        coordinator: dict[str, Any] | None = None,
        agent: dict[str, Any] | None = None,
    ) -> None:
        # Not pytest's folder: as root PostgreSQL runs as a user that cannot enter it, and sockets want short paths.
        self.folder = Path(tempfile.mkdtemp(prefix="clippy-e2e-", dir="/tmp"))
        self.folder.chmod(0o711)
        self.data = self.folder / "coordinator"
        self.clips = self.folder / "clips"
        self.desktop = desktop
        self.grpc_port, self.web_port = _free_ports()
        self.coordinator: Started | None = None
        self.engine: Started | None = None
        self.player: Started | None = None
        self._settings = coordinator or {}
        self._agent_settings = agent or {}
        self._started: list[Started] = []
        self._notes: list[str] = []
        desktop_environment = {} if desktop is None else desktop.environment
        self._environment = os.environ | desktop_environment | {MARK: str(self.folder)}

    def close(self) -> None:
        """End everything in reverse; nothing of ours is left then."""
        for process in reversed(self._started):
            process.end()
        kill_left_over(str(self.folder))
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            for name, words in self.logs().items():
                error.add_note(f"---- end of {name}\n{words}")
        self.close()

    def processes(self) -> dict[int, str]:
        """Every living process of this stack: {pid: command}."""
        return marked(str(self.folder))

    def logs(self) -> dict[str, str]:
        """The last words of everything that ran, and the test's own notes, for a failure's message."""
        words = {process.log.name: process.last_words() for process in self._started}
        return words | ({"notes": "\n".join(self._notes)} if self._notes else {})

    def note(self, words: str) -> None:
        """Keep a line for a failure's message."""
        self._notes.append(words)

    # ---- starting

    def start_coordinator(self, *, is_ready: bool = True) -> Started:
        """`python -m coordinator all`; waits until it is ready."""
        self.coordinator = self._start("coordinator", [sys.executable, "-m", "coordinator", "all"])
        if is_ready:
            self.wait_ready()
        return self.coordinator

    def wait_ready(self, *, deadline_s: float = 60.0) -> None:
        """Wait until link, pages and all workers are there."""

        def is_ready() -> bool:
            assert self.coordinator is not None
            self.coordinator.check()
            with contextlib.suppress(httpx.HTTPError):
                return httpx.get(f"{self.page}readyz", timeout=2).status_code == 200
            return False

        wait_until(is_ready, "the coordinator is ready", deadline_s=deadline_s)

    def start_engine(self) -> Started:
        """`python -m agent engine`; waits until its buffer is ready."""
        generated = ["--generated"] if self.desktop is None else []
        engine = self._start("engine", [sys.executable, "-m", "agent", "engine", *generated])
        self.engine = engine

        def is_ready() -> bool:
            engine.check()
            status = self.ask("status")
            return status is not None and status["state"] == "ready" and status["pid"] == engine.pid

        wait_until(is_ready, "the engine is ready", deadline_s=30)
        return engine

    def start_player(self, seconds: float) -> int:
        """The generated match on the desktop; returns CLOCK_MONOTONIC of its second 0."""
        command = [sys.executable, str(ROOT / "packaging" / "demo" / "play.py"), "match"]
        command += ["--seconds", str(seconds), "--truth", str(self.folder / "truth.json")]
        command += ["--cache", str(ROOT / ".clippy" / "speech")]
        self.player = self._start("player", command, stdout=subprocess.PIPE)
        line = self.player.stdout.readline()
        if not line:
            self.player.wait(within_s=10)
            self.player.check()
        return int(json.loads(line)["t0_monotonic_ns"])

    def _start(self, name: str, command: list[str], **pipes: Any) -> Started:
        log = self.folder / f"{name}.log"
        process = Started(name, command, self.environment, log, **pipes)
        self._started.append(process)
        return process

    @property
    def environment(self) -> dict[str, str]:
        """What every process of this stack is started with."""
        coordinator = {
            "DATA": self.data,
            "LISTEN__GRPC": f"127.0.0.1:{self.grpc_port}",
            "LISTEN__WEB": f"127.0.0.1:{self.web_port}",
            "ASR__ENGINE": "pocketsphinx",
            "ASR__GRAMMAR_FILE": self._grammar_file(),
            "WORKERS__LEASE_S": 5,
            "WORKERS__RECONCILE_S": 5,
            "WORKERS__GRACE_S": 5,
            "ROLL_UP_S": 5,
        }
        agent = {
            "DATA": self.folder / "agent",
            "CLIPS__FOLDER": self.clips,
            "TRIGGER__HOTKEY": HOTKEY,
            # Its sounds would be in the stream.
            "TRIGGER__ARE_SOUNDS_ON": "false",
            "UPLINK__ADDRESS": f"127.0.0.1:{self.grpc_port}",
            "UPLINK__CA_FILE": self.data / "tls" / "ca.pem",
            "UPLINK__TOKEN_FILE": self.data / "owner.token",
            "UPLINK__CHUNK_S": 3,
        }
        if self.desktop is not None:
            agent["CAPTURE__MICROPHONE"] = self.desktop.microphone_source
            agent["CAPTURE__DESKTOP_SOUND"] = self.desktop.desktop_source
        named = {
            f"CLIPPY_COORDINATOR_{name}": value for name, value in (coordinator | self._settings).items()
        }
        named |= {f"CLIPPY_AGENT_{name}": value for name, value in (agent | self._agent_settings).items()}
        return self._environment | {name: str(value) for name, value in named.items()}

    def _grammar_file(self) -> Path:
        path = self.folder / "phrases.txt"
        if not path.exists():
            path.write_text("\n".join(load_packaging("demo/match.py").phrases()) + "\n", encoding="utf-8")
        return path

    # ---- the agent

    def ask(self, *verb: str) -> dict[str, Any] | None:
        """`clippy VERB --json`; None when it fails."""
        code, answer = self.run_verb(*verb)
        return answer if code == 0 else None

    def run_verb(self, *verb: str) -> tuple[int, dict[str, Any]]:
        """`clippy VERB --json`: its exit code and its object."""
        done = subprocess.run(
            [sys.executable, "-m", "agent", *verb, "--json"],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        answer: dict[str, Any] = json.loads(done.stdout)
        return done.returncode, answer

    def status(self) -> dict[str, Any]:
        """The engine's status; it must answer."""
        answer = self.ask("status")
        assert answer is not None, "the engine does not answer"
        return answer

    def press(self) -> dict[str, Any]:
        """Press the real key; returns the library's row of the clip that it saved."""
        before = {clip["clip_id"] for clip in self.library()}
        self.desktop.press_key(KEYS)

        def saved() -> dict[str, Any] | None:
            return next((clip for clip in self.library() if clip["clip_id"] not in before), None)

        clip: dict[str, Any] = wait_until(saved, "the press is saved", deadline_s=20)
        return clip

    def library(self) -> list[dict[str, Any]]:
        """Saved clips, newest first; needs no engine."""
        answer = self.ask("library", "--limit", "100")
        assert answer is not None
        return list(answer["clips"])

    def wait_connected(self) -> None:
        """Wait until the link is up."""
        wait_until(
            lambda: self.status()["uplink"]["state"] == "connected", "the link is connected", deadline_s=40
        )

    def outbox(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Read the agent's outbox, also beside a running engine."""
        import sqlite3

        with contextlib.closing(
            sqlite3.connect(self.folder / "agent" / "outbox.db", timeout=5)
        ) as connection:
            return list(connection.execute(sql, values).fetchall())

    # ---- the coordinator

    @property
    def page(self) -> str:
        """Where its pages are."""
        return f"http://127.0.0.1:{self.web_port}/"

    def session(self, session_id: str) -> dict[str, Any]:
        """A session as the page tells it; empty while it is not known, or nobody answers."""
        with contextlib.suppress(httpx.HTTPError):
            answer = httpx.get(f"{self.page}api/sessions/{session_id}", timeout=5)
            if answer.status_code == 200:
                found: dict[str, Any] = answer.json()
                return found
        return {}

    def sql(self, statement: str, *values: Any) -> list[asyncpg.Record]:
        """Ask the embedded database."""

        async def fetch() -> list[asyncpg.Record]:
            url = (self.data / "database.url").read_text(encoding="utf-8").strip()
            connection = await asyncpg.connect(url, timeout=10)
            try:
                return list(await connection.fetch(statement, *values, timeout=20))
            finally:
                await connection.close(timeout=5)

        return asyncio.run(fetch())

    def state(self) -> dict[str, Any]:
        """What the supervisor says of its children; empty when it does not run."""
        with contextlib.suppress(OSError, ValueError):
            found: dict[str, Any] = json.loads((self.data / "coordinator.json").read_text(encoding="utf-8"))
            return found
        return {}

    def child(self, name: str) -> int:
        """The process of a stage, or of `serve`."""
        return int(self.state()["children"][name])

    def objects(self, prefix: str) -> dict[str, Path]:
        """Objects below a prefix: {key: file}."""
        root = self.data / "objects"
        return {str(path.relative_to(root)): path for path in (root / prefix).rglob("*") if path.is_file()}

    def wait_settled(self, session_id: str, *, deadline_s: float) -> dict[str, Any]:
        """Wait until nothing of an ended session is under way any more; returns it."""
        quiet: list[str] = []

        def is_settled() -> dict[str, Any] | None:
            session = self.session(session_id)
            if not session or not is_done(session):
                quiet.clear()
                return None
            # A look for moments follows the last chunk; nothing may follow for a while before we believe it.
            quiet.append("so far")
            return session if len(quiet) >= 10 else None

        try:
            settled: dict[str, Any] = wait_until(is_settled, "settled", deadline_s=deadline_s)
        except AssertionError as exc:
            session = self.session(session_id)
            session.get("transcript", {}).pop("words", None)
            raise AssertionError(
                f"the session is not settled ({exc}): {json.dumps(session, indent=1)}"
            ) from exc
        return settled


def is_done(session: dict[str, Any]) -> bool:
    """Has everything of an ended session become what it becomes, and is it stored?"""
    if session["is_live"] or session["jobs"]["running"] or session["jobs"]["waiting"]:
        return False
    items = [*session["moments"], *session["presses"]]
    is_stored = all(lane["num"] == lane["num_stored"] for lane in session["chunks"].values())
    return (
        is_stored
        and not any(item["source"]["state"] in _OPEN_SOURCES for item in items)
        and not any(export["state"] == "pending" for item in items for export in item["exports"])
        and not any(
            item["source"]["state"] == "uploaded" and all(export["is_earlier"] for export in item["exports"])
            for item in items
        )
    )


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]
