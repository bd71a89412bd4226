-- Accounts, devices, refresh tokens and pairings. Every statement takes its values as parameters.

-- name: add_account
-- A new account; nothing comes back when its name is taken.
insert into accounts (user_id, name, tier, role) values ($1, $2, $3, $4)
on conflict do nothing
returning user_id

-- name: accounts
-- All accounts, or the one of a name, with how many devices may speak for each.
select a.user_id, a.name, a.tier, a.role, a.is_closed, a.created_at,
       (select count(*) from devices d where d.user_id = a.user_id and d.revoked_at is null) as num_devices
from accounts a where $1::text is null or lower(a.name) = lower($1)
order by lower(a.name)

-- name: account
-- One account, by its id.
select user_id, name, tier, role, is_closed from accounts where user_id = $1

-- name: change_account
-- What is given changes, what is null stays.
update accounts set tier = coalesce($2, tier), role = coalesce($3, role), is_closed = coalesce($4, is_closed)
where lower(name) = lower($1)
returning user_id

-- name: devices_of
-- The devices of one account, the newest first.
select device_id, user_id, agent_id, name, version, paired_at, last_seen_at, revoked_at, revoked_reason
from devices where user_id = $1 order by paired_at desc, device_id

-- name: revoke_device
-- A device may speak no more; the first reason stays.
update devices set revoked_at = now(), revoked_reason = $2 where device_id = $1 and revoked_at is null
returning device_id

-- name: is_device
-- Was there ever such a device?
select device_id from devices where device_id = $1

-- name: revoked
-- Of all who are connected: whose device or account is gone, revoked or closed, or has another tier or role by now.
select p.number
from unnest($1::text[], $2::text[], $3::text[], $4::text[]) with ordinality
         as p (user_id, device_id, tier, role, number)
     left join accounts a on a.user_id = p.user_id
     left join devices d on d.device_id = p.device_id and d.user_id = p.user_id
where a.user_id is null or a.is_closed or a.tier <> p.tier or a.role <> p.role
      or (p.device_id <> '' and (d.device_id is null or d.revoked_at is not null))

-- name: agent_owner
-- Another account than this one to which the agent belongs: it has spoken for it, or is paired with it.
select user_id from agents where agent_id = $1 and user_id <> $2
union
select user_id from devices where agent_id = $1 and user_id <> $2 and revoked_at is null

-- name: replace_devices
-- The same agent pairs again: what it was before ends.
update devices set revoked_at = now(), revoked_reason = 'paired again'
where agent_id = $1 and user_id = $2 and revoked_at is null

-- name: add_device
-- A new device.
insert into devices (device_id, user_id, agent_id, name, version, family_hash) values ($1, $2, $3, $4, $5, $6)

-- name: device_of_family
-- The device whose refresh tokens these are, held until the transaction ends, with its account.
select d.device_id, d.user_id, d.used_generation, d.revoked_at is not null as is_revoked,
       d.last_seen_at < now() - make_interval(days => $2) as is_forgotten,
       a.name, a.tier, a.role, a.is_closed
from devices d join accounts a using (user_id)
where d.family_hash = $1
for update of d

-- name: generation_of
-- Which generation a refresh token is of, if it still renews. Asked once its device is held: a token that was deleted
-- while we waited for that must not be found.
select generation from refresh_tokens where token_hash = $1 and device_id = $2

-- name: rotate_first
-- A refresh token is used for the first time: what was before it, and beside it, renews no more; here is its successor.
with gone as (delete from refresh_tokens where device_id = $1 and token_hash <> $3),
     added as (insert into refresh_tokens (token_hash, device_id, generation) values ($4, $1, $2 + 1))
update devices set used_generation = $2, last_seen_at = now() where device_id = $1

-- name: rotate_again
-- Its answer was lost: one more successor; of those that were issued before, the newest stay.
with gone as (delete from refresh_tokens
              where token_hash in (select token_hash from refresh_tokens
                                   where device_id = $1 and generation = $2 + 1 order by issued_at desc offset $4)),
     added as (insert into refresh_tokens (token_hash, device_id, generation) values ($3, $1, $2 + 1))
update devices set last_seen_at = now() where device_id = $1

-- name: add_refresh_token
-- The first refresh token of a device.
insert into refresh_tokens (token_hash, device_id, generation) values ($1, $2, $3)

-- name: drop_refresh_tokens
-- None of a device's refresh tokens renews any more.
delete from refresh_tokens where device_id = $1

-- name: forget_pairings
-- What is too old.
delete from pairings where expires_at < now()

-- name: num_waiting
-- How many agents wait for an approval, and how many of them are this one.
select count(*) as in_all, count(*) filter (where agent_id = $1) as of_agent
from pairings where device_code_hash is not null and used_at is null and expires_at > now()

-- name: add_code
-- A code for an account; nothing comes back when the same code lives already.
insert into pairings (user_code_hash, user_id, expires_at) values ($1, $2, now() + make_interval(secs => $3))
on conflict do nothing
returning user_code_hash

-- name: add_waiting
-- An agent that waits; nothing comes back when the same code lives already.
insert into pairings (user_code_hash, device_code_hash, agent_id, device_name, device_version, expires_at)
values ($1, $2, $3, $4, $5, now() + make_interval(secs => $6))
on conflict do nothing
returning user_code_hash

-- name: approve
-- Somebody approves an agent that waits, once.
update pairings set user_id = $2
where user_code_hash = $1 and device_code_hash is not null and user_id is null and used_at is null
      and expires_at > now()
returning agent_id, device_name, device_version

-- name: waiting
-- Agents that wait, the oldest first.
select agent_id, device_name, device_version, made_at, expires_at from pairings
where device_code_hash is not null and user_id is null and used_at is null and expires_at > now()
order by made_at

-- name: pairing_of_user_code
-- A code that was made for an account and lives, held until the transaction ends.
select p.user_code_hash, p.user_id, p.agent_id, p.tries, a.name, a.tier, a.role, a.is_closed
from pairings p left join accounts a using (user_id)
where p.user_code_hash = $1 and p.device_code_hash is null and p.used_at is null and p.expires_at > now()
for update of p

-- name: pairing_of_device_code
-- An agent's own code that lives, approved or not, held until the transaction ends.
select p.user_code_hash, p.user_id, p.agent_id, p.tries, a.name, a.tier, a.role, a.is_closed
from pairings p left join accounts a using (user_id)
where p.device_code_hash = $1 and p.used_at is null and p.expires_at > now()
for update of p

-- name: count_try
-- The code was right, and nothing came of it.
update pairings set tries = tries + 1 where user_code_hash = $1

-- name: use_pairing
-- The code is used up.
update pairings set used_at = now() where user_code_hash = $1
