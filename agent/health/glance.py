"""A look at the screen by a source of our own, which the recording has nothing to do with.

Each glance is a thread `screen-glance` that opens, grabs, makes small and closes; who asks waits two seconds at most.
A display that does not answer holds one such thread, never a second.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

import structlog

from agent.errors import AgentError, ScreenUnavailable
from agent.health.pictures import SmallPicture, shrink
from agent.ports import ScreenSource

log = structlog.get_logger()
MAX_WAIT_S = 2.0


class ScreenGlance:
    """Grabs once when it is asked to. Used by one thread.

    Args:
        make_source: a closed source of the same picture as the recorded one, opened for this grab alone; None where
            this machine has no second one.
    """

    def __init__(self, make_source: Callable[[], ScreenSource | None]) -> None:
        self._make_source = make_source
        self._thread: threading.Thread | None = None
        self.cpu_ns = 0

    def take(self, *, into_px: tuple[int, int], timeout_s: float = MAX_WAIT_S) -> SmallPicture:
        """The screen now, small, as it would lie in a track of that size.

        Raises:
            ScreenUnavailable: There is no second source, it cannot be opened, or it does not answer in time.
        """
        if self._thread is not None and self._thread.is_alive():
            raise ScreenUnavailable("the screen has not answered since the last look")
        source = self._make_source()
        if source is None:
            raise ScreenUnavailable("there is no second source of this picture")
        answer: queue.SimpleQueue[SmallPicture | Exception] = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=self._run, args=(source, into_px, answer), name="screen-glance", daemon=True
        )
        self._thread.start()
        try:
            found = answer.get(timeout=timeout_s)
        except queue.Empty:
            raise ScreenUnavailable(f"the screen did not answer within {timeout_s:.0f} s") from None
        self._thread.join(timeout_s)
        if isinstance(found, Exception):
            raise ScreenUnavailable(f"{source.name}: {found}") from found
        return found

    def _run(
        self,
        source: ScreenSource,
        into_px: tuple[int, int],
        answer: queue.SimpleQueue[SmallPicture | Exception],
    ) -> None:
        began_ns = time.thread_time_ns()
        try:
            source.open()
            answer.put(shrink(source.grab().picture, into_px=into_px))
        except AgentError as exc:
            answer.put(exc)
        except Exception as exc:
            # The outermost frame of the thread.
            log.exception("screen_glance_failed")
            answer.put(exc)
        finally:
            source.close()
            self.cpu_ns += time.thread_time_ns() - began_ns
