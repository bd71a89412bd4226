"""The layouts a streamer keeps: `layouts.toml` in the data directory, a table `[layouts.NAME]` each."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from coordinator.errors import InputUnusable
from coordinator.model.framing import Framing, Rectangle, framing_fault

FILE_NAME = "layouts.toml"
BUILT_IN: Mapping[str, Framing] = {
    "blur": Framing(layout="blur"),
    "fit": Framing(layout="fit"),
    "crop": Framing(layout="crop"),
    "follow": Framing(layout="follow"),
}
MEANINGS: Mapping[str, str] = {
    "preset": "as the preset says",
    "blur": "the whole picture on a blurred copy of itself",
    "fit": "the whole picture between bars",
    "crop": "fills, cut around a point",
    "follow": "fills, and moves gently to where the picture moves",
    "stack": "the camera and the game, one above the other",
}


def layouts_file(data: Path) -> Path:
    """Return where the saved layouts are, in a data directory."""
    return data / FILE_NAME


def saved_layouts(path: Path) -> dict[str, Framing]:
    """Read every saved layout by its name; none where there is no file.

    Raises:
        InputUnusable: Not TOML, a key that is not known, or a value that cannot be; the message names the key.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise InputUnusable(f"cannot read the layouts in {path}: {exc}; mend or delete it") from exc
    for key in table:
        if key != "layouts":
            raise InputUnusable(f"{path}: unknown key {key}; a layout begins with [layouts.NAME]")
    rows = table.get("layouts", {})
    if not isinstance(rows, dict):
        raise InputUnusable(f"{path}: layouts = {rows!r} is no table; a layout begins with [layouts.NAME]")
    return {name: _read(path, name, row) for name, row in rows.items()}


def layout_named(name: str, path: Path) -> Framing:
    """Return one layout, saved or built in.

    Raises:
        InputUnusable: There is none of that name; says which there are. Or the file cannot be read.
    """
    known = {**BUILT_IN, **saved_layouts(path)}
    if name not in known:
        hint = "stack needs a camera: keep one" if name == "stack" else "keep more"
        raise InputUnusable(
            f"there is no layout {name!r}; choose one of {', '.join(sorted(known))}, or {hint} in {path}"
        )
    return known[name]


def check_layout(framing: Framing, where: str) -> Framing:
    """Return a framing whose values can be.

    Raises:
        InputUnusable: One cannot; the message begins with `where` and names the key.
    """
    fault = framing_fault(framing)
    if fault is not None:
        key, value, allowed = fault
        missing = f"{where}.{key} is missing: give" if value is None else f"{where}.{key} = {value!r} is not"
        raise InputUnusable(f"{missing} {allowed}")
    return framing


def _read(path: Path, name: str, row: Any) -> Framing:
    where = f"{path}: layouts.{name}"
    if name in BUILT_IN or name in ("preset", "stack"):
        raise InputUnusable(f"{where}: that name is taken by a layout that is built in; choose another")
    if not isinstance(row, dict):
        raise InputUnusable(f"{where} = {row!r} is no table; begin it with [layouts.{name}]")
    _refuse_unknown(where, row, Framing)
    if isinstance(row.get("camera"), dict):
        _refuse_unknown(f"{where}.camera", row["camera"], Rectangle)
    if "layout" not in row:
        raise InputUnusable(f"{where}.layout is missing: give {', '.join(list(MEANINGS)[1:])}")
    try:
        framing = msgspec.convert(row, Framing)
    except msgspec.ValidationError as exc:
        reason, _, key = str(exc).partition(" - at `$")
        raise InputUnusable(f"{where}{key.rstrip('`')}: {reason[0].lower()}{reason[1:]}") from exc
    return check_layout(framing, where)


def _refuse_unknown(where: str, row: dict[str, Any], kind: type[Framing] | type[Rectangle]) -> None:
    known = [field.name for field in dataclasses.fields(kind)]
    for key in row:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise InputUnusable(f"{where}: unknown key {key}; {hint}")
