-- How jobs, wishes and orders end, told as it is.

-- A job whose deadline had passed when its turn came was not run: nobody's fault, and no failure.
comment on column job_runs.state is 'running, waiting, done, failed, expired, cancelled';
update job_runs set state = 'expired' where state = 'failed' and code = 'job_expired';

-- What ended, the newest first: a list of 50 reads 50 and not all that ever ended.
create index job_runs_ended on job_runs (finished_at desc nulls last) where finished_at is not null;

-- Wishes that came to nothing: those of an agent's sessions, and the newest of all for the poll behind the notifications.
create index source_requests_ended on source_requests (session_id, updated_at) where state in ('failed', 'expired');
create index source_requests_ended_at on source_requests (updated_at) where state in ('failed', 'expired');

-- Why an order to forget is not worked off: its last job failed for good. Empty: it goes on, or has ended.
alter table tombstones add column problem text not null default '';
