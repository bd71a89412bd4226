-- How accounts' posts look.

-- name: become_reader
-- Until the transaction ends: this account ($1), and nothing of another.
select set_config('clippy.user_id', $1, true), set_config('role', 'clippy_reader', true)

-- name: wishes
-- What an account has set.
select presets, caption_style, layout, shape, is_title_shown, profanity from post_settings where user_id = $1

-- name: wishes_of_session
-- What the account of a session has set.
select p.presets, p.caption_style, p.layout, p.shape, p.is_title_shown, p.profanity
from sessions s join post_settings p using (user_id) where s.session_id = $1

-- name: save
-- All of it anew.
insert into post_settings (user_id, presets, caption_style, layout, shape, is_title_shown, profanity)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (user_id) do update set
    presets = excluded.presets, caption_style = excluded.caption_style, layout = excluded.layout,
    shape = excluded.shape, is_title_shown = excluded.is_title_shown, profanity = excluded.profanity, updated_at = now()

-- name: reset
-- Nothing is set any more.
delete from post_settings where user_id = $1 returning user_id

-- name: brand
-- An account's brand kit.
select part, object_key, size_bytes, width, height, duration_s from brand_parts where user_id = $1 order by part

-- name: brand_of_session
-- The brand kit of the account of a session.
select b.part, b.object_key, b.size_bytes, b.width, b.height, b.duration_s
from sessions s join brand_parts b using (user_id) where s.session_id = $1

-- name: save_brand_part
-- A part anew; returns the object that was there before.
with before as (select object_key from brand_parts where user_id = $1 and part = $2 for update),
saved as (
    insert into brand_parts (user_id, part, object_key, size_bytes, width, height, duration_s)
    values ($1, $2, $3, $4, $5, $6, $7)
    on conflict (user_id, part) do update set
        object_key = excluded.object_key, size_bytes = excluded.size_bytes, width = excluded.width,
        height = excluded.height, duration_s = excluded.duration_s, changed_at = now())
select object_key from before

-- name: remove_brand_part
-- A part goes; returns its object.
delete from brand_parts where user_id = $1 and part = $2 returning object_key
