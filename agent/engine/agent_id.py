"""This installation's name for itself."""

from __future__ import annotations

import contextlib
import uuid
from pathlib import Path


def read_agent_id(path: Path) -> str:
    """This installation's name for itself: made once, then kept."""
    with contextlib.suppress(OSError):
        text = path.read_text(encoding="ascii").strip()
        if len(text) == 32:
            return text
    agent_id = uuid.uuid4().hex
    with contextlib.suppress(OSError):
        # Unwritten it is a new one at each start: the coordinator sees a new agent, nothing is lost.
        path.write_text(f"{agent_id}\n", encoding="ascii")
    return agent_id
