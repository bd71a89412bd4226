"""What a clip's file is called: a template, made safe for every file system, never a name that is taken."""

from __future__ import annotations

import datetime
import re
import threading
import unicodedata
from pathlib import Path

from agent.errors import InputUnusable

DEFAULT_TEMPLATE = "{date}_{time}_{title}"
FIELDS = ("date", "time", "title")
# ext4 and NTFS take 255 bytes or units; room for the suffix, a number and the hidden name while writing.
_MAX_NAME_BYTES = 180
_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]+')
_RESERVED = re.compile(r"(?i)^(con|prn|aux|nul|com[0-9]|lpt[0-9])$")


def clip_name(template: str, *, title: str, at: datetime.datetime) -> str:
    """The name without folder and suffix. Pure.

    Raises:
        InputUnusable: The template has a field that there is not.
    """
    values = {"date": at.strftime("%Y-%m-%d"), "time": at.strftime("%H-%M-%S"), "title": safe_text(title)}
    try:
        name = safe_text(template.format_map(values))
    except (KeyError, ValueError, IndexError, AttributeError) as exc:
        raise InputUnusable(
            f"clips.name = {template!r} cannot be used ({exc}); it may hold {', '.join(f'{{{f}}}' for f in FIELDS)}"
        ) from exc
    return name or "clip"


def safe_text(text: str) -> str:
    """Text that may stand in a file's name everywhere; may be empty. Pure."""
    text = unicodedata.normalize("NFC", text)
    text = "".join(char for char in text if unicodedata.category(char) not in ("Cs", "Cf", "Co", "Cn"))
    text = _UNSAFE.sub(" ", text)
    text = re.sub(r"\s+", " ", text).strip(" ._")
    text = text.encode()[:_MAX_NAME_BYTES].decode(errors="ignore").strip(" ._")
    return f"{text}_" if _RESERVED.match(text) else text


class ClipNamer:
    """Gives every clip of a folder its own name. Any thread; remembers what it gave out in this process."""

    def __init__(self, folder: Path, template: str = DEFAULT_TEMPLATE) -> None:
        """Raises:
        InputUnusable: The template has a field that there is not.
        """
        self.folder = folder
        self._template = template
        self._lock = threading.Lock()
        self._given: set[str] = set()
        clip_name(template, title="", at=datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC))

    def next_path(self, *, title: str, at: datetime.datetime, suffix: str = ".mp4") -> Path:
        """A path that no file has: the name, or the name with -2, -3, ... behind it."""
        name = clip_name(self._template, title=title, at=at)
        with self._lock:
            number = 1
            while True:
                path = self.folder / f"{name if number == 1 else f'{name}-{number}'}{suffix}"
                # Compared without case: macOS and Windows take Clip.mp4 and clip.mp4 for one file.
                if path.name.casefold() not in self._given and not path.exists():
                    self._given.add(path.name.casefold())
                    return path
                number += 1
