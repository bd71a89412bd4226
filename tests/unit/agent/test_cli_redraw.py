"""Lines that are shown again in the same place."""

from __future__ import annotations

import io
import os
from unittest import mock

from agent.cli.redraw import Redraw


def shown(*showings: list[str], columns: int = 80, rows: int = 24) -> list[str]:
    """What a terminal that knows our three sequences shows in the end."""
    written = io.StringIO()
    with mock.patch.dict(os.environ, {"COLUMNS": str(columns), "LINES": str(rows)}):
        redraw = Redraw(written)
        for lines in showings:
            redraw.show(lines)
    screen: list[str] = []
    row = 0
    for part in written.getvalue().replace("\x1b[J", "\0J\0").replace("\x1b[K", "").split("\0"):
        if part == "J":
            del screen[row:]
            continue
        text = part
        while text.startswith("\x1b["):
            number, text = text[2:].split("F", 1)
            row -= int(number)
        for line in text.splitlines():
            screen[row : row + 1] = [line]
            row += 1
    return screen


def test_the_second_showing_takes_the_place_of_the_first():
    assert shown(["ready 0:01", "a"], ["ready 0:02", "b"]) == ["ready 0:02", "b"]


def test_fewer_lines_leave_nothing_of_the_others():
    assert shown(["problem", "ALARM black", "x"], ["ready"]) == ["ready"]


def test_a_long_line_is_cut_so_that_it_does_not_wrap():
    assert shown(["x" * 200], ["y" * 200], columns=20) == ["y" * 19]


def test_only_as_many_lines_as_fit():
    assert shown(["a", "b", "c", "d"], ["1", "2", "3", "4"], rows=3) == ["1", "2"]
