"""High dynamic range made standard: what a display of 1,000 nits shows, on one of 203.

One table from the encoded colour to the encoded colour holds the whole way: to light (ITU-R BT.2100, PQ or HLG),
rolled off towards white (BT.2390, 5.4.1, by the brightest of the three, so that hues stay), from the primaries of
BT.2020 to those of BT.709 (BT.2087), to the gamma of BT.1886. Diffuse white, 203 nits (BT.2408), becomes 90 % of
the signal; what is brighter has the rest.
"""

from __future__ import annotations

import contextlib
import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
PQ, HLG = 16, 18
HDR_TRANSFERS = (PQ, HLG)
SOURCE_PEAK_NITS, WHITE_NITS = 1000.0, 203.0
_SIZE = 33
_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float64
)
_BT2020_LUMA = np.array([0.2627, 0.6780, 0.0593], np.float64)


def standard_colour(encoded: Array, transfer: int) -> Array:
    """Return the BT.709 signal for a signal of high dynamic range.

    Args:
        encoded: R'G'B' of BT.2020, full scale 0 to 1, shape (..., 3).
        transfer: `PQ` or `HLG`, as FFmpeg numbers them.
    """
    nits = pq_nits(encoded) if transfer == PQ else _hlg_nits(encoded)
    brightest = np.maximum(nits.max(axis=-1, keepdims=True), 1e-6)
    light = nits * (_rolled_off(brightest) / brightest) / WHITE_NITS
    return np.asarray(np.clip(light @ _TO_BT709.T, 0, 1) ** (1 / 2.4), np.float64)


def pq_nits(signal: Array) -> Array:
    """BT.2100, table 4: the light of a PQ signal."""
    power = np.clip(signal, 0, 1) ** (1 / _M2)
    return np.asarray(10_000 * (np.maximum(power - _C1, 0) / (_C2 - _C3 * power)) ** (1 / _M1), np.float64)


def _pq_signal(nits: Array) -> Array:
    power = (nits / 10_000) ** _M1
    return np.asarray(((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2, np.float64)


def _hlg_nits(signal: Array) -> Array:
    """BT.2100, table 5, on a display of 1,000 nits: system gamma 1.2 on luminance."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    luminance = np.maximum(scene @ _BT2020_LUMA, 1e-9)[..., None]
    return np.asarray(SOURCE_PEAK_NITS * luminance**0.2 * scene, np.float64)


def _rolled_off(nits: Array) -> Array:
    peak = _pq_signal(np.array(SOURCE_PEAK_NITS))
    most = float(_pq_signal(np.array(WHITE_NITS)) / peak)
    knee = 1.5 * most - 0.5
    level = np.minimum(_pq_signal(nits) / peak, 1.0)
    t = np.clip((level - knee) / (1 - knee), 0, 1)
    bend = (
        (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * most
    )
    return pq_nits(np.where(level < knee, level, bend) * peak)


@functools.cache
def _table(transfer: int) -> str:
    axis = np.linspace(0, 1, _SIZE)
    blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")
    colours = standard_colour(np.stack([red, green, blue], axis=-1), transfer).reshape(-1, 3)
    return f"LUT_3D_SIZE {_SIZE}\n" + "\n".join(f"{r:.5f} {g:.5f} {b:.5f}" for r, g, b in colours) + "\n"


@contextlib.contextmanager
def table_file(transfer: int) -> Iterator[Path]:
    """Give the table as a `.cube` file that is gone when the block ends."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tones.cube"
        path.write_text(_table(transfer), encoding="ascii")
        yield path


def tone_steps(table: Path) -> list[tuple[str, str]]:
    """Return the filters that bring a picture, already scaled, to 8 bit 4:2:0 BT.709, limited range."""
    escaped = table.as_posix().replace(":", "\\:").replace("'", "\\'")
    return [
        ("format", "gbrp10le"),
        ("lut3d", f"file={escaped}:interp=tetrahedral"),
        ("scale", "flags=bicubic+accurate_rnd:out_color_matrix=bt709:out_range=tv"),
        ("format", "yuv420p"),
    ]
