-- What was said, by its words. $1 is the account's number where not said otherwise.

-- name: account_no
-- The number that an account's lexemes begin with.
select account_no from accounts where user_id = $1

-- name: add
-- Utterances of one chunk ($1 to $3), once, and their words in the index; nothing of a chunk that was forgotten meanwhile.
with chunk as (
    select s.user_id, a.account_no, c.session_id, c.lane, c.seq
    from chunks c join sessions s using (session_id) join accounts a using (user_id)
    where c.session_id = $1 and c.lane = $2 and c.seq = $3
          and not exists (select from utterances u where (u.session_id, u.lane, u.seq) = (c.session_id, c.lane, c.seq))
    for key share of c),
heard as (
    select * from unnest($4::bigint[], $5::bigint[], $6::text[], $7::text[]) as heard (start_ns, end_ns, said, words)),
kept as (
    insert into utterances (user_id, session_id, lane, seq, start_ns, end_ns, said)
    select user_id, session_id, lane, seq, start_ns, end_ns, said from chunk cross join heard
    returning utterance_id, start_ns),
indexed as (
    insert into utterance_index (utterance_id, account_no, lexemes)
    select kept.utterance_id, chunk.account_no,
           (select string_agg(format('''%s_%s'':%s', to_hex(chunk.account_no), word, place), ' ')
            from unnest(string_to_array(heard.words, ' ')) with ordinality as spoken (word, place))::tsvector
    from chunk cross join kept join heard using (start_ns))
insert into search_words (account_no, word, trigrams)
select chunk.account_no, word, clippy_trigrams(chunk.account_no, word)
from chunk cross join (
    select distinct word from heard cross join unnest(string_to_array(heard.words, ' ')) as word
    where length(word) between 3 and 30 order by word) as spoken
-- Nearly all are known; asking first spares their trigrams, and locks that two chunks of one account could wait for.
where not exists (select from search_words w where (w.account_no, w.word) = (chunk.account_no, spoken.word collate "C"))
on conflict do nothing

-- name: newest
-- Of the account's newest $4 utterances those that match $2, by how well: whole words ($3) count twice. At most $5.
select utterance_id, ts_rank(lexemes, $2::tsquery) + ts_rank(lexemes, $3::tsquery) as rank
from (select utterance_id, lexemes from utterance_index
      where account_no = $1 order by utterance_id desc limit $4) as newest
where lexemes @@ $2::tsquery
order by rank desc, utterance_id desc limit $5

-- name: matching
-- All that match $1, by how well: whole words ($2) count twice. At most $3. The account is in the lexemes.
select utterance_id, ts_rank(lexemes, $1::tsquery) + ts_rank(lexemes, $2::tsquery) as rank
from utterance_index where lexemes @@ $1::tsquery
order by rank desc, utterance_id desc limit $3

-- name: unknown
-- Which of these words ($2) begin no word that the account ever said.
select asked from unnest($2::text[]) as asked
where not exists (
    select from search_words
    where account_no = $1 and word >= asked collate "C" and word < (asked || chr(1114111)) collate "C")

-- name: alike
-- The words most like $2 by the trigrams that both have; at most $3, of a likeness of $4 and more.
with asked as (select clippy_trigrams($1, $2) as trigrams)
select word, likeness
from asked cross join lateral (
    select w.word, shared.num::double precision
                   / (cardinality(w.trigrams) + cardinality(asked.trigrams) - shared.num) as likeness
    from search_words w cross join lateral (
        select count(*) as num from unnest(w.trigrams) as one where one = any (asked.trigrams)) as shared
    where w.trigrams && asked.trigrams) as found
where likeness >= $4
order by likeness desc, word limit $3

-- name: become_reader
-- Until the transaction ends: this account ($1), and nothing of another.
select set_config('clippy.user_id', $1, true), set_config('role', 'clippy_reader', true)

-- name: read
-- Utterances, with the best moment and the clip of what was said.
select u.utterance_id, u.session_id, s.started_at, u.start_ns, u.end_ns, u.said, m.moment_id, m.title, e.export_id
from utterances u join sessions s using (session_id)
     left join lateral (
         select moment_id, title from moments
         where moments.session_id = u.session_id and moments.start_ns < u.end_ns and moments.end_ns > u.start_ns
         order by score desc limit 1) as m on true
     left join lateral (
         select export_id from clips join exports using (clip_id)
         where clips.session_id = u.session_id and clips.start_ns < u.end_ns and clips.end_ns > u.start_ns
               and exports.state = 'ready'
         order by exports.ready_at desc limit 1) as e on true
where u.utterance_id = any ($1::bigint[])
