-- What the pipeline reads and writes. Every statement takes its values as parameters.

-- name: chunk
-- One chunk by its key.
select session_id, lane, seq, start_ns, end_ns, content_type, sha256, size_bytes, place
from chunks where session_id = $1 and lane = $2 and seq = $3

-- name: save_transcript
-- What was said in one chunk, unless that was forgotten meanwhile; the first to commit wins.
insert into transcripts (session_id, lane, seq, start_ns, end_ns, language, engine, model, words)
select c.session_id, c.lane, c.seq, $4, $5, $6, $7, $8, $9::jsonb
from chunks c where c.session_id = $1 and c.lane = $2 and c.seq = $3
for key share of c
on conflict do nothing

-- name: save_features
-- Signals of one chunk, unless that was forgotten meanwhile, or why there are none; the first that were heard win.
insert into features (session_id, lane, seq, start_ns, step_ns, tracks, reason)
select c.session_id, c.lane, c.seq, $4, $5, $6::jsonb, $7
from chunks c where c.session_id = $1 and c.lane = $2 and c.seq = $3
for key share of c
on conflict (session_id, lane, seq) do update set
    start_ns = excluded.start_ns, step_ns = excluded.step_ns, tracks = excluded.tracks, reason = excluded.reason
    where features.reason <> ''

-- name: session
-- One session, with how many chunks of each lane will never come: {"1": 3, ...}.
select session_id, user_id, started_at, is_live, duration_ns, lane_counts, moments_reason,
       (select jsonb_object_agg(lane, num)
        from (select lane, sum(upper(span) - lower(span)) as num
              from (select lane, unnest(range_agg(int8range(first, least(last, 4611686018427387903), '[]'))) as span
                    from gaps where session_id = $1 group by lane) as spans
              group by lane) as missing) as missing
from sessions where session_id = $1

-- name: features_of
-- Signals from a time on, in order.
select lane, seq, start_ns, step_ns, tracks from features
where session_id = $1 and start_ns >= $2 order by lane, seq

-- name: transcripts_of
-- What was said in a span, in order.
select seq, start_ns, end_ns, language, engine, model, words from transcripts
where session_id = $1 and end_ns > $2 and start_ns < $3 order by start_ns

-- name: unheard_in_span
-- Chunks of a lane with part of a span whose words are not known yet.
select c.seq from chunks c
where c.session_id = $1 and c.lane = $2 and c.end_ns > $3 and c.start_ns < $4
      and not exists (select from transcripts t where (t.session_id, t.lane, t.seq) = (c.session_id, c.lane, c.seq))
order by c.seq

-- name: markers_of
-- Presses.
select clip_id, at_ns, start_ns, end_ns, num_changes from markers where session_id = $1 order by at_ns

-- name: lock_session
-- One analysis of a session commits at a time; held until the transaction ends.
select pg_advisory_xact_lock(hashtextextended($1, 7843))

-- name: moments_of
-- All moments of a session.
select moment_id, start_ns, end_ns, peak_ns, score, kind, title, evidence, opinion, is_forming, roll_before_ns,
       roll_after_ns
from moments where session_id = $1

-- name: owner
-- Whose a session is.
select s.user_id, a.tier from sessions s join accounts a using (user_id) where s.session_id = $1

-- name: add_moment
-- A new moment, unless its span is to be forgotten.
insert into moments (
    moment_id, session_id, start_ns, end_ns, peak_ns, score, kind, title, evidence, opinion, is_forming, roll_before_ns,
    roll_after_ns)
select $1, s.session_id, $3, $4, $5, $6, $7, $8, $9::jsonb, $10::jsonb, $11, $12, $13
from sessions s where s.session_id = $2 and not s.forgotten && int8range($3::bigint, $4::bigint)
for key share of s

-- name: drop_moment
-- It was forming, and has become part of another.
delete from moments where moment_id = $1 and is_forming

-- name: rescore_moment
-- More is known of a moment. One that was forming takes the span that it has now, unless that is to be forgotten; of
-- others the span stays, for it may have been asked for already.
update moments m set
    score = $2, kind = $3, title = $4, evidence = $5::jsonb, opinion = $6::jsonb, updated_at = now(),
    start_ns = case when m.is_forming then $7 else m.start_ns end,
    end_ns = case when m.is_forming then $8 else m.end_ns end,
    peak_ns = case when m.is_forming then $9 else m.peak_ns end,
    roll_before_ns = case when m.is_forming then $11 else m.roll_before_ns end,
    roll_after_ns = case when m.is_forming then $12 else m.roll_after_ns end,
    is_forming = m.is_forming and $10
