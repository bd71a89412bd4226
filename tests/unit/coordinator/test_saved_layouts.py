"""Layouts that a streamer keeps are read, found by name, and refused by the key that is wrong."""

import json

import pytest

from coordinator.cli import main
from coordinator.config import load_config
from coordinator.errors import InputUnusable
from coordinator.layouts import BUILT_IN, layout_named, saved_layouts
from coordinator.model.framing import Framing, Rectangle
from tests.fakes.flash_clip import write_clip

DUO = """
[layouts.duo]
layout = "stack"
camera = { x = 0.02, y = 0.68, width = 0.24, height = 0.3 }
camera_at = "bottom"
camera_share = 0.4

[layouts.left]
layout = "crop"
focus_x = 0.25
shape = "9:16"
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "layouts.toml"
    path.write_text(DUO)
    return path


def test_a_saved_layout_is_read_with_every_value(file):
    found = saved_layouts(file)

    assert found["duo"] == Framing(
        layout="stack",
        camera=Rectangle(x=0.02, y=0.68, width=0.24, height=0.3),
        camera_at="bottom",
        camera_share=0.4,
    )
    assert found["left"] == Framing(layout="crop", focus_x=0.25, shape="9:16")


def test_those_that_are_built_in_need_no_file(tmp_path):
    for name, framing in BUILT_IN.items():
        assert layout_named(name, tmp_path / "layouts.toml") == framing


def test_a_name_that_there_is_not_is_told_with_those_there_are(file):
    with pytest.raises(InputUnusable, match="'trio'; choose one of blur, crop, duo, fit, follow, left"):
        layout_named("trio", file)
    with pytest.raises(InputUnusable, match="stack needs a camera"):
        layout_named("stack", file)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[layouts.a\n", "mend or delete it"),
        ("[layout.a]\n", r"unknown key layout; a layout begins with \[layouts.NAME\]"),
        ("layouts = 3\n", "no table"),
        ("[layouts]\na = 3\n", "layouts.a = 3 is no table"),
        ("[layouts.a]\nfocus_x = 0.5\n", "layouts.a.layout is missing: give blur"),
        ('[layouts.blur]\nlayout = "crop"\n', "layouts.blur: that name is taken"),
        ('[layouts.a]\nlayout = "pile"\n', "layouts.a.layout: invalid enum value 'pile'"),
        (
            '[layouts.a]\nlayout = "crop"\nfocusx = 0.5\n',
            "layouts.a: unknown key focusx; did you mean focus_x",
        ),
        ('[layouts.a]\nlayout = "crop"\nfocus_x = "left"\n', "layouts.a.focus_x: expected `float`"),
        ('[layouts.a]\nlayout = "crop"\nfocus_x = 1.5\n', "layouts.a.focus_x = 1.5 is not 0 to 1"),
        ('[layouts.a]\nlayout = "stack"\n', "layouts.a.camera is missing: give x, y, width and height"),
        (
            '[layouts.a]\nlayout = "stack"\ncamera = { x = 0, y = 0, w = 1, height = 1 }\n',
            "layouts.a.camera: unknown key w",
        ),
        (
            '[layouts.a]\nlayout = "stack"\ncamera = { x = 0, y = 0, width = 1 }\n',
            "layouts.a.camera: object missing required field `height`",
        ),
        (
            '[layouts.a]\nlayout = "stack"\ncamera = { x = 0.9, y = 0, width = 0.2, height = 0.2 }\n',
            "layouts.a.camera.width = 0.2 is not at most what is left",
        ),
    ],
)
def test_what_is_wrong_is_told_by_its_key(text, reason, tmp_path):
    path = tmp_path / "layouts.toml"
    path.write_text(text)

    with pytest.raises(InputUnusable, match=reason):
        saved_layouts(path)


def told(capsys, *words):
    status = main([*map(str, words), "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_the_command_lists_shows_and_tries_layouts_and_makes_thumbnails(file, tmp_path, capsys):
    clip = write_clip(tmp_path / "clip.mp4", duration_s=1, size=(320, 180))
    data = "--data", tmp_path

    status, listed = told(capsys, *data, "layouts", "list")
    assert status == 0
    assert [row["name"] for row in listed["layouts"]] == ["blur", "fit", "crop", "follow", "duo", "left"]

    status, shown = told(capsys, *data, "layouts", "show", "duo")
    assert (status, shown["camera_at"], shown["camera"]["width"]) == (0, "bottom", 0.24)

    still = tmp_path / "still.jpg"
    status, tried = told(
        capsys, *data, "layouts", "preview", clip, "--layout", "duo", "--camera", "0,0,0.5,0.5", "-o", still
    )
    assert (status, tried["width"], tried["height"]) == (0, 1080, 1920)
    assert tried["parts"][0][:2] == pytest.approx([0.0, 0.0], abs=0.1) and 0.4 < tried["shown_share"] < 1
    assert still.stat().st_size > 1000

    post = tmp_path / "post.mp4"
    status, exported = told(
        capsys, *data, "export", clip, "--preset", "discord", "--layout", "left", "-o", post
    )
    assert (status, exported["width"], exported["height"], exported["shown_share"]) == (0, 720, 1280, 0.319)

    status, made = told(capsys, *data, "thumbnail", clip, "--peak", "0.5", "-o", tmp_path / "post.jpg")
    assert status == 0
    assert [one["path"] for one in made["thumbnails"]] == [str(tmp_path / "post.jpg")]


@pytest.mark.parametrize(
    "words",
    [
        ["layouts", "show", "trio"],
        ["layouts", "preview", "CLIP", "--layout", "stack", "-o", "OUT"],
        ["layouts", "preview", "CLIP", "--layout", "stack", "--camera", "1,2", "-o", "OUT"],
        ["layouts", "preview", "CLIP", "--layout", "blur", "--preset", "myspace", "-o", "OUT"],
        ["thumbnail", "CLIP", "--count", "40", "-o", "OUT"],
        ["export", "CLIP", "--layout", "trio", "-o", "OUT"],
    ],
)
def test_what_makes_no_sense_is_a_usage_problem(words, file, tmp_path, capsys):
    (tmp_path / "clip.mp4").write_bytes(b"never opened")
    named = {"CLIP": tmp_path / "clip.mp4", "OUT": tmp_path / "out"}

    status, answer = told(capsys, "--data", tmp_path, *(named.get(word, word) for word in words))

    assert (status, answer["error"]["code"]) == (2, "input_unusable")
    assert not (tmp_path / "out").exists()


def test_a_configuration_that_names_a_layout_that_is_not_kept_is_refused(file, tmp_path):
    (tmp_path / "coordinator.toml").write_text('[auto_export]\nlayout = "duo"\n')
    assert load_config(tmp_path, environment={}).auto_export.layout == "duo"

    file.unlink()
    with pytest.raises(InputUnusable, match="there is no layout 'duo'"):
        load_config(tmp_path, environment={})
