"""The detector's files: a transcript, a chat, and the moments as JSON.

Everything read here came from outside: sizes are bounded before parsing, and every error says which value.
"""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from coordinator.errors import InputUnusable
from coordinator.model.highlight import ChatLine, Moment, Utterance

MAX_FILE_BYTES: Final = 256 * 1024 * 1024  # unpacked; two days of busy chat are some 50 MB
MAX_ITEMS: Final = 2_000_000
MAX_TIME_S: Final = 48 * 3600.0
MAX_TEXT_CHARS: Final = 2_000  # of one line; the rest is cut, nobody says more in one breath


def read_transcript(path: Path) -> list[Utterance]:
    """Read `{"segs": [[start_s, end_s, text], ...]}`, plain or gzipped, sorted by time.

    Raises:
        InputUnusable: The file is missing, too large, not JSON, or an entry is not what it should be.
    """
    utterances: list[Utterance] = []
    for index, item in enumerate(_items(path, "segs")):
        where = f"segs[{index}] of {path.name}"
        if not isinstance(item, list) or len(item) != 3:
            raise InputUnusable(f"{where} is {_shown(item)}: give [start_s, end_s, text]")
        start_s, end_s = _time_s(item[0], f"{where}: start_s"), _time_s(item[1], f"{where}: end_s")
        if end_s < start_s:
            raise InputUnusable(
                f"{where} ends at {end_s} s before it starts at {start_s} s: give start_s <= end_s"
            )
        utterances.append(Utterance(start_s=start_s, end_s=end_s, text=_text(item[2], where)))
    return sorted(utterances, key=lambda one: (one.start_s, one.end_s))


def read_chat(path: Path) -> list[ChatLine]:
    """Read `{"chat": [[t_s, text], ...]}`, plain or gzipped, sorted by time.

    Raises:
        InputUnusable: As `read_transcript`.
    """
    lines: list[ChatLine] = []
    for index, item in enumerate(_items(path, "chat")):
        where = f"chat[{index}] of {path.name}"
        if not isinstance(item, list) or len(item) != 2:
            raise InputUnusable(f"{where} is {_shown(item)}: give [t_s, text]")
        lines.append(ChatLine(at_s=_time_s(item[0], f"{where}: t_s"), text=_text(item[1], where)))
    return sorted(lines, key=lambda one: one.at_s)


def checked_duration_s(duration_s: float) -> float:
    """The duration as given on the command line.

    Raises:
        InputUnusable: Not a number above 0 and up to 48 h.
    """
    if not math.isfinite(duration_s) or not 0 < duration_s <= MAX_TIME_S:
        raise InputUnusable(
            f"cannot use a duration of {duration_s} s: give seconds above 0 and up to {MAX_TIME_S:.0f}"
        )
    return duration_s


def moments_document(moments: Sequence[Moment], *, reason: str | None = None) -> dict[str, Any]:
    """The document `highlights --json` prints: `moments` best first, and `reason` when there are none."""
    document: dict[str, Any] = {
        "moments": [
            {
                "start_s": moment.start_s,
                "end_s": moment.end_s,
                "peak_s": moment.peak_s,
                "score": moment.score,
                "kind": moment.kind,
                "level": moment.level,
                "evidence": [
                    {"lane": one.lane, "weight": one.weight, "note": one.note} for one in moment.evidence
                ],
            }
            for moment in moments
        ]
    }
    if not moments:
        document["reason"] = reason
    return document


def _items(path: Path, key: str) -> list[Any]:
    document = _parsed(path)
    if not isinstance(document, dict) or key not in document:
        found = (
            ", ".join(sorted(map(str, document))[:5])
            if isinstance(document, dict)
            else type(document).__name__
        )
        raise InputUnusable(
            f'{path.name} has no "{key}" (found: {found or "nothing"}): give {{"{key}": [...]}}'
        )
    items = document[key]
    if not isinstance(items, list):
        raise InputUnusable(f'"{key}" of {path.name} is {_shown(items)}: give a list')
    if len(items) > MAX_ITEMS:
        raise InputUnusable(
            f'"{key}" of {path.name} holds {len(items)} entries: {MAX_ITEMS} is the most; split the file'
        )
    return items


def _parsed(path: Path) -> Any:
    try:
        return json.loads(_unpacked(path))
    except (json.JSONDecodeError, UnicodeDecodeError) as exc:
        raise InputUnusable(f"{path.name} is not JSON in UTF-8: {exc}") from exc
    except RecursionError as exc:
        raise InputUnusable(f"{path.name} is nested too deeply to be a transcript or chat") from exc


def _unpacked(path: Path) -> bytes:
    try:
        with path.open("rb") as raw:
            is_gzip = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            if is_gzip:
                with gzip.open(raw) as packed:
                    content = packed.read(MAX_FILE_BYTES + 1)
            else:
                content = raw.read(MAX_FILE_BYTES + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as exc:
        raise InputUnusable(f"{path.name} is a damaged gzip file: {exc}") from exc
    except OSError as exc:
        raise InputUnusable(f"cannot read {path.name}: {exc.strerror or exc}") from exc
    if len(content) > MAX_FILE_BYTES:
        raise InputUnusable(f"{path.name} is over {MAX_FILE_BYTES // 2**20} MiB unpacked: split the file")
    return content


def _time_s(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputUnusable(f"{where} is {_shown(value)}: give seconds as a number")
    if not 0 <= value <= MAX_TIME_S:  # NaN fails too
        raise InputUnusable(f"{where} is {value}: give seconds from 0 to {MAX_TIME_S:.0f}")
    return float(value)


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise InputUnusable(f"the text of {where} is {_shown(value)}: give a string")
    return value[:MAX_TEXT_CHARS]


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else f"{shown[:40]}..."
