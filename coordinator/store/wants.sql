-- What rows want and no job does: the reconciler enqueues it. Keys and payloads are those of pipeline/steps.py.

-- name: unheard_chunks
-- Chunks that were not heard and did not fail.
select format('stt:%s:%s:%s', c.session_id, c.lane, c.seq) as key,
       jsonb_build_object('session_id', c.session_id, 'lane', c.lane, 'seq', c.seq) as payload,
       'transcription' as queue, 100 as priority
from chunks c
where c.lane in (1, 2, 4) and c.received_at < now() - interval '5 seconds'
  and not exists (select from features f where (f.session_id, f.lane, f.seq) = (c.session_id, c.lane, c.seq))
  and not exists (
      select from job_runs j
      where j.key = format('stt:%s:%s:%s', c.session_id, c.lane, c.seq) and j.state in ('done', 'failed', 'cancelled'))

-- name: unprepared_uploads
-- Uploads that nobody looked at; one that was asked for again is another job.
select concat('prep:', r.request_id, ':' || nullif(r.num_attempts, 0)) as key,
       jsonb_build_object('request_id', r.request_id) as payload,
       'video-processing' as queue, case when r.moment_id is null then 1 else 100 end as priority
from source_requests r
where r.state = 'uploaded'
  and not exists (
      select from job_runs j
      where j.key = concat('prep:', r.request_id, ':' || nullif(r.num_attempts, 0)) and j.state in ('done', 'failed', 'cancelled'))

-- name: uncut_uploads
-- Uploads that were looked at and not cut.
select format('clip:%s', r.request_id) as key, jsonb_build_object('request_id', r.request_id) as payload,
       'clip-generation' as queue, case when r.moment_id is null then 1 else 100 end as priority
from source_requests r
where r.state = 'uploaded'
  and exists (
      select from job_runs j
      where j.key = concat('prep:', r.request_id, ':' || nullif(r.num_attempts, 0)) and j.state = 'done')
  and not exists (
      select from job_runs j where j.key = format('clip:%s', r.request_id) and j.state in ('done', 'failed', 'cancelled'))

-- name: unrendered_exports
-- Exports that are wanted.
select format('exp:%s:%s', e.clip_id, e.preset) as key,
       jsonb_build_object('clip_id', e.clip_id, 'preset', e.preset) as payload, 'export' as queue, 100 as priority
from exports e
where e.state = 'pending'
  and not exists (
      select from job_runs j
      where j.key = format('exp:%s:%s', e.clip_id, e.preset) and j.state in ('done', 'failed', 'cancelled'))

-- name: open_tombstones
-- Orders to forget that are not worked off: once a minute, because the disk of a node may be waited for.
select format('forget:%s:%s', t.forget_id, extract(epoch from now())::bigint / 60) as key,
       jsonb_build_object('forget_id', t.forget_id) as payload, 'cleanup' as queue, 1 as priority
from tombstones t
where t.state = 'open' and t.asked_at < now() - interval '10 seconds'
