-- Limits, breakers, money and the cache. Times are the database's own: the clocks of a fleet differ.

-- name: know
-- A provider has a row.
insert into llm_providers_state (provider) values ($1) on conflict do nothing

-- name: lock
-- Whoever counts a provider's calls holds its row. The next statement sees what was committed before: a lock taken inside
-- the counting statement would not do, because its snapshot is older than the lock.
select extract(epoch from rest_until - clock_timestamp())::float8 as rest_s, rest_reason,
       extract(epoch from open_until - clock_timestamp())::float8 as open_s,
       extract(epoch from probe_until - clock_timestamp())::float8 as probe_s,
       extract(epoch from clock_timestamp() - counted_since)::float8 as counted_s, num_calls, num_failures,
       (clock_timestamp() at time zone 'utc')::date as day
from llm_providers_state where provider = $1 for update

-- name: used
-- What counts of a provider now, and how long until the first of it does not. $2: hours are counted, too.
select count(*) as num_calls, coalesce(sum(tokens), 0)::bigint as num_tokens,
       coalesce(extract(epoch from min(counts_until) - clock_timestamp()), 0)::float8 as free_s,
       case when $2::boolean then (select coalesce(sum(num_calls), 0)::bigint from llm_hours
           where provider = $1 and hour > clock_timestamp() - interval '25 hours') else 0 end as num_today
from llm_calls where provider = $1 and counts_until > clock_timestamp()

-- name: lock_spend
-- The money of a day and tier; every call of that tier waits here, whatever its provider.
insert into llm_spend (day, tier) values ($1, $2)
on conflict (day, tier) do update set num_calls = llm_spend.num_calls returning spent_micros

-- name: reserved
-- What calls under way may still cost. One that expired returns it.
select coalesce(sum(cost_micros), 0)::bigint as reserved_micros from llm_calls
where day = $1 and tier = $2 and not is_settled and expires_at > clock_timestamp()

-- name: begin_call
-- Count a call before it is made, with its worst price. It counts for one window after it ended; of one whose end nobody
-- tells, after the last moment at which it can have been under way.
with hour as (
    insert into llm_hours (provider, hour, num_calls) values ($1, date_trunc('hour', clock_timestamp()), 1)
    on conflict (provider, hour) do update set num_calls = llm_hours.num_calls + 1)
insert into llm_calls (provider, tier, day, tokens, cost_micros, expires_at, counts_until)
values ($1, $2, $3, $4, $5, clock_timestamp() + make_interval(secs => $6::float8),
        clock_timestamp() + make_interval(secs => $6::float8 + $7::float8))
returning call_id

-- name: take_probe
-- Half-open: this call tries, the others wait.
update llm_providers_state set probe_until = clock_timestamp() + make_interval(secs => $2) where provider = $1

-- name: end_call
-- A call ended: from now on it counts for one window, with what it used. Once.
update llm_calls set is_settled = true, tokens = $2, cost_micros = $3,
       counts_until = clock_timestamp() + make_interval(secs => $4)
where call_id = $1 and not is_settled
returning day, tier

-- name: spend
-- Money is gone for good. $4, $5: the provider, and tokens.
with used as (
    insert into llm_used (day, tier, provider, num_calls, num_tokens, cost_micros) values ($1, $2, $4, 1, $5, $3)
    on conflict (day, tier, provider) do update
        set num_calls = llm_used.num_calls + 1, num_tokens = llm_used.num_tokens + $5,
            cost_micros = llm_used.cost_micros + $3)
insert into llm_spend (day, tier, spent_micros, num_calls) values ($1, $2, $3, 1)
on conflict (day, tier) do update
    set spent_micros = llm_spend.spent_micros + $3, num_calls = llm_spend.num_calls + 1

-- name: count_outcome
-- The breaker's count. $2: begin a new one; $3: calls; $4: failures.
update llm_providers_state set
    counted_since = case when $2::boolean then clock_timestamp() else counted_since end,
    num_calls = case when $2 then 0 else num_calls end + $3::integer,
    num_failures = case when $2 then 0 else num_failures end + $4::integer
