"""Scratch of workers that no supervisor of ours keeps: it goes once its process has, and not before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from coordinator.ops.scratch import own_folder

_HOLDER = """
import sys, time
from pathlib import Path
from coordinator.ops.scratch import own_folder
with own_folder(Path(sys.argv[1])) as folder:
    (folder / "half.mp4").write_bytes(b"half")
    print(folder.name, flush=True)
    time.sleep(600)
"""


def folders(parent: Path) -> set[str]:
    return {path.name for path in parent.iterdir() if path.is_dir()}


def test_what_a_killed_worker_left_is_removed_by_the_next_and_a_living_one_s_is_not(tmp_path: Path):
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    try:
        name = holder.stdout.readline().strip()
        with own_folder(tmp_path) as beside:
            (beside / "mine.mp4").write_bytes(b"mine")
            assert folders(tmp_path) == {name, beside.name}

            holder.kill()
            holder.wait(10)
            with own_folder(tmp_path) as after:
                assert folders(tmp_path) == {beside.name, after.name}
                assert (beside / "mine.mp4").read_bytes() == b"mine"
    finally:
        holder.kill()
        holder.wait(10)
        holder.stdout.close()

    assert folders(tmp_path) == set()


def test_files_of_a_release_that_locked_nothing_are_removed_too(tmp_path: Path):
    (tmp_path / "tmpabc").mkdir()
    (tmp_path / "tmpabc" / "export.mp4").write_bytes(b"half")

    with own_folder(tmp_path) as folder:
        assert folders(tmp_path) == {folder.name}
