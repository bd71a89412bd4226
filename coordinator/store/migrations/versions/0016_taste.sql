-- What streamers keep and throw away, from which their taste is learnt.

alter table accounts
    add column taste_no bigint not null default 0,              -- goes up with each change of the account's verdicts
    add column taste_reset_unix_ms bigint not null default 0;   -- what was said up to then counts no longer

-- About moments as they were found: a moment that changes, or goes, takes no verdict with it; its session does.
create table verdicts (
    user_id text not null references accounts on delete cascade,
    verdict_id text not null,
    session_id text not null references sessions on delete cascade,
    moment_id text not null,
    start_ns bigint not null,
    end_ns bigint not null,
    kind text not null check (kind in ('keep', 'skip', 'extend', 'delete', 'undo')),
    moment_kind text not null,
    score double precision not null,
    lanes jsonb not null,                        -- {lane: share}
    before_s double precision,
    after_s double precision,
    at_unix_ms bigint not null,
    made_by text not null,                       -- an agent's id, or `page`
    primary key (user_id, verdict_id)
);
create index verdicts_newest on verdicts (user_id, at_unix_ms desc, verdict_id desc);
create index verdicts_of_session on verdicts (session_id);

-- How much of a moment's span its streamer's taste added, or (less than 0) took away.
alter table moments
    add column roll_before_ns bigint not null default 0,
    add column roll_after_ns bigint not null default 0;
