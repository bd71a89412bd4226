-- What the whole fleet knows of each provider of a language model. Whoever counts locks its row first.
create table llm_providers_state (
    provider text primary key,
    rest_until timestamptz not null default 'epoch',   -- it asked us to stay away until then
    rest_reason text not null default '',
    counted_since timestamptz not null default now(),      -- the breaker's count, begun anew every minute
    num_calls integer not null default 0,
    num_failures integer not null default 0,
    open_until timestamptz,                                -- null: closed; past: half-open
    probe_until timestamptz not null default 'epoch'   -- half-open: one call is on its way
) with (fillfactor = 50);

-- Calls that count: one under way until `expires_at`, one that ended until `counts_until`. A minute or two of them.
create table llm_calls (
    call_id bigint generated always as identity primary key,
    provider text not null,
    tier text not null,
    day date not null,
    expires_at timestamptz not null,     -- a call whose process died returns its money here
    counts_until timestamptz not null,   -- and its place in the provider's minute here
    is_settled boolean not null default false,
    tokens bigint not null,
    cost_micros bigint not null
);
create index llm_calls_by_provider on llm_calls (provider, counts_until);
create index llm_calls_reserved on llm_calls (day, tier) where not is_settled;

-- Calls by the hour, for limits of a day.
create table llm_hours (
    provider text not null,
    hour timestamptz not null,
    num_calls bigint not null,
    primary key (provider, hour)
);

-- What was spent, in millionths of a dollar.
create table llm_spend (
    day date not null,
    tier text not null,
    spent_micros bigint not null default 0,
    num_calls bigint not null default 0,
    primary key (day, tier)
);

-- Answers by the hash of what was asked. A title may hold what somebody said, so each row has its owner.
create table llm_cache (
    key bytea primary key,
    user_id text not null,
    answer text not null,
    expires_at timestamptz not null
);
create index llm_cache_by_user on llm_cache (user_id);
create index llm_cache_by_expiry on llm_cache (expires_at);
