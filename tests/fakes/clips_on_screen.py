"""The clips page on this process's own screen, over a real control server with a told recorder that has one clip.

`python -m tests.fakes.clips_on_screen FOLDER` prints `ready` once the clip is listed, then the page's message whenever
it changes. Ends by itself after a minute.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication

from agent.ui.clips_page import ClipsPage
from tests.fakes.app_window import served_bridge
from tests.fakes.told_engine import CLIP
from tests.fakes.told_recorder import ToldRecorder


def main(folder: Path) -> None:
    application = QApplication(sys.argv[:1])
    own_file = folder / "own.mp4"
    own_file.write_bytes(b"with its hidden second")
    engine = ToldRecorder(folder)
    engine.saved_clips = [dataclasses.replace(CLIP, path=str(own_file), thumbnail_path="")]
    with served_bridge(engine, folder) as bridge:
        page = ClipsPage(bridge)
        page.setWindowFlag(Qt.WindowType.BypassWindowManagerHint)
        bridge.clips_changed.connect(page.show_clips)
        page.setGeometry(0, 0, 420, 400)
        page.show()
        said = [""]

        def tell() -> None:
            words = page.bar.text() or ("ready" if page.list.count() else "")
            if words != said[0]:
                said[0] = words
                sys.stdout.write(words + "\n")
                sys.stdout.flush()

        timer = QTimer()
        timer.timeout.connect(tell)
        timer.start(50)
        bridge.start()
        QTimer.singleShot(60_000, application.quit)
        application.exec()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
