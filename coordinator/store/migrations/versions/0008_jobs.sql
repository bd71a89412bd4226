-- What people do with jobs: queues that rest for the whole fleet, jobs that were called off, what was tried; and which
-- worker serves what.

-- A queue rests while any row of it is in force. Each owner has one, and lifts its own.
create table queue_pauses (
    queue text not null,
    owner text not null,                     -- operator:NAME, system:limit:NAME
    reason text not null default '',
    paused_at timestamptz not null default now(),
    until timestamptz,                       -- null: until it is lifted by hand
    primary key (queue, owner)
);

alter table job_runs
    add column code text not null default '',            -- of the last problem; coordinator/errors.py
    add column tried jsonb not null default '[]',        -- [{at, stage, code, reason}], the newest 10, oldest first
    add column progress real,                            -- 0 to 1
    add column progress_words text not null default '',
    add column cancelled_by text not null default '';    -- state cancelled: by whom; finished_at says when
comment on column job_runs.state is 'running, waiting, done, failed, cancelled';

alter table workers
    add column queues text[] not null default '{}',      -- those it claims from
    add column num_slots integer not null default 0,
    add column num_busy integer not null default 0,
    add column holder uuid,                              -- what it signs its claims with: pgqueuer.queue_manager_id
    add column pauses jsonb not null default '{}';       -- {queue: {reason, resumes_in_s}}, counted from seen_at

-- Jobs that nobody runs any more, by key: failed for good, or called off.
create index pgqueuer_parked_key on pgqueuer (dedupe_key) where status in ('failed', 'canceled');

-- `tried` with one more entry; the oldest goes when there are ten.
create function with_try(tried jsonb, stage text, code text, reason text) returns jsonb
language sql stable as $$
    select jsonb_agg(entry order by number) from (
        select entry, number
        from jsonb_array_elements(tried || jsonb_build_object(
            'at', to_char(now() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
            'stage', stage, 'code', code, 'reason', reason)) with ordinality as listed (entry, number)
        order by number desc limit 10) as newest
$$;

-- The engine's name of a route is queue[.vN][@place]; the backlog is that of the queue.
create function queue_of(entrypoint text) returns text
language sql immutable parallel safe as $$
    select split_part(split_part(entrypoint, '@', 1), '.v', 1)
$$;

create or replace view job_backlog as
select
    queue_of(entrypoint) as queue,
    count(*) filter (where status = 'queued' and execute_after <= now()) as num_ready,
    count(*) filter (where status = 'queued' and execute_after > now()) as num_delayed,
    count(*) filter (where status = 'picked') as num_running,
    count(*) filter (where status = 'failed') as num_held,
    coalesce(extract(epoch from now() - min(execute_after)
        filter (where status = 'queued' and execute_after <= now())), 0)::double precision as oldest_age_s
from pgqueuer
group by 1;
