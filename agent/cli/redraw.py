"""Lines that are shown again and again in the same place of a terminal, without curses.

Each showing goes back to where the last one began and writes over it. Lines are cut to the terminal's width: one
that wraps would move all that follows.
"""

from __future__ import annotations

import os
import shutil
from typing import TextIO

_UP = "\x1b[{}F"  # to the first column, so many lines up
_CLEAR_REST_OF_LINE = "\x1b[K"
_CLEAR_BELOW = "\x1b[J"


class Redraw:
    """Owns the lines below the cursor of one terminal."""

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal
        self._num_shown = 0
        if os.name == "nt":
            # An empty command makes older consoles of Windows understand the sequences.
            os.system("")

    def show(self, lines: list[str]) -> None:
        """Show these in place of the last ones."""
        size = shutil.get_terminal_size()
        # What scrolled out at the top cannot be written over: as many as fit, the most important first.
        shown = [line[: max(1, size.columns - 1)] for line in lines[: max(1, size.lines - 1)]]
        text = _UP.format(self._num_shown) if self._num_shown else ""
        text += "".join(f"{line}{_CLEAR_REST_OF_LINE}\n" for line in shown) + _CLEAR_BELOW
        self._terminal.write(text)
        self._terminal.flush()
        self._num_shown = len(shown)
