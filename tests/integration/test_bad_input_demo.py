"""What the demo is given wrong: refused before anything is started, in one object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.fakes.told_command import no_free_port, refusal

pytestmark = pytest.mark.timeout(60)
DEMO = ("packaging/demo/run.py", "--offline", "--json")


def write_sound(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=48_000)
        stream.layout = "mono"
        silence = np.zeros((1, 48_000), np.float32)
        frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        frame.sample_rate = 48_000
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)


def prepare(kind: str, path: Path) -> None:
    """Put the named kind of bad recording at `path`."""
    if kind == "folder":
        path.mkdir()
    elif kind == "sound only":
        write_sound(path)
    elif kind == "cut off":
        write_sound(path)
        path.write_bytes(path.read_bytes()[:700])
    elif kind != "missing":
        path.write_bytes({"empty": b"", "text": b"hello\n" * 100}[kind])


@pytest.mark.parametrize(
    ("kind", "exit_code", "said"),
    [
        ("missing", 2, "no such file"),
        ("empty", 2, "empty"),
        ("folder", 2, "folder"),
        ("text", 1, "cannot be played"),
        ("cut off", 1, "cannot be played"),
        ("sound only", 1, "no picture"),
    ],
)
def test_a_recording_that_cannot_be_played_is_refused_by_name(
    kind: str, exit_code: int, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "given.mp4"
    prepare(kind, path)

    found = refusal(*DEMO, "--out", tmp_path / "out", "--video", path)

    assert found[:2] == (exit_code, "input_unusable")
    assert str(path) in found[2]
    assert said in found[2]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "words",
    [["--seconds", "0"], ["--seconds", "-1"], ["--seconds", "abc"], ["--seconds", "nan"], ["--fly"]],
    ids=" ".join,
)
def test_a_wrong_word_is_named(words: list[str]) -> None:
    exit_code, code, message = refusal(*DEMO, *words)

    assert (exit_code, code) == (2, "usage")
    assert words[-1] in message


def test_results_that_cannot_be_written_are_said_before_anything_starts() -> None:
    exit_code, _, message = refusal(*DEMO, "--out", "/dev/null/results")

    assert exit_code == 3
    assert "--out /dev/null/results" in message


@pytest.mark.parametrize(
    ("display", "named"), [({}, "no DISPLAY"), ({"DISPLAY": ":987"}, "DISPLAY=:987")], ids=["none", "dead"]
)
def test_a_real_screen_that_is_not_there_is_refused(
    display: dict[str, Any], named: str, tmp_path: Path
) -> None:
    found = refusal(*DEMO, "--out", tmp_path, "--screen", "real", environment=display)

    assert found[:2] == (3, "screen_unavailable")
    assert named in found[2]


def test_no_free_port_is_said_before_anything_starts(tmp_path: Path) -> None:
    found = refusal(*DEMO, "--out", tmp_path, before=no_free_port())

    assert found[:2] == (3, "port_busy")
    assert "40000-40001" in found[2]
    assert "ip_local_port_range" in found[2]
