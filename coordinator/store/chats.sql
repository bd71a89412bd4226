-- What viewers wrote and games said. Every statement takes its values as parameters. $1 is the session.

-- name: add_lines
-- Lines of one chunk ($2, $3: lane and number), each once, unless the chunk was forgotten meanwhile.
insert into chat_lines (session_id, lane, seq, line_no, at_ns, chat, author, kind, num, said)
select c.session_id, c.lane, c.seq, n.line_no, n.at_ns, n.chat, n.author, n.kind, n.num, n.said
from (select session_id, lane, seq from chunks where session_id = $1 and lane = $2 and seq = $3 for key share) as c
     cross join unnest($4::bigint[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::text[])
         with ordinality as n (at_ns, chat, author, kind, num, said, line_no)
on conflict do nothing

-- name: add_audiences
-- How many watched, as one chunk says; each once.
insert into audiences (session_id, lane, seq, line_no, at_ns, chat, num_viewers)
select c.session_id, c.lane, c.seq, n.line_no, n.at_ns, n.chat, n.num_viewers
from (select session_id, lane, seq from chunks where session_id = $1 and lane = $2 and seq = $3 for key share) as c
     cross join unnest($4::bigint[], $5::text[], $6::bigint[])
         with ordinality as n (at_ns, chat, num_viewers, line_no)
on conflict do nothing

-- name: add_events
-- Game events of one chunk; each once.
insert into game_events (session_id, lane, seq, line_no, at_ns, kind, weight, said, source)
select c.session_id, c.lane, c.seq, n.line_no, n.at_ns, n.kind, n.weight, n.said, n.source
from (select session_id, lane, seq from chunks where session_id = $1 and lane = $2 and seq = $3 for key share) as c
     cross join unnest($4::bigint[], $5::text[], $6::double precision[], $7::text[], $8::text[])
         with ordinality as n (at_ns, kind, weight, said, source, line_no)
on conflict do nothing

-- name: lines_of
-- What was written in a span ($2, $3), in order; of more than $4 the newest.
select at_ns, said as text, chat, author, kind, num as count from (
    select at_ns, said, chat, author, kind, num, seq, line_no from chat_lines
    where session_id = $1 and at_ns >= $2 and at_ns < $3 order by at_ns desc limit $4) as newest
order by at_ns, seq, line_no

-- name: audiences_of
-- How many watched in a span, in order; of more than $4 the newest.
select at_ns, chat, num_viewers from (
    select at_ns, chat, num_viewers from audiences
    where session_id = $1 and at_ns >= $2 and at_ns < $3 order by at_ns desc limit $4) as newest
order by at_ns

-- name: events_of
-- What games said in a span, in order; of more than $4 the newest.
select at_ns, kind, weight, said as text, source from (
    select at_ns, kind, weight, said, source, seq, line_no from game_events
    where session_id = $1 and at_ns >= $2 and at_ns < $3 order by at_ns desc limit $4) as newest
order by at_ns, seq, line_no
