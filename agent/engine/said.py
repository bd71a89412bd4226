"""What the coordinator heard, taken into the library as far as this PC still holds it."""

from __future__ import annotations

from agent.engine.recording import Recording
from agent.library.library import Library
from agent.library.said import Held, SaidRow, SaidWords
from protos.clippy.v1 import link_pb2

# Of one message: the coordinator sends at most 200.
_MAX_WORDS = 1_000
_MAX_NS = 2**62


def keep_heard(library: Library, heard: link_pb2.Heard, recording: Recording | None) -> None:
    """Keep what a message says, and drop what is held no more. Numbers that make no sense are passed over.

    Raises:
        DiskFull, EnvironmentProblem: It cannot be written; it comes again at the next connect.
    """
    rows = [
        SaidRow(
            said_id=one.id,
            session_id=heard.session_id,
            start_ns=one.start_ns,
            end_ns=one.end_ns,
            text=one.text,
        )
        for one in heard.words[:_MAX_WORDS]
        if 0 < one.id < _MAX_NS and 0 <= one.start_ns <= one.end_ns < _MAX_NS
    ]
    held = held_by(recording)
    said = SaidWords(library)
    said.keep(rows, held=held)
    said.prune(held=held)


def words_after(library: Library, session_id: str) -> int:
    """Up to which words of a session came down."""
    return SaidWords(library).last_id(session_id)


def held_by(recording: Recording | None) -> Held:
    """What the ring of this recording holds."""
    if recording is None:
        return Held(session_id="", start_ns=0)
    now_ns = recording.now_ns
    return Held(session_id=recording.session_id, start_ns=max(0, now_ns - recording.ring.buffered_ns))
