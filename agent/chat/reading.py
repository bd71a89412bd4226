"""Thread `chat-PLATFORM`, one for each chat: connects, reads, cleans and stamps, and comes back after what broke.

A chat that cannot be read is a state, told in the status; it never stops a recording.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable

import structlog

from agent.chat.chunker import ChatChunker, oldest_ns
from agent.chat.cleaning import Cleaner, clean_name
from agent.chat_ports import ChatSource
from agent.errors import AgentError, ChatUnavailable
from agent.model.chat import ChatStatus, Heard, Watched, Written
from agent.worker import Worker
from protos.timebase import SECOND_NS

log = structlog.get_logger()

_READ_S = 0.5
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 120.0
# So long a connection has to hold before the next wait is a short one again.
_STEADY_S = 60.0
_MINUTE_S = 60.0
UNWANTED = "nothing is read while nothing is sent to a coordinator; pair this PC first"


def next_wait_s(attempt: int, dice: float) -> float:
    """How long to wait before the next try: doubles up to two minutes, between half of it and all. Pure."""
    longest = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0 ** min(attempt, 16))
    return longest * (0.5 + 0.5 * dice)


class ChatReader(Worker):
    """Reads one chat for as long as the session runs. `status` may be called from any thread."""

    def __init__(
        self,
        source: ChatSource,
        cleaner: Cleaner,
        chunker: ChatChunker,
        *,
        now_ns: Callable[[], int],
        dice: Callable[[], float] = random.random,
    ) -> None:
        """Args:
        cleaner: this reader's own.
        now_ns: now, on the session's line.
        """
        super().__init__(f"chat-{source.name.partition(':')[0]}", on_problem=self._end)
        self.source = source
        # Written by the composition root's thread.
        self.is_wanted = True
        self._cleaner = cleaner
        self._chunker = chunker
        self._now_ns = now_ns
        self._dice = dice
        self._lock = threading.Lock()
        # (second, lines in it), of the last minute
        self._per_second: deque[tuple[int, int]] = deque()
        self._num_lines = self._num_dropped = 0
        self._num_viewers: int | None = None
        self._is_connected = False
        self._problem = ""
        self._attempt = 0
        self._not_before_s = 0.0
        self._since_s = 0.0

    def step(self) -> None:
        """Connect where it is time, or read what has come."""
        try:
            if not self.is_wanted:
                self._rest()
                return
            if not self._is_connected:
                if self.wait(min(_READ_S, self._not_before_s - time.monotonic())):
                    return
                if time.monotonic() >= self._not_before_s:
                    self._connect()
                return
            for heard in self.source.read(_READ_S):
                self._take(heard)
        except ChatUnavailable as exc:
            self._lose(exc)

    def tear_down(self) -> None:
        """Let go of the chat."""
        self.source.close()
        self._is_connected = False

    def status(self) -> ChatStatus:
        """How it is read now. Any thread."""
        oldest = int(time.monotonic() - _MINUTE_S)
        with self._lock:
            lines = sum(num for second, num in self._per_second if second > oldest)
        return ChatStatus(
            name=self.source.name,
            is_connected=self._is_connected,
            lines_per_min=lines,
            num_lines=self._num_lines,
            problem=self._problem,
            num_dropped=self._num_dropped,
            num_viewers=self._num_viewers,
        )

    def _end(self, exc: AgentError) -> None:
        """A bug of ours ended the thread: this chat is read no more, and says so."""
        self._problem = str(exc)

    def _rest(self) -> None:
        """Nobody is to be told anything: read nothing, and let the platform know nothing of us."""
        if self._is_connected:
            self.source.close()
        self._is_connected, self._problem = False, UNWANTED
        self.wait(_READ_S)

    def _connect(self) -> None:
        self.source.connect()
        self._is_connected, self._problem = True, ""
        self._since_s = time.monotonic()
        log.info("chat_connected", platform=self.source.name.partition(":")[0])

    def _lose(self, exc: ChatUnavailable) -> None:
        self.source.close()
        now_s = time.monotonic()
        if self._is_connected and now_s - self._since_s > _STEADY_S:
            self._attempt = 0
        wait_s = max(next_wait_s(self._attempt, self._dice()), exc.retry_s)
        self._attempt += 1
        self._is_connected, self._problem = False, str(exc)
        self._not_before_s = now_s + wait_s
        log.info("chat_lost", platform=self.source.name.partition(":")[0], again_in_s=round(wait_s, 1))

    def _take(self, heard: Heard) -> None:
        now_ns = self._now_ns()
        if isinstance(heard, Watched):
            self._num_viewers = max(heard.num_viewers, 0)
            chat = clean_name(heard.chat) or self.source.name
            self._chunker.add_audience(chat, heard.num_viewers, now_ns)
            return
        at_ns = min(now_ns, max(oldest_ns(now_ns), now_ns - round(heard.age_s * SECOND_NS)))
        if isinstance(heard, Written):
            line = self._cleaner.clean(heard, chat=self.source.name, at_s=at_ns / SECOND_NS)
            if line is None:
                return
            is_kept = self._chunker.add_line(line, at_ns)
        else:
            is_kept = self._chunker.add_event(heard, at_ns)
        self._num_dropped += not is_kept
        self._count()

    def _count(self) -> None:
        second = int(time.monotonic())
        with self._lock:
            self._num_lines += 1
            if self._per_second and self._per_second[-1][0] == second:
                self._per_second[-1] = (second, self._per_second[-1][1] + 1)
            else:
                self._per_second.append((second, 1))
            while self._per_second[0][0] < second - _MINUTE_S:
                self._per_second.popleft()
