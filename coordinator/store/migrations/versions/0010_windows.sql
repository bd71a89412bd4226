-- Looks for moments by windows of session time, and where the hearing of each lane stands.

-- Why a chunk has no signals: its job failed for good. Empty: it was heard.
alter table features add column reason text not null default '';

-- Nothing of a session is waited for any more: its last look has ended, or it was given up.
alter table sessions add column is_over boolean not null default false;
update sessions set is_over = true where not is_live and ended_at < now() - interval '1 day';
create index sessions_open on sessions (session_id) where not is_over;

-- How far a lane was heard. Every number below `next_seq` was heard, failed or will never come; `until_ns` is where the
-- first chunk begins that is here and was not heard.
create table heard_lanes (
    session_id text not null references sessions on delete cascade,
    lane smallint not null,
    next_seq bigint not null,
    until_ns bigint not null,
    primary key (session_id, lane)
) with (fillfactor = 70);
insert into heard_lanes (session_id, lane, next_seq, until_ns)
select c.session_id, c.lane, 0, max(c.end_ns)
from features f join chunks c using (session_id, lane, seq) join sessions s using (session_id)
where not s.is_over group by c.session_id, c.lane;

-- Where the looks of a session stand. Window n ends at n * WINDOW_NS of session time (coordinator/pipeline/windows.py), and is
-- closed when all lanes that live were heard up to there; 0: none.
create table looks (
    session_id text primary key references sessions on delete cascade,
    until_ns bigint not null default 0,             -- up to where all lanes that live were heard
    promising_until_ns bigint not null default 0,   -- until then every window is worth a look of its own
    queued_no bigint not null default 0,            -- of the look that was queued last
    looked_no bigint not null default 0             -- of the look that ended last
) with (fillfactor = 70);
insert into looks (session_id, until_ns)
select session_id, min(until_ns) from heard_lanes group by session_id;

-- What each look found, one row a window. `engines`: what heard and what judged it.
create table analyses (
    session_id text not null references sessions on delete cascade,
    window_no bigint not null,
    until_ns bigint not null,
    is_final boolean not null default false,
    state text not null default 'done' check (state in ('done', 'failed')),
    num_moments integer not null default 0,
    reason text not null default '',
    engines text not null default '',
    looked_at timestamptz not null default now(),
    primary key (session_id, window_no)
);

-- Keys that are queued or being worked, for who knows no engine.
create view job_keys as
select dedupe_key as key, entrypoint from pgqueuer
where status in ('queued', 'picked') and dedupe_key is not null;
