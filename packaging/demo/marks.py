"""A frame number that survives encoding, scaling and tearing: 24 black or white cells along the picture's top.

Twenty bits count, most significant first; four check them, so that a frame torn or blended within the bar is
not read as another. Numpy only, and no import of ours, so that any test or bench may load it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

NUM_CELLS = 24
HEIGHT_SHARE = 1 / 30  # of the picture's height
MAX_FRAME = (1 << 20) - 1


def cells(frame: int) -> tuple[bool, ...]:
    """The bar of a frame, left to right; True is white. Counts round at 2 ** 20."""
    number = frame & MAX_FRAME
    code = number << 4 | _check(number)
    return tuple(bool(code >> (NUM_CELLS - 1 - index) & 1) for index in range(NUM_CELLS))


def read(luma: npt.NDArray[np.uint8]) -> int | None:
    """The frame number in a picture's brightness (uint8, shape (height, width)), or None where it has none."""
    height, width = luma.shape
    row = luma[round(height * HEIGHT_SHARE / 2)]
    centres = ((np.arange(NUM_CELLS) + 0.5) * width / NUM_CELLS).astype(int)
    values = row[centres].astype(int)
    # Neither black nor white: no bar here, or two of them blended.
    if np.any((values > 85) & (values < 170)):
        return None
    code = int("".join("1" if value >= 170 else "0" for value in values), 2)
    number, check = code >> 4, code & 0xF
    return number if check == _check(number) else None


def _check(number: int) -> int:
    """Four bits that change with any single cell, and are not 0 for frame 0 (an all-black bar is none)."""
    return (sum((number >> shift & 0xF) * factor for shift, factor in _WEIGHTS) + 9) % 16


_WEIGHTS = ((0, 1), (4, 3), (8, 5), (12, 7), (16, 11))
