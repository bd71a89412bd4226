-- What ingest reads and writes. Every statement takes its values as parameters.

-- name: chunks_by_key
-- What is known of these chunks.
select c.session_id, c.lane, c.seq, c.sha256, c.place
from chunks c join unnest($1::text[], $2::smallint[], $3::bigint[]) as k (session_id, lane, seq)
     using (session_id, lane, seq)

-- name: add_chunks
-- New chunks of known sessions; one whose spool is gone gets its new place. Returns what was written, whether the key was
-- there before, and whether a press has saved part of it. The lock on the session waits for an order to forget that is under way, and its row is then read
-- anew: nothing of the span gets in.
insert into chunks (session_id, lane, seq, start_ns, end_ns, content_type, sha256, size_bytes, place)
select n.session_id, n.lane, n.seq, n.start_ns, n.end_ns, n.content_type, n.sha256, n.size_bytes, n.place
from unnest($1::text[], $2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::bytea[],
            $8::integer[], $9::text[])
     as n (session_id, lane, seq, start_ns, end_ns, content_type, sha256, size_bytes, place)
     join sessions s using (session_id)
where not s.forgotten && int8range(n.start_ns, n.end_ns)
for key share of s
on conflict (session_id, lane, seq) do update set place = excluded.place, received_at = now()
    where chunks.sha256 = excluded.sha256 and chunks.place not like 'object:%'
          and not (split_part(chunks.place, '/', 1) = any ($10::text[]))
returning session_id, lane, seq, (xmax = 0) as is_new,
          exists (select from markers m
                  where m.session_id = chunks.session_id and m.start_ns < chunks.end_ns and m.end_ns > chunks.start_ns)
              as is_pressed

-- name: forgotten_keys
-- Which of these chunks lie, wholly or in part, in what is to be forgotten of their session.
select n.session_id, n.lane, n.seq
from unnest($1::text[], $2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[])
     as n (session_id, lane, seq, start_ns, end_ns) join sessions s using (session_id)
where s.forgotten && int8range(n.start_ns, n.end_ns)

-- name: owners_of_sessions
-- Whose these sessions are.
select s.session_id, s.user_id, a.tier from sessions s join accounts a using (user_id) where s.session_id = any ($1::text[])

-- name: held_ranges
-- Which chunks of these sessions we hold, as ranges: in the store, or in the spool of a node that is alive.
select session_id, lane, is_stored, min(seq) as first, max(seq) as last
from (select session_id, lane, seq, is_stored,
             seq - row_number() over (partition by session_id, lane, is_stored order by seq) as island
      from chunks
      where session_id = any ($1::text[])
            and (is_stored or split_part(place, '/', 1) = any ($2::text[]))) as held
group by session_id, lane, is_stored, island
order by session_id, lane, first

-- name: upsert_agents
-- Agents say hello; of one that belongs to somebody else nothing comes back.
insert into agents (agent_id, user_id, version)
select agent_id, user_id, version from unnest($1::text[], $2::text[], $3::text[]) as n (agent_id, user_id, version)
on conflict (agent_id) do update set version = excluded.version, last_seen_at = now()
    where agents.user_id = excluded.user_id
returning agent_id

-- name: upsert_sessions
-- Sessions begin or are named again, and more of them may come, to expire in its turn; of one that belongs to somebody
-- else nothing comes back.
insert into sessions (session_id, user_id, agent_id, started_at, is_live)
select session_id, user_id, agent_id, to_timestamp(started_ms / 1000), is_live
from unnest($1::text[], $2::text[], $3::text[], $4::double precision[], $5::boolean[])
     as n (session_id, user_id, agent_id, started_ms, is_live)
on conflict (session_id) do update set is_live = excluded.is_live and sessions.ended_at is null, is_expired = false
    where sessions.user_id = excluded.user_id
returning session_id

-- name: end_session
-- A session has ended; the first report counts.
update sessions set is_live = false, ended_at = now(), duration_ns = $2, lane_counts = $3::jsonb
where session_id = $1 and ended_at is null
returning session_id

