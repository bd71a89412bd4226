"""Pairing with a coordinator: where it is, is it the right one, a code, and giving it up.

One page at a time: the form, the question about the fingerprint, a code to be approved, or the pairing as it is.
"""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from agent.ui.bridge import Bridge
from agent.ui.calls import Call
from agent.ui.message_bar import MessageBar
from agent.ui.pairing_words import pairing_facts, pairing_title, shown_fingerprint
from agent.ui.texts import text_label
from protos.clippy.v1 import control_pb2


class PairingPage(QWidget):
    """Follows the status; what it asks for goes through the bridge."""

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self.setAccessibleName("Coordinator")
        self._bridge = bridge
        self._request = control_pb2.PairCoordinatorRequest()
        self._call: Call | None = None
        self._is_paired = False
        self.message = MessageBar()
        self._title = text_label("state")
        self._facts = text_label("facts")
        self._facts.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._form = self._make_form()
        self._question = self._make_question()
        self._waiting = self._make_waiting()
        self._paired = self._make_paired()
        self._pages = (self._form, self._question, self._waiting, self._paired)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 10, 8, 8)
        layout.setSpacing(10)
        layout.addWidget(self.message)
        layout.addWidget(self._title)
        layout.addWidget(self._facts)
        for page in self._pages:
            layout.addWidget(page)
        layout.addStretch(1)
        bridge.pairing_progress.connect(self._show_progress)
        self._show_page(self._form)
        self.show_status(control_pb2.Status())

    def show_status(self, status: control_pb2.Status) -> None:
        """Show how it is; a question or a code that is open stays."""
        uplink = status.uplink
        self._title.setText(pairing_title(uplink))
        self._facts.setText("\n".join(pairing_facts(uplink)))
        self._is_paired = uplink.HasField("pairing")
        self._form.setEnabled(self._call is None and (not uplink.coordinator or self._is_paired))
        if self._shown in (self._form, self._paired):
            self._show_page(self._paired if self._is_paired else self._form)

    def _make_form(self) -> QWidget:
        self.address = QLineEdit()
        self.address.setPlaceholderText("clips.example.org:7843")
        self.code = QLineEdit()
        self.code.setPlaceholderText("none: one is shown, to be approved there")
        self.in_file = QCheckBox("Keep it in a file that only I may read (for a PC without a keyring)")
        self.pair = QPushButton("Pair")
        self.pair.setObjectName("small")
        for edit, name in ((self.address, "Address"), (self.code, "Code")):
            edit.setAccessibleName(name)
            edit.returnPressed.connect(self._begin)
        self.pair.clicked.connect(self._begin)
        page, layout = _card()
        fields = QFormLayout()
        fields.setSpacing(8)
        fields.addRow("Address", self.address)
        fields.addRow("Code", self.code)
        layout.addLayout(fields)
        layout.addWidget(self.in_file)
        layout.addLayout(_buttons(self.pair))
        return page

    def _make_question(self) -> QWidget:
        self._asked = text_label("facts")
        self._fingerprint = text_label("fingerprint")
        self._fingerprint.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.confirm = QPushButton("It is the same")
        self.confirm.setObjectName("small")
        self.confirm.clicked.connect(self._confirm)
        self.refuse = QPushButton("Cancel")
        self.refuse.setObjectName("quiet")
        self.refuse.clicked.connect(self._end)
        page, layout = _card()
        layout.addWidget(self._asked)
        layout.addWidget(self._fingerprint)
        layout.addLayout(_buttons(self.confirm, self.refuse))
        return page

    def _make_waiting(self) -> QWidget:
        self._approve = text_label("facts")
        self._user_code = text_label("fingerprint")
        self._user_code.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.give_up = QPushButton("Cancel")
        self.give_up.setObjectName("quiet")
        self.give_up.clicked.connect(self._end)
        page, layout = _card()
        layout.addWidget(self._approve)
        layout.addWidget(self._user_code)
        layout.addLayout(_buttons(self.give_up))
        return page

    def _make_paired(self) -> QWidget:
        self.unpair = QPushButton("Unpair this PC…")
        self.unpair.setObjectName("quiet")
        self.unpair.clicked.connect(lambda: self._show_sure(is_asked=True))
        self._sure = text_label("facts", "Nothing is sent any more, and what still waits is dropped.")
        self.sure = QPushButton("Unpair")
        self.sure.setObjectName("danger")
        self.sure.clicked.connect(self._do_unpair)
        self.keep = QPushButton("Keep it")
        self.keep.setObjectName("quiet")
        self.keep.clicked.connect(lambda: self._show_sure(is_asked=False))
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._sure)
        layout.addLayout(_buttons(self.sure, self.keep, self.unpair))
        self._show_sure(is_asked=False)
        return page

    def _show_page(self, shown: QWidget) -> None:
        self._shown = shown
        for page in self._pages:
            page.setVisible(page is shown)

    def _begin(self) -> None:
        if not self.address.text().strip():
            self.message.say_trouble("Write where the coordinator is, e.g. clips.example.org:7843")
            return
        self._request = control_pb2.PairCoordinatorRequest(
            address=self.address.text(),
            code=self.code.text(),
            store="file" if self.in_file.isChecked() else "",
        )
        self._ask()

    def _confirm(self) -> None:
        self._ask()

    def _ask(self) -> None:
        self._form.setEnabled(False)
        self.confirm.setEnabled(False)
        self.message.say_busy("Asking the coordinator…")
        self._call = self._bridge.pair(self._request)
        self._call.done.connect(self._show_end)
        self._call.failed.connect(self._show_failed)

    def _end(self) -> None:
        if self._call is not None:
            self._call.blockSignals(True)  # that it fails now is no news
            self._bridge.give_up_pairing()
            self._call = None
        self.message.hide()
        self._show_form()

    def _show_progress(self, progress: control_pb2.PairingProgress) -> None:
        if self._call is None or progress.step != "waiting":
            return
        self.message.hide()
        where = progress.coordinator_name or "the coordinator"
        self._approve.setText(
            f"Have this code approved at {where}. It counts for another {max(1, progress.expires_in_s // 60)} min."
        )
        self._user_code.setText(progress.user_code)
        self._show_page(self._waiting)

    def _show_end(self, progress: control_pb2.PairingProgress) -> None:
        if self._call is None:
            return
        self._call = None
        self.message.hide()
        if progress.step == "confirm":
            self._request.fingerprint = progress.fingerprint
            where = progress.coordinator_name or "the coordinator"
            self._asked.setText(
                f"Is it the right one? Compare this with the fingerprint that {where} itself shows. "
                "Nothing is sent before you say so."
            )
            self._fingerprint.setText(shown_fingerprint(progress.fingerprint))
            self.confirm.setEnabled(True)
            self._show_page(self._question)
            self.confirm.setFocus()
            return
        self.code.clear()
        self.message.say(f"Paired as {progress.pairing.device_name} of {progress.pairing.user_name}")
        self._show_page(self._paired)

    def _show_failed(self, why: str) -> None:
        if self._call is None:
            return
        self._call = None
        self._show_form()
        self.message.say_trouble(f"Not paired: {why}")

    def _show_form(self) -> None:
        self._form.setEnabled(True)
        self._show_page(self._paired if self._is_paired else self._form)

    def _show_sure(self, *, is_asked: bool) -> None:
        for widget in (self._sure, self.sure, self.keep):
            widget.setVisible(is_asked)
        self.unpair.setVisible(not is_asked)

    def _do_unpair(self) -> None:
        self._show_sure(is_asked=False)
        call = self._bridge.unpair()
        call.done.connect(self._show_unpaired)
        call.failed.connect(lambda why: self.message.say_trouble(f"Not unpaired: {why}"))

    def _show_unpaired(self, done: control_pb2.UnpairCoordinatorResponse) -> None:
        words = f"Unpaired; {done.num_dropped} chunks that waited will not be sent"
        if done.problem:
            self.message.say_trouble(f"{words}. {done.problem}")
        else:
            self.message.say(words)


def _card() -> tuple[QFrame, QVBoxLayout]:
    card = QFrame()
    card.setObjectName("card")
    layout = QVBoxLayout(card)
    layout.setContentsMargins(16, 14, 16, 14)
    layout.setSpacing(10)
    return card, layout


def _buttons(*buttons: QPushButton) -> QHBoxLayout:
    row = QHBoxLayout()
    for button in buttons:
        row.addWidget(button)
    row.addStretch(1)
    return row
