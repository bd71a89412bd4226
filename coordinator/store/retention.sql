-- What was not kept expires. $1 is the session, where not said; $2 and $3 the tiers of which anything expires, and at
-- which age. Ages are reckoned by the database's clock alone.

-- name: due_sessions
-- Sessions of which something is old enough ($1, $2: tiers and ages), at most $3.
select s.session_id
from sessions s join session_ages g using (session_id) join unnest($1::text[], $2::interval[]) as t (tier, age) using (tier)
where s.is_over and not s.is_expired and s.user_id <> 'owner' and s.expiry_look_at <= now()
      and (s.ended_at is null or s.ended_at < now() - t.age) and g.aged_from < now() - t.age
order by s.expiry_look_at limit $3

-- name: try_lock_looks
-- One look for moments of a session commits at a time; we come back when it has.
select pg_try_advisory_xact_lock(hashtextextended($1, 7843))

-- name: lock_due
-- The session, if it is still old enough and nobody else has it: nobody adds a row about it until the transaction ends.
select s.user_id, g.tier, t.age, s.expiring_since is null as is_first
from sessions s join session_ages g using (session_id) join unnest($2::text[], $3::interval[]) as t (tier, age) using (tier)
where s.session_id = $1 and s.is_over and not s.is_expired and s.user_id <> 'owner' and s.expiry_look_at <= now()
      and g.aged_from < now() - t.age
for update of s skip locked

-- name: lock_clips
-- Nobody asks for a post of these any more until the transaction ends: cuts of moments, and what was replaced.
select clip_id from clips
where session_id = $1
      and (moment_id is not null
           or request_id in (select request_id from source_requests
                             where session_id = $1 and marker_clip_id is not null and state = 'replaced'))
for update

-- name: held_spans
-- What stays ($2: the age at which things go), as text: the driver would unpack it.
select held_spans($1, $2)::text

-- name: mark_session
-- From the commit on nothing gets in of what goes; of what stays ($2) wishes can still be fulfilled.
update sessions s set expiring_since = coalesce(s.expiring_since, now()),
    forgotten = s.forgotten + (int8multirange(int8range(0, ends.until_ns)) - $2::text::int8multirange)
from (select greatest(0, (select max(end_ns) from chunks where session_id = $1),
                      (select max(end_ns) from moments where session_id = $1)) as until_ns) as ends
where s.session_id = $1

-- name: due_media
-- Moments that go ($2: age), with their wish and its cut; and wishes that were replaced, with theirs (moment: null).
-- `is_awaited`: its agent may still answer.
select m.moment_id, r.request_id, r.object_key, r.expires_at, r.expires_at > now() - interval '1 hour' as is_awaited,
       case when r.state = 'uploaded' then r.size_bytes end as size_bytes, c.clip_id, c.object_key as clip_key
from due_moments($1, $2) as d (moment_id) join moments m using (moment_id)
     left join source_requests r using (moment_id) left join clips c using (request_id)
union all
select null, r.request_id, r.object_key, r.expires_at, r.expires_at > now() - interval '1 hour', null, c.clip_id, c.object_key
from due_replaced($1, $2) as d (request_id) join source_requests r using (request_id) left join clips c using (request_id)

-- name: due_posts
-- Posts that go ($2: age), finished or not; of what was replaced also those whose cut stays.
select export_id, clip_id, preset, state, object_key, size_bytes
from exports where export_id in (select due_posts($1, $2))

-- name: empty_wishes
-- Wishes ($1) that may still be answered stay as shells until they cannot: an answer finds that nobody waits for it.
update source_requests
set state = 'forgotten', reason = 'expired', moment_id = null, marker_clip_id = null, sha256 = null, size_bytes = null,
    covered_start_ns = null, covered_end_ns = null, updated_at = now()
where request_id = any ($1::text[])

-- name: drop_clips
-- Cuts ($1).
delete from clips where clip_id = any ($1::text[])

-- name: drop_posts
-- Posts ($1), also those whose cut stays.
delete from exports where export_id = any ($1::text[])

-- name: drop_wishes
-- Wishes ($1) that were replaced.
delete from source_requests where request_id = any ($1::text[])

-- name: drop_moments
-- Moments ($1), and wishes that nobody answers any more with them.
delete from moments where moment_id = any ($1::text[])

-- name: going_chunks
-- The first $3 chunks outside of what stays ($2); of what stays, words are kept, and so the chunks that they were heard in.
select lane, seq, place, size_bytes from chunks
where session_id = $1 and not (lane = 1 and $2::text::int8multirange && int8range(start_ns, end_ns))
order by start_ns, lane, seq limit $3 for update

