-- Where jobs of a tier go, and who is there to take them.

-- name: placements
-- All that were set.
select tier, queue, place, under_load, press from placements order by queue, tier

-- name: set
-- Where the jobs of a tier go in a queue, from now on.
insert into placements (tier, queue, place, under_load, press) values ($1, $2, $3, $4, $5)
on conflict (tier, queue) do update
    set place = excluded.place, under_load = excluded.under_load, press = excluded.press, set_at = now()

-- name: clear
-- As if nobody had set one.
delete from placements where tier = $1 and queue = $2 returning tier

-- name: served
-- Which places of which queue live workers serve, with their slots. One that names no routes is of an older version,
-- and serves what has none.
select queue, place, count(*) as num_workers, sum(num_slots) as num_slots, sum(num_busy) as num_busy
from (
    select distinct k.worker_id, k.num_slots, k.num_busy, queue_of(r.route) as queue, split_part(r.route, '@', 2) as place
    from workers k cross join lateral unnest(case when k.routes = '{}' then k.queues else k.routes end) as r (route)
    where k.seen_at > now() - interval '15 seconds') as each_place
group by queue, place
order by queue, place