from sessions s
where m.moment_id = $1 and s.session_id = m.session_id
      and ((m.score, m.title, m.opinion) is distinct from ($2, $4, $6::jsonb)
           or m.is_forming and (m.start_ns, m.end_ns, true) is distinct from ($7, $8, $10))
      and not (m.is_forming and s.forgotten && int8range($7::bigint, $8::bigint))

-- name: set_moments_reason
-- Why there are no moments; empty when there are.
update sessions set moments_reason = $2 where session_id = $1 and moments_reason is distinct from $2

-- name: num_requests_last_hour
-- How many moments of a session were asked for in the last hour.
select count(*) from source_requests
where session_id = $1 and moment_id is not null and requested_at > now() - interval '1 hour'

-- name: add_request
-- Full quality of a span is wanted; of one moment, once, of a press's clip as it is now, and of nothing that is to be
-- forgotten.
insert into source_requests
    (request_id, session_id, moment_id, marker_clip_id, start_ns, end_ns, object_key, expires_at)
select $1, s.session_id, $3, $4, $5, $6, $7, now() + make_interval(secs => $8)
from sessions s where s.session_id = $2 and not s.forgotten && int8range($5::bigint, $6::bigint)
      and not exists (select from markers m where m.session_id = $2 and m.clip_id = $4::text
                                                  and (m.start_ns, m.end_ns) <> ($5::bigint, $6::bigint))
for key share of s
on conflict do nothing

-- name: replace_requests
-- What was asked for of a press's clip ($2) before this request ($3) is wanted no more.
update source_requests set state = 'replaced', reason = '', updated_at = now()
where session_id = $1 and marker_clip_id = $2 and request_id <> $3 and state not in ('replaced', 'forgotten')
returning request_id

-- name: replace_exports
-- Posts of what a press's clip ($2) was before are not made any more. Those that are ready stay until one of what it is
-- now is ready, too (finish_export).
update exports e set state = 'replaced', updated_at = now()
from clips c join source_requests r using (request_id)
where e.clip_id = c.clip_id and e.state in ('pending', 'failed')
      and r.session_id = $1 and r.marker_clip_id = $2 and r.state = 'replaced'

-- name: let_expire
-- There is something of a session to expire again.
update sessions set is_expired = false where session_id = $1 and is_expired

-- name: request
-- One request; what was forgotten, or replaced by one for another span of its clip, is none.
select r.request_id, r.session_id, r.moment_id, r.marker_clip_id, r.start_ns, r.end_ns, r.state, r.object_key,
       r.covered_start_ns, r.covered_end_ns, r.size_bytes, r.sha256, r.num_attempts,
       case when u.sha256 = r.sha256 and u.size_bytes = r.size_bytes then u.part_bytes else 0 end as part_bytes
from source_requests r left join source_uploads u using (request_id)
where r.request_id = $1 and r.state not in ('forgotten', 'replaced')

-- name: add_clip
-- A cut; one for each request, of nothing that is to be forgotten, and of no request that was replaced.
insert into clips (clip_id, session_id, moment_id, request_id, object_key, start_ns, end_ns, width, height)
select $1, s.session_id, $3, r.request_id, $5, $6, $7, $8, $9
from sessions s join source_requests r on r.request_id = $4
where s.session_id = $2 and not s.forgotten && int8range($6::bigint, $7::bigint) and r.state <> 'replaced'
for key share of s for share of r
on conflict do nothing

-- name: doom_cut
-- A cut that ended as its request ($1) was replaced: no row names its object ($2), which goes with what has expired; another
-- worker that cuts the same may put it once more.
insert into expired_objects (object_key, session_id, holds_others, again_until)
select $2, r.session_id, false, now() + interval '1 hour' from source_requests r
where r.request_id = $1 and r.state = 'replaced' and not exists (select from clips c where c.request_id = r.request_id)
on conflict (object_key) do update set
    again_until = greatest(expired_objects.again_until, excluded.again_until), due_at = now()

-- name: presets_before
-- Of which presets posts were wanted of what the press's clip of a request was before.
select distinct e.preset
from source_requests r join source_requests o on o.session_id = r.session_id and o.marker_clip_id = r.marker_clip_id
     join clips c on c.request_id = o.request_id join exports e on e.clip_id = c.clip_id
where r.request_id = $1 and o.state = 'replaced'
order by e.preset

-- name: clip
-- One cut, with the title of its moment.
select c.clip_id, c.session_id, c.moment_id, c.object_key, c.start_ns, c.end_ns, c.width, c.height,
       coalesce(m.title, '') as title
from clips c left join moments m using (moment_id) where c.clip_id = $1

