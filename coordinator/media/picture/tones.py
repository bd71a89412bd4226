"""High dynamic range made standard: what a display of 1,000 nits shows, on one of 203.

The whole way, from the encoded colour to the encoded colour: to light (ITU-R BT.2100, PQ or HLG), rolled off towards
white (BT.2390, 5.4.1, by the brightest of the three, so that hues stay), from the primaries of BT.2020 to those of
BT.709 (BT.2087), to the gamma of BT.1886. Diffuse white, 203 nits (BT.2408), becomes 90 % of the signal; what is
brighter has the rest.

`standard_colour` is that; `Tones` does it to pictures, fast: a table of three dimensions for every fourth pixel, as
many as there is chroma, says the chroma and which share of grey's luma is left, and a curve says grey's luma for every
pixel. 1080p: 10 ms of CPU, where the table for every pixel took 59 on the same machine.
"""

from __future__ import annotations

import contextlib
import functools
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from av.filter.context import FilterContext
from av.filter.graph import Graph
from av.video.frame import VideoFrame

Array = npt.NDArray[np.float64]
PQ, HLG = 16, 18
HDR_TRANSFERS = (PQ, HLG)
SOURCE_PEAK_NITS, WHITE_NITS = 1000.0, 203.0
_SIZE = 49
# Of 1,023 that an unchanged luma is; there is a little room above, and no share of what is nearly black.
_SHARE_ONE, _MAX_SHARE, _DARKEST = 600, 1.7, 0.002
# From 16 to 8 bit swscale dithers, and comes out a quarter of a step too low.
_DITHER = 0.25
# An eighth of a picture in 1080p.
_BAND_PX = 1920 * 135
_RED, _GREEN, _BLUE = range(3)
# A fifth of a step of 8 bit.
_STRAIGHT = 0.001
_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float64
)
_BT709_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float64)
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
def _grey(transfer: int) -> Array:
    """Return how bright grey becomes, 0 to 1, for each luma of 10 bit, limited range; shape (1024,)."""
    signal = np.clip((np.arange(1024) - 64) / 876, 0, 1)
    return standard_colour(signal[:, None].repeat(3, axis=1), transfer)[:, 0]


@functools.cache
def _table(transfer: int) -> str:
    """Return the `.cube` from R'G'B' of BT.2020 to (Cr, share of grey's luma, Cb) of BT.709, as 16 bit full scale.

    Not to luma itself, because what is looked up is half as large as the picture: within four pixels the share
    stays where the luma changes, as a texture's colour does.
    """
    axis = np.linspace(0, 1, _SIZE)
    green, red = np.meshgrid(axis, axis, indexing="ij")
    # Blue by blue, so that it takes no memory worth mentioning.
    planes = (
        _table_rows(np.stack([red, green, np.full_like(red, blue)], axis=-1), transfer) for blue in axis
    )
    return "\n".join([f"LUT_3D_SIZE {_SIZE}", *planes, ""])


def _table_rows(encoded: Array, transfer: int) -> str:
    shown = standard_colour(encoded, transfer).reshape(-1, 3)
    luma = shown @ _BT709_LUMA
    light = (encoded @ _BT2020_LUMA).ravel()
    grey = np.interp(64 + 876 * light, np.arange(1024), _grey(transfer))
    share = np.clip(luma / np.maximum(grey, _DARKEST), 0, _MAX_SHARE)
    cb, cr = ((shown[:, n] - luma) / (2 * (1 - _BT709_LUMA[n])) for n in (2, 0))
    cb, cr = ((128 + _DITHER + 224 * plane) / 255 for plane in (cb, cr))
    rows = np.stack([cr, share * _SHARE_ONE / 1023, cb], axis=-1)
    return "\n".join(f"{r:.5f} {g:.5f} {b:.5f}" for r, g, b in rows.tolist())


