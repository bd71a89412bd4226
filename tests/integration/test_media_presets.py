"""One clip to many presets: one decode, equal files encoded once, a brand around it, all of them or none."""

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import av
import numpy as np
import pytest
from PIL import Image

from coordinator.cli import main
from coordinator.errors import InputUnusable, MediaUnusable
from coordinator.media import commands
from coordinator.media.commands import export_all_command
from coordinator.media.intake import span as spans
from coordinator.media.output import export as exporting
from coordinator.media.output import making, presets
from coordinator.media.output.export import export, export_all
from coordinator.media.output.making import Order
from coordinator.model.exporting import About, Brand, CaptionWish, Chapter, Recipe
from coordinator.model.speech import Word
from tests.fakes.flash_clip import beeps_s, flashes_s, num_frames, write_clip

HI = (Word(text="hi", start_s=1.2, end_s=1.6),)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", duration_s=2.0, size=(160, 90))


@pytest.fixture(autouse=True)
def small_canvases(monkeypatch):
    """The same table with canvases of a quarter of the size: what is looked at here is no picture's detail."""
    rows = {
        name: dataclasses.replace(row, width=row.width // 8 * 2, height=row.height // 8 * 2)
        for name, row in presets.presets().items()
    }
    monkeypatch.setattr(presets, "presets", lambda: rows)
    return rows


def orders(folder, *names):
    return [Order(dst=folder / f"{name}.{presets.presets()[name].container}", preset=name) for name in names]


def test_many_presets_take_one_decode_and_equal_files_one_encoding(clip, tmp_path, monkeypatch):
    opened, written = [], []
    pictures, writer = spans.pictures, making.Mp4Writer
    monkeypatch.setattr(spans, "pictures", lambda *a, **k: opened.append(a) or pictures(*a, **k))
    monkeypatch.setattr(making, "Mp4Writer", lambda *a, **k: written.append(a) or writer(*a, **k))

    export(clip, tmp_path / "alone.mp4", Recipe(preset="tiktok"))
    num_alone = len(opened)
    results = export_all(
        clip, orders(tmp_path, "tiktok", "shorts", "reels", "square", "preview"), Recipe(preset="")
    )

    assert len(opened) == 2 * num_alone
    assert len(written) == 1 + 2
    assert [result.preset for result in results] == ["tiktok", "shorts", "reels", "square", "preview"]
    assert (tmp_path / "tiktok.mp4").read_bytes() == (tmp_path / "shorts.mp4").read_bytes()
    assert {num_frames(tmp_path / f"{name}.mp4") for name in ("tiktok", "shorts", "reels", "square")} == {60}


def test_where_one_preset_takes_no_such_clip_there_are_none(clip, tmp_path, small_canvases):
    small_canvases["x"] = dataclasses.replace(small_canvases["x"], max_duration_s=1.5)

    with pytest.raises(MediaUnusable, match=r"2 s is over x's 1\.5 s; choose a shorter part"):
        export_all(clip, orders(tmp_path, "source", "tiktok", "x"), Recipe(preset=""))

    assert list(tmp_path.iterdir()) == []


def test_a_moving_picture_shows_the_first_seconds_without_sound_or_words(clip, tmp_path, small_canvases):
    for name in ("preview", "preview-gif"):
        small_canvases[name] = dataclasses.replace(small_canvases[name], keeps_s=1.5)

    results = export_all(clip, orders(tmp_path, "preview", "preview-gif"), Recipe(preset="", words=HI))

    # At most 10 a second: 30 is halved to 15, and once more to 7.5.
    assert [(each.duration_s, each.lufs, each.captions) for each in results] == [(11 / 7.5, None, 0)] * 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["preview-gif.gif", "preview.webp"]
    for result in results:
        with Image.open(result.path) as image:
            assert (image.n_frames, image.size) == (11, (160, 90))
            first = np.asarray(image.convert("L"), np.int16)
            image.seek(5)
            assert np.abs(np.asarray(image.convert("L"), np.int16) - first).mean() > 2


def test_a_brand_stands_around_the_clip_where_the_preset_takes_it(clip, tmp_path):
    intro = write_clip(tmp_path / "intro.mp4", duration_s=0.8, size=(96, 96), fps=25, has_sound=False)
    outro = write_clip(tmp_path / "outro.mp4", duration_s=0.5, size=(96, 54), fps=60)
    recipe = Recipe(preset="", words=HI, brand=Brand(intro=str(intro), outro=str(outro)))

    results = export_all(clip, orders(tmp_path, "shorts", "discord"), recipe)

    assert [result.duration_s for result in results] == pytest.approx([3.3, 2.5], abs=0.02)
    # Heard and seen together, after a film without sound, too.
    for result, begins_s in zip(results, (0.8, 0.0), strict=True):
        marks = [t for t in flashes_s(result.path) if 0.2 < t - begins_s < 1.9]
        heard = [t for t in beeps_s(result.path) if 0.2 < t - begins_s < 1.9]
        assert marks == pytest.approx([begins_s + 1.0], abs=0.035)
        assert heard == pytest.approx(marks, abs=0.02)
    assert "00:00:02,0" in (tmp_path / "shorts.srt").read_text("utf-8")
    assert "00:00:01,2" in (tmp_path / "discord.srt").read_text("utf-8")


def test_a_watermark_stands_in_its_corner_where_the_platform_likes_marks(clip, tmp_path):
    mark = tmp_path / "mark.png"
    Image.new("RGBA", (40, 20), (255, 255, 255, 255)).save(mark)
    brand = Brand(watermark=str(mark), watermark_corner="bottom-right", watermark_opacity=1.0)

    export_all(clip, orders(tmp_path, "shorts", "tiktok"), Recipe(preset="", brand=brand))

    found = []
    for name in ("shorts", "tiktok"):
        with av.open(str(tmp_path / f"{name}.mp4")) as container:
            luma = next(container.decode(video=0)).to_ndarray(format="gray")
        found.append(int(luma[-25:-12, -40:-14].mean()))
    assert found[0] > 200 > 120 > found[1]


@pytest.mark.parametrize(("name", "text"), [("mark.png", "no PNG"), ("intro.mp4", "damaged")])
def test_a_brand_that_cannot_be_read_is_named(name, text, clip, tmp_path):
    (tmp_path / name).write_bytes(b"neither picture nor film")
    field = "watermark" if name == "mark.png" else "intro"

    with pytest.raises(MediaUnusable, match=text):
        export(
            clip, tmp_path / "post.mp4", Recipe(preset="shorts", brand=Brand(**{field: str(tmp_path / name)}))
        )


def test_a_file_says_what_it_is_and_names_its_chapters(clip, tmp_path):
    about = About(
        artist="Ann",
        comment="from a stream",
        chapters=(
            Chapter(start_s=0.0, title="before"),
            Chapter(start_s=0.2, title="begin"),
            Chapter(start_s=1.0, title="end"),
            Chapter(start_s=9.0, title="never"),
        ),
    )

    export(clip, tmp_path / "post.mp4", Recipe(preset="square", start_s=0.5, title="T", about=about))

    with av.open(str(tmp_path / "post.mp4")) as container:
        assert {key: container.metadata[key] for key in ("title", "artist", "comment")} == {
            "title": "T",
            "artist": "Ann",
            "comment": "from a stream",
        }
        chapters = [
            (float(each["start"] * each["time_base"]), each["metadata"]["title"])
            for each in container.chapters()
        ]
    assert chapters == [(0.0, "begin"), (pytest.approx(0.5, abs=0.002), "end")]


def test_a_card_that_gives_up_on_the_way_gives_way_to_x264(clip, tmp_path, monkeypatch):
    asked = []

    def settings_of(*arguments):
        asked.append(arguments[2])
        if arguments[2] != "libx264":
            raise MediaUnusable("the card was pulled out")
        return within_sizes(*arguments)

    within_sizes = exporting.render_within_sizes
    monkeypatch.setattr(exporting, "encoder_for", lambda wish: "h264_nvenc")
    monkeypatch.setattr(exporting, "render_within_sizes", settings_of)

    with pytest.MonkeyPatch.context() as quiet:
        quiet.setattr(exporting.log, "warning", lambda event, **_: asked.append(event))
        result = export(clip, tmp_path / "post.mp4", Recipe(preset="square", encoder="auto"))

    assert asked == ["h264_nvenc", "encoder_failed", "libx264"]
    assert num_frames(result.path) == 60


async def test_what_the_cache_holds_is_not_made_again(clip, tmp_path, monkeypatch):
    cache, first, second = tmp_path / "cache", tmp_path / "a.mp4", tmp_path / "b.mp4"
    recipe = Recipe(preset="square", words=HI)
    made = await export_all_command(clip, [(first, "square")], recipe, cache=cache)

    class Nobody:
        def __init__(self):
            raise AssertionError("it was made again")

    monkeypatch.setattr(commands, "LimitedMedia", Nobody)
    again = await export_all_command(clip, [(second, "square")], recipe, cache=cache)

    assert second.read_bytes() == first.read_bytes()
    assert second.with_suffix(".srt").read_text("utf-8") == first.with_suffix(".srt").read_text("utf-8")
    assert again == [made[0] | {"path": str(second)}]
    with pytest.raises(AssertionError, match="made again"):
        changed = dataclasses.replace(recipe, title="Another")
        await export_all_command(clip, [(second, "square")], changed, cache=cache)


async def test_what_cannot_be_read_in_the_cache_is_made_anew_and_kept(clip, tmp_path):
    cache, post = tmp_path / "cache", tmp_path / "a.mp4"
    recipe = Recipe(preset="square")
    made = await export_all_command(clip, [(post, "square")], recipe, cache=cache)
    (kept,) = cache.iterdir()
    (kept / "result.json").write_text("{", encoding="utf-8")

    assert await export_all_command(clip, [(post, "square")], recipe, cache=cache) == made
    assert json.loads((kept / "result.json").read_text("utf-8"))["preset"] == "square"


def test_the_command_writes_a_file_for_each_preset_into_a_folder(clip, tmp_path, capsys):
    kit = tmp_path / "kit.toml"
    Image.new("RGB", (10, 10), "red").save(tmp_path / "mark.png")
    kit.write_text('watermark = "mark.png"\nwatermark_width = 0.2\n', encoding="utf-8")

    wanted = ["--preset", "discord", "--preset", "preview", "--preset", "source", "--brand", str(kit)]
    code = main(
        ["export", str(clip), *wanted, "--chapter", "1=Boss", "-o", str(tmp_path / "posts"), "--json"]
    )

    made = json.loads(capsys.readouterr().out)["exports"]
    assert code == 0
    assert [each["preset"] for each in made] == ["discord", "preview", "source"]
    assert sorted(path.name for path in (tmp_path / "posts").iterdir()) == [
        "clip-discord.mp4",
        "clip-preview.webp",
        "clip-source.mp4",
    ]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--preset", "myspace"], "myspace"),
        (["--preset", "tiktok", "--preset", "myspace"], "myspace"),
        (["--preset", "tiktok", "--preset", "x", "-o", "FILE"], "name a folder"),
        (["--chapter", "Boss"], "12.5=Boss"),
        (["--brand", "KIT"], "watermark_width = 3"),
    ],
)
def test_a_command_that_cannot_be_is_refused_before_work(arguments, reason, clip, tmp_path, capsys):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "kit.toml").write_text("watermark_width = 3.0\n", encoding="utf-8")
    places = {"FILE": str(tmp_path / "file"), "KIT": str(tmp_path / "kit.toml")}
    output = [] if "-o" in arguments else ["-o", str(tmp_path / "post.mp4")]

    code = main(["export", str(clip), *(places.get(word, word) for word in arguments), *output, "--json"])

    error = json.loads(capsys.readouterr().out)["error"]
    assert (code, error["code"]) == (2, InputUnusable.code)
    assert reason in error["message"]
    assert not (tmp_path / "post.mp4").exists()


