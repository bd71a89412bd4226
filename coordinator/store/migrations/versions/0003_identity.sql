-- Accounts, devices and pairing.

-- The default is for who adds a row by the columns of the first schema.
alter table accounts
    add column name text not null default gen_random_uuid()::text,
    add column role text not null default 'streamer',
    add column is_closed boolean not null default false,
    add constraint accounts_tier_known check (tier in ('free', 'pro', 'business')),
    add constraint accounts_role_known check (role in ('streamer', 'operator', 'admin'));
update accounts set name = 'owner', role = 'admin' where user_id = 'owner';
create unique index accounts_by_name on accounts (lower(name));

-- An agent that was paired. Its refresh tokens are one family: they share a secret part, and `family_hash` is its sha256.
create table devices (
    device_id text primary key,
    user_id text not null references accounts,
    agent_id text not null,
    name text not null default '',
    version text not null default '',
    family_hash bytea not null unique,
    used_generation bigint not null default 0,   -- of the newest refresh token that was used; the first has 1
    paired_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    revoked_at timestamptz,
    revoked_reason text not null default ''
);
create index devices_of_account on devices (user_id);
create index devices_of_agent on devices (agent_id) where revoked_at is null;

-- The refresh tokens that still renew: the one used last, and what was issued for it. Anything older is not here.
create table refresh_tokens (
    token_hash bytea primary key,                -- sha256
    device_id text not null references devices on delete cascade,
    generation bigint not null,
    issued_at timestamptz not null default clock_timestamp()
);
create index refresh_tokens_of_device on refresh_tokens (device_id, generation);

-- Codes that wait for an agent (made for an account), and agents that wait for an approval (they hold a device code).
create table pairings (
    user_code_hash bytea primary key,            -- HMAC: a code is too short for a plain hash
    device_code_hash bytea unique,               -- null: the code was made here, for the account
    user_id text references accounts,            -- null: nobody has approved it yet
    agent_id text not null default '',
    device_name text not null default '',
    device_version text not null default '',
    made_at timestamptz not null default now(),
    expires_at timestamptz not null,
    used_at timestamptz,
    tries integer not null default 0
);
create index pairings_by_expiry on pairings (expires_at);
