-- What a press's clip was before it changed expires, too: of a press that is kept, its newest cut is.

-- Each cut of a press's clip, with whether there is a newer one, which has all its posts then, made or to be made.
create view press_cuts as
select c.clip_id, c.session_id, r.request_id, r.state = 'replaced' as is_replaced,
       r.state = 'replaced' and exists (
           select from source_requests o join clips d on d.request_id = o.request_id
           where o.session_id = r.session_id and o.marker_clip_id = r.marker_clip_id and o.request_id <> r.request_id
                 and (o.state <> 'replaced' or d.created_at > c.created_at)) as has_newer
from source_requests r join clips c using (request_id)
where r.marker_clip_id is not null;

-- Requests that were replaced and go, with their cuts: those of which no post is shown, or was until `age` ago. The newest
-- cut of a clip is none of them, nor is a cut that was replaced before another was made. Where the press was forgotten, and
-- with it what its clip was last, nothing of it is shown.
create function due_replaced(session text, age interval) returns setof text
    language sql stable
    begin atomic
        select r.request_id from source_requests r left join press_cuts c using (request_id)
        where r.session_id = session and r.marker_clip_id is not null and r.state = 'replaced' and r.updated_at < now() - age
              and (coalesce(c.has_newer, true)
                   and not exists (select from exports e where e.clip_id = c.clip_id
                                                               and (e.state <> 'replaced' or e.updated_at >= now() - age))
                   or not exists (select from markers m where m.session_id = session and m.clip_id = r.marker_clip_id));
    end;

-- Cuts that go: of moments, and of what was replaced.
create function due_clips(session text, age interval) returns setof text
    language sql stable
    begin atomic
        select clip_id from clips
        where session_id = session
              and (moment_id in (select due_moments(session, age)) or request_id in (select due_replaced(session, age)));
    end;

-- Posts that go: with their cuts, or by themselves where another post of the cut is still shown.
create function due_posts(session text, age interval) returns setof text
    language sql stable
    begin atomic
        select e.export_id from exports e join clips c using (clip_id)
        where c.session_id = session
              and (c.clip_id in (select due_clips(session, age))
                   or e.state = 'replaced' and e.updated_at < now() - age
                      and c.clip_id in (select p.clip_id from press_cuts p where p.session_id = session and p.has_newer));
    end;

-- As before, but for cuts of what was replaced and goes.
create or replace function held_spans(session text, age interval) returns int8multirange
    language sql stable
    return (select coalesce(range_agg(int8range(least(start_ns, end_ns), end_ns)), '{}') from (
                select start_ns, end_ns from moments
                where session_id = session and moment_id not in (select due_moments(session, age))
                union all
                select start_ns, end_ns from clips
                where session_id = session and clip_id not in (select due_clips(session, age))
                union all
                select start_ns, end_ns from source_requests
                where session_id = session and state in ('wanted', 'sent', 'pinned', 'uploaded')
                      and (moment_id is null or moment_id not in (select due_moments(session, age)))) as spans);
