"""Shows a file in the desktop's own file manager."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices


def reveal_command(path: Path, platform: str) -> list[str] | None:
    """The program that opens the folder with the file selected; None where the folder alone is opened. Pure."""
    if platform == "win32":
        return ["explorer", f"/select,{path}"]
    if platform == "darwin":
        return ["open", "-R", str(path)]
    return None


def show_in_folder(path: Path) -> bool:
    """Open it; False where the desktop has nothing to open it with. Waits for nothing."""
    if command := reveal_command(path, sys.platform):
        try:
            subprocess.Popen(command, stdin=subprocess.DEVNULL)
        except OSError:
            return False
        return True
    return QDesktopServices.openUrl(QUrl.fromLocalFile(str(path.parent)))
