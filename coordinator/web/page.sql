-- What the page shows. Read only.

-- name: sessions
-- The newest sessions first.
select s.session_id, s.started_at, s.is_live, s.duration_ns, s.moments_reason,
       (select count(*) from moments m where m.session_id = s.session_id) as num_moments
from sessions s order by s.started_at desc limit $1

-- name: session
-- One session.
select session_id, started_at, is_live, duration_ns, moments_reason from sessions where session_id = $1

-- name: account_of_session
-- Whose session it is.
select user_id from sessions where session_id = $1

-- name: account_by_name
-- Whom a name, or an id, means.
select user_id from accounts where user_id = $1 or lower(name) = lower($1) order by user_id <> $1 limit 1

-- name: moments
-- Moments of a session, the best first, each with the state of its source request, and what was last said of it.
select m.moment_id, m.start_ns, m.end_ns, m.peak_ns, m.score, m.kind, m.title, m.evidence, m.opinion, m.is_kept,
       extract(epoch from now() - a.made_at)::double precision as made_age_s,
       r.state as source_state, r.reason as source_reason,
       (select nullif(v.kind, 'undo') from verdicts v
        where v.session_id = m.session_id and v.moment_id = m.moment_id
        order by v.at_unix_ms desc, v.verdict_id desc limit 1) as verdict
from moments m left join source_requests r using (moment_id) join moment_ages a using (moment_id)
where m.session_id = $1 order by m.score desc, m.start_ns limit $2

-- name: age
-- Whose a session is, and how old for what expires; null: it is not over.
select user_id, tier, extract(epoch from now() - aged_from)::double precision as age_s,
       expiring_since is not null as has_begun
from session_ages where session_id = $1

-- name: judge
-- Which language model judged what was found last, or why none did; none where no look found anything to judge.
select judge, unjudged from analyses
where session_id = $1 and (judge <> '' or unjudged not in ('', 'no_candidates', 'judged_before'))
order by window_no desc limit 1

-- name: exports
-- Posts of a session, with the moment or the press they show. `is_earlier`: of what the press's clip was before.
select e.export_id, e.preset, e.state, e.reason, e.object_key, e.width, e.height, e.duration_s, e.lufs, e.captions,
       e.size_bytes, e.ready_at, c.clip_id, c.moment_id, c.start_ns, c.end_ns, r.marker_clip_id,
       r.state = 'replaced' as is_earlier
from exports e join clips c using (clip_id) join source_requests r using (request_id)
where c.session_id = $1 and e.state <> 'replaced' order by c.start_ns, e.created_at, e.preset

-- name: presses
-- Presses of a session, each with the state of the source request for its clip as it is now.
select k.clip_id, k.at_ns, k.start_ns, k.end_ns, r.state as source_state, r.reason as source_reason
from markers k left join source_requests r on r.session_id = k.session_id and r.marker_clip_id = k.clip_id
                                              and r.state <> 'replaced'
where k.session_id = $1 order by k.at_ns

-- name: transcript
-- What was said.
select words from transcripts where session_id = $1 order by start_ns, lane

-- name: heard
-- How many words were heard, and by which engine last.
select engine, model, (sum(jsonb_array_length(words)) over ())::int as num_words
from transcripts where session_id = $1 order by start_ns desc, lane limit 1

-- name: speech_reason
-- Which engine hears, and why that one.
select detail from workers where stage = 'transcribe' order by seen_at desc limit 1

-- name: jobs
-- How many jobs of a session ended in which state.
select state, count(*) as num from job_runs where session_id = $1 group by state

-- name: failed_jobs
-- What gave up, at which stage, and why.
select key, queue, stage, reason, code from job_runs where session_id = $1 and state = 'failed' order by started_at limit 50

-- name: chunks
-- How many chunks of each lane are here, and how safely.
select lane, count(*) as num, count(*) filter (where is_stored) as num_stored, sum(size_bytes) as size_bytes,
       max(seq) as last_seq
from chunks where session_id = $1 group by lane order by lane

-- name: gaps
-- What never came.
select lane, first, last, reason from gaps where session_id = $1

-- name: export_object
-- Where one post lies; one that was replaced still plays for who has its address.
select object_key from exports where export_id = $1 and state in ('ready', 'replaced') and object_key is not null

-- name: workers
-- What the processes say of themselves.
select worker_id, stage, pid, state, reason, detail, extract(epoch from now() - seen_at) as age_s
from workers where seen_at > now() - interval '1 minute' order by stage

-- name: num_unheard
-- Chunks of lanes that are heard (all but the proxy) and were not yet, and neither failed nor were called off.
select count(*) from chunks c
where c.session_id = $1 and c.lane in (1, 2, 4, 5, 6)
  and not exists (select from features f where (f.session_id, f.lane, f.seq) = (c.session_id, c.lane, c.seq))
  and not exists (
      select from job_runs j
      where j.key = format('stt:%s:%s:%s', c.session_id, c.lane, c.seq) and j.state in ('failed', 'cancelled'))

-- name: heard_until
-- Up to where every lane of sound and signals was heard; null before the first chunk was. A chat may be silent.
select min(end_ns) from (
    select max(c.end_ns) as end_ns from features f join chunks c using (session_id, lane, seq)
    where f.session_id = $1 and f.lane in (1, 2, 4) group by c.lane) as lanes
