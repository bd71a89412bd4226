"""A clip's name is safe everywhere and never one that is taken."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.clip.names import ClipNamer, clip_name, safe_text
from agent.errors import InputUnusable

AT = datetime.datetime(2026, 3, 31, 20, 5, 9, tzinfo=datetime.UTC)
TEMPLATE = "{date}_{time}_{title}"


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Ace on B", "2026-03-31_20-05-09_Ace on B"),
        ("", "2026-03-31_20-05-09"),
        ("../../etc/passwd", "2026-03-31_20-05-09_etc passwd"),  # no folder can be left
        ('a<b>:"c|d?*\n', "2026-03-31_20-05-09_a b c d"),  # what Windows forbids
        ("{date}", "2026-03-31_20-05-09_{date}"),  # a title is no template
        ("naïve 日本", "2026-03-31_20-05-09_naïve 日本"),
    ],
)
def test_a_name_holds_day_time_and_title(title, name):
    assert clip_name(TEMPLATE, title=title, at=AT) == name


@given(st.text(max_size=400))
def test_any_text_becomes_safe(text):
    safe = safe_text(text)

    assert not set(safe) & set('<>:"/\\|?*\0\n')
    assert len(safe.encode()) <= 181
    assert safe == safe.strip(" .")


@pytest.mark.parametrize("name", ["CON", "nul", "Com1"])
def test_names_that_windows_keeps_for_itself_are_changed(name):
    assert safe_text(name) == f"{name}_"


@pytest.mark.parametrize("template", ["{game}", "{", "{0}", "{title.nothing}"])
def test_an_unknown_field_is_told_at_once(tmp_path, template):
    with pytest.raises(InputUnusable, match="date"):
        ClipNamer(tmp_path, template)


def test_a_name_can_tell_length_and_number(tmp_path):
    namer = ClipNamer(tmp_path, "{number:03} {title} {length}", num_before=7)

    assert namer.next_path(title="clip", at=AT, length_s=29.97).name == "008 clip 30s.mp4"
    assert namer.next_path(title="clip", at=AT, length_s=4.2).name == "009 clip 4s.mp4"


@pytest.mark.parametrize(
    ("template", "name", "renamed"),
    [
        ("{title} {length}", "clip 30s", "clip 90s"),
        ("{length} {title}", "30s clip", "90s clip"),
        ("{title}", "clip 30s", "clip 30s"),  # the title's own words
        ("{title} {length}", "my own name", "my own name"),  # the user renamed it
    ],
)
def test_a_name_that_tells_the_length_follows_it(tmp_path, template, name, renamed):
    path = tmp_path / f"{name}.mp4"

    found = ClipNamer(tmp_path, template).renamed(path, old_length_s=30.0, length_s=90.0)

    assert found == tmp_path / f"{renamed}.mp4"


def test_a_taken_name_gets_a_number(tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"")
    (tmp_path / "clip-2.mp4").write_bytes(b"")

    assert ClipNamer(tmp_path, "clip").next_path(title="", at=AT).name == "clip-3.mp4"


def test_a_name_is_given_once_even_before_its_file_exists(tmp_path):
    namer = ClipNamer(tmp_path, "clip")

    assert [namer.next_path(title="", at=AT).name for _ in range(2)] == ["clip.mp4", "clip-2.mp4"]
