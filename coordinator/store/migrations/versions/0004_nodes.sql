-- The processes that hold a spool. `node` is part of every place in it. Alive: seen within 15 s by this database's clock,
-- and not gone. `spool_id` lies in the spool's folder: a folder that was lost, or another machine's of the same name, has
-- another.
create table nodes (
    node text primary key,
    spool_id text not null,
    files_url text not null default '',      -- where other nodes read its spool; empty: nowhere
    pid integer not null,
    started_at timestamptz not null default now(),
    seen_at timestamptz not null default now(),
    state text not null check (state in ('serving', 'draining', 'gone')),
    spool_bytes bigint not null default 0
);
