-- Uploads in parts, and requests that are made again.

-- How often what came for a request was no good, and not before when it is asked for again.
alter table source_requests add column num_attempts integer not null default 0;
alter table source_requests add column retry_at timestamptz;

-- What may lie in the object store because its address was given out. No foreign key: a row outlives the request
-- that is forgotten, until its objects are gone. Size, hash and parts are the agent's offer; null: it made none.
create table source_uploads (
    request_id text primary key,
    object_key text not null,
    expires_at timestamptz not null,
    size_bytes bigint,
    sha256 bytea,
    part_bytes bigint,
    is_asked boolean not null default false,   -- the agent waits for addresses
    is_joined boolean not null default false,  -- the object is whole and checked; parts are of no use any more
    swept_at timestamptz
);
create index source_uploads_asked on source_uploads (request_id) where is_asked;
insert into source_uploads (request_id, object_key, expires_at, is_joined)
select request_id, object_key, expires_at, state = 'uploaded' from source_requests
where state not in ('wanted', 'uploaded') or expires_at > now();
