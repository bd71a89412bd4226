"""What a clip's file is called: a template, made safe for every file system, never a name that is taken."""

from __future__ import annotations

import datetime
import re
import threading
import unicodedata
from pathlib import Path

from agent.errors import InputUnusable

DEFAULT_TEMPLATE = "{date}_{time}_{title}"
FIELDS = ("date", "time", "title", "length", "number")
# ext4 and NTFS take 255 bytes or units; room for the suffix, a number and the hidden name while writing.
_MAX_NAME_BYTES = 180
_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]+')
_RESERVED = re.compile(r"(?i)^(con|prn|aux|nul|com[0-9]|lpt[0-9])$")


def clip_name(
    template: str, *, title: str, at: datetime.datetime, length_s: float = 0.0, number: int = 1
) -> str:
    """The name without folder and suffix. Pure.

    Raises:
        InputUnusable: The template has a field that there is not.
    """
    values = {
        "date": at.strftime("%Y-%m-%d"),
        "time": at.strftime("%H-%M-%S"),
        "title": safe_text(title),
        "length": f"{round(length_s)}s",
        "number": number,
    }
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

    def __init__(self, folder: Path, template: str = DEFAULT_TEMPLATE, *, num_before: int = 0) -> None:
        """Args:
            num_before: how many clips there were before this process; {number} goes on from there.

        Raises:
            InputUnusable: The template has a field that there is not.
        """
        self.folder = folder
        self._template = template
        self._lock = threading.Lock()
        self._given: set[str] = set()
        self._num_given = num_before
        clip_name(template, title="", at=datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC))

    @property
    def tells_length(self) -> bool:
        """Does a clip's name have to follow its length?"""
        return "{length" in self._template

    def next_path(
        self, *, title: str, at: datetime.datetime, length_s: float = 0.0, suffix: str = ".mp4"
    ) -> Path:
        """A path that no file has: the name, or the name with -2, -3, ... behind it."""
        with self._lock:
            self._num_given += 1
            name = clip_name(self._template, title=title, at=at, length_s=length_s, number=self._num_given)
            return self._free_path(self.folder, name, suffix)

    def renamed(self, path: Path, *, old_length_s: float, length_s: float) -> Path:
        """Where a clip whose length changed belongs, in its own folder; its own path where that tells no length."""
        old, new = f"{round(old_length_s)}s", f"{round(length_s)}s"
        if not self.tells_length or old == new or old not in path.stem:
            return path
        before, _, after = path.stem.rpartition(old)
        with self._lock:
            return self._free_path(path.parent, f"{before}{new}{after}", path.suffix)

    def _free_path(self, folder: Path, name: str, suffix: str) -> Path:
        number = 1
        while True:
            path = folder / f"{name if number == 1 else f'{name}-{number}'}{suffix}"
            # Compared without case: macOS and Windows take Clip.mp4 and clip.mp4 for one file.
            if path.name.casefold() not in self._given and not path.exists():
                self._given.add(path.name.casefold())
                return path
            number += 1
