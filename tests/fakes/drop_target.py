"""A window that files can be dropped on: `python -m tests.fakes.drop_target X Y`.

Prints `ready`, then `entered` when something with addresses comes over it, and, when that is dropped, the addresses as
a line of JSON. Ends by itself after a minute.
"""

from __future__ import annotations

import json
import sys

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QWidget


class DropTarget(QWidget):
    """Takes whatever brings addresses."""

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802 - Qt's own naming
        if event.mimeData().hasUrls():
            event.acceptProposedAction()
            say("entered")

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802 - Qt's own naming
        event.acceptProposedAction()
        say(json.dumps([url.toString() for url in event.mimeData().urls()]))


def say(line: str) -> None:
    """To whoever reads along."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    application = QApplication(sys.argv[:1])
    target = DropTarget(None, Qt.WindowType.BypassWindowManagerHint)
    target.setAcceptDrops(True)
    target.setGeometry(int(sys.argv[1]), int(sys.argv[2]), 240, 200)
    target.show()
    QTimer.singleShot(500, lambda: say("ready"))
    QTimer.singleShot(60_000, application.quit)
    application.exec()
