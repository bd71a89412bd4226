"""The role of whatever reads a chat. One contract suite checks every adapter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from agent.model.chat import Heard


class ChatSource(Protocol):
    """One chat, read only. Used by one thread at a time; `close` may come from any.

    Attributes:
        name: which chat, e.g. `twitch:name`; every line without a chat of its own gets this one.
    """

    name: str

    def connect(self) -> None:
        """Open it; takes some seconds at most. What was written before may be left out.

        Raises:
            ChatUnavailable: It does not answer, refuses, or is set wrongly; says what to do, and when to come back.
        """
        ...

    def read(self, timeout_s: float) -> Sequence[Heard]:
        """What has come, in the order it came; waits for it `timeout_s` at most. Empty: nothing has.

        What cannot be understood is left out: a hostile or broken peer costs no more than its own lines.

        Raises:
            ChatUnavailable: It is not connected any more; connect again.
        """
        ...

    def close(self) -> None:
        """Let go of it. Twice is once; it may be connected again."""
        ...