-- name: words_awaited
-- What of a cut's words is still to come: chunks of the microphone ($2) in it that were neither heard nor failed; and do its
-- chunks not reach the cut's end, and may? They may while the session runs, or has told of more, and the lane is less than
-- a minute behind the others. Where none ever came there is no microphone, once another lane has passed the end.
select extract(epoch from now() - c.created_at)::double precision as age_s,
       (select count(*) from chunks h
        where h.session_id = c.session_id and h.lane = $2 and h.end_ns > c.start_ns and h.start_ns < c.end_ns
              and not exists (select from transcripts t where (t.session_id, t.lane, t.seq) = (h.session_id, h.lane, h.seq))
              and not exists (select from features f where (f.session_id, f.lane, f.seq) = (h.session_id, h.lane, h.seq)))
           as num_unheard,
       coalesce(case when mic.end_ns is null then front.end_ns < c.end_ns and s.ended_at is null
                     else mic.end_ns < c.end_ns and mic.end_ns > front.end_ns - 60000000000
                          and (s.ended_at is null or mic.seq + 1 < (s.lane_counts ->> 'mic')::bigint) end, false)
           as is_more_to_come
from clips c join sessions s using (session_id)
     left join lateral (select h.seq, h.end_ns from chunks h
                        where h.session_id = c.session_id and h.lane = $2 order by h.seq desc limit 1) as mic on true
     cross join lateral (select max(newest.end_ns) as end_ns from unnest('{1,2,3,4,5,6}'::smallint[]) as n (lane)
                         cross join lateral (select h.end_ns from chunks h
                                             where h.session_id = c.session_id and h.lane = n.lane
                                             order by h.seq desc limit 1) as newest) as front
where c.clip_id = $1

-- name: add_export
-- An export is wanted; of one clip and preset, once.
insert into exports (export_id, clip_id, preset)
select $1, c.clip_id, $3 from clips c where c.clip_id = $2
for key share of c
on conflict do nothing

-- name: clip_meant
-- The clip of an id, of a moment, or of a press as its agent calls it; of a press's clip the newest cut, whichever is named.
with named as (
    select c.clip_id, r.session_id, r.marker_clip_id from clips c left join source_requests r using (request_id)
    where c.clip_id = $1 or c.moment_id = $1 or r.marker_clip_id = $1
    order by c.clip_id <> $1 limit 1)
select c.clip_id
from named n join clips c on c.session_id = n.session_id left join source_requests r using (request_id)
where c.clip_id = n.clip_id or r.marker_clip_id = n.marker_clip_id
order by coalesce(r.state = 'replaced', false), c.created_at desc limit 1

-- name: ask_export
-- A post is asked for by itself: a new one, or one that had failed. No row: it is ready or on its way.
insert into exports (export_id, clip_id, preset, is_extra)
select $1, c.clip_id, $3, true from clips c where c.clip_id = $2
for key share of c
on conflict (clip_id, preset) do update set state = 'pending', reason = '', is_extra = true, updated_at = now()
    where exports.state = 'failed'
returning export_id

-- name: export_state
-- What became of one.
select state from exports where clip_id = $1 and preset = $2

-- name: wanted_presets
-- Of which presets posts of a clip are wanted: those that are made together, or this one ($2) alone.
select preset from exports
where clip_id = $1 and state = 'pending' and case when $2::text is null then not is_extra else preset = $2 end
order by preset

-- name: finish_export
-- A post is ready, unless its clip is another by now; tell the agent. Posts of what the clip was before make room for it.
with ready as (
    update exports set state = 'ready', reason = '', object_key = $2, width = $3, height = $4, duration_s = $5,
           lufs = $6, captions = $7, size_bytes = $8, ready_at = now(), updated_at = now()
    where export_id = $1 and state not in ('ready', 'replaced') returning clip_id, preset),
before as (
    update exports e set state = 'replaced', updated_at = now()
    from ready join clips c using (clip_id) join source_requests r using (request_id)
         join source_requests o on o.session_id = r.session_id and o.marker_clip_id = r.marker_clip_id
         join clips d on d.request_id = o.request_id
    where e.clip_id = d.clip_id and e.preset = ready.preset and e.state = 'ready'
          and o.state = 'replaced' and r.state <> 'replaced')
select pg_notify('clippy_link', c.session_id) from ready join clips c using (clip_id)

-- name: is_unwanted
-- Was a post replaced before it was ready?
select export_id from exports where export_id = $1 and state = 'replaced' and object_key is null

-- name: fail_export
-- An export failed for good; tell the agent.
with failed as (
    update exports set state = 'failed', reason = $2, updated_at = now()
    where export_id = $1 and state not in ('ready', 'replaced') returning clip_id)
select pg_notify('clippy_link', c.session_id) from failed join clips c using (clip_id)

