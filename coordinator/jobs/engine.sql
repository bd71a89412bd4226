-- What we do to the engine's own tables beside its own statements.

-- name: settled
-- Keys that have ended: done, failed for good, or called off.
select key from job_runs where key = any($1::text[]) and state in ('done', 'failed', 'cancelled')

-- name: owned
-- Which of these jobs this worker still holds; a job that was taken over has another holder.
select id from pgqueuer where id = any($1::bigint[]) and queue_manager_id = $2

-- name: raise_old
-- Nobody starves: what has been ready for long rises to NORMAL.
update pgqueuer set priority = $1
where status = 'queued' and priority < $1 and execute_after < now() - make_interval(secs => $2)

-- name: prune_log
-- The engine's log of a day ago has been folded into its statistics.
delete from pgqueuer_log where aggregated and created < now() - interval '1 day'

-- name: prune_statistics
-- A month of statistics is enough for every page that reads them.
delete from pgqueuer_statistics where created < now() - interval '30 days'

-- name: prune_held
-- A job that failed for good, or was called off, stays in job_runs; the engine's copy may go after a week.
delete from pgqueuer where status in ('failed', 'canceled') and updated < now() - interval '7 days'

-- name: forget_held
-- A job that nobody runs any more and that is about to be enqueued again.
delete from pgqueuer where status in ('failed', 'canceled') and dedupe_key = any($1::text[])

-- name: reopen
-- A job that failed for good, or was called off, gets its attempts back.
delete from job_runs where key = any($1::text[]) and state in ('failed', 'cancelled') returning key

-- name: wake
-- The engine's trigger is silent about updates, so a job that goes back with a delay would wait for the idle poll.
select pg_notify($1, json_build_object(
    'channel', $1::text, 'operation', 'update', 'sent_at', now(), 'table', 'pgqueuer',
    'type', 'table_changed_event')::text)

-- name: waiting_by_account
-- Chunks that are ready to be heard, by account, and of how many live sessions they are: of those with more than their
-- tier's bound ($1 free, $2 pro, $3 business), because many wait a little and few much. The key of such a job is
-- `stt:SESSION:LANE:SEQ`.
with waiting as (
    select split_part(dedupe_key, ':', 2) as session_id, count(*) as num_waiting
    from pgqueuer
    where entrypoint = 'transcription' and status = 'queued' and execute_after <= now()
    group by 1)
select s.user_id, sum(w.num_waiting)::bigint as num_waiting,
       count(*) filter (where s.is_live) as num_live_sessions
from waiting w join sessions s using (session_id) join accounts a using (user_id)
group by s.user_id, a.tier
having sum(w.num_waiting) > case a.tier when 'business' then $3::integer when 'pro' then $2::integer else $1::integer end