-- name: add_marker
-- A press, if the session has fewer than `$7`; or what its clip ($2) has become, which counts where its version ($6) is
-- higher than what is known, and while it has had fewer than `$8` other spans. Nothing whose span is to be forgotten.
insert into markers (session_id, clip_id, at_ns, start_ns, end_ns, version)
select s.session_id, $2, $3, $4, $5, $6 from sessions s
where s.session_id = $1
      and ((select count(*) from markers where session_id = $1) < $7
           or exists (select from markers where session_id = $1 and clip_id = $2))
      and not s.forgotten && int8multirange(int8range($4::bigint, $5::bigint), int8range($3::bigint, $3::bigint + 1))
for key share of s
on conflict (session_id, clip_id) do update set
    start_ns = excluded.start_ns, end_ns = excluded.end_ns, version = excluded.version,
    num_changes = markers.num_changes
                  + ((excluded.start_ns, excluded.end_ns) <> (markers.start_ns, markers.end_ns))::integer
    where excluded.version > markers.version
          and (markers.num_changes < $8 or (excluded.start_ns, excluded.end_ns) = (markers.start_ns, markers.end_ns))
returning at_ns, num_changes

-- name: marker
-- What is known of a press.
select version, num_changes from markers where session_id = $1 and clip_id = $2

-- name: count_gaps
-- How many gaps a session has, up to `$2`.
select count(*) as num_gaps from (select from gaps where session_id = $1 limit $2) as counted

-- name: add_gap
-- Chunks that will never come; a longer report of the same gap replaces it.
insert into gaps (session_id, lane, first, last, reason) values ($1, $2, $3, $4, $5)
on conflict (session_id, lane, first) do update set last = excluded.last, reason = excluded.reason
    where excluded.last > gaps.last

-- name: recent_sessions
-- Agents' sessions that may still get wishes, moments or exports.
select n.agent_id, s.session_id
from unnest($1::text[], $2::text[]) as n (agent_id, user_id)
     cross join lateral (
         select session_id, started_at from sessions
         where agent_id = n.agent_id and user_id = n.user_id
               and (is_live or started_at > now() - interval '2 days')
         order by started_at desc limit 100) as s
order by s.started_at desc

-- name: open_requests
-- Full quality that is still wanted of these sessions, for whom `owner` stands, with what was offered, and what it takes
-- the place of. `also_sent`: also what was asked for before.
select n.owner, r.*
from unnest($1::integer[], $2::text[], $3::boolean[]) as n (owner, session_id, also_sent)
     cross join lateral (
         select w.request_id, w.session_id, w.start_ns, w.end_ns, w.state, w.reason, w.object_key, w.moment_id,
                w.requested_at, extract(epoch from w.expires_at) as expires_unix_s, u.size_bytes as offered_bytes,
                u.sha256 as offered_sha256, u.part_bytes, coalesce(u.is_asked, false) as is_asked,
                array(select o.request_id from source_requests o
                      where o.session_id = w.session_id and o.marker_clip_id = w.marker_clip_id
                            and o.state = 'replaced') as replaces
         from source_requests w left join source_uploads u using (request_id)
         where w.session_id = n.session_id and w.state in ('wanted', 'sent', 'pinned') and w.expires_at > now()
               and (w.state = 'wanted' and coalesce(w.retry_at <= now(), true)
                    or w.state <> 'wanted' and (n.also_sent or u.is_asked))
         order by w.requested_at limit 100) as r
order by r.requested_at

-- name: mark_sent
-- These wishes have gone to the agent, each with an address: something may lie there from now on. One whose answer was
-- quicker, and wrong, waits for its retry.
with sent as (
    update source_requests set state = 'sent', updated_at = now()
    where request_id = any ($1::text[]) and state = 'wanted' and coalesce(retry_at <= now(), true)
    returning request_id, object_key, expires_at)
insert into source_uploads (request_id, object_key, expires_at) select request_id, object_key, expires_at from sent
on conflict do nothing

-- name: request_of_user
-- One wish, if it belongs to a session of this user, with what was offered.
select r.request_id, r.session_id, r.start_ns, r.end_ns, r.state, r.object_key, r.marker_clip_id, r.num_attempts,
       u.size_bytes as offered_bytes, u.sha256 as offered_sha256, u.part_bytes
from source_requests r join sessions s using (session_id) left join source_uploads u using (request_id)
where r.request_id = $1 and s.user_id = $2