-- name: fail_exports
-- What is made together of a clip failed for good, but for what is ready or failed already; tell the agent.
with failed as (
    update exports set state = 'failed', reason = $2, updated_at = now()
    where clip_id = $1 and state = 'pending' and not is_extra returning clip_id)
select pg_notify('clippy_link', c.session_id) from (select distinct clip_id from failed) as f join clips c using (clip_id)

-- name: reopen_export
-- An export that was given up is wanted again.
with again as (
    update exports set state = 'pending', reason = '', updated_at = now()
    where export_id = $1 and state = 'failed' returning clip_id)
select pg_notify('clippy_link', c.session_id) from again join clips c using (clip_id)

-- name: reopen_exports
-- What is made together of a clip and was given up is wanted again.
with again as (
    update exports set state = 'pending', reason = '', updated_at = now()
    where clip_id = $1 and state = 'failed' and not is_extra returning clip_id)
select pg_notify('clippy_link', c.session_id) from (select distinct clip_id from again) as a join clips c using (clip_id)

-- name: reopen_request
-- An upload that was given up is to be used again; one that never came stays as it is.
update source_requests set state = 'uploaded', reason = '', updated_at = now()
where request_id = $1 and state = 'failed' and size_bytes is not null

-- name: fail_request
-- What was uploaded cannot be used, and was not cut by another; tell the agent.
with failed as (
    update source_requests set state = 'failed', reason = $2, updated_at = now()
    where request_id = $1 and state not in ('forgotten', 'replaced')
          and not exists (select from clips where clips.request_id = $1) returning session_id)
select pg_notify('clippy_link', session_id) from failed

-- name: ask_again
-- The bytes that came are not those that the agent has: asked for again after a while, after `$3` times failed.
update source_requests set
    num_attempts = num_attempts + 1, reason = $2, updated_at = now(),
    state = case when num_attempts < $3 then 'wanted' else 'failed' end,
    retry_at = now() + make_interval(secs => $4::double precision * 4 ^ num_attempts)
where request_id = $1 and state = 'uploaded'

-- name: mark_joined
-- The upload is one object and was looked at; its parts are of no use any more.
update source_uploads set is_joined = true where request_id = $1

-- name: leftover_uploads
-- What may lie in the store for requests that are over, forgotten or joined: swept at once, and again when no address
-- counts any more.
select u.request_id, u.object_key, u.size_bytes, u.sha256, u.part_bytes,
       coalesce(r.state = 'uploaded', false) as is_object_kept
from source_uploads u left join source_requests r using (request_id)
where (u.swept_at is null or u.expires_at < now() - interval '1 hour')
      and (r.state is null or r.state in ('unavailable', 'failed', 'expired', 'forgotten', 'replaced') or r.state = 'uploaded' and u.is_joined)
order by u.expires_at limit 200

-- name: mark_swept
-- These are deleted; a PUT that began before its address expired has ended an hour later.
with gone as (delete from source_uploads
              where request_id = any ($1::text[]) and expires_at < now() - interval '1 hour')
update source_uploads set swept_at = now()
where request_id = any ($1::text[]) and expires_at >= now() - interval '1 hour'

-- name: expire_requests
-- Wishes that no agent can fulfil any more: past their own end, or of a moment that the agent did not make safe within
-- $1 seconds, while its ring went on. What was uploaded before, and was no good, is safe there. They say since when nothing
-- was heard of the agent.
with late as (
    select r.request_id, greatest(a.last_seen_at, (
        select max(newest.received_at) from unnest('{1,2,4}'::smallint[]) as n (lane)
        cross join lateral (select c.received_at from chunks c
                            where c.session_id = r.session_id and c.lane = n.lane order by c.seq desc limit 1)
            as newest)) as heard_of_at
    from source_requests r join sessions s using (session_id) join agents a using (agent_id)
    where r.state in ('wanted', 'sent', 'pinned')
          and (r.expires_at < now()
               or r.state <> 'pinned' and r.moment_id is not null and r.num_attempts = 0
                  and r.requested_at < now() - make_interval(secs => $1::double precision))),
ended as (
    update source_requests r set state = 'expired', updated_at = now(), reason = case
        when late.heard_of_at > now() - interval '2 minutes' then 'the agent did not send it in time; it may be gone from its disk'
        else format('the recording was gone before it could be fetched: nothing was heard of the agent since %s UTC',
                    to_char(late.heard_of_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI')) end
    from late where r.request_id = late.request_id returning r.session_id)
select pg_notify('clippy_link', session_id) from (select distinct session_id from ended) as sessions

-- name: notify_link
-- Tell whichever process holds the agent's stream that there is something new.
select pg_notify('clippy_link', $1)
