-- Queues that rest for the whole fleet.

-- name: pause
-- An owner's pause of a queue; another one of the same owner takes its place.
insert into queue_pauses (queue, owner, reason, until)
values ($1, $2, $3, now() + make_interval(secs => $4))
on conflict (queue, owner) do update
    set reason = excluded.reason, paused_at = now(), until = excluded.until
returning queue, owner, reason, paused_at, until

-- name: forget_expired
-- Pauses that are over of themselves.
delete from queue_pauses where until <= now()

-- name: lift
-- An owner's pause of a queue, or everybody's.
delete from queue_pauses
where queue = $1 and (owner = $2 or $3::boolean) and (until is null or until > now())
returning owner

-- name: in_force
-- What rests, and until when.
select queue, owner, reason, paused_at, until from queue_pauses
where until is null or until > now() order by queue, paused_at

-- name: orders
-- What a worker asks every second: the queues that rest, and which of the jobs it runs were called off.
select queue as name, true as is_queue from queue_pauses where until is null or until > now()
union all
select key, false from job_runs where key = any($1::text[]) and state = 'cancelled'
