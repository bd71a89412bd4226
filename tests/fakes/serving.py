"""`coordinator serve` as an operator starts it: real processes on a database of the test, on free ports of loopback."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent.uplink.channel import Coordinator
from agent.uplink.link import LinkClient
from agent.uplink.outbox import Outbox
from tests.fakes.link_parts import QUICK

ROOT = Path(__file__).parents[2]


class Serving:
    """One machine: a data directory, its ports, and the program that serves them, which may come and go."""

    def __init__(self, data: Path, database_url: str, **settings: Any) -> None:
        """Args: settings: named as in the environment, without the prefix, e.g. SERVE__PROCESSES."""
        self.data = data
        self.grpc_port, web_port, self.files_port = free_ports(3)
        self.settings: dict[str, Any] = {
            "LISTEN__GRPC": f"127.0.0.1:{self.grpc_port}",
            "LISTEN__WEB": f"127.0.0.1:{web_port}",
            "LOG__FORMAT": "json",
            **settings,
        }
        # As the supervisor of `all` writes it: a database of this machine, whose owner's token counts.
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        (data / "database.url").write_text(database_url)
        self.lines: list[dict[str, Any]] = []
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it; `events` says what it logs."""
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("CLIPPY_COORDINATOR_")
        }
        environment |= {f"CLIPPY_COORDINATOR_{name}": str(value) for name, value in self.settings.items()}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "coordinator", "--data", str(self.data), "serve"],
            cwd=ROOT,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()

    def events(self, name: str) -> list[dict[str, Any]]:
        """The lines of the log with this event."""
        return [line for line in list(self.lines) if line.get("event") == name]

    def stop(self, *, wait_s: float = 40.0) -> int:
        """SIGTERM; returns the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(wait_s)
        self._finish()
        return code

    def kill(self) -> None:
        """kill -9, if it still runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)
        self._finish()

    def client(self, outbox: Outbox, *, agent_id: str = "agent-1") -> LinkClient:
        """An agent's link that has not started."""
        coordinator = Coordinator(
            address=f"localhost:{self.grpc_port}",
            ca_path=self.data / "tls" / "ca.pem",
            token_path=self.data / "owner.token",
        )
        return LinkClient(coordinator, outbox, agent_id=agent_id, agent_version="0", settings=QUICK)

    def _finish(self) -> None:
        if self._reader is not None and self._process is not None:
            self._reader.join(10)
            assert self._process.stderr is not None
            self._process.stderr.close()
            self._reader = None

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            try:
                self.lines.append(json.loads(line))
            except ValueError:
                self.lines.append({"event": "text", "text": line.rstrip()})


@contextlib.contextmanager
def serving(data: Path, database_url: str, **settings: Any) -> Iterator[Serving]:
    """A machine that serves; killed when the block is left."""
    machine = Serving(data, database_url, **settings)
    machine.start()
    try:
        yield machine
    finally:
        machine.kill()


def free_ports(num: int) -> list[int]:
    """Ports of loopback that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(num)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def new_outbox(folder: Path) -> Outbox:
    """An empty outbox in a file of its own."""
    return Outbox(folder / f"outbox-{uuid.uuid4().hex}.db")
