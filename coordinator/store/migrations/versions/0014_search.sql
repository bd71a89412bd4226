-- What was said, by its words. Two tables: who may read an utterance is decided by PostgreSQL, row by row, and where a
-- row is protected so, no index over words can be used (`@@` might leak; only equality is trusted not to). So the index
-- is a table of its own, whose lexemes begin with the account's number, and tells ids alone.

alter table accounts add column account_no integer generated always as identity unique;

create table utterances (
    utterance_id bigint generated always as identity primary key,
    user_id text not null references accounts,
    session_id text not null,
    lane smallint not null,
    seq bigint not null,
    start_ns bigint not null,
    end_ns bigint not null,
    said text not null,
    foreign key (session_id, lane, seq) references chunks on delete cascade
);
create index utterances_of_chunk on utterances (session_id, lane, seq);
create index utterances_of_account on utterances (user_id);

alter table utterances enable row level security;
create policy of_account on utterances for select
    using (user_id = current_setting('clippy.user_id', true));

-- Lexemes are ACCOUNT_WORD with the account's number in hexadecimal: each account's words lie together in the index.
create table utterance_index (
    utterance_id bigint primary key references utterances on delete cascade,
    account_no integer not null,
    lexemes tsvector not null
);
-- What waits to be merged into the index is read by every search: little of it.
create index utterance_index_lexemes on utterance_index using gin (lexemes) with (gin_pending_list_limit = 256);
create index utterance_index_newest on utterance_index (account_no, utterance_id desc);

-- Each word that an account ever said, for words that are asked for with a slip.
create table search_words (
    account_no integer not null,
    word text collate "C" not null,
    trigrams text[] not null,
    primary key (account_no, word)
);
create index search_words_alike on search_words using gin (trigrams) with (gin_pending_list_limit = 256);

-- Three letters each, two spaces before the first and one after the last, as pg_trgm has them, which is not everywhere;
-- each begins with its account's number.
create function clippy_trigrams(account_no integer, word text) returns text[]
    language sql immutable parallel safe
    return (select array_agg(distinct to_hex(account_no) || '_' || substr('  ' || word || ' ', at, 3))
            from generate_series(1, length(word) + 1) as at);

-- Whose rules bind whom: tables do not bind their owner, who is us. Searches are made as this role, which owns nothing.
do $$ begin
    if not exists (select from pg_roles where rolname = 'clippy_reader') then
        create role clippy_reader nologin;
    end if;
    if not pg_has_role(current_user, 'clippy_reader', 'member') then
        execute format('grant clippy_reader to %I', current_user);
    end if;
exception
    when duplicate_object or unique_violation then null;
    when insufficient_privilege then
        raise exception 'the role clippy_reader is missing; as an administrator of the database run: create role clippy_reader nologin; grant clippy_reader to %; then migrate again', current_user;
end $$;
grant select on utterances, sessions, moments, clips, exports to clippy_reader;
