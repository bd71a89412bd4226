-- Where jobs of a tier go, which routes a worker serves, and numbers of priorities that hold when a job came.

create table placements (
    tier text not null,                      -- free, pro, business
    queue text not null,
    place text not null default '',          -- the kind of worker; empty: any
    under_load text,                         -- another one, while the first is busy; null: none
    press text,                              -- of what a press asked for; null: as the others
    set_at timestamptz not null default now(),
    primary key (tier, queue)
);

-- The engine's names of what it claims: queue[.vN][@place]; empty: of a version that does not say it.
alter table workers add column routes text[] not null default '{}';

-- Jobs that were put before: as coordinator/jobs/engine.py numbers them now.
update pgqueuer set priority =
    case when priority >= 1000 then 2000000000 when priority >= 100 then 1000000000 when priority >= 10 then 0
         else -1000000000 end
    - (floor(extract(epoch from created)) - 1767225600)::integer
where dedupe_key is not null;
