-- What is to be forgotten. The spans stand in the session's own row too: whoever adds a row about a span locks that row
-- (`for key share`) and looks there, so that nothing slips in between an order and its deletions.

alter table sessions add column forgotten int8multirange not null default '{}';

-- An order. The rows of its span went in the transaction that wrote it; what is left are bytes.
create table tombstones (
    forget_id text primary key,
    session_id text not null references sessions on delete cascade,
    start_ns bigint not null,
    end_ns bigint not null,
    asked_by text not null check (asked_by in ('agent', 'coordinator')),
    state text not null default 'open' check (state in ('open', 'done')),
    went jsonb not null default '{}',       -- {"12 chunks of mic": ...}: see coordinator/ingest/forgetting.py
    receipt jsonb,                          -- {"went": [...], "remains": [...], "unreachable": [...]}, once done
    asked_at timestamptz not null default now(),
    answered_at timestamptz,                -- when the agent said that it has forgotten, too
    done_at timestamptz
);
create index tombstones_of_session on tombstones (session_id);
create index tombstones_open on tombstones (asked_at) where state = 'open';
create index tombstones_unanswered on tombstones (session_id) where answered_at is null;

-- Objects that hold some of it, and go. `holds_others`: what others have in it is moved to a new object first.
-- `again_until`: somebody may still be writing it; it is deleted again until then.
create table doomed_objects (
    forget_id text not null references tombstones on delete cascade,
    object_key text not null,
    holds_others boolean not null,
    is_gone boolean not null default false,
    again_until timestamptz,
    primary key (forget_id, object_key)
);
create index doomed_objects_again on doomed_objects (again_until) where again_until is not null;

-- Who owns a spool and works off tombstones there; and which spools an order still waits for.
create table spool_owners (
    node text primary key,
    seen_at timestamptz not null default now()
);
create table tombstone_spools (
    forget_id text not null references tombstones on delete cascade,
    node text not null,
    num_records integer,                    -- overwritten there
    swept_at timestamptz,
    primary key (forget_id, node)
);
create index tombstone_spools_open on tombstone_spools (node) where swept_at is null;
