-- What people ask of jobs, and do with them.

-- name: facts
-- Everything that is known of these keys, in their order; those that nobody knows are left out.
select w.key, coalesce(r.queue, queue_of(q.entrypoint)) as queue, r.session_id, r.state, r.stage, r.reason, r.code,
       r.tried, r.runs, r.attempts, r.progress, r.progress_words, r.cancelled_by, r.started_at, r.finished_at,
       extract(epoch from now() - r.started_at)::float8 as started_age_s,
       extract(epoch from now() - r.finished_at)::float8 as finished_age_s,
       q.status::text as status, q.priority, q.entrypoint, q.created, convert_from(q.payload, 'UTF8') as payload,
       extract(epoch from q.execute_after - now())::float8 as due_in_s,
       extract(epoch from now() - q.heartbeat)::float8 as heartbeat_age_s,
       k.worker_id, exists (
           select from workers l
           where l.seen_at > now() - interval '15 seconds'
                 and q.entrypoint = any(case when l.routes = '{}' then l.queues else l.routes end)) as is_served
from unnest($1::text[]) with ordinality as w (key, number)
left join job_runs r using (key)
left join lateral (
    select p.* from pgqueuer p where p.dedupe_key = w.key and p.status in ('queued', 'picked')
    union all
    select p.* from pgqueuer p where p.dedupe_key = w.key and p.status in ('failed', 'canceled')
    limit 1) q on true
left join workers k on k.holder = q.queue_manager_id
where r.key is not null or q.id is not null
order by w.number

-- name: place_in_line
-- How many ready jobs of its queue go before a job that is ready, itself included; null: it is not.
select (
    select count(*) from pgqueuer p
    where p.status = 'queued' and p.execute_after <= now() and queue_of(p.entrypoint) = queue_of(me.entrypoint)
      and (p.priority > me.priority or p.priority = me.priority and p.id <= me.id))
from pgqueuer me
where me.dedupe_key = $1 and me.status = 'queued' and me.execute_after <= now()

-- name: lines
-- What waits, and who works it, for each of these queues.
select q.queue, coalesce(b.num_ready, 0) as num_ready, coalesce(b.num_delayed, 0) as num_delayed,
       coalesce(b.num_running, 0) as num_running, coalesce(b.num_held, 0) as num_held,
       coalesce(b.oldest_age_s, 0)::float8 as oldest_age_s, w.num_workers, w.num_slots, w.num_busy
from unnest($1::text[]) with ordinality as q (queue, number)
left join job_backlog b using (queue)
cross join lateral (
    select count(*) as num_workers, coalesce(sum(k.num_slots), 0) as num_slots, coalesce(sum(k.num_busy), 0) as num_busy
    from workers k
    where k.seen_at > now() - interval '15 seconds' and q.queue = any(k.queues)) as w
order by q.number

-- name: rests
-- Queues that rest in single workers because what they need is down: in how many, why, and when the first looks again.
select p.key as queue, count(*) as num_workers, min(p.value ->> 'reason') as reason,
       min((p.value ->> 'resumes_in_s')::float8 - extract(epoch from now() - k.seen_at))::float8 as resumes_in_s
from workers k, jsonb_each(k.pauses) as p
where k.seen_at > now() - interval '15 seconds'
group by p.key

-- name: unserved
-- Routes with jobs that are ready, and no worker that lives and takes them.
select queue_of(b.route) as queue, b.route, b.num_ready, b.oldest_age_s
from (
    select entrypoint as route, count(*) as num_ready,
           extract(epoch from now() - min(execute_after))::float8 as oldest_age_s
    from pgqueuer where status = 'queued' and execute_after <= now() group by entrypoint) as b
where not exists (
    select from workers k
    where k.seen_at > now() - interval '15 seconds'
          and b.route = any(case when k.routes = '{}' then k.queues else k.routes end))
order by b.route

