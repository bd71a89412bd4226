"""The lanes of chat and game events: sources, their readers, and the thread that cuts chunks.

    sources -> chat-PLATFORM (one each) -> ChatChunker -> chat -> on_chunk (chat, events)

Start and stop belong to the composition root's thread.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

from agent.chat.chunker import ChatChunker
from agent.chat.cleaning import KEY_BYTES, Cleaner
from agent.chat.reading import ChatReader
from agent.chat_ports import ChatSource
from agent.model.chat import ChatStatus
from agent.model.media import LaneChunk
from agent.worker import Worker

CHUNK_S = 5.0


class ChatLane(Worker):
    """Thread `chat`: cuts a chunk every five seconds where anything came.

    Args:
        sources: may be none: then no thread is started.
        now_ns: now, on the session's line.
        on_chunk: called in the thread `chat`; returns at once.

    Attributes:
        readers: one for each source.
    """

    def __init__(
        self,
        sources: Sequence[ChatSource],
        *,
        now_ns: Callable[[], int],
        on_chunk: Callable[[LaneChunk], None],
    ) -> None:
        super().__init__("chat")
        self._now_ns = now_ns
        self._chunker = ChatChunker(on_chunk)
        # Of this session alone, in memory alone.
        key = secrets.token_bytes(KEY_BYTES)
        self.readers = [ChatReader(source, Cleaner(key), self._chunker, now_ns=now_ns) for source in sources]

    def statuses(self) -> list[ChatStatus]:
        """How each chat is read now. Any thread."""
        return [reader.status() for reader in self.readers]

    def set_leaving(self, is_leaving: bool) -> None:
        """Read nothing while nothing leaves this PC. Any thread."""
        for reader in self.readers:
            reader.is_wanted = is_leaving

    def start(self) -> None:
        """Start the readers and the thread that cuts."""
        if self.readers:
            for reader in self.readers:
                reader.start()
            super().start()

    def stop(self, deadline_s: float = 5.0) -> bool:
        """Stop reading, then cut what came last; False when a thread hangs. Twice is once."""
        for reader in self.readers:
            reader.request_stop()
        # Together, not one after the other: an answer that is waited for may take its time.
        are_stopped = [reader.stop(deadline_s / 2) for reader in self.readers]
        return super().stop(deadline_s / 2) and all(are_stopped)

    def step(self) -> None:
        """One cut."""
        if not self.wait(CHUNK_S):
            self.cut()

    def tear_down(self) -> None:
        """What came last."""
        self.cut()

    # By hand, without threads: for what runs faster than time.

    def cut(self) -> None:
        """Hand on what came since the last cut."""
        self._chunker.cut(self._now_ns())
