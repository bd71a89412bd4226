-- Uploads in parts.
select 1;