def test_presets_are_listed(capsys):
    assert main(["presets", "--json"]) == 0
    assert {"tiktok", "preview-gif"} <= {
        row["name"] for row in json.loads(capsys.readouterr().out)["presets"]
    }
    assert main(["presets"]) == 0
    assert "140 s" in capsys.readouterr().out


def test_a_presets_file_is_the_same_whatever_is_made_beside_it(clip, tmp_path):
    # Each app covers another part of the picture, and words keep clear of all of them.
    recipe = Recipe(preset="", words=HI, title="Now")
    alone, together = tmp_path / "alone.mp4", tmp_path / "together.mp4"

    export_all(clip, [Order(dst=alone, preset="tiktok")], recipe)
    beside = [Order(dst=tmp_path / f"{name}.mp4", preset=name) for name in ("shorts", "reels")]
    export_all(clip, [*beside, Order(dst=together, preset="tiktok")], recipe)

    assert _pictures(alone) == _pictures(together)


def _pictures(path):
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(container.streams.video[0])]


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal's Ctrl+C is a signal to a group of processes")
def test_ctrl_c_ends_an_export_at_once_and_leaves_nothing(tmp_path):
    src = write_clip(tmp_path / "clip.mp4", duration_s=8.0, is_restless=True)
    folder = tmp_path / "posts"
    # Whoever was started in the background ignores the signal, and hands that on.
    heeding = "signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"import signal, sys; from coordinator.cli import main; {heeding}; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "export", str(src), "-o", str(folder)]
    command += ["--preset", "vertical", "--preset", "discord"]
    with subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True) as child:
        try:
            assert appeared(folder)
            os.killpg(child.pid, signal.SIGINT)
            _, said = child.communicate(timeout=20)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)

    assert child.returncode == 130
    assert "Traceback" not in said
    assert list(folder.iterdir()) == []


