"""Saved clips with their thumbnails, newest first."""

from __future__ import annotations

import datetime
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QListWidget, QListWidgetItem

from agent.model.clips import SavedClip
from protos.timebase import SECOND_NS

_ID_ROLE = Qt.ItemDataRole.UserRole


class ClipsPage(QListWidget):
    """Emits chosen(path, title)."""

    chosen = Signal(str, str)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Clips")
        self.setIconSize(QSize(192, 108))
        self.setSpacing(2)
        self.setUniformItemSizes(True)
        self._shown: list[tuple[str, str, bool]] = []
        self._paths: dict[str, tuple[str, str]] = {}
        self.itemActivated.connect(self._choose)
        self.itemClicked.connect(self._choose)

    def show_clips(self, clips: list[SavedClip]) -> None:
        """Show them; nothing moves when nothing changed."""
        now = [(clip.clip_id, clip.thumbnail_path, Path(clip.path).is_file()) for clip in clips]
        if now == self._shown:
            return
        self._shown = now
        chosen = self.currentItem().data(_ID_ROLE) if self.currentItem() else None
        self.clear()
        self._paths = {}
        for clip in clips:
            self.addItem(self._item(clip))
            if clip.clip_id == chosen:
                self.setCurrentRow(self.count() - 1)

    def _item(self, clip: SavedClip) -> QListWidgetItem:
        when = datetime.datetime.fromtimestamp(clip.created_unix_ms / 1000).astimezone()
        length_s = (clip.end_ns - clip.start_ns) / SECOND_NS
        name = Path(clip.path).name
        gone = "" if Path(clip.path).is_file() else "\nthe file is gone"
        text = f"{name}\n{when:%d %b, %H:%M} · {length_s:.1f} s · saved in {clip.latency_ms} ms{gone}"
        item = QListWidgetItem(text)
        if clip.thumbnail_path:
            item.setIcon(QIcon(clip.thumbnail_path))
        item.setData(_ID_ROLE, clip.clip_id)
        self._paths[clip.clip_id] = (clip.path, name)
        return item

    def _choose(self, item: QListWidgetItem) -> None:
        self.chosen.emit(*self._paths[item.data(_ID_ROLE)])
