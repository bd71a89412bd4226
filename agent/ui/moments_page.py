"""Moments the coordinator found, best first, each with its evidence and its posts."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from protos.clippy.v1 import clips_pb2, control_pb2
from protos.timebase import SECOND_NS


class MomentsPage(QScrollArea):
    """Emits chosen(address, title)."""

    chosen = Signal(str, str)

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setAccessibleName("Moments")
        self._shown = b""
        self.show_moments(control_pb2.ListMomentsResponse(reason="no coordinator is connected yet"))

    def show_moments(self, answer: control_pb2.ListMomentsResponse) -> None:
        """Show them; nothing moves when nothing changed."""
        now = answer.SerializeToString(deterministic=True)
        if now == self._shown and self.widget() is not None:
            return
        self._shown = now
        inside = QWidget()
        layout = QVBoxLayout(inside)
        for item in answer.moments:
            layout.addWidget(self._card(item))
        if not answer.moments:
            empty = QLabel(f"No moments yet: {answer.reason}")
            empty.setObjectName("empty")
            empty.setWordWrap(True)
            layout.addWidget(empty)
        layout.addStretch(1)
        self.setWidget(inside)

    def _card(self, item: control_pb2.MomentWithExports) -> QFrame:
        moment = item.moment
        card = QFrame()
        card.setObjectName("card")
        layout = QVBoxLayout(card)
        title = moment.title or moment.kind
        start_s, end_s = moment.start_ns // SECOND_NS, moment.end_ns // SECOND_NS
        layout.addWidget(_text("title", title))
        span = f"{start_s // 60}:{start_s % 60:02}–{end_s // 60}:{end_s % 60:02}"
        layout.addWidget(_text("facts", f"{span} · {moment.kind} · score {moment.score:.2f}"))
        for evidence in moment.evidence:
            layout.addLayout(_evidence_row(evidence))
        posts = QHBoxLayout()
        for export in item.exports:
            posts.addWidget(self._post(export, title))
        posts.addStretch(1)
        layout.addLayout(posts)
        return card

    def _post(self, export: clips_pb2.Export, title: str) -> QWidget:
        if export.state == "ready":
            button = QPushButton(f"Play {export.preset}")
            button.clicked.connect(lambda: self.chosen.emit(export.url, title))
            return button
        if export.state == "failed":
            return _text("problem", f"{export.preset} failed: {export.reason}")
        return _text("facts", f"{export.preset} is being rendered…")


def _evidence_row(evidence: clips_pb2.Evidence) -> QHBoxLayout:
    bar = QProgressBar()
    bar.setRange(0, 1000)
    bar.setValue(round(evidence.weight * 1000))
    bar.setTextVisible(False)
    bar.setFixedWidth(90)
    bar.setAccessibleName(f"{evidence.lane} {evidence.weight:.0%}")
    row = QHBoxLayout()
    row.addWidget(bar)
    row.addWidget(_text("facts", f"{evidence.lane}: {evidence.note}"), 1)
    return row


def _text(name: str, text: str) -> QLabel:
    label = QLabel(text)
    label.setObjectName(name)
    label.setWordWrap(True)
    return label
