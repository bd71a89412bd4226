"""An agent's outbox and link in a process of their own, to be killed: `python -m tests.fakes.link_agent_process`.

Prints a line `put LANE SEQ` for each chunk once `put` has returned: that is a promise.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from agent.uplink.channel import Coordinator
from agent.uplink.link import LinkClient
from agent.uplink.outbox import Outbox
from tests.fakes.link_parts import QUICK, lane_chunk


def main() -> None:
    """Put chunks for as long as stdin is open."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("session_id")
    parser.add_argument("port", type=int)
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    outbox = Outbox(folder / "outbox.db")
    outbox.start_session(arguments.session_id, 1_700_000_000_000)
    coordinator = Coordinator(
        address=f"localhost:{arguments.port}", ca_path=folder / "ca.pem", token_path=folder / "token"
    )
    client = LinkClient(coordinator, outbox, agent_id="agent-1", agent_version="0", settings=QUICK)
    client.start()
    index = 0
    while True:
        for lane in ("mic", "proxy"):
            # What a chunk holds is known from the number it will get: the parent can check it.
            chunk = lane_chunk(index, lane=lane, num_bytes=3000)
            seq = outbox.put(arguments.session_id, chunk)
            sys.stdout.write(f"put {lane} {seq} {index}\n")
        sys.stdout.flush()
        index += 1
        time.sleep(0.01)


if __name__ == "__main__":
    main()
