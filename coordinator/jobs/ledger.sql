-- job_runs: one row for each job key that ever started.
-- runs - attempts is how often a worker died over the job; an orderly end takes its start back or counts an attempt.

-- name: begin
-- Count a start of each job, before any work. Keys that have ended are not returned.
insert into job_runs as present (key, queue, session_id, state)
select key, queue, session_id, 'running'
from unnest($1::text[], $2::text[], $3::text[]) as wanted(key, queue, session_id)
on conflict (key) do update
    set runs = present.runs + 1, state = 'running', started_at = now(), finished_at = null,
        progress = null, progress_words = ''
    where present.state not in ('done', 'failed', 'cancelled')
returning key, runs, attempts

-- name: complete
-- The first to complete wins, whoever holds the job; a key that does not come back had ended already, and nothing may be
-- written for it. In one order everywhere, so that two workers cannot wait for one another. $2: how long each effect
-- after it may wait for a lock, 0 for ever.
with open as (
    select key from job_runs where key = any($1::text[]) and state not in ('done', 'failed', 'cancelled')
    order by key for update),
ended as (
    update job_runs as present set state = 'done', stage = '', reason = '', code = '', finished_at = now()
    from open where present.key = open.key returning present.key)
select key, set_config('lock_timeout', $2, true) from ended

-- name: try_again
-- An orderly failure that is worth another attempt; no row: another worker has started the job since.
update job_runs set state = 'waiting', attempts = attempts + 1, stage = $3, reason = $4, code = $5,
    tried = with_try(tried, $3, $5, $4)
where key = $1 and runs = $2 and state = 'running' returning attempts

-- name: take_back
-- The start does not count: what the job depends on is down, or the worker was asked to stop. Many in a row for the
-- same reason are one entry of `tried`, so that a long outage does not push the others out.
update job_runs set state = 'waiting', runs = runs - 1, stage = $3, reason = $4, code = $5,
    tried = with_try(case when tried -> -1 ->> 'code' = $5 then tried - (-1) else tried end, $3, $5, $4)
where key = $1 and runs = $2 and state = 'running' returning runs

-- name: fail
-- Ended without a result, with its stage and reason.
update job_runs set state = 'failed', stage = $3, reason = $4, code = $5, finished_at = now(),
    tried = with_try(tried, $3, $5, $4)
where key = $1 and runs = $2 and state = 'running' returning key

-- name: progress
-- How far running jobs are; of a start that is over nothing is written.
update job_runs as present set progress = told.share, progress_words = told.words
from unnest($1::text[], $2::integer[], $3::real[], $4::text[]) as told(key, runs, share, words)
where present.key = told.key and present.runs = told.runs and present.state = 'running'

-- name: say
-- What a worker says of itself.
insert into workers (worker_id, stage, pid, state, reason, detail, queues, num_slots, num_busy, holder, pauses, routes,
    seen_at)
values ($1, $2, $3, $4, $5, $6::jsonb, $7, $8, $9, $10, $11::jsonb, $12, now())
on conflict (worker_id) do update set
    stage = excluded.stage, pid = excluded.pid, state = excluded.state, reason = excluded.reason,
    detail = excluded.detail, queues = excluded.queues, num_slots = excluded.num_slots, num_busy = excluded.num_busy,
    holder = excluded.holder, pauses = excluded.pauses, routes = excluded.routes, seen_at = now()

-- name: leave
-- A worker that ended in order.
delete from workers where worker_id = $1

-- name: forget_workers
-- Workers that were killed and never came back.
delete from workers where seen_at < now() - interval '10 minutes'

-- name: forget_cleanups
-- Runs of the schedule are many, and of no use after a day.
delete from job_runs where queue = 'cleanup' and state = 'done' and finished_at < now() - interval '1 day'

-- name: now_s
-- Seconds since 1970 by the database's clock.
select extract(epoch from now())::double precision

-- name: reconciler_turn
-- One process reconciles at a time; the others skip their turn.
select pg_try_advisory_xact_lock(7843001)