-- name: words_of_chunks
-- Words that searches know from these chunks ($2, $3: lane and number), with the number of their account.
select distinct i.account_no, substr(one, length(to_hex(i.account_no)) + 2) as word
from unnest($2::smallint[], $3::bigint[]) as n (lane, seq)
     join utterances u on u.session_id = $1 and u.lane = n.lane and u.seq = n.seq
     join utterance_index i using (utterance_id) cross join unnest(tsvector_to_array(i.lexemes)) as one

-- name: drop_chunks
-- Chunks ($2, $3: lane and number), with all that was heard in them.
delete from chunks c using unnest($2::smallint[], $3::bigint[]) as n (lane, seq)
where c.session_id = $1 and c.lane = n.lane and c.seq = n.seq

-- name: drop_words
-- Of these words ($2) those that the account ($1) has said nowhere else.
delete from search_words w
where w.account_no = $1 and w.word = any ($2::text[])
      and not exists (select from utterance_index
                      where lexemes @@ format('''%s_%s''', to_hex(w.account_no), w.word)::tsquery)

-- name: drop_runs
-- What is known of ended jobs ($1: their keys) about what went.
delete from job_runs where key = any ($1::text[]) and state not in ('running', 'waiting')

-- name: keep_gaps
-- The numbers of what went ($2, $3: lane and number) stay known.
insert into gaps (session_id, lane, first, last, reason)
select $1, lane, min(seq), max(seq), 'expired'
from (select lane, seq, seq - row_number() over (partition by lane order by seq) as island
      from unnest($2::smallint[], $3::bigint[]) as n (lane, seq)) as numbered
group by lane, island
on conflict (session_id, lane, first) do update set last = greatest(gaps.last, excluded.last)

-- name: take_gaps
-- Numbers of what went, to be written as few ranges.
delete from gaps where session_id = $1 and reason = 'expired' returning lane, first, last

-- name: write_gaps
-- As few ranges ($2 to $4: lane, first, last) as they are.
insert into gaps (session_id, lane, first, last, reason)
select $1, lane, lower(span), upper(span) - 1, 'expired'
from (select lane, unnest(range_agg(int8range(first, last, '[]'))) as span
      from unnest($2::smallint[], $3::bigint[], $4::bigint[]) as n (lane, first, last) group by lane) as spans
on conflict (session_id, lane, first) do update set last = greatest(gaps.last, excluded.last)

-- name: doom_chunks
-- Objects ($2) in which chunks lay, with how much of each went ($3). They go at the end of their session, or soon.
insert into expired_objects (object_key, session_id, holds_others, size_bytes, due_at)
select key, $1, true, size_bytes, now() + interval '10 minutes' from unnest($2::text[], $3::bigint[]) as n (key, size_bytes)
on conflict (object_key) do update set
    size_bytes = case when expired_objects.is_gone then 0 else coalesce(expired_objects.size_bytes, 0) end
                 + excluded.size_bytes,
    is_gone = false, due_at = excluded.due_at

-- name: doom_media
-- Objects of moments ($2), each until when somebody can still put it, or null ($3); a stage may run an hour.
insert into expired_objects (object_key, session_id, holds_others, again_until)
select key, $1, false, greatest(now(), until) + interval '1 hour'
from unnest($2::text[], $3::timestamptz[]) as n (key, until)
on conflict (object_key) do update set
    again_until = greatest(expired_objects.again_until, excluded.again_until), due_at = now()

-- name: finish_session
-- All of it that is old enough has gone.
with objects as (update expired_objects set due_at = now() where session_id = $1 and holds_others and problem = ''),
looks as (delete from analyses where session_id = $1 returning window_no),
runs as (delete from job_runs where state not in ('running', 'waiting') and key = any (
            array[format('ai:%s:end', $1::text), format('ai:%s:final', $1::text)]
            || (select coalesce(array_agg(format('ai:%s:%s', $1::text, window_no)), '{}') from looks))),
shells as (delete from source_requests
           where session_id = $1 and state = 'forgotten' and reason = 'expired'
                 and expires_at <= now() - interval '1 hour'),
left_over as (
    select exists (select from moments where session_id = $1 and not is_kept)
           or exists (select from source_requests r where r.session_id = $1
                      and (r.state in ('wanted', 'sent', 'pinned', 'replaced')
                           or r.state = 'uploaded' and not exists (select from clips c where c.request_id = r.request_id)
                           or r.state = 'forgotten' and r.reason = 'expired'
                              and r.expires_at > now() - interval '1 hour')) as is_more)
update sessions set is_expired = not is_more, expiry_look_at = now() + interval '10 minutes',
    moments_reason = case when exists (select from moments m where m.session_id = $1) then moments_reason
                          else 'what was not kept has expired' end
from left_over where session_id = $1

