"""kill -9 between a clip's file and its row: the next start puts them right, and looks at no other file."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent.config import Clips
from tests.fakes.desk_here import DeskHere, span_s
from tests.fakes.encoded_match import encode_match
from tests.fakes.read_clip import see

ROOT = Path(__file__).parents[2]
# Presses at 3 s and, where there are two, again at 5 s; dies at the moment that it is told.
SCRIPT = """\
import os, signal, sys
from pathlib import Path
from agent.config import Clips
from tests.fakes.desk_here import DeskHere
from tests.fakes.encoded_match import encode_match

folder, moment, num_presses = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
desk = DeskHere(folder, clips=Clips(press_length_s=2), match=encode_match(duration_s=6))

def die(*_args, **_options):
    os.kill(os.getpid(), signal.SIGKILL)

def arm():
    if moment == "before the file":
        desk.writer.write = die
    elif moment == "before it is noted":
        real = desk.writer.write
        desk.writer.write = lambda *args, **options: (real(*args, **options), die())
    elif moment == "before the row":
        desk.library.add_clip = die
    elif moment == "in the trash":
        desk.library.set_trashed = die

if num_presses == 1 and moment != "in the trash":
    arm()
clip = desk.tap(3)
arm()
if moment == "in the trash":
    desk.desk.trash(clip.clip_id)
if num_presses == 3:
    # As long as before, so that only the file itself tells which one it is.
    desk.desk.move_ends(clip.clip_id, start_ns=clip.start_ns + 10**9, end_ns=clip.end_ns + 10**9)
desk.tap(5)
"""


def die_at(folder: Path, moment: str, num_presses: int) -> DeskHere:
    """Run the script until it kills itself; returns the desk of the next start."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder), moment, str(num_presses)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    return DeskHere(
        folder, clips=Clips(press_length_s=2), session_id="later", match=encode_match(duration_s=3)
    )


SLOW = pytest.mark.slow


@pytest.mark.parametrize("moment", ["before it is noted", pytest.param("before the row", marks=SLOW)])
def test_a_clip_without_a_row_gets_one(tmp_path: Path, moment: str):
    desk = die_at(tmp_path, moment, 1)

    (clip,) = desk.library.clips()
    desk.close()

    assert span_s(clip) == (1.0, 3.0)
    assert see(Path(clip.path)).numbers == list(range(30, 90))
    assert (clip.session_id, clip.size_bytes) == ("s", Path(clip.path).stat().st_size)
    assert list(desk.paths.journal.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before it is noted", "before the row"])
def test_a_row_follows_the_file_that_took_the_first_ones_place(tmp_path: Path, moment: str):
    desk = die_at(tmp_path, moment, 2)

    (clip,) = desk.library.clips()
    desk.close()

    assert span_s(clip) == (1.0, 5.0)
    assert see(Path(clip.path)).numbers == list(range(30, 150))


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before it is noted", "before the file"])
def test_ends_that_moved_by_as_much_are_told_from_those_before(tmp_path: Path, moment: str):
    desk = die_at(tmp_path, moment, 3)

    (clip,) = desk.library.clips()
    desk.close()

    is_moved = moment == "before it is noted"
    assert span_s(clip) == ((2.0, 4.0) if is_moved else (1.0, 3.0))
    assert see(Path(clip.path)).numbers[0] == (60 if is_moved else 30)


@pytest.mark.slow
@pytest.mark.parametrize("num_presses", [1, 2])
def test_what_was_not_written_yet_changes_nothing(tmp_path: Path, num_presses: int):
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "my film.mp4").write_bytes(b"the user's own")

    desk = die_at(tmp_path, "before the file", num_presses)
    clips = desk.library.clips()
    desk.close()

    assert [span_s(clip) for clip in clips] == [(1.0, 3.0)][: num_presses - 1]
    assert sorted(path.name for path in desk.folder.iterdir())[num_presses - 1 :] == ["my film.mp4"]


@pytest.mark.slow
def test_a_clip_on_its_way_to_the_trash_arrives_there(tmp_path: Path):
    desk = die_at(tmp_path, "in the trash", 1)

    (clip,) = desk.library.clips(is_trash=True)
    restored = desk.desk.restore(clip.clip_id)
    desk.close()

    assert Path(restored.path).parent == desk.folder
    assert span_s(restored) == (1.0, 3.0)
    assert Path(restored.path).is_file()
