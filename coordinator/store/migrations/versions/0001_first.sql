-- First schema. Times on a session's line are bigint nanoseconds; wall-clock times are timestamptz.

-- Who owns what. Until identity exists there is one: owner.
create table accounts (
    user_id text primary key,
    tier text not null default 'business',
    created_at timestamptz not null default now()
);
insert into accounts (user_id) values ('owner');

create table agents (
    agent_id text primary key,
    user_id text not null references accounts,
    version text not null default '',
    last_seen_at timestamptz not null default now()
);

create table sessions (
    session_id text primary key,
    user_id text not null references accounts,
    agent_id text not null references agents,
    started_at timestamptz not null,
    is_live boolean not null default true,
    ended_at timestamptz,
    duration_ns bigint,
    lane_counts jsonb,           -- {"mic": 12, ...}: how many chunks each lane has in all, once it ended
    moments_reason text not null default 'nothing was analysed yet'   -- why there are no moments
);

-- A chunk is durable when its row is committed; `place` says where its bytes are.
create table chunks (
    session_id text not null references sessions on delete cascade,
    lane smallint not null,
    seq bigint not null,
    start_ns bigint not null,
    end_ns bigint not null,
    content_type text not null,
    sha256 bytea not null,
    size_bytes integer not null,
    place text not null,
    is_stored boolean generated always as (place like 'object:%') stored,
    received_at timestamptz not null default now(),
    primary key (session_id, lane, seq)
);
create index chunks_to_roll_up on chunks (session_id, received_at) where place like 'spool:%';

create table gaps (
    session_id text not null references sessions on delete cascade,
    lane smallint not null,
    first bigint not null,
    last bigint not null,
    reason text not null,
    primary key (session_id, lane, first)
);

-- Presses of the key, and the clips they made on the agent's disk.
create table markers (
    session_id text not null references sessions on delete cascade,
    clip_id text not null,
    at_ns bigint not null,
    start_ns bigint not null,
    end_ns bigint not null,
    primary key (session_id, clip_id)
);

-- What was said in one chunk: words as [[text, start_ns, end_ns], ...] on the session's line.
create table transcripts (
    session_id text not null,
    lane smallint not null,
    seq bigint not null,
    start_ns bigint not null,
    end_ns bigint not null,
    language text not null,
    engine text not null,
    model text not null,
    words jsonb not null,
    created_at timestamptz not null default now(),
    primary key (session_id, lane, seq),
    foreign key (session_id, lane, seq) references chunks on delete cascade
);

-- Signals of one chunk at 2 Hz: {"name": [value or null, ...], ...}.
create table features (
    session_id text not null,
    lane smallint not null,
    seq bigint not null,
    start_ns bigint not null,
    step_ns bigint not null,
    tracks jsonb not null,
    primary key (session_id, lane, seq),
    foreign key (session_id, lane, seq) references chunks on delete cascade
);

create table moments (
    moment_id text primary key,
    session_id text not null references sessions on delete cascade,
    start_ns bigint not null,
    end_ns bigint not null,
    peak_ns bigint not null,
    score double precision not null,
    kind text not null,
    title text not null default '',
    evidence jsonb not null,     -- [{lane, weight, note}, ...]
    found_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index moments_of_session on moments (session_id, score desc);

-- Full quality of a span, asked of the agent.
create table source_requests (
    request_id text primary key,
    session_id text not null references sessions on delete cascade,
    moment_id text references moments on delete cascade,   -- null: a press's clip
    marker_clip_id text,
    start_ns bigint not null,
    end_ns bigint not null,
    state text not null default 'wanted',   -- wanted, sent, pinned, uploaded, unavailable, failed, expired
    reason text not null default '',
    object_key text not null,
    size_bytes bigint,
    sha256 bytea,
    covered_start_ns bigint,
    covered_end_ns bigint,
    requested_at timestamptz not null default now(),
    expires_at timestamptz not null,
    updated_at timestamptz not null default now()
);
create index source_requests_open on source_requests (session_id) where state in ('wanted', 'sent', 'pinned');
create unique index source_requests_of_moment on source_requests (moment_id) where moment_id is not null;

-- A cut, ready to be exported.
create table clips (
    clip_id text primary key,
    session_id text not null references sessions on delete cascade,
    moment_id text references moments on delete cascade,
    request_id text not null unique references source_requests on delete cascade,
    object_key text not null,
    start_ns bigint not null,
    end_ns bigint not null,
    width integer not null,
    height integer not null,
    created_at timestamptz not null default now()
);

create table exports (
    export_id text primary key,
    clip_id text not null references clips on delete cascade,
    preset text not null,
    state text not null default 'pending',   -- pending, ready, failed
    reason text not null default '',
    object_key text,
    width integer,
    height integer,
    duration_s double precision,
    lufs double precision,
    captions integer,
    size_bytes bigint,
    created_at timestamptz not null default now(),
    ready_at timestamptz,
    updated_at timestamptz not null default now(),
    unique (clip_id, preset)
);

-- One row for each job key that ever started: lasting idempotency, the poison counter, and the jobs page.
create table job_runs (
    key text primary key,
    queue text not null,
    session_id text,
    state text not null default 'running',   -- running, done, failed
    runs integer not null default 1,          -- starts, crashes included
    attempts integer not null default 1,
    stage text not null default '',
    reason text not null default '',
    started_at timestamptz not null default now(),
    finished_at timestamptz
);
create index job_runs_by_state on job_runs (state, queue);

-- What the processes of this installation say of themselves.
create table workers (
    worker_id text primary key,
    stage text not null,
    pid integer not null,
    state text not null,                     -- starting, ready, paused
    reason text not null default '',
    detail jsonb not null default '{}',      -- e.g. {"engine": "pocketsphinx", "engine_reason": "..."}
    seen_at timestamptz not null default now()
);
