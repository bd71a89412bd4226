-- The nodes that hold a spool.
select 1;
