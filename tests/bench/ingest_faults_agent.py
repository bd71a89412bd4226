"""Agents' outboxes and links in a process of their own, to be killed by the bench `ingest --part faults`.

python -m tests.bench.ingest_faults_agent FOLDER PORT FIRST COUNT PERIOD_S

Standard output: `put SESSION LANE SEQ` once `put` has returned, `ack ...` for each FSYNCED that was seen, `stored ...`
for each STORED, `again ...` for what the coordinator no longer holds, `connected N` whenever the number of streams that
were welcomed changes, `finished` when nothing is left to upload.
Standard input: `finish`; its end ends the process.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path

from agent.uplink.channel import Coordinator
from agent.uplink.link import LinkClient
from agent.uplink.link_stream import LinkSettings
from agent.uplink.outbox import ChunkKey, Outbox
from protos.clippy.v1 import media_pb2
from tests.bench.ingest_faults_chunks import SIZES, follow_clock, made_chunk, warn_to_stderr

# The product waits up to 30 s between tries; the run is short, and its faults are many.
SETTINGS = LinkSettings(max_backoff_s=2.0)
_SAYING = threading.Lock()


def say(words: Sequence[str]) -> None:
    """Whole lines, whichever thread speaks."""
    data = "".join(f"{line}\n" for line in words).encode()
    with _SAYING:
        while data:
            data = data[os.write(1, data) :]


def tell(what: str, keys: Iterable[ChunkKey]) -> None:
    """One line a chunk."""
    say([f"{what} {session_id} {lane} {seq}" for session_id, lane, seq in keys])


class TellingOutbox(Outbox):
    """Says which acks it was given."""

    def mark_fsynced(self, held: Iterable[media_pb2.LaneRanges]) -> list[ChunkKey]:
        """As the outbox's."""
        marked = super().mark_fsynced(held)
        tell("ack", marked)
        return marked

    def delete_stored(self, held: Iterable[media_pb2.LaneRanges]) -> list[ChunkKey]:
        """As the outbox's."""
        deleted = super().delete_stored(held)
        tell("stored", deleted)
        return deleted

    def drop_refused(self, refused: Sequence[media_pb2.Gap]) -> list[ChunkKey]:
        """As the outbox's; none of ours may be refused."""
        dropped = super().drop_refused(refused)
        tell("refused", dropped)
        return dropped

    def reconcile(self, held: Sequence[media_pb2.LaneRanges]) -> None:
        """As the outbox's: a Welcome acknowledges, and takes back."""
        before = self._states()
        super().reconcile(held)
        after = self._states()
        tell("stored", [key for key in before if key not in after])
        tell(
            "ack", [key for key, state in before.items() if (state, after.get(key)) == ("waiting", "fsynced")]
        )
        tell(
            "again",
            [key for key, state in before.items() if (state, after.get(key)) == ("fsynced", "waiting")],
        )

    def _states(self) -> dict[ChunkKey, str]:
        rows = self.file.rows("select session_id, lane, seq, state from chunks")
        return {(session_id, lane, seq): state for session_id, lane, seq, state in rows}


class OneAgent:
    """One agent: an outbox on the disk, a session, a link."""

    def __init__(self, folder: Path, port: int, number: int) -> None:
        self._outbox = TellingOutbox(folder / "outboxes" / f"{number}.db")
        self._session_id = uuid.uuid4().hex
        self._seq = 0
        self._outbox.start_session(self._session_id, 1_700_000_000_000)
        coordinator = Coordinator(
            address=f"127.0.0.1:{port}", ca_path=folder / "ca.pem", token_path=folder / "token"
        )
        self._link = LinkClient(
            coordinator, self._outbox, agent_id=f"agent-{number}", agent_version="0", settings=SETTINGS
        )
        self._link.start()

    def put(self) -> None:
        """A chunk of each lane."""
        for lane in SIZES:
            seq = self._outbox.put(self._session_id, made_chunk(self._session_id, lane, self._seq))
            say([f"put {self._session_id} {lane} {seq}"])
        self._seq += 1

    @property
    def is_connected(self) -> bool:
        """Was its stream welcomed?"""
        return self._link.state == "connected"

    def end(self) -> None:
        """No chunk follows."""
        self._outbox.end_session(self._session_id, self._seq * 1_000_000_000 + 1)

    def is_done(self) -> bool:
        """Is everything in the object store, of this session and of those that kills have left?"""
        return not self._outbox.sessions()

    def left(self) -> str:
        """What is still here, for the log."""
        counts = self._outbox.file.rows("select state, count(*) from chunks group by state")
        return f"{self._link.state} {self._link.problem} {counts}"


def main() -> None:
    """Put chunks until told to finish."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("first", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("period_s", type=float)
    arguments = parser.parse_args()
    warn_to_stderr()
    follow_clock(arguments.folder / f"clock-agent-{arguments.first}")
    finishing = threading.Event()
    threading.Thread(target=_listen, args=(finishing,), daemon=True).start()
    numbers = range(arguments.first, arguments.first + arguments.count)
    agents = [OneAgent(arguments.folder, arguments.port, number) for number in numbers]
    threading.Thread(target=_count, args=(agents,), daemon=True).start()
    while not finishing.is_set():
        for agent in agents:
            agent.put()
            if finishing.wait(arguments.period_s / len(agents)):
                break
    for agent in agents:
        agent.end()
    waited_s = 0.0
    while not all(agent.is_done() for agent in agents):
        threading.Event().wait(0.2)
        waited_s += 0.2
        if waited_s % 10 < 0.2:
            print(
                "waits",
                [agent.left() for agent in agents if not agent.is_done()],
                file=sys.stderr,
                flush=True,
            )
    say(["finished"])
    os._exit(0)


def _count(agents: Sequence[OneAgent]) -> None:
    told = 0
    while True:
        num_connected = sum(agent.is_connected for agent in agents)
        if num_connected != told:
            told = num_connected
            say([f"connected {told}"])
        threading.Event().wait(0.1)


def _listen(finishing: threading.Event) -> None:
    for line in sys.stdin:
        if line.strip() == "finish":
            finishing.set()
    os._exit(1)


if __name__ == "__main__":
    main()