-- name: put_off_session
-- Something is wrong with it; others go first.
update sessions set expiry_look_at = now() + interval '1 hour' where session_id = $1

-- name: count
-- What went today.
insert into expired_days (day, num_sessions, num_chunks, num_moments, num_clips, num_posts, num_objects, num_bytes)
values (now() at time zone 'utc', $1, $2, $3, $4, $5, $6, $7)
on conflict (day) do update set
    num_sessions = expired_days.num_sessions + excluded.num_sessions,
    num_chunks = expired_days.num_chunks + excluded.num_chunks,
    num_moments = expired_days.num_moments + excluded.num_moments,
    num_clips = expired_days.num_clips + excluded.num_clips,
    num_posts = expired_days.num_posts + excluded.num_posts,
    num_objects = expired_days.num_objects + excluded.num_objects,
    num_bytes = expired_days.num_bytes + excluded.num_bytes

-- name: claim_objects
-- Objects ($1 at most) that are to be deleted now: nobody else takes them for two minutes.
update expired_objects set due_at = now() + interval '2 minutes'
where object_key in (select object_key from expired_objects where due_at <= now()
                     order by due_at limit $1 for update skip locked)
returning object_key, session_id, holds_others, size_bytes, is_gone

-- name: settle_objects
-- These ($1) are deleted; what somebody may still put is deleted once more.
with gone as (delete from expired_objects
              where object_key = any ($1::text[]) and (again_until is null or again_until <= now()))
update expired_objects set is_gone = true, due_at = again_until, problem = ''
where object_key = any ($1::text[]) and again_until > now()

-- name: put_off_objects
-- These ($1) could not be deleted, and why ($2).
update expired_objects set due_at = now() + interval '1 minute', problem = $2 where object_key = any ($1::text[])

-- name: preview
-- What would go now of each session ($1, $2: tiers and ages), the oldest first, at most $3.
select s.session_id, s.user_id, g.tier, chunks.num as num_chunks, media.num_moments, media.num_clips, media.num_posts,
       chunks.num_bytes + media.num_bytes as num_bytes
from sessions s join session_ages g using (session_id) join unnest($1::text[], $2::interval[]) as t (tier, age) using (tier)
     cross join lateral (
         select count(*) as num, coalesce(sum(c.size_bytes), 0)::bigint as num_bytes
         from chunks c cross join (select held_spans(s.session_id, t.age) as spans offset 0) as held
         where c.session_id = s.session_id
               and not (c.lane = 1 and held.spans && int8range(c.start_ns, c.end_ns))) as chunks
     cross join lateral (
         select (select count(*) from due_moments(s.session_id, t.age)) as num_moments,
                (select count(*) from due_clips(s.session_id, t.age)) as num_clips,
                count(*) as num_posts,
                (coalesce(sum(e.size_bytes), 0)
                 + coalesce((select sum(r.size_bytes) from due_moments(s.session_id, t.age) as x (moment_id)
                             join source_requests r using (moment_id) where r.state = 'uploaded'), 0))::bigint as num_bytes
         from exports e where e.export_id in (select due_posts(s.session_id, t.age))) as media
where s.is_over and not s.is_expired and s.user_id <> 'owner' and g.aged_from < now() - t.age
      and (s.ended_at is null or s.ended_at < now() - t.age) and (chunks.num + media.num_moments + media.num_clips + media.num_posts > 0)
order by g.aged_from limit $3

-- name: overdue
-- How many sessions are old enough and wait, the longest for how long; and how many are over their age and still worked on.
select count(*) filter (where g.aged_from < now() - t.age and s.expiry_look_at <= now()) as num_overdue,
       coalesce(extract(epoch from max(now() - g.aged_from - t.age)
           filter (where g.aged_from < now() - t.age and s.expiry_look_at <= now())), 0)::double precision as oldest_s,
       count(*) filter (where g.aged_from is null) as num_worked_on
from sessions s join session_ages g using (session_id) join unnest($1::text[], $2::interval[]) as t (tier, age) using (tier)
where not s.is_expired and s.user_id <> 'owner' and s.ended_at < now() - t.age

-- name: waiting_objects
-- Objects whose rows went and which are still there, the longest for how long, and what went wrong last.
select count(*) as num, coalesce(sum(size_bytes), 0)::bigint as num_bytes,
       coalesce(extract(epoch from now() - min(doomed_at)), 0)::double precision as oldest_s,
       (select problem from expired_objects where problem <> '' and not is_gone order by due_at desc limit 1) as problem
from expired_objects where not is_gone

-- name: days
-- What went by day, the newest ($1) first.
select day, num_sessions, num_chunks, num_moments, num_clips, num_posts, num_objects, num_bytes
from expired_days order by day desc limit $1
