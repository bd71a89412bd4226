-- An order to forget: its tombstone and the deletion of every row of its span, in one transaction; and whose spool still
-- holds bytes. Every statement takes its values as parameters. $1 is the session, $2 and $3 the span, where not said.

-- name: let_analyses_end
-- One look for moments of a session commits at a time; an order waits for it, and the next one waits for the order.
select pg_advisory_xact_lock(hashtextextended($1, 7843))

-- name: lock_session
-- Nobody adds a row about this session until the transaction ends.
select user_id from sessions where session_id = $1 for update

-- name: tombstone
-- An order that is known.
select session_id, start_ns, end_ns, state from tombstones where forget_id = $1

-- name: num_orders
-- How many orders there are for a session.
select count(*) from tombstones where session_id = $1

-- name: add_tombstone
-- A new order.
insert into tombstones (forget_id, session_id, start_ns, end_ns, asked_by, answered_at)
values ($1, $2, $3, $4, $5, case when $5 = 'agent' then now() end)

-- name: note_answer
-- The agent has forgotten it, too.
update tombstones set answered_at = now() where forget_id = $1 and answered_at is null

-- name: mark_session
-- From the commit on nothing of the span gets in.
update sessions set forgotten = forgotten + int8multirange(int8range($2::bigint, $3::bigint)) where session_id = $1

-- name: count_words
-- How many words were heard in chunks that go.
select coalesce(sum(jsonb_array_length(t.words)), 0)::bigint
from transcripts t join chunks c using (session_id, lane, seq)
where c.session_id = $1 and c.start_ns < $3 and c.end_ns > $2

-- name: words_of_span
-- Words that searches know from chunks that are about to go, with the number of their account.
select distinct i.account_no, substr(one, length(to_hex(i.account_no)) + 2) as word
from chunks c join utterances u using (session_id, lane, seq) join utterance_index i using (utterance_id)
     cross join unnest(tsvector_to_array(i.lexemes)) as one
where c.session_id = $1 and c.start_ns < $3 and c.end_ns > $2

-- name: forget_words
-- Of these words ($2) those that the account ($1) has said nowhere else.
delete from search_words w
where w.account_no = $1 and w.word = any ($2::text[])
      and not exists (select from utterance_index
                      where lexemes @@ format('''%s_%s''', to_hex(w.account_no), w.word)::tsquery)

-- name: forget_chunks
-- Whole chunks, with what was heard in them.
delete from chunks where session_id = $1 and start_ns < $3 and end_ns > $2 returning lane, seq, place

-- name: forget_markers
-- Presses.
delete from markers
where session_id = $1 and ((start_ns < $3 and end_ns > $2) or (at_ns >= $2 and at_ns < $3)) returning clip_id

-- name: forget_requests
-- Wishes stay as empty shells: an answer that comes late finds that nobody waits for it.
with meant as (
    select request_id, state from source_requests
    where session_id = $1 and start_ns < $3 and end_ns > $2 and state <> 'forgotten' for update)
update source_requests r
set state = 'forgotten', reason = 'forgotten', moment_id = null, marker_clip_id = null, sha256 = null, size_bytes = null,
    covered_start_ns = null, covered_end_ns = null, updated_at = now()
from meant where r.request_id = meant.request_id
returning r.request_id, r.object_key, r.expires_at, meant.state as state_before

-- name: parts_to_forget
-- In which parts the uploads of these wishes came, or may come.
select object_key, size_bytes, part_bytes, sha256 from source_uploads
where request_id = any ($1::text[]) and size_bytes is not null and part_bytes is not null and sha256 is not null

-- name: clips_to_forget
-- Cuts of the span, and of wishes ($4) for it.
select clip_id, object_key from clips
where session_id = $1 and ((start_ns < $3 and end_ns > $2) or request_id = any ($4::text[]))

-- name: exports_to_forget
-- Posts of these clips, finished or not.
select export_id, state, object_key from exports where clip_id = any ($1::text[])

-- name: forget_clips
-- Cuts, and their posts with them.
delete from clips where clip_id = any ($1::text[])

