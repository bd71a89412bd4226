"""What must hold after the faults: each promised chunk has one row, and its bytes are those that the agent made."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections import Counter, defaultdict
from collections.abc import Collection
from pathlib import Path

import asyncpg

from coordinator.errors import NotFound
from coordinator.store.chunk_bytes import Place, parse_place
from coordinator.store.objects import MARK
from protos.segment import LANE_NAMES
from tests.bench.ingest_faults_chunks import made_payload
from tests.bench.ingest_faults_site import Key, Site
from tests.bench.measure import CannotMeasure


@dataclasses.dataclass(slots=True)
class Verdict:
    """What was found. Keys are (session, name of the lane, number)."""

    num_rows: int = 0
    missing: list[Key] = dataclasses.field(default_factory=list)
    corrupt: list[Key] = dataclasses.field(default_factory=list)
    duplicated: list[str] = dataclasses.field(default_factory=list)
    jobs_missing: list[Key] = dataclasses.field(default_factory=list)
    gaps: list[str] = dataclasses.field(default_factory=list)
    num_spooled: int = 0
    num_unused_objects: int = 0


async def check(site: Site, promised: Collection[Key]) -> Verdict:
    """Read every row and every byte, and compare."""
    if site.pool is None:
        raise CannotMeasure("there is no database to ask")
    rows = await site.pool.fetch("select * from chunks order by session_id, lane, seq")
    verdict = Verdict(num_rows=len(rows))
    places: dict[Path, list[tuple[Place, Key]]] = defaultdict(list)
    by_key: Counter[Key] = Counter()
    for row in rows:
        key = (row["session_id"], LANE_NAMES[row["lane"]], row["seq"])
        by_key[key] += 1
        expected = made_payload(*key)
        if row["sha256"] != hashlib.sha256(expected).digest() or row["size_bytes"] != len(expected):
            verdict.corrupt.append(key)
        try:
            place = parse_place(row["place"])
        except NotFound:
            verdict.missing.append(key)
            continue
        verdict.num_spooled += place.kind == "spool"
        places[_file(site, place)].append((place, key))
    verdict.duplicated += [f"rows of {key}: {count}" for key, count in by_key.items() if count > 1]
    verdict.missing += [key for key in promised if key not in by_key]
    for path, held in places.items():
        _check_file(path, held, verdict)
    await _check_numbers(site.pool, by_key, verdict)
    await _check_jobs(site.pool, by_key, verdict)
    used = {str(path) for path in places}
    verdict.num_unused_objects = sum(
        path.is_file() and path.name != MARK and str(path) not in used
        for path in (site.folder / "objects").rglob("*")
    )
    return verdict


def _file(site: Site, place: Place) -> Path:
    if place.kind == "object":
        return site.folder / "objects" / place.name
    return site.folder / f"spool-{place.node}" / place.node / place.name


def _check_file(path: Path, held: list[tuple[Place, Key]], verdict: Verdict) -> None:
    try:
        data = path.read_bytes()
    except OSError:
        verdict.missing += [key for _, key in held]
        return
    for place, key in held:
        found = data[place.offset : place.offset + place.length]
        if len(found) < place.length:
            verdict.missing.append(key)
        elif found != made_payload(*key):
            verdict.corrupt.append(key)
    ordered = sorted(held, key=lambda item: item[0].offset)
    for (before, key), (after, other) in itertools.pairwise(ordered):
        if before.offset + before.length > after.offset:
            verdict.duplicated.append(f"{key} and {other} overlap in {path.name}")


async def _check_numbers(pool: asyncpg.Pool, by_key: Counter[Key], verdict: Verdict) -> None:
    """A session's numbers run from 0 without holes, and nobody declared a gap."""
    last: dict[tuple[str, str], int] = {}
    for session_id, lane, seq in by_key:
        last[session_id, lane] = max(last.get((session_id, lane), 0), seq)
    for (session_id, lane), top in last.items():
        verdict.missing += [
            (session_id, lane, seq) for seq in range(top) if (session_id, lane, seq) not in by_key
        ]
    verdict.missing = list(dict.fromkeys(verdict.missing))
    for row in await pool.fetch("select lane, first, last, reason from gaps"):
        verdict.gaps.append(f"lane {row['lane']} {row['first']}..{row['last']} {row['reason']}")


async def _check_jobs(pool: asyncpg.Pool, by_key: Counter[Key], verdict: Verdict) -> None:
    """Every chunk of the microphone has one job: none was left out, none is there twice."""
    jobs = Counter(row["key"] for row in await pool.fetch("select dedupe_key as key from pgqueuer"))
    wanted = {f"stt:{key[0]}:1:{key[2]}": key for key in by_key if key[1] == "mic"}
    verdict.duplicated += [f"jobs {key}: {count}" for key, count in jobs.items() if count > 1]
    verdict.duplicated += [f"job {key} of no chunk" for key in jobs if key not in wanted]
    verdict.jobs_missing += [key for name, key in wanted.items() if name not in jobs]