@contextlib.contextmanager
def table_file(transfer: int) -> Iterator[Path]:
    """Give the table as a `.cube` file that is gone when the block ends."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tones.cube"
        path.write_text(_table(transfer), encoding="ascii")
        yield path


class Tones:
    """Makes pictures of one size and transfer standard. One thread.

    Goes over a picture in bands, because the filters keep several copies of what they work on, and the last one
    until the next comes: of a band that is little, and it stays in the processor's cache.
    """

    def __init__(self, width: int, height: int, transfer: int) -> None:
        """Read the table, which takes half a second of CPU, a fifth once a table was read.

        Args:
            width, height: in pixels, both even.
        """
        rows = min(height, max(2, _BAND_PX // width // 2 * 2))
        # The last band overlaps the one before, so that all are equally high.
        self._tops = [*range(0, height - rows, rows), height - rows]
        self._size = width, height
        self._band = VideoFrame(width, rows, "yuv420p10le")
        self._num_bands = 0
        with table_file(transfer) as table:
            self._graph = _graph(width, rows, transfer, table)

    def standard(self, frame: VideoFrame) -> VideoFrame:
        """Return a new picture, yuv420p, BT.709, limited range, of one in yuv420p10le, BT.2020, limited range."""
        shown = VideoFrame(*self._size, "yuv420p")
        sources, targets = _planes(frame, np.uint16), _planes(shown, np.uint8)
        for top in self._tops:
            self._band.make_writable()
            for number, part in enumerate(_planes(self._band, np.uint16)):
                first = top if number == 0 else top // 2
                part[:] = sources[number][first : first + part.shape[0]]
            self._num_bands += 1
            self._band.pts = self._num_bands  # Filters that join planes go by their times.
            self._graph.vpush(self._band)
            for number, done in enumerate(_planes(self._graph.vpull(), np.uint8)):
                first = top if number == 0 else top // 2
                targets[number][first : first + done.shape[0]] = done
        shown.color_range = shown.colorspace = shown.color_primaries = shown.color_trc = 1
        return shown


def _planes(frame: VideoFrame, kind: type[np.generic]) -> list[npt.NDArray[Any]]:
    size = np.dtype(kind).itemsize
    return [
        np.frombuffer(cast("memoryview", plane), kind).reshape(-1, plane.line_size // size)[
            : plane.height, : plane.width
        ]
        for plane in frame.planes
    ]


def _graph(width: int, height: int, transfer: int, table: Path) -> Graph:
    """Return the filters for a picture: yuv420p10le, BT.2020, limited range, to yuv420p, BT.709."""
    graph = Graph()
    graph.threads = 1
    whole = f"video_size={width}x{height}:pix_fmt=yuv420p10le:time_base=1/1000:colorspace=9:range=1"
    both = _chained(graph, graph.add("buffer", whole), [("split", "2")])
    # Three channels for every fourth pixel: for each it would cost four times as much, and nobody sees it.
    half = (
        # As wide and high as the chroma, which is not moved.
        ("scale", f"{width // 2}:{height // 2}:flags=area:in_color_matrix=bt2020:in_range=tv"),
        ("format", "gbrp16le"),
        ("lut3d", f"file={_escaped(table)}:interp=tetrahedral"),
        ("extractplanes", "r+g+b"),
    )
    luma = _chained(graph, both, [("extractplanes", "y")])
    colours = _chained(graph, both, half, 1)
    enlarged = ("scale", f"{width}:{height}:flags=neighbor"), ("format", "gray10le")
    share = _chained(graph, colours, enlarged, _GREEN)
    bright = graph.add("lut2", f"c0='{_brightness(transfer)}':d=8")
    luma.link_to(bright, 0, 0)
    share.link_to(bright, 0, 1)
    merged = graph.add("mergeplanes", "map1s=1:map2s=2:format=yuv420p")
    bright.link_to(merged, 0, 0)
    for number, channel in enumerate((_BLUE, _RED), 1):
        _chained(graph, colours, (("format", "gray"),), channel).link_to(merged, 0, number)
    _chained(graph, merged, [("buffersink", "")])
    graph.configure()
    return graph


def _chained(
    graph: Graph, head: FilterContext, steps: Sequence[tuple[str, str]], output: int = 0
) -> FilterContext:
    """Add filters, (name, arguments), one after the other behind an output of `head`; return the last."""
    for name, arguments in steps:
        node = graph.add(name, arguments)
        head.link_to(node, output)
        head, output = node, 0
    return head


def _escaped(path: Path) -> str:
    return path.as_posix().replace(":", "\\:").replace("'", "\\'")


def _brightness(transfer: int) -> str:
    """Return luma of 8 bit, limited range, as the filters' expression of luma (x) and share (y), both of 10 bit."""
    grey = _grey(transfer)
    return f"16.5+219*min(1,y/{_SHARE_ONE}*({_straight_lines(grey, 0, len(grey) - 1)}))"


def _straight_lines(values: Array, first: int, last: int) -> str:
    """Return `values` from an index to another as an expression of x: straight where that is near enough."""
    low, high = float(values[first]), float(values[last])
    if np.abs(np.linspace(low, high, last - first + 1) - values[first : last + 1]).max() < _STRAIGHT:
        return f"{low:.6f}+{(high - low) / (last - first):.8f}*(x-{first})"
    middle = (first + last) // 2
    return (
        f"if(lt(x,{middle}),{_straight_lines(values, first, middle)},{_straight_lines(values, middle, last)})"
    )
