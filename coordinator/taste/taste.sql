-- Verdicts by account. $1 is the account, where not said.

-- name: lock_session
-- Whose session it is; orders to forget wait, and this waits for them.
select user_id, forgotten && int8range($2::bigint, $3::bigint) as is_forgotten
from sessions where session_id = $1 for key share

-- name: lock_account
-- One change of an account's verdicts at a time. Returns up to when they were reset.
select taste_reset_unix_ms from accounts where user_id = $1 for no key update

-- name: add_verdict
-- Once; the same one again changes nothing.
insert into verdicts (user_id, verdict_id, session_id, moment_id, start_ns, end_ns, kind, moment_kind, score, lanes,
                      before_s, after_s, at_unix_ms, made_by)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::jsonb, $11, $12, $13, $14)
on conflict do nothing returning verdict_id

-- name: keep_newest
-- Only so many ($2) are kept.
delete from verdicts where user_id = $1 and (at_unix_ms, verdict_id) <= (
    select at_unix_ms, verdict_id from verdicts where user_id = $1
    order by at_unix_ms desc, verdict_id desc offset $2 limit 1)

-- name: note_keep
-- Whether a moment ($1, of session $2) is kept is what was said of it last, for good. One that is kept no longer expires:
-- its session ($2) is looked at again.
with last as (
    select v.kind in ('keep', 'extend') as is_kept from verdicts v where v.session_id = $2 and v.moment_id = $1
    order by v.at_unix_ms desc, v.verdict_id desc limit 1),
changed as (
    update moments m set is_kept = last.is_kept from last
    where m.moment_id = $1 and m.session_id = $2 and m.is_kept <> last.is_kept returning m.is_kept)
update sessions set is_expired = false, expiry_look_at = now()
where session_id = $2 and is_expired and exists (select from changed where not is_kept)

-- name: note_change
-- The account's taste is another one now.
update accounts set taste_no = taste_no + 1 where user_id = $1

-- name: reset
-- Nothing that was said up to then ($2) counts any more.
delete from verdicts where user_id = $1 and at_unix_ms <= $2 returning verdict_id

-- name: note_reset
-- So that what comes late does not count either, and the account's agents hear of it.
update accounts set taste_no = taste_no + 1, taste_reset_unix_ms = greatest(taste_reset_unix_ms, $2) where user_id = $1

-- name: taste_no_of_session
-- Whose a session ($1) is, and which taste that account has now.
select user_id, taste_no from sessions join accounts using (user_id) where session_id = $1

-- name: taste_no
-- Which taste an account has now.
select user_id, taste_no from accounts where user_id = $1

-- name: verdicts
-- The newest ($2).
select verdict_id, session_id, moment_id, start_ns, end_ns, kind, moment_kind, score, lanes, before_s, after_s,
       at_unix_ms
from verdicts where user_id = $1 order by at_unix_ms desc, verdict_id desc limit $2

-- name: untouched
-- Moments of sessions in which something was kept of late, the best of each.
select m.moment_id, m.session_id, m.start_ns, m.end_ns, m.kind, m.score, m.evidence, m.roll_before_ns, m.roll_after_ns
from (select session_id from verdicts where user_id = $1 and kind in ('keep', 'extend')
      group by session_id order by max(at_unix_ms) desc limit 20) as kept
     cross join lateral (select * from moments where session_id = kept.session_id order by score desc limit 25) as m

-- name: newest_moments
-- An account's newest moments.
select m.moment_id, m.session_id, m.start_ns, m.end_ns, m.kind, m.score, m.evidence, m.roll_before_ns, m.roll_after_ns
from (select session_id from sessions where user_id = $1 order by started_at desc limit 5) as s
     cross join lateral (select * from moments where session_id = s.session_id order by score desc limit 40) as m

-- name: moment
-- One moment ($1) as it is offered, and whose it is.
select m.moment_id, m.session_id, m.start_ns, m.end_ns, m.kind, m.score, m.evidence, m.roll_before_ns, m.roll_after_ns,
       s.user_id
from moments m join sessions s using (session_id) where m.moment_id = $1

-- name: news
-- For each of these accounts ($1) and its agent ($2): the last reset, and what was said elsewhere, newest first.
select n.number, a.taste_reset_unix_ms, v.*
from unnest($1::text[], $2::text[]) with ordinality as n (user_id, agent_id, number)
     join accounts a using (user_id)
     left join lateral (
         select verdict_id, session_id, moment_id, start_ns, end_ns, kind, moment_kind, score, lanes, before_s, after_s,
                at_unix_ms
         from verdicts where user_id = n.user_id and made_by <> n.agent_id
         order by at_unix_ms desc, verdict_id desc limit 500) as v on true
where a.taste_no > 0
