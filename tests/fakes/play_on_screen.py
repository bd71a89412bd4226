"""Plays one file in the app's player on this process's own screen, and says what became of it, as JSON.

`python -m tests.fakes.play_on_screen FILE` prints {"positions_ms": [...], "colour": [r, g, b], "message": "..."}:
the positions it saw while playing, and the mean colour of what the player's picture shows on the screen.
"""

from __future__ import annotations

import json
import sys
import time

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from agent.ui.player import Player


def main(place: str) -> None:
    application = QApplication(sys.argv[:1])
    player = Player()
    player.resize(640, 480)
    player.show()
    player.play(place, "a clip")
    positions_ms: list[int] = []
    ends = time.monotonic() + 20
    while time.monotonic() < ends and not (len(positions_ms) > 3 and positions_ms[-1] > 1_000):
        application.processEvents()
        time.sleep(0.02)
        if player.position_ms() > (positions_ms[-1] if positions_ms else 0):
            positions_ms.append(player.position_ms())
        if player.title.objectName() == "problem":
            break
    window = player.winId()
    shot = player.screen().grabWindow(window).toImage()
    area = shot.copy(player.picture.geometry()).scaled(
        1, 1, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
    )
    colour = area.pixelColor(0, 0)
    said = {
        "positions_ms": positions_ms,
        "colour": [colour.red(), colour.green(), colour.blue()],
        "message": player.title.toolTip(),
    }
    sys.stdout.write(json.dumps(said) + "\n")
    player.stop()


if __name__ == "__main__":
    main(sys.argv[1])
