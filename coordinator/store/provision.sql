-- For psql: the product's roles and database, each time the server has started. Braces are filled in.
do $$ begin
    if not exists (select from pg_roles where rolname = '{role}') then create role {role}; end if;
    if not exists (select from pg_roles where rolname = '{reader}') then create role {reader} nologin; end if;
end $$;
grant {reader} to {role};
alter role {role} login nosuperuser nobypassrls nocreatedb nocreaterole noreplication password '{password}';
select 'create database {database} owner {role}'
where not exists (select from pg_database where datname = '{database}') \gexec
