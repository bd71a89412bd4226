-- What was not kept expires: what is kept, since when each thing ages, how far it went, and objects whose rows are gone.

-- What its streamer said last of a moment, for good: verdicts are a bounded history, and can be reset; a keep is neither.
alter table moments add column is_kept boolean not null default false;
update moments m set is_kept = true
where (select v.kind from verdicts v where v.session_id = m.session_id and v.moment_id = m.moment_id
       order by v.at_unix_ms desc, v.verdict_id desc limit 1) in ('keep', 'extend');

-- Nothing is left to expire: what is there is kept, or it is empty. An agent that names the session again, or a verdict
-- that keeps no longer, takes that back.
alter table sessions
    add column is_expired boolean not null default false,
    add column expiring_since timestamptz,                       -- when the first of it went
    add column expiry_look_at timestamptz not null default now();   -- not before: the rest is younger
create index sessions_to_expire on sessions (expiry_look_at) where is_over and not is_expired and user_id <> 'owner';

-- Since when a session ages: since it has ended, or the newest of its chunks came. Null: it is not over, and ages not.
create view session_ages as
select s.session_id, s.user_id, a.tier, s.is_expired, s.expiring_since, s.expiry_look_at,
       case when s.is_over
            then coalesce(greatest(s.ended_at, newest.received_at), s.expiring_since, to_timestamp(0)) end as aged_from
from sessions s join accounts a using (user_id)
     cross join lateral (
         select max(one.received_at) as received_at from unnest('{1,2,3,4,5,6}'::smallint[]) as n (lane)
         cross join lateral (select c.received_at from chunks c
                             where c.session_id = s.session_id and c.lane = n.lane order by c.seq desc limit 1) as one)
         as newest;

-- A moment with a cut or a post is not older than these.
create view moment_ages as
select m.moment_id, m.session_id, m.start_ns, m.end_ns, m.is_kept,
       (select max(greatest(c.created_at, e.created_at, e.ready_at)) from clips c left join exports e using (clip_id)
        where c.moment_id = m.moment_id) as made_at
from moments m;

-- Moments of a session that is old enough which go, too: not kept, and nothing of them was made within `age`.
create function due_moments(session text, age interval) returns setof text
    language sql stable
    begin atomic
        select moment_id from moment_ages
        where session_id = session and not is_kept and coalesce(made_at, to_timestamp(0)) < now() - age;
    end;

-- What stays of a session: spans of its other moments, of cuts, and of wishes that are open or were just fulfilled.
create function held_spans(session text, age interval) returns int8multirange
    language sql stable
    return (select coalesce(range_agg(int8range(least(start_ns, end_ns), end_ns)), '{}') from (
                select start_ns, end_ns from moments
                where session_id = session and moment_id not in (select due_moments(session, age))
                union all
                select start_ns, end_ns from clips
                where session_id = session
                      and (moment_id is null or moment_id not in (select due_moments(session, age)))
                union all
                select start_ns, end_ns from source_requests
                where session_id = session and state in ('wanted', 'sent', 'pinned', 'uploaded')
                      and (moment_id is null or moment_id not in (select due_moments(session, age)))) as spans);

-- Objects whose rows went: written in the transaction that deleted them, and gone from here when they are from the store.
-- No foreign key: a row outlives all that it was about.
create table expired_objects (
    object_key text primary key,
    session_id text not null,
    holds_others boolean not null,                -- rolled up: what rows still name in it is moved first
    size_bytes bigint,                            -- of what went; null: the store is asked
    doomed_at timestamptz not null default now(),
    due_at timestamptz not null default now(),    -- not before; while somebody deletes it, and after that failed, later
    again_until timestamptz,                      -- somebody may still put it: it is deleted once more then
    is_gone boolean not null default false,
    problem text not null default ''
);
create index expired_objects_due on expired_objects (due_at);
create index expired_objects_of_session on expired_objects (session_id);

-- What went, by the day, for people.
create table expired_days (
    day date primary key,
    num_sessions bigint not null default 0,
    num_chunks bigint not null default 0,
    num_moments bigint not null default 0,
    num_clips bigint not null default 0,
    num_posts bigint not null default 0,
    num_objects bigint not null default 0,
    num_bytes bigint not null default 0
) with (fillfactor = 70);