where provider = $1

-- name: open
-- Nobody asks it for a while.
update llm_providers_state set open_until = clock_timestamp() + make_interval(secs => $2), probe_until = 'epoch',
       num_calls = 0, num_failures = 0, counted_since = clock_timestamp()
where provider = $1

-- name: close
-- The probe came back well.
update llm_providers_state set open_until = null, probe_until = 'epoch', num_calls = 0, num_failures = 0,
       counted_since = clock_timestamp()
where provider = $1

-- name: free_probe
-- The probe says nothing about its health.
update llm_providers_state set probe_until = 'epoch' where provider = $1

-- name: rest
-- It asked us to stay away; the longest wish counts.
update llm_providers_state set rest_reason = $3,
       rest_until = greatest(rest_until, clock_timestamp() + make_interval(secs => $2))
where provider = $1

-- name: states
-- For whoever looks: is it rested or open, and what counts now.
select s.provider, s.rest_reason, greatest(extract(epoch from s.rest_until - clock_timestamp()), 0)::float8 as rest_s,
       coalesce(extract(epoch from s.open_until - clock_timestamp()), 0)::float8 as open_s,
       (s.open_until is not null) as is_open, count(c.call_id) as num_calls,
       coalesce(sum(c.tokens), 0)::bigint as num_tokens
from llm_providers_state s
left join llm_calls c on c.provider = s.provider and c.counts_until > clock_timestamp()
where s.provider = any($1::text[]) group by s.provider

-- name: used_today
-- What each tier has used of each provider today (UTC).
select tier, provider, num_calls, num_tokens, cost_micros from llm_used
where day = (clock_timestamp() at time zone 'utc')::date order by tier, provider

-- name: pressures
-- How far each worker's gate is shut, as it says itself.
select worker_id, (detail ->> 'llm_pressure')::float8 as pressure from workers
where detail ? 'llm_pressure' and seen_at > now() - interval '1 minute' order by worker_id

-- name: cached
-- Answers that are still good.
select key, answer from llm_cache where key = any($1::bytea[]) and expires_at > clock_timestamp()

-- name: lock_owners
-- An order to forget of one of these accounts waits, or is seen by the next statement.
select pg_advisory_xact_lock_shared(hashtextextended(user_id, 7845))
from (select distinct user_id from unnest($1::text[]) as n (user_id) order by user_id) as owners

-- name: keep_answers
-- In the order of their keys, so that two processes never wait for each other. Nothing of an account that has just had
-- something forgotten: it may be about words that were read before.
insert into llm_cache (key, user_id, answer, expires_at)
select key, user_id, answer, clock_timestamp() + make_interval(secs => $4)
from unnest($1::bytea[], $2::text[], $3::text[]) as kept (key, user_id, answer)
where not exists (select from tombstones t join sessions s using (session_id)
                  where s.user_id = kept.user_id and t.asked_at > now() - interval '10 minutes')
order by key
on conflict (key) do update set answer = excluded.answer, expires_at = excluded.expires_at

-- name: prune_cache
-- What expired, and the oldest beyond $1 rows. Locked rows are somebody else's pruning.
delete from llm_cache where key in (
    select key from llm_cache where expires_at <= clock_timestamp()
        or expires_at < (select expires_at from llm_cache order by expires_at desc offset $1 limit 1)
    limit 1000 for update skip locked)

-- name: prune_calls
-- Calls that count no more.
delete from llm_calls where call_id in (
    select call_id from llm_calls where counts_until < clock_timestamp() - interval '1 minute'
        and expires_at < clock_timestamp() limit 1000 for update skip locked)

-- name: prune_hours
-- A day's limit looks back 25 hours.
delete from llm_hours where hour < clock_timestamp() - interval '2 days'

-- name: prune_spend
-- A year of days is enough for every page that shows money.
with used as (delete from llm_used where day < clock_timestamp() - interval '400 days')
delete from llm_spend where day < clock_timestamp() - interval '400 days'
