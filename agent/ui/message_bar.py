"""One message where it belongs, with what can be done about it; news goes by itself, trouble stays until closed."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QTimer
from PySide6.QtGui import QAccessible, QAccessibleEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from agent.ui.texts import text_label

_NEWS_MS = 10_000


class MessageBar(QFrame):
    """Hidden while there is nothing to say. One message at a time: the newest."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("message")
        self._text = text_label("message_words")
        self._action = QPushButton("Undo")
        self._action.setObjectName("small")
        self._action.clicked.connect(self._act)
        self._do: Callable[[], None] | None = None
        self._close = QPushButton("Close")
        self._close.setObjectName("quiet")
        self._close.clicked.connect(self.hide)
        self._busy = QProgressBar()
        self._busy.setRange(0, 0)
        self._busy.setTextVisible(False)
        self._busy.setAccessibleName("Under way")
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_NEWS_MS)
        self._timer.timeout.connect(self.hide)
        words = QVBoxLayout()
        words.setSpacing(4)
        words.addWidget(self._text)
        words.addWidget(self._busy)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 6, 8, 6)
        row.addLayout(words, 1)
        row.addWidget(self._action)
        row.addWidget(self._close)
        self.hide()

    def say(self, text: str, *, action: str = "", do: Callable[[], None] | None = None) -> None:
        """Show news for ten seconds, with a button where something can be done about it."""
        self._show(text, look="news", button=action)
        self._do = do
        self._timer.start()

    def say_busy(self, text: str) -> None:
        """Show that something is under way, until the next message."""
        self._show(text, look="news", is_busy=True)

    def say_trouble(self, text: str) -> None:
        """Show what failed, until it is closed."""
        self._show(text, look="trouble")

    def text(self) -> str:
        """What it says."""
        return self._text.text()

    def act(self) -> None:
        """What the button does, from the keyboard; nothing where there is no button."""
        if self._do is not None and self.isVisible():
            self._act()

    def _act(self) -> None:
        do, self._do = self._do, None
        self.hide()
        if do is not None:
            do()

    def _show(self, text: str, *, look: str, button: str = "", is_busy: bool = False) -> None:
        self._timer.stop()
        self._do = None
        self._text.setText(text)
        self._action.setText(button)
        self._action.setVisible(bool(button))
        self._close.setVisible(look == "trouble")
        self._busy.setVisible(is_busy)
        self.setProperty("look", look)
        for widget in (self, self._text):
            _polish(widget)
        self.setAccessibleName(text)
        self.show()
        QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.Alert))


def _polish(widget: QWidget) -> None:
    """Let the sheet look at its properties again."""
    widget.style().unpolish(widget)
    widget.style().polish(widget)
