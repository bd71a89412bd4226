"""The meter counts what left, by day, and forgets nothing at a restart."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from agent.errors import EnvironmentProblem
from agent.privacy.meter import Meter, Sent


@pytest.fixture
def make_meter(tmp_path):
    meters = []

    def make(**options):
        meter = Meter(tmp_path / "meter.db", **options)
        meters.append(meter)
        return meter

    yield make
    for meter in meters:
        meter.close()


def test_today_is_the_sum_of_all_that_left(make_meter):
    meter = make_meter()
    meter.add("chunk", 100, lane="mic")
    meter.add("source", 1000)

    assert meter.today() == 1100


def test_kinds_and_lanes_are_told_apart(make_meter):
    meter = make_meter(day=lambda: "2026-01-01")
    meter.add("chunk", 100, lane="mic")
    meter.add("chunk", 50, lane="mic")
    meter.add("chunk", 7, lane="signals")

    assert meter.sent("2026-01-01") == [
        Sent(day="2026-01-01", kind="chunk", lane="mic", num_bytes=150, num_items=2),
        Sent(day="2026-01-01", kind="chunk", lane="signals", num_bytes=7, num_items=1),
    ]


def test_a_new_day_begins_at_nothing(make_meter):
    days = ["2026-01-01"]
    meter = make_meter(day=lambda: days[-1])
    meter.add("chunk", 100)
    days.append("2026-01-02")
    meter.add("chunk", 3)

    assert (meter.today(), meter.sent("2026-01-01")[0].num_bytes) == (3, 100)


def test_what_was_counted_survives_a_restart(make_meter):
    first = make_meter()
    first.add("chunk", 100)
    first.close()
    second = make_meter()
    second.add("chunk", 1)

    assert second.today() == 101


def test_many_threads_count_at_once(make_meter):
    meter = make_meter(flush_s=0.001)
    threads = [threading.Thread(target=lambda: [meter.add("chunk", 1) for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert meter.today() == 2000


def test_a_killed_process_loses_only_what_was_not_yet_flushed(tmp_path, make_meter):
    source = """
        import sys, time
        from pathlib import Path
        from agent.privacy.meter import Meter
        meter = Meter(Path(sys.argv[1]), flush_s=0.01)
        meter.add("chunk", 100)
        while meter._num_pending:
            time.sleep(0.005)
        meter.flush()
        print("written", flush=True)
        sys.stdin.read()
    """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(source), str(tmp_path / "meter.db")],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "written\n"
    child.send_signal(signal.SIGKILL)
    child.communicate(timeout=10)

    assert make_meter().today() == 100


def test_it_is_written_without_being_asked(tmp_path, make_meter):
    meter = make_meter(flush_s=0.01)
    meter.add("chunk", 100)

    deadline = time.monotonic() + 5.0
    while meter._num_pending:
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.logs("meter_moved_aside")
def test_a_file_that_is_no_database_is_put_aside(tmp_path, make_meter):
    (tmp_path / "meter.db").write_bytes(b"no database " * 100)

    meter = make_meter()
    meter.add("chunk", 5)

    assert meter.today() == 5
    assert len(list(tmp_path.glob("meter.db.corrupt-*"))) == 1


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(EnvironmentProblem):
        Meter(tmp_path / "file" / "meter.db")
