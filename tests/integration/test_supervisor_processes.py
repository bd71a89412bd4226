"""The supervisor with real children and kills."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from coordinator.errors import AlreadyRunning
from coordinator.ops.lock import DataLock
from coordinator.ops.supervisor import ChildSpec, Supervisor

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

# A child that obeys, a grandchild of it that does not, and one that ignores SIGTERM.
_CHILD = """
import signal, subprocess, sys, threading
from coordinator.ops import lifeline
assert lifeline.hold(grace_s=1.0)
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: None if sys.argv[1] == "deaf" else stop.set())
left = subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)", "left by " + sys.argv[1]])
while not stop.wait(0.05):
    pass
"""
_SUPERVISOR = """
import sys
from pathlib import Path
from coordinator.log import configure_logs
from coordinator.ops.lock import DataLock
from coordinator.ops.supervisor import ChildSpec, Supervisor
from coordinator.store.embedded import EmbeddedPostgres
configure_logs(style="json")
data = Path(sys.argv[1])
with DataLock(data):
    database = EmbeddedPostgres(data)
    database.start()
    children = [
        ChildSpec(name=name, argv=[sys.executable, "-c", sys.argv[2], name], rank=rank, stop_s=stop_s)
        for rank, (name, stop_s) in enumerate([("first", 10.0), ("deaf", 0.5)])
    ]
    code = Supervisor(
        children, state_file=data / "coordinator.json", services=[database], told={"page": "http://127.0.0.1:1/"}
    ).run()
    database.stop()
sys.exit(code)
"""


def is_running(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def descendants(pid: int) -> set[int]:
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def wait_until(is_so: Callable[[], Any], what: str, deadline_s: float = 30.0) -> None:
    deadline = time.monotonic() + deadline_s
    while not is_so():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.05)


class Running:
    """A supervisor in a process of its own."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.log = (data / "supervisor.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SUPERVISOR, str(data), _CHILD], stdout=self.log, stderr=self.log
        )

    def state(self) -> dict[str, Any]:
        with contextlib.suppress(OSError, ValueError):
            found: dict[str, Any] = json.loads((self.data / "coordinator.json").read_text())
            return found
        return {}

    def child(self, name: str) -> int:
        return int(self.state().get("children", {}).get(name) or 0)

    def wait_until_whole(self) -> None:
        def is_whole() -> bool:
            state = self.state()
            return state.get("pid") == self.process.pid and all(
                pid and is_running(pid) and len(descendants(pid)) == 1 for pid in state["children"].values()
            )

        wait_until(is_whole, "all children run")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.log.close()


@pytest.fixture
def running() -> Iterator[Running]:
    data = Path(tempfile.mkdtemp(prefix="clippy-test-", dir="/tmp"))
    started = Running(data)
    try:
        started.wait_until_whole()
        yield started
    finally:
        left = descendants(started.process.pid)
        started.close()
        wait_until(lambda: not any(is_running(pid) for pid in left), "all of it is gone")
        shutil.rmtree(data, ignore_errors=True)


def test_a_child_killed_with_nine_is_started_again_and_its_leftovers_are_ended(running: Running):
    first = running.child("first")
    (leftover,) = descendants(first)
    os.kill(first, signal.SIGKILL)

    wait_until(lambda: running.child("first") not in (0, first), "another child runs")

    wait_until(lambda: not is_running(leftover), "the leftover is gone")
    running.wait_until_whole()
    assert running.state()["num_restarts"] == {"first": 1}


def test_a_database_killed_with_nine_is_started_again(running: Running):
    before = running.state()["services"]["postgres"]
    os.kill(before, signal.SIGKILL)

    wait_until(lambda: running.state()["services"]["postgres"] not in (None, before), "another server runs")

    assert is_running(running.state()["services"]["postgres"])


def test_sigterm_stops_everything_in_reverse_even_the_deaf_and_exits_zero(running: Running):
    left = descendants(running.process.pid)
    running.process.terminate()

    assert running.process.wait(30) == 0
    wait_until(lambda: not any(is_running(pid) for pid in left), "nothing is left", 5)
    events = [json.loads(line) for line in (running.data / "supervisor.log").read_text().splitlines()]
    stopped = [event["child"] for event in events if event["event"] == "child_stopped"]
    assert stopped == ["deaf", "first"]
    assert not (running.data / "coordinator.json").exists()


def test_a_supervisor_killed_with_nine_leaves_no_process_and_the_next_one_starts(running: Running):
    left = descendants(running.process.pid)
    assert len(left) >= 4
    running.process.kill()
    running.process.wait()

    again = Running(running.data)
    try:
        again.wait_until_whole()
        wait_until(lambda: not any(is_running(pid) for pid in left), "nothing of the first is left")
    finally:
        again.process.terminate()
        again.process.wait(30)
        again.close()


def test_a_second_supervisor_is_refused_and_told_who_holds_the_directory(running: Running):
    with pytest.raises(AlreadyRunning, match=f"process {running.process.pid}"):
        DataLock(running.data).acquire()


def test_what_the_state_file_says_only_its_owner_may_read(running: Running):
    assert (running.data / "coordinator.json").stat().st_mode & 0o777 == 0o600
    assert running.state()["page"] == "http://127.0.0.1:1/"


def test_a_child_that_ends_in_order_is_started_anew_at_once_and_counts_as_no_death(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("coordinator.ops.supervisor._ORDERLY_AFTER_S", 0.1)
    # A backoff would keep it from being started again while this test runs.
    monkeypatch.setattr("coordinator.ops.supervisor.FIRST_BACKOFF_S", 600.0)
    marks = tmp_path / "starts"
    code = f"import pathlib, time; open({str(marks)!r}, 'a').write('x'); time.sleep(0.5)"
    supervisor = Supervisor(
        [ChildSpec(name="worker", argv=[sys.executable, "-I", "-c", code])],
        state_file=tmp_path / "state.json",
    )
    running = threading.Thread(target=supervisor.run)
    running.start()
    try:
        wait_until(lambda: marks.exists() and len(marks.read_text()) >= 3, "it was started three times")
        state = json.loads((tmp_path / "state.json").read_text())
    finally:
        supervisor.request_stop()
        running.join(30)

    assert state["num_restarts"] == {}


@pytest.mark.logs("child_died")
def test_a_child_that_ends_at_once_with_nothing_wrong_still_waits_before_it_is_started_again(
    tmp_path: Path, no_unannounced_warning: Any
):
    supervisor = Supervisor(
        [ChildSpec(name="worker", argv=[sys.executable, "-I", "-c", ""])], state_file=tmp_path / "state.json"
    )
    running = threading.Thread(target=supervisor.run)
    running.start()
    try:
        wait_until(lambda: "child_died" in no_unannounced_warning.names, "its end was told")
    finally:
        supervisor.request_stop()
        running.join(30)
