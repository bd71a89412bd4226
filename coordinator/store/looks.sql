-- How far a session was heard, and which window of it is looked at next. Written under the session's lock (`lock_session`
-- in rows.sql). $1 is the session, where not said.

-- name: hear_lane
-- A chunk of this lane ($2) was heard or failed: move on over every number that was settled. Gaps and chunks come as
-- ranges, because a gap may hold 2^62 numbers.
with known as materialized (
    select coalesce((select next_seq from heard_lanes where session_id = $1 and lane = $2), 0) as next_seq),
settled as materialized (
    select range_agg(span) as spans from (
        select int8range(f.seq, f.seq + 1) as span from features f
        where f.session_id = $1 and f.lane = $2 and f.seq >= (select next_seq from known)
        union all
        select int8range(g.first, least(g.last, 4611686018427387903) + 1) from gaps g
        where g.session_id = $1 and g.lane = $2 and g.last >= (select next_seq from known)
              and g.first <= 4611686018427387903) as parts),
moved as materialized (
    select coalesce((select upper(span) from unnest(settled.spans) as span where span @> known.next_seq),
                    known.next_seq) as next_seq
    from known, settled)
insert into heard_lanes (session_id, lane, next_seq, until_ns)
select $1, $2, moved.next_seq, coalesce(
    (select c.start_ns from chunks c
     where c.session_id = $1 and c.lane = $2 and c.seq >= moved.next_seq
           and not exists (select from features f where (f.session_id, f.lane, f.seq) = (c.session_id, c.lane, c.seq))
     order by c.seq limit 1),
    (select c.end_ns from chunks c where c.session_id = $1 and c.lane = $2 order by c.seq desc limit 1),
    0)
from moved
on conflict (session_id, lane) do update set next_seq = excluded.next_seq, until_ns = excluded.until_ns

-- name: look_state
-- What decides about the next look. A lane lives while a chunk of it waits to be heard, or while it is less than a
-- minute behind the others; a chat that is silent sends nothing, and is not waited for. `is_all_heard`: it has ended, and every chunk was heard or will never come.
with lanes as materialized (
    select n.lane, coalesce(h.next_seq, 0) as next_seq,
           coalesce(h.until_ns, (select c.start_ns from chunks c
                                 where c.session_id = $1 and c.lane = n.lane order by c.seq limit 1)) as until_ns
    from unnest('{1,2,4}'::smallint[]) as n (lane)
         left join heard_lanes h on h.session_id = $1 and h.lane = n.lane),
front as materialized (select coalesce(max(until_ns), 0) as until_ns from lanes)
select s.session_id, s.is_live, s.is_over, front.until_ns as front_ns,
       coalesce((select min(l.until_ns) from lanes l
                 where l.until_ns >= front.until_ns - 60000000000
                       or exists (select from chunks c
                                  where c.session_id = $1 and c.lane = l.lane and c.seq >= l.next_seq
                                        and not exists (select from features f
                                                        where (f.session_id, f.lane, f.seq)
                                                              = (c.session_id, c.lane, c.seq)))), 0) as until_ns,
       coalesce((select max(m.at_ns) from markers m where m.session_id = $1), -1) as pressed_ns,
       coalesce(k.promising_until_ns, 0) as promising_until_ns, coalesce(k.queued_no, 0) as queued_no,
       coalesce(k.looked_no, 0) as looked_no,
       case when s.is_live or s.lane_counts is null then false else not exists (
           select from (values (1, 'mic'), (2, 'desktop'), (4, 'signals'), (5, 'chat'), (6, 'events')) as w (lane, name)
           where coalesce((s.lane_counts ->> w.name)::bigint, 0)
                 > (select count(*) from features f where f.session_id = $1 and f.lane = w.lane)
                   + (select coalesce(sum(upper(span) - lower(span)), 0)
                      from (select unnest(range_agg(int8range(g.first, least(g.last, 4611686018427387903), '[]')))
                            as span from gaps g where g.session_id = $1 and g.lane = w.lane) as spans))
       end as is_all_heard
from sessions s cross join front left join looks k using (session_id)
where s.session_id = $1

-- name: save_look_state
-- Where the looks stand. No number goes back.
insert into looks (session_id, until_ns, promising_until_ns, queued_no, looked_no) values ($1, $2, $3, $4, $5)
on conflict (session_id) do update set
    until_ns = excluded.until_ns,
    promising_until_ns = greatest(looks.promising_until_ns, excluded.promising_until_ns),
    queued_no = greatest(looks.queued_no, excluded.queued_no),
    looked_no = greatest(looks.looked_no, excluded.looked_no)

-- name: add_analysis
-- What one window's look found; the first to commit wins. The last look of a session may be of a window that was looked
-- at before.
insert into analyses (session_id, window_no, until_ns, is_final, state, num_moments, reason, engines, judge, unjudged)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
on conflict (session_id, window_no) do update set
    until_ns = excluded.until_ns, is_final = true, state = excluded.state, num_moments = excluded.num_moments,
    reason = excluded.reason, engines = excluded.engines, judge = excluded.judge, unjudged = excluded.unjudged,
    looked_at = now()
    where excluded.is_final and not analyses.is_final
returning window_no

-- name: end_session
-- Nothing of it is waited for any more.
update sessions set is_over = true where session_id = $1 and not is_over

-- name: give_up_sessions
-- Sessions of which nothing has come for two days are not waited for. One that began long ago and of which nothing has come
-- at all may only just have been told of: its agent was away, and is about to send.
update sessions s set is_over = true
where not s.is_over and s.started_at < now() - interval '2 days'
      and (exists (select from chunks c where c.session_id = s.session_id)
           or exists (select from agents a where a.agent_id = s.agent_id
                      and a.last_seen_at < now() - interval '2 days'))
      and not exists (select from unnest('{1,2,4}'::smallint[]) as n (lane)
                      cross join lateral (select c.received_at from chunks c
                                          where c.session_id = s.session_id and c.lane = n.lane
                                          order by c.seq desc limit 1) as newest
                      where newest.received_at > now() - interval '2 days')

-- name: features_before
-- Signals of the chunks of a lane ($2) just before one ($3).
select lane, seq, start_ns, step_ns, tracks from features
where session_id = $1 and lane = $2 and seq < $3 and seq >= $3 - 6 order by seq
