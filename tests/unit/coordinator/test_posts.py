"""How posts look: what an account chose over what is configured, and choices that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from coordinator.config import load_config
from coordinator.errors import InputUnusable
from coordinator.model.framing import Framing
from coordinator.model.posts import PostSettings, PostWishes
from coordinator.posts import check_wishes, default_settings, framing_of, post_choices
from coordinator.web.posts import chosen_in

LEFT = '[layouts.left]\nlayout = "crop"\nfocus_x = 0.25\nshape = "9:16"\n'


def test_what_is_not_set_is_as_configured():
    configured = PostSettings(presets=("shorts",), caption_style="calm", is_title_shown=True)
    wishes = PostWishes(caption_style="karaoke", is_title_shown=False)

    holding = wishes.over(configured)

    assert holding == PostSettings(presets=("shorts",), caption_style="karaoke", is_title_shown=False)
    assert wishes.names == ("caption_style", "is_title_shown")
    assert PostWishes().over(configured) == configured


def test_the_configuration_says_how_posts_look_of_who_chose_nothing(tmp_path: Path):
    (tmp_path / "coordinator.toml").write_text(
        '[auto_export]\npreset = "shorts"\nlayout = "blur"\n'
        '[export]\ncaption_style = "calm"\nprofanity = "mask"\nis_title_shown = true\n'
    )

    assert default_settings(load_config(tmp_path, environment={})) == PostSettings(
        presets=("shorts",), caption_style="calm", layout="blur", is_title_shown=True, profanity="mask"
    )


def test_there_is_no_post_without_a_film(tmp_path: Path):
    presets = post_choices(tmp_path).presets

    assert presets["tiktok"] == "TikTok"
    assert not {"preview", "preview-gif"} & set(presets)


def test_a_preset_that_is_chosen_twice_is_made_once(tmp_path: Path):
    wishes = PostWishes(presets=("tiktok", "x", "tiktok"))

    assert check_wishes(wishes, post_choices(tmp_path)).presets == ("tiktok", "x")


@pytest.mark.parametrize(
    ("wishes", "reason"),
    [
        (PostWishes(presets=("tiktok", "myspace")), "there is no preset 'myspace' for posts; choose one of"),
        (PostWishes(presets=("preview",)), "there is no preset 'preview'"),
        (PostWishes(presets=()), "0 presets were chosen; a clip becomes 1 to 8 posts"),
        (PostWishes(presets=tuple("abcdefghi")), "9 presets were chosen"),
        (PostWishes(caption_style="neon"), "there is no caption style 'neon'.* calm, clean"),
        (PostWishes(layout="duo"), "there is no layout 'duo'.* preset, blur, crop, fit, follow"),
        (PostWishes(shape="3:1"), "there is no shape '3:1'"),  # type: ignore[arg-type]
        (PostWishes(profanity="shout"), "there is no profanity 'shout'"),  # type: ignore[arg-type]
    ],
)
def test_a_choice_that_cannot_be_is_told_with_those_that_can(tmp_path: Path, wishes: PostWishes, reason: str):
    with pytest.raises(InputUnusable, match=reason):
        check_wishes(wishes, post_choices(tmp_path))


def test_a_layout_that_is_kept_may_be_chosen_and_given_another_shape(tmp_path: Path):
    (tmp_path / "layouts.toml").write_text(LEFT)
    check_wishes(PostWishes(layout="left"), post_choices(tmp_path))

    as_kept = framing_of(PostSettings(layout="left"), tmp_path)
    square = framing_of(PostSettings(layout="left", shape="1:1"), tmp_path)

    assert as_kept == Framing(layout="crop", focus_x=0.25, shape="9:16")
    assert square == Framing(layout="crop", focus_x=0.25, shape="1:1")
    assert framing_of(PostSettings(shape="4:5"), tmp_path) == Framing(shape="4:5")


def test_a_layout_that_is_kept_no_more_is_told(tmp_path: Path):
    with pytest.raises(InputUnusable, match="there is no layout 'left'"):
        framing_of(PostSettings(layout="left"), tmp_path)


def test_an_empty_choice_of_a_form_is_none():
    form = {"preset": ["x", "tiktok"], "caption_style": ["calm"], "layout": [""], "title": ["hide"]}

    assert chosen_in(form) == PostWishes(presets=("x", "tiktok"), caption_style="calm", is_title_shown=False)
    assert chosen_in({}) == PostWishes()
    with pytest.raises(InputUnusable, match="show, hide"):
        chosen_in({"title": ["<b>"]})
