"""What a killed recorder left: a bar that offers to save or to discard it. Hidden while there is nothing.

Saving makes a clip and deletes nothing; what was saved is offered to be discarded, and only once.
"""

from __future__ import annotations

import time

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QMessageBox, QPushButton, QVBoxLayout

from agent.model.clips import SavedClip
from agent.ui.bridge import Bridge
from agent.ui.calls import Call
from agent.ui.texts import clock, length_words, size_words, text_label, time_of_day
from protos.clippy.v1 import control_pb2


def recovery_words(sessions: list[control_pb2.Recoverable], now_unix_ms: int) -> str:
    """What the newest of them holds, and how many there are. Pure."""
    newest = sessions[0]
    if newest.ended_unix_ms:
        ended = f"The recorder ended unexpectedly at {time_of_day(newest.ended_unix_ms, now_unix_ms)}"
    else:
        began = time_of_day(newest.created_unix_ms, now_unix_ms)
        ended = f"The recorder that began at {began} ended unexpectedly"
    more = len(sessions) - 1
    others = f" ({more} earlier one{'s' if more > 1 else ''} after this)" if more else ""
    return f"{ended}; {clock(newest.duration_ns)} can still be saved{others}"


def saved_words(session: control_pb2.Recoverable, saved_ns: int) -> str:
    """What became of it, and what still takes room. Pure."""
    return (
        f"{clock(saved_ns)} of what the ended recorder left is a clip now; "
        f"what it left still takes {size_words(session.size_bytes)}"
    )


class RecoveryBar(QFrame):
    """Asks the engine what there is whenever the status counts another number of them."""

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self.setObjectName("recovery")
        self.setAccessibleName("Recovery")
        self._bridge = bridge
        self._num_known = 0
        self._sessions: list[control_pb2.Recoverable] = []
        # How much of a session was saved, and those that are not to be shown any more.
        self._saved_ns: dict[str, int] = {}
        self._closed_ids: set[str] = set()
        self._question: QMessageBox | None = None
        self._words = text_label("recovery_words")
        self._trouble = text_label("problem")
        self._save = QPushButton("Save")
        self._save.setAccessibleDescription("Save what the ended recorder left as a clip")
        self._save.setObjectName("small")
        self._save.clicked.connect(self._recover)
        self._discard = QPushButton("Discard…")
        self._discard.setObjectName("small")
        self._discard.clicked.connect(self._ask)
        self._close = QPushButton("Close")
        self._close.setObjectName("quiet")
        self._close.setAccessibleDescription("Leave it where it is")
        self._close.clicked.connect(self._close_saved)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self._words)
        words.addWidget(self._trouble)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 5, 8, 5)
        row.addLayout(words, 1)
        row.addWidget(self._save)
        row.addWidget(self._discard)
        row.addWidget(self._close)
        self._trouble.hide()
        self.hide()
        bridge.status_changed.connect(self._look)
        bridge.engine_lost.connect(self._leave)

    @property
    def question(self) -> QMessageBox | None:
        """The question that is open, if one is."""
        return self._question

    def _look(self, status: control_pb2.Status) -> None:
        if status.buffer.num_recoverable == self._num_known:
            return
        self._num_known = status.buffer.num_recoverable
        if not self._num_known:
            self._show([])
            return
        call = self._bridge.recoverable()
        call.done.connect(self._show)
        call.failed.connect(self._ask_again)

    def _ask_again(self, _why: str) -> None:
        self._num_known = 0  # the next status does

    def _leave(self, _why: str) -> None:
        self._num_known = 0
        self._show([])

    def _show(self, sessions: list[control_pb2.Recoverable]) -> None:
        open_sessions = [session for session in sessions if session.session_id not in self._closed_ids]
        # Those that were not saved yet come first.
        self._sessions = sorted(open_sessions, key=lambda session: session.session_id in self._saved_ns)
        if self._sessions:
            self._show_words()
            self._settle()
        self.setVisible(bool(self._sessions))

    def _show_words(self) -> None:
        newest = self._sessions[0]
        saved_ns = self._saved_ns.get(newest.session_id)
        if saved_ns is None:
            unsaved = [session for session in self._sessions if session.session_id not in self._saved_ns]
            self._words.setText(recovery_words(unsaved, time.time_ns() // 1_000_000))
        else:
            self._words.setText(saved_words(newest, saved_ns))
        self._save.setVisible(saved_ns is None)
        self._close.setVisible(saved_ns is not None)

    def _close_saved(self) -> None:
        self._closed_ids.add(self._sessions[0].session_id)
        self._show(self._sessions[1:])

    def _recover(self) -> None:
        self._begin("Saving…")
        session_id = self._sessions[0].session_id
        call = self._bridge.recover(session_id)
        call.done.connect(lambda clip: self._note_saved(session_id, clip))
        self._follow(call)

    def _ask(self) -> None:
        session = self._sessions[0]
        is_saved = session.session_id in self._saved_ns
        question = QMessageBox(
            QMessageBox.Icon.Warning,
            "Discard",
            f"Delete the {length_words(session.duration_ns)} that the ended recorder left?\n"
            + (
                "The clip that was saved of it stays."
                if is_saved
                else "It is not a clip yet, and nobody can bring it back."
            ),
            parent=self,
        )
        question.setTextFormat(Qt.TextFormat.PlainText)
        delete = question.addButton("Delete", QMessageBox.ButtonRole.DestructiveRole)
        keep = question.addButton("Keep", QMessageBox.ButtonRole.RejectRole)
        question.setDefaultButton(keep)
        question.setEscapeButton(keep)
        delete.clicked.connect(lambda: self._throw_away(session.session_id))
        question.finished.connect(lambda _code: self._close_question())
        self._question = question
        question.open()

    def _close_question(self) -> None:
        if self._question is not None:
            self._question.deleteLater()
        self._question = None

    def _throw_away(self, session_id: str) -> None:
        self._begin("Deleting…")
        self._follow(self._bridge.discard(session_id))

    def _follow(self, call: Call) -> None:
        call.done.connect(self._show_done)
        call.failed.connect(self._show_failed)

    def _begin(self, words: str) -> None:
        self._words.setText(words)
        self._save.setEnabled(False)
        self._discard.setEnabled(False)
        self._trouble.hide()

    def _settle(self) -> None:
        self._save.setEnabled(True)
        self._discard.setEnabled(True)
        self._trouble.hide()

    def _note_saved(self, session_id: str, clip: SavedClip) -> None:
        self._saved_ns[session_id] = clip.end_ns - clip.start_ns

    def _show_done(self, _answer: object) -> None:
        self._num_known = -1  # look again, whatever the next status counts

    def _show_failed(self, why: str) -> None:
        if self._sessions:
            self._show_words()
        self._settle()
        self._trouble.setText(why)
        self._trouble.show()
