-- What viewers wrote and games said: a row for each, by the chunk that brought it, with which it goes. Authors are
-- pseudonyms of one session, made by the agent.

create table chat_lines (
    session_id text not null,
    lane smallint not null,
    seq bigint not null,
    line_no integer not null,
    at_ns bigint not null,
    chat text not null,
    author text not null,
    kind text not null check (kind in ('message', 'command', 'bot', 'raid', 'support')),
    num bigint not null,
    said text not null,
    primary key (session_id, lane, seq, line_no),
    foreign key (session_id, lane, seq) references chunks on delete cascade
);
create index chat_lines_in_time on chat_lines (session_id, at_ns);

create table audiences (
    session_id text not null,
    lane smallint not null,
    seq bigint not null,
    line_no integer not null,
    at_ns bigint not null,
    chat text not null,
    num_viewers bigint not null,
    primary key (session_id, lane, seq, line_no),
    foreign key (session_id, lane, seq) references chunks on delete cascade
);
create index audiences_in_time on audiences (session_id, at_ns);

create table game_events (
    session_id text not null,
    lane smallint not null,
    seq bigint not null,
    line_no integer not null,
    at_ns bigint not null,
    kind text not null,
    weight double precision not null,
    said text not null,
    source text not null,
    primary key (session_id, lane, seq, line_no),
    foreign key (session_id, lane, seq) references chunks on delete cascade
);
create index game_events_in_time on game_events (session_id, at_ns);
