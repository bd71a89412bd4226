-- Clips of presses that grow, or whose ends are moved.

-- The span of the highest version is the clip's; 0: of an agent that tells of it once. How often it has changed is bounded.
alter table markers add column version bigint not null default 0;
alter table markers add column num_changes integer not null default 0;

-- The request for what the clip was before is `replaced`, and the one for what it is now has an id of its own.
comment on column source_requests.state is
    'wanted, sent, pinned, uploaded, unavailable, failed, expired, forgotten, replaced';
comment on column exports.state is 'pending, ready, failed, replaced';
create index source_requests_of_press on source_requests (session_id, marker_clip_id) where marker_clip_id is not null;
