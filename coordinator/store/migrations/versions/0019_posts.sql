-- How each account's posts look, and posts that are asked for one by one.

-- A row is what was set; null: as the coordinator is configured.
create table post_settings (
    user_id text primary key references accounts on delete cascade,
    presets text[] check (cardinality(presets) between 1 and 8),
    caption_style text,
    layout text,
    shape text,
    is_title_shown boolean,
    profanity text check (profanity in ('keep', 'mask')),
    updated_at timestamptz not null default now()
);
alter table post_settings enable row level security;
create policy of_account on post_settings for select
    using (user_id = current_setting('clippy.user_id', true));
grant select on post_settings to clippy_reader;

-- The posts of a clip are made together, in one job; one that was asked for by itself is a job of its own.
alter table exports add column is_extra boolean not null default false;

-- An account's own frame around its clips: what we have made of the files that it gave. The files are objects.
create table brand_parts (
    user_id text not null references accounts on delete cascade,
    part text not null check (part in ('intro', 'outro', 'watermark')),
    object_key text not null,
    size_bytes bigint not null,
    width integer not null,
    height integer not null,
    duration_s double precision,                 -- null: a picture
    changed_at timestamptz not null default now(),
    primary key (user_id, part)
);
alter table brand_parts enable row level security;
create policy of_account on brand_parts for select
    using (user_id = current_setting('clippy.user_id', true));
grant select on brand_parts to clippy_reader;
