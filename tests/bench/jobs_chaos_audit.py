"""What `bench jobs --part chaos` believes: triggers that write down every effect, and what must hold of them.

The triggers write in the transaction of what they write down, so the book holds what was committed and no more. Keys
that are unique are not trusted: a second write of the same thing is a second line, whatever the table made of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from tests.bench.jobs_chaos_agent import CHUNK_S, LANES
from tests.bench.jobs_chaos_site import ChaosSite
from tests.e2e.processes import wait_until

_SECOND_NS = 1_000_000_000

# `state` is the row's state where it has one, else what was done. One line for each start and end of a job: progress,
# which is written too, says nothing here.
INSTALL = """
create table chaos_book (
    line bigserial primary key, at timestamptz not null default clock_timestamp(),
    what text not null, key text not null, state text not null);
create index on chaos_book (key);
create function chaos_note() returns trigger language plpgsql as $$
begin
    if tg_table_name = 'job_runs' then
        if tg_op = 'UPDATE' and (old.state, old.runs) is not distinct from (new.state, new.runs) then
            return null;
        end if;
        insert into chaos_book (what, key, state) values ('job', new.key, new.state);
    elsif tg_table_name in ('transcripts', 'features') then
        insert into chaos_book (what, key, state)
        values (tg_table_name, concat_ws(':', new.session_id, new.lane, new.seq), lower(tg_op));
    elsif tg_table_name = 'analyses' then
        insert into chaos_book (what, key, state)
        values ('analyses', concat_ws(':', new.session_id, new.window_no),
                case when new.is_final then 'final' else lower(tg_op) end);
    elsif tg_table_name = 'clips' then
        insert into chaos_book (what, key, state) values ('clips', new.request_id, lower(tg_op));
    elsif tg_table_name = 'exports' then
        insert into chaos_book (what, key, state) values ('exports', new.export_id, new.state);
    end if;
    return null;
end $$;
"""
_TABLES = ("job_runs", "transcripts", "features", "analyses", "clips", "exports")

# What is missing, by what it is.
LOST = {
    "features": "select c.session_id, c.lane, c.seq from chunks c left join features f using (session_id, lane, seq)"
    " where c.lane in (1, 2, 4) and f.seq is null",
    "features that failed": "select session_id, lane, seq, reason from features where reason <> ''",
    "transcripts": "select c.session_id, c.seq from chunks c left join transcripts t using (session_id, lane, seq)"
    " where c.lane = 1 and t.seq is null",
    "last looks": "select s.session_id from sessions s where not s.is_over or 1 <> (select count(*) from analyses a"
    " where a.session_id = s.session_id and a.is_final and a.state = 'done')",
    "looks up to the end": "select s.session_id from sessions s where (select max(until_ns) from analyses a"
    " where a.session_id = s.session_id) is distinct from"
    " (select max(end_ns) from chunks c where c.session_id = s.session_id and c.lane in (1, 2, 4))",
    "looks that failed": "select session_id, window_no, reason from analyses where state <> 'done'",
    "requests of presses": "select m.clip_id from markers m where not exists (select from source_requests r"
    " where r.session_id = m.session_id and r.marker_clip_id = m.clip_id)",
    "uploads": "select request_id, state, reason from source_requests where state <> 'uploaded'",
    "clips": "select r.request_id from source_requests r left join clips c using (request_id) where c.clip_id is null",
    "exports": "select c.clip_id, e.state, e.reason from clips c left join exports e using (clip_id)"
    " where e.state is distinct from 'ready'",
    "jobs that ended well": "select key, state, stage, reason from job_runs"
    " where state <> 'done' and queue <> 'cleanup'",
}
# What was done more often than once.
TWICE = {
    "a job's end": "select key, count(*) from chaos_book where what = 'job' and state = 'done'"
    " group by key having count(*) > 1",
    "a chunk's transcript or features": "select what, key, count(*) from chaos_book"
    " where what in ('transcripts', 'features') group by what, key having count(*) > 1",
    # The last look of a session may be of a window that was looked at before.
    "a window's look": "select key, state, count(*) from chaos_book where what = 'analyses'"
    " group by key, state having count(*) > 1",
    "a last look": "select split_part(key, ':', 1), count(*) from chaos_book"
    " where what = 'analyses' and state = 'final' group by 1 having count(*) > 1",
    "a request's clip": "select key, count(*) from chaos_book where what = 'clips' group by key having count(*) > 1",
    "a post": "select key, state, count(*) from chaos_book where what = 'exports' and state <> 'pending'"
    " group by key, state having count(*) > 1",
    "a clip's export": "select clip_id, preset, count(*) from exports group by 1, 2 having count(*) > 1",
    "a press's request": "select session_id, marker_clip_id, count(*) from source_requests"
    " where marker_clip_id is not null group by 1, 2 having count(*) > 1",
    "a moment": "select a.moment_id, b.moment_id from moments a join moments b using (session_id)"
    " where a.moment_id < b.moment_id and 2 * (least(a.end_ns, b.end_ns) - greatest(a.start_ns, b.start_ns))"
    " >= least(a.end_ns - a.start_ns, b.end_ns - b.start_ns)",
}
# Left in the queue; the schedule's own runs come and go.
LEFT = "select dedupe_key, status::text from pgqueuer where entrypoint <> 'cleanup' or status in ('failed', 'canceled')"
_OPEN = (
    f"select (select count(*) from ({LEFT}) as jobs) + (select count(*) from sessions where not is_over)"
    " + (select count(*) from exports where state = 'pending')"
    " + (select count(*) from source_requests r where r.state in ('wanted', 'sent', 'pinned')"
    "    or (r.state = 'uploaded' and not exists (select from clips c where c.request_id = r.request_id))) as num"
)
COUNTS = (
    "select (select count(*) from chunks) as chunks, (select count(*) from transcripts) as transcripts,"
    " (select count(*) from analyses) as analyses, (select count(*) from clips) as clips,"
    " (select count(*) from exports where state = 'ready') as posts, (select count(*) from moments) as moments,"
    " (select count(*) from job_runs where queue <> 'cleanup') as jobs,"
    " (select coalesce(sum(runs - attempts), 0) from job_runs where queue <> 'cleanup')::bigint as runs_again"
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What does not hold, in words; empty lists are what is wanted."""

    lost: list[str]
    twice: list[str]
    left: list[str]
    counts: Mapping[str, int]


