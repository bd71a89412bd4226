"""Hands clips to other programs: to the clipboard, or dragged out. Main thread.

What leaves is always the file that the engine makes for it, which holds nothing from before the clip's start;
never the clip's own file, whose first second is only hidden. It is made on demand, beside the main thread.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from PySide6.QtCore import QMimeData, QObject, QSize, Qt, QUrl, Signal
from PySide6.QtGui import QDrag, QGuiApplication, QPixmap

from agent.model.clips import SavedClip
from agent.ui.bridge import Bridge, ShownClip
from agent.ui.texts import clip_name
from protos.clippy.v1 import control_pb2

_Way = Literal["copy", "drag"]
_DRAGGED_SIZE = QSize(128, 72)


class ClipSharing(QObject):
    """Emits began(words), ended(words) and failed(words).

    Args:
        start_drag: runs a drag with a file's address; replaced where there is no pointer.
    """

    began = Signal(str)
    ended = Signal(str)
    failed = Signal(str)

    def __init__(
        self, bridge: Bridge, start_drag: Callable[[QMimeData, SavedClip], None] | None = None
    ) -> None:
        super().__init__()
        self._bridge = bridge
        self._start_drag = start_drag or self._drag_pointer
        # By clip and by what it shows: a moved end makes another file.
        self._made: dict[tuple[str, int, int], Path] = {}
        self._under_way: dict[tuple[str, int, int], _Way] = {}
        self._session_id = ""
        bridge.status_changed.connect(self._look_for_another_engine)

    def copy(self, shown: ShownClip) -> None:
        """Put the file on the clipboard, once it is made."""
        self._hand_over(shown.clip, "copy")

    def drag(self, shown: ShownClip) -> None:
        """Begin to drag the file; one that must be made first, as soon as it is, if the button is still held then."""
        self._hand_over(shown.clip, "drag")

    def _hand_over(self, clip: SavedClip, way: _Way) -> None:
        key = (clip.clip_id, clip.start_ns, clip.end_ns)
        if (path := self._made.get(key)) is not None:
            self._use(clip, path, way)
            return
        is_under_way = key in self._under_way
        self._under_way[key] = way
        if is_under_way:
            return
        call = self._bridge.share(clip.clip_id)
        call.done.connect(lambda path: self._finish(clip, path))
        call.failed.connect(lambda why: self._fail(clip, why))
        self.began.emit(f"Making the file of “{clip_name(clip.title, clip.path)}” that may leave this PC…")

    def _finish(self, clip: SavedClip, path: Path) -> None:
        key = (clip.clip_id, clip.start_ns, clip.end_ns)
        self._made[key] = path
        way = self._under_way.pop(key)
        if way == "drag" and not QGuiApplication.mouseButtons() & Qt.MouseButton.LeftButton:
            self.ended.emit("The file is ready: drag the clip again")
            return
        self._use(clip, path, way)

    def _fail(self, clip: SavedClip, why: str) -> None:
        self._under_way.pop((clip.clip_id, clip.start_ns, clip.end_ns))
        self.failed.emit(f"Not shared: {why}")

    def _use(self, clip: SavedClip, path: Path, way: _Way) -> None:
        content = QMimeData()
        content.setUrls([QUrl.fromLocalFile(str(path))])
        if way == "copy":
            QGuiApplication.clipboard().setMimeData(content)
            self.ended.emit(
                f"Copied “{clip_name(clip.title, clip.path)}” as a file: paste it where it shall go"
            )
        else:
            self.ended.emit("The file is ready: drop it where it shall go")
            self._start_drag(content, clip)

    def _drag_pointer(self, content: QMimeData, clip: SavedClip) -> None:
        drag = QDrag(self)
        drag.setMimeData(content)
        picture = QPixmap(clip.thumbnail_path)
        if not picture.isNull():
            drag.setPixmap(
                picture.scaled(
                    _DRAGGED_SIZE,
                    Qt.AspectRatioMode.KeepAspectRatio,
                    Qt.TransformationMode.SmoothTransformation,
                )
            )
        drag.exec(Qt.DropAction.CopyAction)

    def _look_for_another_engine(self, status: control_pb2.Status) -> None:
        """The folder of shared files is emptied when an engine starts."""
        if status.session_id != self._session_id:
            self._session_id = status.session_id
            self._made.clear()
