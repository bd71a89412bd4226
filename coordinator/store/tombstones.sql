-- How an order to forget is worked off: objects, then its receipt. Every statement takes its values as parameters.

-- name: doomed
-- Objects of an order that are still there.
select d.object_key, d.holds_others, t.session_id
from doomed_objects d join tombstones t using (forget_id)
where d.forget_id = $1 and not d.is_gone order by d.object_key

-- name: chunks_in
-- Chunks of a session that still lie in an object.
select lane, seq, place from chunks
where session_id = $1 and starts_with(place, 'object:' || $2 || '/') order by lane, seq

-- name: move_chunks
-- Chunks get their new place, those of them that are still where they were read.
update chunks c set place = n.new_place
from unnest($2::smallint[], $3::bigint[], $4::text[], $5::text[]) as n (lane, seq, old_place, new_place)
where c.session_id = $1 and c.lane = n.lane and c.seq = n.seq and c.place = n.old_place
returning c.lane, c.seq

-- name: settle
-- An object is gone.
update doomed_objects set is_gone = true where forget_id = $1 and object_key = $2

-- name: lock_tombstone
-- One job finishes an order at a time; null: there is no such order.
select session_id, went from tombstones where forget_id = $1 for update

-- name: num_doomed
-- How many objects of an order are still there, those included that had expired in its session before.
select (select count(*) from doomed_objects where forget_id = $1 and not is_gone)
       + (select count(*) from expired_objects e join tombstones t using (session_id) where t.forget_id = $1 and not e.is_gone)

-- name: spools
-- Whose spools an order waits for, or waited for, and how long ago each was heard of.
select s.node, s.swept_at is not null as is_swept, extract(epoch from now() - o.seen_at)::double precision as age_s,
       o.seen_at
from tombstone_spools s left join spool_owners o using (node)
where s.forget_id = $1 order by s.node

-- name: finish
-- Everything that can be reached is gone; a receipt that has changed goes down again.
update tombstones set state = 'done', receipt = $2::jsonb, done_at = now(), problem = ''
where forget_id = $1 and receipt is distinct from $2::jsonb
returning pg_notify('clippy_link', session_id)

-- name: note_problem
-- The job that worked an order off failed for good; it is tried again, and until it ends well this is why.
update tombstones set problem = $2 where forget_id = $1 and state = 'open'

-- name: doomed_again
-- Objects that somebody may have put after they were deleted.
select distinct object_key from doomed_objects where is_gone and again_until is not null limit 1000

-- name: end_again
-- Nobody can put these any more.
update doomed_objects set again_until = null where is_gone and again_until < now()
