-- The registry of nodes: who serves, who is alive. `$n` for the seconds after which a silent node counts as gone.

-- name: claim_node
-- A process takes its name. Nothing comes back while another spool of that name is alive.
insert into nodes (node, spool_id, files_url, pid, state) values ($1, $2, $3, $4, $5)
on conflict (node) do update
    set spool_id = excluded.spool_id, files_url = excluded.files_url, pid = excluded.pid, state = excluded.state,
        started_at = now(), seen_at = now()
    where nodes.spool_id = excluded.spool_id or nodes.state = 'gone'
          or nodes.seen_at < now() - make_interval(secs => $6)
returning node

-- name: beat_node
-- A node is there. Nothing comes back when the name is another spool's by now.
update nodes set seen_at = now(), state = $3, spool_bytes = $4 where node = $1 and spool_id = $2
returning node

-- name: living_nodes
-- The nodes whose spools can be read.
select node from nodes where state <> 'gone' and seen_at >= now() - make_interval(secs => $1)

-- name: bury_nodes
-- Nodes that fell silent are gone until they say something; names that nobody used for a week are forgotten.
with forgotten as (
    delete from nodes where state = 'gone' and seen_at < now() - interval '7 days'
)
update nodes set state = 'gone' where state <> 'gone' and seen_at < now() - make_interval(secs => $1)
returning node

-- name: node_is_gone
-- A spool was drained and deleted.
update nodes set state = 'gone' where node = $1 and spool_id = $2

-- name: sessions_in_spools
-- Which of these sessions have chunks in the spools of nodes that are gone: their agents must send them again.
select distinct session_id from chunks
where session_id = any ($2::text[]) and place like 'spool:%' and split_part(place, '/', 1) = any ($1::text[])

-- name: spool_is_empty
-- Does no chunk lie in this node's spool any more?
select not exists (select from chunks where place like 'spool:%' and split_part(place, '/', 1) = $1)

