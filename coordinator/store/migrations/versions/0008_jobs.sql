-- How far a job is: written while it runs.
alter table job_runs
    add column progress real,                            -- 0 to 1
    add column progress_words text not null default '';

-- The engine's name of a route is queue[.vN][@place]; the backlog is that of the queue.
create or replace view job_backlog as
select
    split_part(split_part(entrypoint, '@', 1), '.v', 1) as queue,
    count(*) filter (where status = 'queued' and execute_after <= now()) as num_ready,
    count(*) filter (where status = 'queued' and execute_after > now()) as num_delayed,
    count(*) filter (where status = 'picked') as num_running,
    count(*) filter (where status = 'failed') as num_held,
    coalesce(extract(epoch from now() - min(execute_after)
        filter (where status = 'queued' and execute_after <= now())), 0)::double precision as oldest_age_s
from pgqueuer
group by 1;
