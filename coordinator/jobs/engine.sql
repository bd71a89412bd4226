-- What we do to the engine's own tables beside its own statements.

-- name: put
-- Queue jobs, but for keys that are queued or picked, and those that have ended ($6: the caller knows that none has).
-- As the engine does it, without a row of its log a job, which nothing here reads and which costs as much again. $1: what
-- the seconds of this clock are taken from, so that of one priority the first come is the highest number. A clock from
-- before 2026 counts as its first second: the numbers end there.
insert into pgqueuer (priority, entrypoint, payload, execute_after, dedupe_key, status)
select (top - greatest(floor(extract(epoch from now())), 1767225600))::integer, entrypoint, payload, now() + make_interval(secs => delay_s), key, 'queued'
from unnest($1::bigint[], $2::text[], $3::bytea[], $4::double precision[], $5::text[])
    with ordinality as wanted(top, entrypoint, payload, delay_s, key, place)
where $6::boolean or not exists (
    select from job_runs where job_runs.key = wanted.key and job_runs.state in ('done', 'failed', 'cancelled'))
order by place
on conflict (dedupe_key) where status in ('queued', 'picked') and dedupe_key is not null do nothing
returning id

-- name: claim
-- Take up to $3 jobs of these entry points, the lower rank first, then by priority; before them those whose worker ($4: we)
-- has not been heard of for $5 seconds: they were begun before, and would wait as long again behind a full queue. The last
-- $6 of them are no jobs that were put behind and whose turn has not come by the clock ($7, $8: see numbers.py): what comes
-- now finds a slot that no flood has taken.
with wanted as (
    select entrypoint, rank from unnest($1::text[], $2::integer[]) as wanted(entrypoint, rank)),
fresh as (
    select job.id, job.priority, wanted.rank
    from wanted cross join lateral (
        select id, priority from pgqueuer
        where pgqueuer.entrypoint = wanted.entrypoint and status = 'queued' and execute_after <= now()
        order by priority desc, id limit $3 for update skip locked) as job),
stale as (
    select pgqueuer.id, pgqueuer.priority, wanted.rank
    from pgqueuer join wanted using (entrypoint)
    where status = 'picked' and heartbeat < now() - make_interval(secs => $5)
    order by pgqueuer.priority desc, pgqueuer.id limit $3 for update of pgqueuer skip locked),
best as (
    select id, rank, is_behind from (
        select *, row_number() over (order by was_begun desc, rank, priority desc, id) as number
        from (
            select *, false as was_begun,
                mod(mod(-priority::bigint, $7::bigint) + $7, $7) > extract(epoch from now()) - $8::bigint as is_behind
            from fresh
            union all select *, true, false from stale) as found) as numbered
    where number <= case when is_behind then $3 - $6::bigint else $3 end
    order by was_begun desc, rank, priority desc, id limit $3),
claimed as (
    update pgqueuer as job set status = 'picked', updated = now(), heartbeat = now(), queue_manager_id = $4
    from best where job.id = best.id
    returning job.id, job.priority, job.entrypoint, job.payload, job.attempts, best.rank, best.is_behind)
select id, priority, entrypoint, payload, attempts, is_behind from claimed order by rank, priority desc, id

-- name: next_due
-- Seconds until the next of these entry points' jobs may start; negative: one may now.
select extract(epoch from min(job.execute_after) - now())::double precision as due_s
from unnest($1::text[]) as wanted(entrypoint) cross join lateral (
    select execute_after from pgqueuer
    where pgqueuer.entrypoint = wanted.entrypoint and status = 'queued'
    order by execute_after limit 1) as job

-- name: acknowledge
-- These ended; a job that was taken over has another holder, and stays.
delete from pgqueuer where id = any($1::bigint[]) and queue_manager_id = $2

-- name: put_back
-- A job waits again, unless another worker has taken it over. The engine's trigger is silent about updates, so the
-- waiting ones are told here.
with back as (
    update pgqueuer set status = 'queued', execute_after = now() + make_interval(secs => $3), attempts = attempts + 1,
        updated = now(), queue_manager_id = null
    where id = $1 and queue_manager_id = $2 returning id)
select pg_notify($4, json_build_object(
    'channel', $4::text, 'operation', 'update', 'sent_at', now(), 'table', 'pgqueuer',
    'type', 'table_changed_event')::text) from back

-- name: owned
-- Which of these jobs this worker still holds; a job that was taken over has another holder.
select id from pgqueuer where id = any($1::bigint[]) and queue_manager_id = $2

-- name: raise_old
-- Nobody starves: LOW jobs ($1: the top of their numbers) that have been ready for long rise by $2, with the second in
-- which they came. What a worker is claiming just now is left out.
update pgqueuer set priority = priority + $2
where id in (
    select id from pgqueuer
    where status = 'queued' and priority <= $1 and execute_after < now() - make_interval(secs => $3)
    order by priority desc, id limit $4 for update skip locked)
returning id

-- name: hasten
-- A press waits for these jobs: they go before all that no press asked for ($2: the top of such numbers, $3: how many
-- there are), with the second in which they came, and are put off no longer; one that is tried again keeps its wait. What
-- a worker is claiming just now is left out.
update pgqueuer set priority = ($2::bigint - mod(mod(-priority::bigint, $3::bigint) + $3, $3))::integer,
    execute_after = case when attempts = 0 then least(execute_after, now()) else execute_after end
where id in (
    select id from pgqueuer
    where dedupe_key = any($1::text[]) and status = 'queued' and priority <= $2::bigint - $3::bigint for update skip locked)
returning id

-- name: leave_places
-- Jobs that wait for a kind of worker of which none lives go to any worker of their queue, if one of those does.
update pgqueuer set entrypoint = split_part(entrypoint, '@', 1)
where id in (
    select job.id from pgqueuer job
    where job.status = 'queued' and strpos(job.entrypoint, '@') > 0
          and job.execute_after < now() - make_interval(secs => $1)
          and not exists (
              select from workers k
              where k.seen_at > now() - interval '15 seconds' and job.entrypoint = any(k.routes))
          and exists (
              select from workers k
              where k.seen_at > now() - interval '15 seconds' and
                    split_part(job.entrypoint, '@', 1) = any(case when k.routes = '{}' then k.queues else k.routes end))
    order by job.id limit $2 for update skip locked)
returning id

-- name: prune_log
-- The engine's log holds failures only (see put), and a day of them is enough.
delete from pgqueuer_log where created < now() - interval '1 day'

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
-- The engine's trigger is silent about updates, and about queues that rest no longer.
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
    where split_part(split_part(entrypoint, '@', 1), '.v', 1) = 'transcription' and status = 'queued' and execute_after <= now()
    group by 1)
select s.user_id, sum(w.num_waiting)::bigint as num_waiting,
       count(*) filter (where s.is_live) as num_live_sessions
from waiting w join sessions s using (session_id) join accounts a using (user_id)
group by s.user_id, a.tier
having sum(w.num_waiting) > case a.tier when 'business' then $3::integer when 'pro' then $2::integer else $1::integer end