-- name: forget_moments
-- Moments.
delete from moments where session_id = $1 and start_ns < $3 and end_ns > $2 returning moment_id

-- name: forget_verdicts
-- What the streamer said of moments of it; their taste is learnt anew without. Returns how many.
with gone as (
    delete from verdicts where session_id = $1 and start_ns < $3 and end_ns > $2 returning user_id),
changed as (
    update accounts set taste_no = taste_no + 1 where user_id in (select user_id from gone))
select count(*) from gone

-- name: stop_answers
-- Nobody keeps an answer of a language model about this account ($1) until the transaction ends, and for ten minutes after
-- it, as long as a look may still ask about what it read before (coordinator/llm/llm.sql).
select pg_advisory_xact_lock(hashtextextended($1, 7845))

-- name: forget_answers
-- Answers about this account ($1): none says which session it was about.
delete from llm_cache where user_id = $1 returning key

-- name: keep_gaps
-- The numbers of what went ($2, $3: lane and number) stay known as forgotten.
insert into gaps (session_id, lane, first, last, reason)
select $1, lane, min(seq), max(seq), 'forgotten'
from (select lane, seq, seq - row_number() over (partition by lane order by seq) as island
      from unnest($2::smallint[], $3::bigint[]) as n (lane, seq)) as numbered
group by lane, island
on conflict (session_id, lane, first) do update set last = greatest(gaps.last, excluded.last), reason = 'forgotten'

-- name: doom
-- Objects of an order ($1).
insert into doomed_objects (forget_id, object_key, holds_others, again_until)
select $1, n.key, n.holds_others, n.again_until
from unnest($2::text[], $3::boolean[], $4::timestamptz[]) as n (key, holds_others, again_until)
on conflict (forget_id, object_key) do update
    set again_until = greatest(doomed_objects.again_until, excluded.again_until)

-- name: await_spools
-- An order ($1) waits for the spools that its chunks named ($2), and for all others that were seen of late: what was
-- rolled up may lie there, too.
insert into tombstone_spools (forget_id, node)
select $1, node from unnest($2::text[]) as named (node)
union select $1, node from spool_owners where seen_at > now() - interval '7 days'

-- name: set_went
-- What an order's deletions counted.
update tombstones set went = $2::jsonb where forget_id = $1

-- name: own_spool
-- We are here, and own this spool. Returns whether there is anything to do at all.
insert into spool_owners (node) values ($1) on conflict (node) do update set seen_at = now()
returning exists (select from tombstones) as has_orders,
          exists (select from tombstone_spools where node = $1 and swept_at is null) as has_unswept,
          exists (select from tombstones where answered_at is null) as has_unanswered

-- name: unswept
-- Orders that wait for this spool.
select forget_id, session_id from tombstone_spools join tombstones using (forget_id)
where node = $1 and swept_at is null

-- name: spans_of
-- What is to be forgotten of these sessions.
select session_id, start_ns, end_ns from tombstones where session_id = any ($1::text[])

-- name: mark_swept
-- This spool ($2) holds nothing of these orders any more.
update tombstone_spools set swept_at = now(), num_records = $3
where forget_id = any ($1::text[]) and node = $2 and swept_at is null
returning forget_id

-- name: receipts
-- Which of these orders are done.
select forget_id, receipt from tombstones where forget_id = any ($1::text[]) and state = 'done'

-- name: unanswered
-- Orders of the coordinator's own that these agents did not follow yet.
select t.forget_id, t.session_id, t.start_ns, t.end_ns, s.agent_id
from tombstones t join sessions s using (session_id)
where t.answered_at is null and s.agent_id = any ($1::text[])
order by t.asked_at limit 1000

-- name: orders
-- The newest orders, for an operator.
select t.forget_id, t.session_id, t.start_ns, t.end_ns, t.asked_by, t.state, t.problem, t.went, t.receipt, t.asked_at,
       t.answered_at, t.done_at
from tombstones t order by t.asked_at desc limit $1

-- name: session_now
-- How long a session has run by the wall clock, in seconds; null: there is none.
select extract(epoch from coalesce(ended_at, now()) - started_at)::double precision from sessions where session_id = $1
