-- What a reader asks of the registry of nodes (written by ingest).

-- name: node_address
-- Where a node's spool is read, and whether it was there within 15 s.
select files_url, state <> 'gone' and seen_at >= now() - interval '15 seconds' as is_alive from nodes where node = $1
