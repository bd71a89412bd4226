"""What an export preset asks for, read from `presets.toml` beside this file."""

from __future__ import annotations

import dataclasses
import functools
import tomllib
from pathlib import Path
from typing import Any, Literal

from coordinator.errors import MediaUnusable

_PATH = Path(__file__).with_name("presets.toml")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One row of the table; the file explains the columns."""

    name: str
    about: str = ""
    layout: Literal["canvas", "fit", "copy"]
    container: Literal["mp4", "gif", "webp"] = "mp4"
    width: int = 0
    height: int = 0
    zoom: float = 1.0
    max_rate: int = 60
    x264_preset: str = "veryfast"
    crf: float = 21.0
    max_bitrate_bps: int | None = None
    audio_bitrate_bps: int = 160_000
    max_duration_s: float | None = None
    max_size_bytes: int | None = None
    keeps_s: float | None = None
    caption_centre_y: float = 0.735
    title_centre_y: float = 0.12
    title_s: float = 0.0
    sizes_by_duration: tuple[tuple[float, int, int], ...] = ()
    brand: tuple[Literal["intro", "outro", "watermark"], ...] = ()

    def box(self, duration_s: float) -> tuple[int, int]:
        """Return the longest and the shortest side allowed for a clip of this length, layout `fit`."""
        for max_s, long_px, short_px in self.sizes_by_duration:
            if duration_s <= max_s:
                return long_px, short_px
        if self.sizes_by_duration:
            return self.sizes_by_duration[-1][1:]
        return 1920, 1080

    @property
    def is_moving_picture(self) -> bool:
        """A picture that moves rather than a film: no sound, no captions."""
        return self.container != "mp4"


@functools.cache
def presets() -> dict[str, Preset]:
    """Return every preset by its name, in the order of the file."""
    table = _table()
    return {name: _read(name, table) for name, row in table.items() if isinstance(row, dict)}


def checked_on() -> str:
    """Return the day on which the platforms' limits were last looked up, as YYYY-MM-DD."""
    return str(_table()["checked_on"])


@functools.cache
def _table() -> dict[str, Any]:
    return tomllib.loads(_PATH.read_text(encoding="utf-8"))


def _read(name: str, table: dict[str, Any]) -> Preset:
    row = dict(table[name])
    base = dict(table[row.pop("same_as")]) if "same_as" in row else {}
    fields = base | row
    fields.pop("same_as", None)
    fields["sizes_by_duration"] = tuple(tuple(size) for size in fields.get("sizes_by_duration", ()))
    fields["brand"] = tuple(fields.get("brand", ()))
    return Preset(name=name, **fields)


def preset_names() -> list[str]:
    """Return the names of all, as the table has them."""
    return list(presets())


def preset_named(name: str) -> Preset:
    """Return one preset.

    Raises:
        MediaUnusable: There is none of that name; says which there are.
    """
    found = presets().get(name)
    if found is None:
        raise MediaUnusable(f"there is no preset {name!r}; choose one of {', '.join(sorted(presets()))}")
    return found


def described() -> dict[str, Any]:
    """Return what `clippy-coordinator presets --json` prints; unknown and unlimited are None."""
    rows = [
        {
            "name": each.name,
            "about": each.about,
            "layout": each.layout,
            "container": each.container,
            "width": each.width or None,
            "height": each.height or None,
            "max_rate": None if each.layout == "copy" else each.max_rate,
            "max_duration_s": each.max_duration_s,
            "max_size_bytes": each.max_size_bytes,
            "keeps_s": each.keeps_s,
            "brand": list(each.brand),
        }
        for each in presets().values()
    ]
    return {"checked_on": checked_on(), "presets": rows}
