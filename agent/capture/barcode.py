"""A frame number that survives encoding and scaling: 24 black or white cells along the picture's top.

Twenty bits count, most significant first; four check them, so that a torn or blended frame is not read as
another. The bar takes the top thirtieth of the picture.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

NUM_CELLS = 24
MAX_NUMBER = (1 << 20) - 1
_HEIGHT_SHARE = 1 / 30
# One factor for each group of four bits: a changed cell changes the check.
_FACTORS = (1, 3, 5, 7, 11)
_BLACK, _WHITE = 16, 235  # of limited-range luma


def draw(luma: npt.NDArray[np.uint8], number: int) -> None:
    """Write `number` (counted round at 2 ** 20) into the top of `luma`, uint8, shape (height, width)."""
    height, width = luma.shape
    code = (number & MAX_NUMBER) << 4 | _check(number & MAX_NUMBER)
    bits = np.array([code >> (NUM_CELLS - 1 - index) & 1 for index in range(NUM_CELLS)], np.uint8)
    columns = np.arange(width) * NUM_CELLS // width
    luma[: max(2, round(height * _HEIGHT_SHARE))] = np.where(bits[columns] == 1, _WHITE, _BLACK)


def read(luma: npt.NDArray[np.uint8]) -> int | None:
    """The number in a picture's luma (uint8, shape (height, width)), or None where there is none."""
    height, width = luma.shape
    row = luma[max(1, round(height * _HEIGHT_SHARE / 2))]
    centres = ((np.arange(NUM_CELLS) + 0.5) * width / NUM_CELLS).astype(int)
    values = row[centres]
    # Neither black nor white: no bar here, or two of them blended.
    if np.any((values > 85) & (values < 170)):
        return None
    code = 0
    for value in values:
        code = code << 1 | int(value >= 170)
    number, check = code >> 4, code & 0xF
    return number if check == _check(number) else None


def _check(number: int) -> int:
    """Four bits, not 0 for number 0: an all-black bar is none."""
    return (sum((number >> 4 * place & 0xF) * factor for place, factor in enumerate(_FACTORS)) + 9) % 16