def appeared(folder, within_s=60.0):
    """Wait until something unfinished lies in a folder."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if folder.is_dir() and any(path.stat().st_size > 10_000 for path in folder.glob(".*.partial")):
            return True
        time.sleep(0.05)
    return False


def test_a_second_try_that_is_needed_leaves_no_notes_behind(tmp_path, small_canvases):
    src = write_clip(tmp_path / "clip.mp4", duration_s=2.0, size=(320, 180), is_restless=True)
    small_canvases["discord"] = dataclasses.replace(small_canvases["discord"], max_size_bytes=120_000)
    (tmp_path / "posts").mkdir()

    result = export(src, tmp_path / "posts" / "post.mp4", Recipe(preset="discord"))

    assert 0.9 * 120_000 <= result.size_bytes <= 120_000
    assert [path.name for path in (tmp_path / "posts").iterdir()] == ["post.mp4"]
    assert np.isclose(result.duration_s, 2.0)


def test_a_title_that_is_not_to_be_seen_is_in_the_file_all_the_same(clip, tmp_path):
    def first_picture(name, **more):
        export(clip, tmp_path / name, Recipe(preset="vertical", title="Shit happens", **more))
        with av.open(tmp_path / name) as container:
            assert container.metadata["title"] == "Shit happens"
            return next(container.decode(video=0)).to_ndarray(format="gray").astype(int)

    without = first_picture("without.mp4", is_title_shown=False)
    plain = first_picture("plain.mp4")
    masked = first_picture("masked.mp4", captions=CaptionWish(profanity="mask"))

    assert np.abs(plain - without).max() > 100
    assert np.abs(plain - masked).max() > 60
    assert np.abs(masked - without).max() > 100
