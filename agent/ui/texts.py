"""Labels and small pieces of text, alike on every page.

What comes from outside is shown as plain text, never as HTML.
"""

from __future__ import annotations

import datetime
import html
from pathlib import Path

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy

from protos.timebase import SECOND_NS


def clock(time_ns: int) -> str:
    """A length of time as 2:03 or 1:02:03."""
    minutes, seconds = divmod(time_ns // SECOND_NS, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def length_words(time_ns: int) -> str:
    """A length as a person says it: `0.5 s`, `30 s`, `4:32`."""
    if time_ns >= 60 * SECOND_NS:
        return clock(time_ns)
    seconds = time_ns / SECOND_NS
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def size_words(size_bytes: int) -> str:
    """A size as `812 kB`, `12.3 MB` or `1.2 GB`."""
    if size_bytes < 1e6:
        return f"{size_bytes / 1e3:.0f} kB"
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes < 1e9 else f"{size_bytes / 1e9:.1f} GB"


def time_of_day(unix_ms: int, now_unix_ms: int) -> str:
    """`21:14`, with the day where it was not within the last 18 hours."""
    moment = datetime.datetime.fromtimestamp(unix_ms / 1000).astimezone()
    is_near = abs(now_unix_ms - unix_ms) < 18 * 3_600_000
    return f"{moment:%H:%M}" if is_near else f"{moment:%H:%M on %d %b}"


def sentence(text: str) -> str:
    """With a capital letter."""
    return text[:1].upper() + text[1:]


def clip_name(title: str, path: str) -> str:
    """What a clip is called: its title, or its file's name."""
    return title or Path(path).stem


def shown_path(path: str) -> str:
    """A path as it may be seen on a stream: the home folder, and with it the user's name, is `~`."""
    home = str(Path.home())
    return "~" + path[len(home) :] if path == home or path.startswith(home + "/") else path


def text_label(name: str, text: str = "") -> QLabel:
    """A label that wraps; `name` picks its look in theme.qss."""
    label = QLabel(text)
    label.setObjectName(name)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    return label


class ElidedLabel(QLabel):
    """One line that is shortened with `…` rather than widening the window; the whole text is in the tooltip."""

    def __init__(self, name: str, text: str = "") -> None:
        super().__init__()
        self.setObjectName(name)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._whole = ""
        self.show_text(text)

    def show_text(self, text: str) -> None:
        """Show `text`, as much of it as fits."""
        self._whole = " ".join(text.split())
        self.setToolTip(html.escape(self._whole))
        self.setAccessibleName(self._whole)
        self._elide()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's own naming
        self._elide()
        super().resizeEvent(event)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's own naming
        return QSize(40, super().minimumSizeHint().height())

    def _elide(self) -> None:
        self.setText(
            self.fontMetrics().elidedText(self._whole, Qt.TextElideMode.ElideMiddle, max(40, self.width()))
        )
