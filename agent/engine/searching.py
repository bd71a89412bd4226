"""Searching the library and the buffer, beside a running engine and without one."""

from __future__ import annotations

from agent.config import load_config
from agent.library.finding import Hit, LibrarySearch
from agent.library.library import Library
from agent.library.said import Held, SaidWords
from agent.paths import AgentPaths
from agent.uplink.pairing_record import load_record
from protos.clippy.v1 import control_pb2


def search_library(
    paths: AgentPaths, query: str, *, status: control_pb2.Status | None, limit: int
) -> list[Hit]:
    """The best first. Args: status: of the engine that runs; None: there is no buffer.

    Raises:
        InputUnusable: There is no word in the query.
        EnvironmentProblem: The library cannot be read.
    """
    held = Held(session_id="", start_ns=0)
    if status is not None:
        held = Held(session_id=status.session_id, start_ns=max(0, status.now_ns - status.buffered_ns))
    if not paths.library.exists():
        # Made by the first engine; a question makes nothing.
        LibrarySearch.check(query)
        return []
    library = Library(paths.library)
    try:
        return LibrarySearch(library).find(query, held=held, limit=limit)
    finally:
        library.close()


def is_speech_known(paths: AgentPaths) -> bool:
    """Is there anything that was heard, or a coordinator that may hear it?

    Raises:
        InputUnusable, EnvironmentProblem: The settings, the pairing or the library cannot be read.
    """
    if has_coordinator(paths):
        return True
    if not paths.library.exists():
        return False
    library = Library(paths.library)
    try:
        return not SaidWords(library).is_empty
    finally:
        library.close()


def has_coordinator(paths: AgentPaths) -> bool:
    """Is there a coordinator that hears what is said, by the settings or by a pairing?

    Raises:
        InputUnusable: The settings or the pairing are damaged.
    """
    if load_config(paths.config_file).uplink.address:
        return True
    record = load_record(paths)
    return record is not None and record.is_active