-- name: live_keys
-- Jobs that are queued or run ($1: of these states of the engine), of a queue and of a session, what runs first. The
-- second part of a key is the session, source request or clip that it is about.
with ids (id) as (
    select $3::text
    union select request_id from source_requests where session_id = $3
    union select clip_id from clips where session_id = $3)
select dedupe_key as key from pgqueuer
where status::text = any($1::text[]) and dedupe_key is not null
  and ($2::text is null or queue_of(entrypoint) = $2)
  and ($3::text is null or split_part(dedupe_key, ':', 2) in (select id from ids))
order by status = 'picked' desc, execute_after <= now() desc, priority desc, id
limit $4

-- name: lost_keys
-- Jobs that started, did not end, and have no place in the queue: the reconciler gives them one if rows want them.
select r.key from job_runs r
where r.state in ('running', 'waiting') and ($1::text is null or r.queue = $1)
  and ($2::text is null or r.session_id = $2)
  and not exists (select from pgqueuer p where p.dedupe_key = r.key and p.status in ('queued', 'picked'))
order by r.started_at limit $3

-- name: ended_keys
-- Jobs that ended in one of these states, the newest first.
with ids (id) as (
    select $3::text
    union select request_id from source_requests where session_id = $3
    union select clip_id from clips where session_id = $3)
select key from job_runs
where finished_at is not null and state = any($1::text[]) and ($2::text is null or queue = $2)
  and ($3::text is null or session_id = $3 or split_part(key, ':', 2) in (select id from ids))
  and ($4::text is null or code = $4)
order by finished_at desc nulls last limit $5

-- name: states
-- In which state these jobs are; held until the transaction ends.
select key, queue, state from job_runs where key = any($1::text[]) order by key for update

-- name: parked
-- Jobs that nobody runs any more, as they were wanted.
select distinct on (dedupe_key) dedupe_key as key, entrypoint, priority, payload
from pgqueuer where dedupe_key = any($1::text[]) and status in ('failed', 'canceled')
order by dedupe_key, id desc

-- name: cancel
-- Call off what is in the queue, unless it has ended. The key's row first, as a completion locks it first.
insert into job_runs as present (key, queue, session_id, state, runs, cancelled_by, reason, finished_at)
select dedupe_key, queue_of(entrypoint), convert_from(payload, 'UTF8')::jsonb #>> '{data,session_id}', 'cancelled', 0,
       $2, $3, now()
from pgqueuer where dedupe_key = any($1::text[]) and status in ('queued', 'picked')
order by dedupe_key
on conflict (key) do update
    set state = 'cancelled', cancelled_by = $2, stage = '', code = '', reason = $3, finished_at = now()
    where present.state not in ('done', 'failed', 'cancelled')
returning key, queue

-- name: cancel_lost
-- Call off what has lost its place in the queue.
update job_runs set state = 'cancelled', cancelled_by = $2, stage = '', code = '', reason = $3, finished_at = now()
where key = any($1::text[]) and state in ('running', 'waiting') returning key, queue

-- name: park
-- Take jobs that were called off from whoever has them; what a worker says of one afterwards is nobody's any more.
update pgqueuer p set status = 'canceled', queue_manager_id = null, slot = null, updated = now()
from (
    select id, status from pgqueuer
    where dedupe_key = any($1::text[]) and status in ('queued', 'picked') for update) as before
where p.id = before.id
returning p.dedupe_key as key, before.status::text as status

-- name: give_up
-- A failed job that nobody will try again: it counts as called off, so that no row brings it back.
update job_runs set state = 'cancelled', cancelled_by = $2 where key = $1 and state = 'failed' returning key

-- name: result
-- How a job ended, or how far it is.
select state, stage, reason, code, progress, progress_words from job_runs where key = $1

-- name: reopen
-- A job that nobody runs any more is as if it had never been.
delete from job_runs where key = any($1::text[]) and state in ('failed', 'cancelled')