-- name: save_offer
-- The agent has the file, and waits for addresses. Nothing comes back when nobody wants it any more. The size of parts
-- stays as it is while the file is the same.
insert into source_uploads (request_id, object_key, expires_at, size_bytes, sha256, part_bytes, is_asked)
select request_id, object_key, expires_at, $2, $3, $4, true from source_requests
where request_id = $1 and state in ('wanted', 'sent', 'pinned')
on conflict (request_id) do update set
    size_bytes = excluded.size_bytes, sha256 = excluded.sha256, is_asked = true, swept_at = null,
    part_bytes = case when source_uploads.sha256 = excluded.sha256
                           and source_uploads.size_bytes = excluded.size_bytes
                      then source_uploads.part_bytes else excluded.part_bytes end
returning request_id

-- name: answer_offers
-- Addresses for these are on their way; should they be lost, the next connect brings them.
update source_uploads set is_asked = false where request_id = any ($1::text[]) and is_asked

-- name: mark_pinned
-- The agent has made the span safe.
update source_requests set state = 'pinned', updated_at = now()
where request_id = $1 and state in ('wanted', 'sent')

-- name: mark_uploaded
-- The file is in the store, as far as sizes tell. What comes after the wish has expired is not taken: by then the user
-- was told that there will be none.
update source_requests set state = 'uploaded', reason = '', size_bytes = $2, sha256 = $3, covered_start_ns = $4,
       covered_end_ns = $5, updated_at = now()
where request_id = $1 and state in ('wanted', 'sent', 'pinned')
returning request_id

-- name: note_late
-- A file came after its wish had expired: said once, where the reason stands.
with late as (
    update source_requests set reason = reason || '; the file that came later was not taken', updated_at = now()
    where request_id = $1 and state = 'expired' and reason not like '%was not taken' returning session_id)
select pg_notify('clippy_link', session_id) from late

-- name: mark_unfulfilled
-- The agent cannot give it.
update source_requests set state = $2, reason = $3, updated_at = now()
where request_id = $1 and state in ('wanted', 'sent', 'pinned')

-- name: ask_again
-- What came was no good: asked for again after a while, each time a longer one, and after `$3` times failed. An answer
-- that comes twice counts once.
update source_requests set
    num_attempts = num_attempts + 1, reason = $2, updated_at = now(),
    state = case when num_attempts < $3 then 'wanted' else 'failed' end,
    retry_at = now() + make_interval(secs => $4::double precision * 4 ^ num_attempts)
where request_id = $1 and (state in ('sent', 'pinned') or (state = 'wanted' and retry_at is null))
returning state

-- name: changed_moments
-- Moments of these sessions that changed since a time of each, best first.
select n.owner, m.moment_id, m.session_id, m.start_ns, m.end_ns, m.peak_ns, m.score, m.kind, m.title, m.evidence,
       m.updated_at, m.roll_before_ns, m.roll_after_ns
from unnest($1::integer[], $2::text[], $3::timestamptz[]) as n (owner, session_id, since)
     cross join lateral (
         select * from moments as all_of
         where all_of.session_id = n.session_id and all_of.updated_at > n.since
         order by all_of.score desc limit 200) as m
order by m.score desc

-- name: changed_exports
-- Exports of these sessions that changed since a time of each.
select n.owner, e.*
from unnest($1::integer[], $2::text[], $3::timestamptz[]) as n (owner, session_id, since)
     cross join lateral (
         select x.export_id, x.preset, x.state, x.reason, x.object_key, x.width, x.height, x.duration_s,
                x.updated_at, x.created_at, c.moment_id, r.marker_clip_id
         from clips c join exports x using (clip_id) join source_requests r using (request_id)
         where c.session_id = n.session_id and x.updated_at > n.since
         order by x.created_at limit 200) as e
order by e.created_at

-- name: words_heard
-- What was said in these sessions after an utterance of each, oldest first.
select n.owner, u.*
from unnest($1::integer[], $2::text[], $3::bigint[]) as n (owner, session_id, after_id)
     cross join lateral (
         select x.utterance_id, x.session_id, x.start_ns, x.end_ns, x.said from utterances x
         where x.session_id = n.session_id and x.utterance_id > n.after_id
         order by x.utterance_id limit $4) as u
order by u.utterance_id

