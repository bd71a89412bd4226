-- What rows want and no job does: the reconciler enqueues it. Keys and payloads are those of pipeline/steps.py.
-- A key that is queued or running is left out here, so that a long queue does not hide what is missing.

-- name: unheard_chunks
-- Chunks that were not heard and did not fail: of sessions that are not over, beyond where their lane was heard. The
-- limit keeps the planner at the index, whatever it believes of the numbers.
select format('stt:%s:%s:%s', c.session_id, c.lane, c.seq) as key,
       jsonb_build_object('session_id', c.session_id, 'lane', c.lane, 'seq', c.seq) as payload,
       'transcription' as queue,
       case when c.lane = 1 and exists (
           select from markers m
           where m.session_id = c.session_id and m.start_ns < c.end_ns and m.end_ns > c.start_ns)
       then 1 else 100 end as priority, a.user_id as account, a.tier
from sessions s join accounts a using (user_id)
     cross join unnest('{1,2,4,5,6}'::smallint[]) as n (lane)
     cross join lateral (
         select c.session_id, c.lane, c.seq, c.start_ns, c.end_ns from chunks c
         where c.session_id = s.session_id and c.lane = n.lane and c.received_at < now() - interval '5 seconds'
               and c.seq >= coalesce((select h.next_seq from heard_lanes h
                                      where h.session_id = s.session_id and h.lane = n.lane), 0)
               and not exists (select from features f
                               where (f.session_id, f.lane, f.seq) = (c.session_id, c.lane, c.seq))
         order by c.seq limit 500) as c
where not s.is_over
      and not exists (select from job_keys k where k.key = format('stt:%s:%s:%s', c.session_id, c.lane, c.seq))
      and not exists (
          select from job_runs j
          where j.key = format('stt:%s:%s:%s', c.session_id, c.lane, c.seq) and j.state in ('done', 'failed', 'cancelled'))

-- name: unlooked_windows
-- Windows (of 5 s: windows.py) that were heard and not looked at, of whose session no look is queued. One more than there
-- is between two looks: the effect of what was heard last is on its way. `looks` is written with each chunk that was heard.
select format('ai:%s:%s', k.session_id, k.until_ns / 5000000000) as key,
       jsonb_build_object('session_id', k.session_id) as payload, 'ai-analysis' as queue, 100 as priority,
       a.user_id as account, a.tier
from looks k join sessions s using (session_id) join accounts a using (user_id)
where not s.is_over
      and (k.until_ns / 5000000000 - k.looked_no >= 13
           or k.queued_no > k.looked_no and k.until_ns / 5000000000 >= k.queued_no)
      and k.session_id not in (select split_part(key, ':', 2) from job_keys where starts_with(key, 'ai:'))

-- name: unlooked_ends
-- Sessions that have ended, and were heard to the end, without a last look.
select format('ai:%s:final', s.session_id) as key,
       jsonb_build_object('session_id', s.session_id, 'is_final', true) as payload,
       'ai-analysis' as queue, 100 as priority, a.user_id as account, a.tier
from sessions s join accounts a using (user_id)
where not s.is_over and not s.is_live and s.lane_counts is not null and s.ended_at < now() - interval '10 seconds'
      and not exists (
          select from (values (1, 'mic'), (2, 'desktop'), (4, 'signals'), 
                              (5, 'chat'), (6, 'events')) as w (lane, name)
          where coalesce((s.lane_counts ->> w.name)::bigint, 0)
                > (select count(*) from features f where f.session_id = s.session_id and f.lane = w.lane)
                  + (select coalesce(sum(upper(span) - lower(span)), 0)
                     from (select unnest(range_agg(int8range(g.first, least(g.last, 4611686018427387903), '[]'))) as span
                           from gaps g where g.session_id = s.session_id and g.lane = w.lane) as spans))

-- name: unprepared_uploads
-- Uploads that nobody looked at; one that was asked for again is another job.
select concat('prep:', r.request_id, ':' || nullif(r.num_attempts, 0)) as key,
       jsonb_build_object('request_id', r.request_id) as payload,
       'video-processing' as queue, case when r.moment_id is null then 1 else 100 end as priority,
       a.user_id as account, a.tier
from source_requests r join sessions s using (session_id) join accounts a using (user_id)
where r.state = 'uploaded'
  and not exists (
      select from job_runs j
      where j.key = concat('prep:', r.request_id, ':' || nullif(r.num_attempts, 0)) and j.state in ('done', 'failed', 'cancelled'))

-- name: uncut_uploads
-- Uploads that were looked at and not cut.
select format('clip:%s', r.request_id) as key, jsonb_build_object('request_id', r.request_id) as payload,
       'clip-generation' as queue, case when r.moment_id is null then 1 else 100 end as priority,
       a.user_id as account, a.tier
from source_requests r join sessions s using (session_id) join accounts a using (user_id)
where r.state = 'uploaded'
  and exists (
      select from job_runs j
      where j.key = concat('prep:', r.request_id, ':' || nullif(r.num_attempts, 0)) and j.state = 'done')
  and not exists (
      select from job_runs j where j.key = format('clip:%s', r.request_id) and j.state in ('done', 'failed', 'cancelled'))

-- name: unrendered_exports
-- Posts that are wanted: those of a clip are one job; each that was asked for by itself, or is still wanted when that one
-- has ended, is its own, and one for which an older release has queued such a job is left to it.
select distinct w.key, case when w.is_alone then jsonb_build_object('clip_id', w.clip_id, 'preset', w.preset)
                            else jsonb_build_object('clip_id', w.clip_id) end as payload, 'export' as queue,
       case when w.is_alone then 1 else 2 end as version,
       case when c.moment_id is null then 1 else 100 end as priority, a.user_id as account, a.tier
from (select e.clip_id, e.preset, one.is_alone,
             case when one.is_alone then format('exp:%s:%s', e.clip_id, e.preset) else format('exp:%s', e.clip_id) end as key
      from exports e cross join lateral (
          select e.is_extra or exists (
              select from job_runs j
              where j.key = format('exp:%s', e.clip_id) and j.state in ('done', 'failed', 'cancelled')) as is_alone) as one
      where e.state = 'pending') as w
     join clips c using (clip_id) join sessions s using (session_id) join accounts a using (user_id)
where not exists (
          select from job_runs j where j.key = w.key and j.state in ('done', 'failed', 'cancelled'))
      and not exists (select from job_keys k where k.key = format('exp:%s:%s', w.clip_id, w.preset))

-- name: open_tombstones
-- Orders to forget that are not worked off: once a minute, because the disk of a node may be waited for.
select format('forget:%s:%s', t.forget_id, extract(epoch from now())::bigint / 60) as key,
       jsonb_build_object('forget_id', t.forget_id) as payload, 'cleanup' as queue, 1 as priority
from tombstones t
where t.state = 'open' and t.asked_at < now() - interval '10 seconds'
      and t.forget_id not in (select split_part(key, ':', 2) from job_keys where starts_with(key, 'forget:'))
