"""Bench `jobs --part outage`: what workers need is down for ten minutes, and then it is back.

Four installations side by side, each with a worker process of every stage and jobs in all six queues: one whose
bucket refuses connections, one whose folder of objects is gone, one without PostgreSQL, one without a speech model.
Afterwards no attempt may be burnt, nothing failed or lost, and the queues empty by themselves.
`CLIPPY_BENCH_OUTAGE_S`: how long (600).
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from coordinator.policy.retry import MAX_PAUSE_S
from protos.clippy.v1 import media_pb2
from tests.bench.ingest_site import Site, open_site
from tests.bench.jobs_outage_site import OutageSite
from tests.bench.measure import CannotMeasure, cpu_s, quiet_log, say, wait_until
from tests.fakes.s3_server import S3Traffic, s3_server
from tests.fakes.toy_whisper import build_toy_whisper

CASES = ("store", "folder", "database", "model")
_FIGURES = (
    "attempts_burnt",
    "failed",
    "lost",
    "dead",
    "wrong",
    "empty_s",
    "cpu_s_per_min",
    "log_lines_per_min",
)
FIGURES = ("outage_s", *(f"outage_{case}_{figure}" for case in CASES for figure in _FIGURES))
_NUM_CHUNKS = 12
_MAX_INCOMING = 60
_BUCKET = "clips"
_NO_MODEL = ('asr.engine = "faster-whisper"', 'asr.model = "base"', "asr.allow_download = false")
_SOON = ("workers.lease_s = 10", "workers.reconcile_s = 10", "workers.cleanup_s = 20")
# Nine exports and six cuts on two cores that others use as well, beside the pause.
_WORK_S = 150.0


class _Case:
    """One thing that is down. `down` and `up` are called once each."""

    def __init__(self, site: OutageSite, down: Callable[[], None], up: Callable[[], None]) -> None:
        self.site = site
        self.down = down
        self.up = up
        self.can_come_in = True
        self.pid = 0
        self._cpu_s, self._num_lines, self._since_s = 0.0, 0, 0.0
        self.cpu_s_per_min = self.lines_per_min = 0.0
        self.empty_s: float | None = None

    def mark(self) -> None:
        """From here on what it costs is counted."""
        self._cpu_s, self._num_lines, self._since_s = cpu_s(self.pid), self._lines(), time.monotonic()

    def count(self) -> None:
        """What it cost since `mark`."""
        minutes = (time.monotonic() - self._since_s) / 60
        self.cpu_s_per_min = (cpu_s(self.pid) - self._cpu_s) / minutes
        self.lines_per_min = (self._lines() - self._num_lines) / minutes

    def _lines(self) -> int:
        return self.site.log.read_bytes().count(b"\n")


def measure() -> dict[str, float | int | None]:
    """Run all four; a figure that could not be had is None, and standard error says why."""
    figures: dict[str, float | int | None] = dict.fromkeys(FIGURES)
    outage_s = float(os.environ.get("CLIPPY_BENCH_OUTAGE_S", "600"))
    try:
        with quiet_log(), contextlib.ExitStack() as stack:
            cases = _open(stack)
            _go_through(cases, outage_s)
            figures["outage_s"] = round(outage_s)
            for name, case in cases.items():
                figures |= _figures(name, case)
    except CannotMeasure as exc:
        say(f"jobs outage: not measured: {exc}")
    return figures


def _open(stack: contextlib.ExitStack) -> dict[str, _Case]:
    # A server each, as installations have: six workers use up to 54 of a server's 100 connections.
    sites = {name: stack.enter_context(open_site(needed_bytes=2**28)) for name in CASES}
    cases = {
        "store": _bucket_case(stack, sites["store"]),
        "folder": _folder_case(sites["folder"]),
        "database": _database_case(sites["database"]),
        "model": _model_case(sites["model"]),
    }
    for name, case in cases.items():
        objects = _bucket_settings(case) if name == "store" else ()
        case.pid = stack.enter_context(case.site.workers([*_NO_MODEL, *_SOON, *objects]))
        say(f"jobs outage: {name}: six workers are ready")
    return cases


def _go_through(cases: dict[str, _Case], outage_s: float) -> None:
    for name, case in cases.items():
        if name == "database":
            # What can come in only while it is there: what began in this moment is cut off.
            case.site.begin(_NUM_CHUNKS)
            case.down()
        else:
            case.down()
            case.site.begin(_NUM_CHUNKS)
    began_s = time.monotonic()
    is_marked = False
    every_s = max(1.0, outage_s / _MAX_INCOMING)
    while (now_s := time.monotonic() - began_s) < outage_s:
        if not is_marked and now_s >= min(60.0, outage_s / 3):
            is_marked = True
            for case in cases.values():
                case.mark()
        for case in cases.values():
            if case.can_come_in:
                case.site.add_chunks(1)
        time.sleep(every_s)
    for case in cases.values():
        case.count()
    say(f"jobs outage: down for {outage_s:.0f} s, now it is back")
    _come_back(cases)


def _come_back(cases: dict[str, _Case]) -> None:
    back_s: dict[str, float] = {}
    for name, case in cases.items():
        # The moment from which somebody could have had it: PostgreSQL recovers while it starts.
        case.up()
        back_s[name] = time.monotonic()
    deadline_s = time.monotonic() + MAX_PAUSE_S + _WORK_S
    while any(case.empty_s is None for case in cases.values()) and time.monotonic() < deadline_s:
        for name, case in cases.items():
            if case.empty_s is None and case.site.is_empty():
                case.empty_s = round(time.monotonic() - back_s[name], 1)
                say(f"jobs outage: {name}: empty after {case.empty_s} s")
        time.sleep(0.5)


def _figures(name: str, case: _Case) -> dict[str, float | int | None]:
    ended = case.site.ended()
    say(f"jobs outage: {name}: {len(case.site.wanted)} jobs, {case.site.num_chunks} chunks; {ended}")
    for problem in case.site.problems() if ended.failed or ended.left else ():
        say(f"jobs outage: {name}: {problem}")
    values = (
        *(ended.attempts_max - 1, ended.failed, ended.left, ended.dead, ended.wrong, case.empty_s),
        *(round(case.cpu_s_per_min, 2), round(case.lines_per_min, 1)),
    )
    return {f"outage_{name}_{figure}": value for figure, value in zip(_FIGURES, values, strict=True)}


def _folder_of(site: Site) -> Path:
    data = site.data / "case"
    data.mkdir()
    return data


def _bucket_case(stack: contextlib.ExitStack, site: Site) -> _Case:
    data, url = _folder_of(site), site.postgres.url
    traffic, servers = S3Traffic(), stack.enter_context(contextlib.ExitStack())
    endpoint = servers.enter_context(s3_server(traffic))
    (data / "endpoint").write_text(endpoint, encoding="utf-8")

    def put(key: str, content: bytes) -> None:
        traffic.objects[f"{_BUCKET}/{key}"] = content

    def down() -> None:
        traffic.is_down = True
        servers.pop_all().close()

    def up() -> None:
        traffic.is_down = False
        servers.enter_context(s3_server(traffic, port=int(endpoint.rpartition(":")[2])))

    return _Case(OutageSite("store", data, url, put), down, up)


def _bucket_settings(case: _Case) -> Sequence[str]:
    endpoint = (case.site.data / "endpoint").read_text(encoding="utf-8")
    values = {
        "kind": "s3",
        "bucket": _BUCKET,
        "endpoint": endpoint,
        "access_key_id": "k",
        "secret_access_key": "s",
    }
    return [f'objects.{name} = "{value}"' for name, value in values.items()]


def _in_folder(data: Path) -> Callable[[str, bytes], None]:
    def put(key: str, content: bytes) -> None:
        folder = next((one for one in (data / "objects", data / "away") if one.is_dir()), data / "objects")
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    return put


def _folder_case(site: Site) -> _Case:
    data, url = _folder_of(site), site.postgres.url

    def down() -> None:
        (data / "objects").rename(data / "away")

    def up() -> None:
        (data / "away").rename(data / "objects")

    return _Case(OutageSite("folder", data, url, _in_folder(data)), down, up)


def _database_case(own: Site) -> _Case:
    data = _folder_of(own)

    def down() -> None:
        if (pid := own.postgres.pid) is None:
            raise CannotMeasure("PostgreSQL is gone")
        # A fast shutdown, as its service manager would ask for; its address stays.
        os.kill(pid, signal.SIGINT)
        wait_until(lambda: not own.postgres.is_alive(), timeout_s=30, what="PostgreSQL is down")

    site = OutageSite("database", data, own.postgres.url, _in_folder(data))
    case = _Case(site, down, own.postgres.restart)
    case.can_come_in = False
    return case


def _model_case(site: Site) -> _Case:
    data, url = _folder_of(site), site.postgres.url

    def up() -> None:
        # Whole at once, as `models fetch` brings it.
        build_toy_whisper(data / "made").rename(data / "models" / "base")

    (data / "models").mkdir()
    return _Case(OutageSite("model", data, url, _in_folder(data), lane=media_pb2.LANE_MIC), lambda: None, up)