-- name: ended_requests
-- Wishes of these sessions that came to nothing since a time of each, and not by their agent's own word.
select n.owner, e.*
from unnest($1::integer[], $2::text[], $3::timestamptz[]) as n (owner, session_id, since)
     cross join lateral (
         select r.request_id, r.moment_id, r.marker_clip_id, r.state, r.reason, r.updated_at
         from source_requests r
         where r.session_id = n.session_id and r.state in ('failed', 'expired') and r.updated_at > n.since
         order by r.updated_at limit 200) as e
order by e.updated_at

-- name: sessions_with_news
-- Which sessions have something for their agent since a time: the backstop of the notifications. The few changes of a
-- moment are asked for, not the thousands of sessions.
select session_id from source_requests
       where state = 'wanted' and expires_at > now() and coalesce(retry_at <= now(), true)
union select r.session_id from source_uploads u join source_requests r using (request_id)
      where u.is_asked and r.state in ('sent', 'pinned')
union select session_id from moments where updated_at > $1
union select session_id from source_requests where state in ('failed', 'expired') and updated_at > $1
union select c.session_id from exports e join clips c using (clip_id) where e.updated_at > $1

-- name: database_now
-- The database's clock: the only one that `updated_at` can be compared with.
select now()

-- name: notify_link
-- Tell the process that holds the agent's stream.
select pg_notify('clippy_link', $1)

-- name: sessions_to_roll_up
-- Sessions whose spooled chunks on this node are old enough, or which ended a moment ago. The first object of a session
-- waits up to twice as long, a time of its own: thousands that began together are not moved together, now nor later.
(select session_id
 from (select session_id, min(received_at) as oldest_at from chunks
       where place like 'spool:%' and split_part(place, '/', 1) = $1
             and received_at <= now() - make_interval(secs => $2::double precision)
       group by session_id) as old
 where oldest_at <= now() - make_interval(secs => $2::double precision * (1 + (hashtext(session_id) & 1023) / 1024.0))
       or exists (select from chunks c where c.session_id = old.session_id and c.is_stored)
 limit 1000)
union
(select session_id from sessions s
 where ended_at > now() - interval '10 minutes'
       and exists (select from chunks c where c.session_id = s.session_id and c.place like 'spool:%'
                                              and split_part(c.place, '/', 1) = $1)
 limit 1000)

-- name: spooled_chunks
-- Chunks of a session in the spool of this node.
select lane, seq, sha256, size_bytes, place from chunks
where session_id = $1 and place like 'spool:%' and split_part(place, '/', 1) = $2
order by lane, seq limit $3

-- name: move_chunks
-- Chunks that were rolled up get their new place, unless another copy took over meanwhile.
update chunks c set place = n.new_place
from unnest($2::smallint[], $3::bigint[], $4::text[], $5::text[]) as n (lane, seq, old_place, new_place)
where c.session_id = $1 and c.lane = n.lane and c.seq = n.seq and c.place = n.old_place
returning c.lane, c.seq

-- name: lose_chunks
-- Chunks whose bytes are gone from our spool: no longer held, so that the agent sends them again. Whoever has its stream
-- is told.
with lost as (
    update chunks c set place = 'lost:' || c.place
    from unnest($1::text[], $2::smallint[], $3::bigint[], $4::text[]) as n (session_id, lane, seq, old_place)
    where c.session_id = n.session_id and c.lane = n.lane and c.seq = n.seq and c.place = n.old_place
    returning c.session_id
)
select pg_notify('clippy_link', session_id || ':lost') from (select distinct session_id from lost) as sessions

-- name: lock_chunks
-- Wait for whoever is moving chunks of this session, and let nobody begin before we are done.
select count(*) from (select 1 from chunks where session_id = $1 order by lane, seq for share) as locked

-- name: is_object_used
-- Does a chunk lie in this object?
select exists (select 1 from chunks where session_id = $1 and starts_with(place, 'object:' || $2 || '/'))

-- name: spooled_ends
-- How far each segment of this node is indexed.
select split_part(place, '/', 2)::bigint as segment,
       max(split_part(place, '/', 3)::bigint + split_part(place, '/', 4)::bigint) as indexed_end
from chunks where place like 'spool:%' and split_part(place, '/', 1) = $1
group by 1

-- name: chunks_of_segment
-- Chunks that a segment of this node should hold.
select session_id, lane, seq, place from chunks
where place like 'spool:%' and split_part(place, '/', 1) = $1 and split_part(place, '/', 2)::bigint = $2