def install(site: ChaosSite) -> None:
    """Begin to write down; the schema is there, nothing has happened yet."""
    triggers = [
        f"create trigger chaos_note after insert or update on {table} for each row execute function chaos_note();"
        for table in _TABLES
    ]
    site.execute("\n".join([INSTALL, *triggers]))


def wait_empty(site: ChaosSite, deadline_s: float) -> None:
    """Wait until nothing is under way any more, all by itself."""
    wait_until(
        lambda: site.ask_sql(_OPEN)[0]["num"] == 0, "the queue empties by itself", deadline_s=deadline_s
    )


def look(site: ChaosSite) -> Findings:
    """Compare what was put with what is there. The queue is empty, the agents still live."""
    told = site.told()
    put = {(words[1], int(words[2]), int(words[3])) for words in told if words[:1] == ["put"]}
    pressed = {(words[1], words[2]) for words in told if words[:1] == ["press"]}
    here = {(row["session_id"], row["lane"], row["seq"]) for row in site.sql("select * from chunks")}
    markers = {(row["session_id"], row["clip_id"]) for row in site.sql("select * from markers")}
    lost = [f"chunk {key}" for key in sorted(put - here)] + [
        f"press {key}" for key in sorted(pressed - markers)
    ]
    twice = [f"chunk that was never put {key}" for key in sorted(here - put)]
    for words, found in ((lost, LOST), (twice, TWICE)):
        for what, statement in found.items():
            words += [f"{what}: {tuple(row.values())}" for row in site.sql(statement)]
    lost += _windows_without_an_end(site, put)
    missing, orphans = _objects(site)
    left = [f"job {tuple(row.values())}" for row in site.sql(LEFT)] + orphans + _scratch(site)
    return Findings(lost=lost + missing, twice=twice, left=left, counts=dict(site.sql(COUNTS)[0]))


def _windows_without_an_end(site: ChaosSite, put: set[tuple[str, int, int]]) -> list[str]:
    """Sessions whose looks do not reach as far as what was put."""
    ends = {
        row["session_id"]: row["looked_no"] for row in site.sql("select session_id, looked_no from looks")
    }
    num_put = {session: 0 for session, _, _ in put}
    for session, lane, _ in put:
        num_put[session] += lane == LANES["mic"]
    return [
        f"windows of {session}: looked at {ends.get(session)} of {num}"
        for session, num in num_put.items()
        if (ends.get(session) or 0) * 10 < num * CHUNK_S
    ]


def _objects(site: ChaosSite) -> tuple[list[str], list[str]]:
    """Objects that rows name and the store has not, and the other way round."""
    wanted: dict[str, Sequence[Any]] = {
        "sources": site.sql("select object_key as key from source_requests where state = 'uploaded'"),
        "clips": site.sql("select object_key as key from clips"),
        "exports": site.sql("select object_key as key from exports where state = 'ready'"),
        "chunks": site.sql(
            "select distinct regexp_replace(place, '^object:(.*)/[^/]*/[^/]*$', '\\1') as key"
            " from chunks where is_stored"
        ),
    }
    missing, orphans = [], []
    for prefix, rows in wanted.items():
        named, here = {row["key"] for row in rows}, set(site.objects(prefix))
        missing += [f"object {key}" for key in sorted(named - here)]
        orphans += [f"orphan object {key}" for key in sorted(here - named)]
    unstored = site.sql("select session_id, lane, seq, place from chunks where not is_stored")
    return missing + [f"chunk not stored {tuple(row.values())}" for row in unstored], orphans


def _scratch(site: ChaosSite) -> list[str]:
    return [
        f"scratch {path.relative_to(site.data)}"
        for path in (site.data / "scratch").rglob("*")
        if path.is_file() and not path.name.startswith(".")  # locks of those who live
    ]
