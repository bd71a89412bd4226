"""What an agent that connects says of itself, as rows, and what is held of its sessions: many agents in one go."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection, Sequence

import asyncpg

from coordinator.errors import ChunkRefused
from coordinator.ingest.batched import Batched
from coordinator.ingest.checks import checked_id, tidy
from coordinator.ingest.database import SQL, STATEMENT_S, transaction
from coordinator.ingest.held import Held, read_held
from protos.clippy.v1 import link_pb2
from protos.segment import is_session_id

_MAX_SESSIONS = 1000
_MAX_UNIX_MS = 4_102_444_800_000  # the year 2100


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """What is known of an agent that said Hello.

    Attributes:
        held: which chunks of the sessions it named are held, and how safely.
        recent: sessions of its that may still get wishes, moments or exports; not only those it named.
    """

    held: Held
    recent: list[str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Hello:
    user_id: str
    agent_id: str
    version: str
    sessions: tuple[link_pb2.SessionStarted, ...]


class Hellos:
    """Writes agents and sessions. Any task.

    Raises (both methods):
        ChunkRefused: A rule is broken, or it belongs to another account; sending it again will not help.
        DatabaseUnavailable: Later.
    """

    def __init__(self, pool: asyncpg.Pool, living_nodes: Callable[[], Collection[str]]) -> None:
        self._pool = pool
        self._living_nodes = living_nodes
        self._greetings: Batched[_Hello, Greeting] = Batched(self._greet_all)

    async def hello(self, user_id: str, hello: link_pb2.Hello) -> Greeting:
        """An agent and its sessions."""
        if len(hello.sessions) > _MAX_SESSIONS:
            raise ChunkRefused(f"{len(hello.sessions)} sessions in one Hello, at most {_MAX_SESSIONS}")
        # The last word on a session counts, and each is written once.
        sessions = {item.session_id: _checked_session(item) for item in hello.sessions}
        return await self._greetings.ask(
            _Hello(
                user_id=user_id,
                agent_id=checked_id("agent_id", hello.agent_id),
                version=tidy(hello.agent_version, 64),
                sessions=tuple(sessions.values()),
            )
        )

    async def session_started(self, user_id: str, agent_id: str, message: link_pb2.SessionStarted) -> None:
        """A session begins while the stream is open."""
        hello = _Hello(user_id=user_id, agent_id=agent_id, version="", sessions=(_checked_session(message),))
        async with transaction(self._pool) as connection:
            if not await _upsert_sessions(connection, [hello]):
                raise _foreign(hello)

    async def _greet_all(self, hellos: Sequence[_Hello]) -> Sequence[Greeting | Exception]:
        answers: dict[int, Greeting | Exception] = {}
        waiting = dict(enumerate(hellos))
        while waiting:
            # Two that speak of the same rows cannot be written by one statement.
            names: set[str] = set()
            turn: dict[int, _Hello] = {}
            for number, hello in waiting.items():
                mine = {hello.agent_id, *(item.session_id for item in hello.sessions)}
                if names.isdisjoint(mine):
                    names |= mine
                    turn[number] = hello
            for number in turn:
                del waiting[number]
            answers.update(zip(turn, await self._greet(list(turn.values())), strict=True))
        return [answers[number] for number in range(len(hellos))]

    async def _greet(self, hellos: Sequence[_Hello]) -> list[Greeting | Exception]:
        async with transaction(self._pool) as connection:
            # In one order everywhere, so that two processes cannot lock each other's rows crosswise.
            ordered = sorted(hellos, key=lambda hello: hello.agent_id)
            columns = (
                [hello.agent_id for hello in ordered],
                [hello.user_id for hello in ordered],
                [hello.version for hello in ordered],
            )
            known = {
                row["agent_id"]
                for row in await connection.fetch(SQL["upsert_agents"], *columns, timeout=STATEMENT_S)
            }
            ours = [hello for hello in ordered if hello.agent_id in known]
            written = await _upsert_sessions(connection, ours)
            good = [hello for hello in ours if all(item.session_id in written for item in hello.sessions)]
            named = [item.session_id for hello in good for item in hello.sessions]
            held = await read_held(connection, named, self._living_nodes())
            recent = await _recent(connection, good)
        by_session: dict[str, Held] = {}
        for key, lane in held.items():
            by_session.setdefault(key[0], {})[key] = lane
        accepted = {hello.agent_id for hello in good}
        answers: list[Greeting | Exception] = []
        for hello in hellos:
            if hello.agent_id not in known:
                answers.append(ChunkRefused(f"agent {hello.agent_id!r} belongs to another account"))
            elif hello.agent_id not in accepted:
                answers.append(_foreign(hello))
            else:
                mine: Held = {}
                for item in hello.sessions:
                    mine |= by_session.get(item.session_id, {})
                answers.append(Greeting(held=mine, recent=recent.get(hello.agent_id, [])))
        return answers


async def _upsert_sessions(connection: asyncpg.Connection, hellos: Sequence[_Hello]) -> set[str]:
    """Write the sessions of these agents; returns those that are theirs."""
    sessions = sorted(
        ((hello, item) for hello in hellos for item in hello.sessions), key=lambda pair: pair[1].session_id
    )
    if not sessions:
        return set()
    now_ms = time.time_ns() // 1_000_000
    columns = (
        [item.session_id for _, item in sessions],
        [hello.user_id for hello, _ in sessions],
        [hello.agent_id for hello, _ in sessions],
        # A clock that is far off says nothing.
        [float(ms if 0 < (ms := item.started_unix_ms) < _MAX_UNIX_MS else now_ms) for _, item in sessions],
        [item.is_live for _, item in sessions],
    )
    rows = await connection.fetch(SQL["upsert_sessions"], *columns, timeout=STATEMENT_S)
    return {row["session_id"] for row in rows}


async def _recent(connection: asyncpg.Connection, hellos: Sequence[_Hello]) -> dict[str, list[str]]:
    """Of each agent its sessions that may still get something, the newest first."""
    columns = ([hello.agent_id for hello in hellos], [hello.user_id for hello in hellos])
    recent: dict[str, list[str]] = {}
    for row in await connection.fetch(SQL["recent_sessions"], *columns, timeout=STATEMENT_S):
        recent.setdefault(row["agent_id"], []).append(row["session_id"])
    return recent


def _checked_session(session: link_pb2.SessionStarted) -> link_pb2.SessionStarted:
    if not is_session_id(session.session_id):
        raise ChunkRefused(f"session_id {session.session_id[:64]!r} is not 32 hexadecimal digits")
    return session


def _foreign(hello: _Hello) -> ChunkRefused:
    names = ", ".join(item.session_id for item in hello.sessions[:3])
    return ChunkRefused(f"session {names} belongs to another account")
