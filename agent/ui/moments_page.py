"""Moments the coordinator found, best first, each with its evidence and its posts."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from agent.ui.texts import clock, sentence, text_label
from protos.clippy.v1 import clips_pb2, control_pb2


class MomentsPage(QScrollArea):
    """Emits chosen(address, title), judged(moment_id, verdict: keep, skip or undo)."""

    chosen = Signal(str, str)
    judged = Signal(str, str)

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Moments")
        self._shown: bytes | None = None
        self.show_moments(control_pb2.ListMomentsResponse(reason="no coordinator is connected yet"))

    def show_moments(self, answer: control_pb2.ListMomentsResponse) -> None:
        """Show them; nothing moves when nothing changed, and the place stays."""
        now = answer.SerializeToString(deterministic=True)
        if now == self._shown:
            return
        self._shown = now
        scrolled_px = self.verticalScrollBar().value()
        inside = QWidget()
        layout = QVBoxLayout(inside)
        layout.setContentsMargins(4, 8, 8, 8)
        layout.setSpacing(10)
        for item in answer.moments:
            layout.addWidget(self._card(item))
        if answer.moments:
            layout.addStretch(1)
        else:
            empty = text_label("empty", f"No moments yet.\n{sentence(answer.reason)}")
            empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
            layout.addWidget(empty, 1)
        self.setWidget(inside)
        # The range is only known once the new page is laid out.
        inside.adjustSize()
        self.verticalScrollBar().setValue(scrolled_px)

    def _card(self, item: control_pb2.MomentWithExports) -> QFrame:
        moment = item.moment
        card = QFrame()
        card.setObjectName("card")
        layout = QVBoxLayout(card)
        layout.setContentsMargins(14, 12, 14, 12)
        title = moment.title or sentence(moment.kind)
        layout.addWidget(text_label("title", title))
        span = f"{clock(moment.start_ns)}–{clock(moment.end_ns)}"
        layout.addWidget(text_label("facts", f"{span} · {moment.kind} · score {moment.score:.2f}"))
        for evidence in moment.evidence:
            layout.addLayout(_evidence_row(evidence))
        for export in item.exports:
            layout.addLayout(self._post(export, title))
        layout.addLayout(self._verdict(moment.moment_id, item.verdict, title))
        return card

    def _verdict(self, moment_id: str, verdict: str, title: str) -> QHBoxLayout:
        """Keep and skip; the one that is down is taken back by another click."""
        row = QHBoxLayout()
        for kind, text, downs in (("keep", "Keep", ("keep", "extend")), ("skip", "Skip", ("skip", "delete"))):
            button = QPushButton(text)
            button.setCheckable(True)
            button.setChecked(verdict in downs)
            button.setAccessibleDescription(title)
            button.clicked.connect(
                lambda is_down, kind=kind: self.judged.emit(moment_id, kind if is_down else "undo")
            )
            row.addWidget(button)
        row.addStretch(1)
        return row

    def _post(self, export: clips_pb2.Export, title: str) -> QHBoxLayout:
        row = QHBoxLayout()
        # An address comes from the coordinator: it may name a page, never a file of this PC.
        if export.state == "ready" and export.url.startswith(("http://", "https://")):
            button = QPushButton(f"Play {export.preset}")
            button.setAccessibleDescription(title)
            button.clicked.connect(lambda: self.chosen.emit(export.url, title))
            row.addWidget(button)
            row.addStretch(1)
        elif export.state == "ready":
            row.addWidget(text_label("facts", f"{export.preset} is ready; see the coordinator's page"))
        elif export.state == "failed":
            row.addWidget(text_label("problem", f"{export.preset} failed: {export.reason}"))
        else:
            row.addWidget(text_label("facts", f"{export.preset} is being rendered…"))
        return row


def _evidence_row(evidence: clips_pb2.Evidence) -> QHBoxLayout:
    bar = QProgressBar()
    bar.setRange(0, 1000)
    bar.setValue(round(min(1.0, max(0.0, evidence.weight)) * 1000))
    bar.setTextVisible(False)
    bar.setFixedWidth(72)
    bar.setAccessibleName(f"{evidence.lane} {evidence.weight:.0%}")
    row = QHBoxLayout()
    row.setSpacing(10)
    row.addWidget(bar, 0, Qt.AlignmentFlag.AlignTop)
    row.addWidget(text_label("facts", f"{evidence.lane}: {evidence.note}"), 1)
    return row
