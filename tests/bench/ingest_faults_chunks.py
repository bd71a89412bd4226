"""What the agents of the bench `ingest --part faults` send: every byte follows from the chunk's key.

So nobody has to remember what was sent. Imports little, because it is loaded by every process that is killed.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from pathlib import Path

import structlog

from agent.model.media import LaneChunk, LaneName
from protos.timebase import SECOND_NS

SIZES: dict[LaneName, int] = {"mic": 4_000, "desktop": 3_000, "proxy": 20_000, "signals": 400}
TOKEN = "a-token-of-the-bench"


def made_payload(session_id: str, lane: str, seq: int) -> bytes:
    """The bytes of the chunk with this key."""
    size_bytes = SIZES.get(lane, 1_000)  # type: ignore[call-overload]
    return random.Random(f"{session_id}/{lane}/{seq}").randbytes(size_bytes)


def made_chunk(session_id: str, lane: LaneName, seq: int) -> LaneChunk:
    """The chunk that gets the number `seq`."""
    return LaneChunk(
        lane=lane,
        start_ns=seq * SECOND_NS,
        end_ns=(seq + 1) * SECOND_NS,
        content_type="audio/ogg",
        payload=made_payload(session_id, lane, seq),
    )


def warn_to_stderr() -> None:
    """Standard output is for promises; the log goes to standard error, from warnings on."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(30),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def follow_clock(path: Path) -> None:
    """Let this process's wall clock jump by what the file says, in seconds, whenever it changes.

    Both `time.time` and `time.time_ns` are replaced, for all modules of the process; the monotonic clock stays, as it
    does when somebody sets a machine's clock. A privilege that setting the real one would need is not asked for.
    """
    real_ns = time.time_ns
    shift_ns = 0

    def follow() -> None:
        nonlocal shift_ns
        while True:
            try:
                shift_ns = int(float(path.read_text(encoding="ascii")) * SECOND_NS)
            except (OSError, ValueError):
                shift_ns = 0
            threading.Event().wait(0.2)

    time.time_ns = lambda: real_ns() + shift_ns
    time.time = lambda: (real_ns() + shift_ns) / SECOND_NS
    threading.Thread(target=follow, name="clock", daemon=True).start()
