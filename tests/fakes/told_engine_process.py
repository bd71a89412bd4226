"""A process with a told engine behind the real control server: `python -m tests.fakes.told_engine_process SOCKET`.

Ends when it is asked to stop, or after a minute.
"""

from __future__ import annotations

import sys
from pathlib import Path

from agent.control.server import ControlServer
from tests.fakes.told_engine import ToldEngine

if __name__ == "__main__":
    engine = ToldEngine()
    server = ControlServer(engine, engine, Path(sys.argv[1]))
    server.start()
    engine.stopped.wait(60)
    server.stop()
