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
