"""A bad network between agents and nodes, and the balancer in front of them: TCP on loopback, in the bench's own loop.

A connection goes to a node that says it serves (gRPC's health service, as a balancer asks), and meets there what the
weather brings: it is reset, cut within a message, slowed to some KB/s, or stalls while both ends think it is open.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable, Sequence

_PIECE_BYTES = 16 * 1024
KINDS = ("reset", "cut", "slow", "stall")
_WEIGHTS = (35, 25, 20, 20)


class Connection:
    """One agent's connection to a node. Owned by the loop."""

    def __init__(self, node: str, ends: Sequence[tuple[asyncio.StreamReader, asyncio.StreamWriter]]) -> None:
        self.node = node
        self._ends = ends
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._bytes_per_s: float | None = None
        self._is_cut = False

    @property
    def is_healthy(self) -> bool:
        """Has no fault hit it yet?"""
        return self._flowing.is_set() and self._bytes_per_s is None and not self._is_cut

    async def carry(self) -> None:
        """Both ways until one end is gone."""
        agent, node = self._ends
        ways = [
            asyncio.create_task(self._one_way(agent[0], node[1])),
            asyncio.create_task(self._one_way(node[0], agent[1])),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self.reset()

    def reset(self) -> None:
        """As when a router forgets it."""
        for _, writer in self._ends:
            with contextlib.suppress(OSError, RuntimeError):
                writer.transport.abort()

    def cut(self) -> None:
        """The next piece goes through in part only; then both ends are closed."""
        self._is_cut = True

    def slow(self, bytes_per_s: float | None) -> None:
        """At most this much each way; None: as fast as it goes."""
        self._bytes_per_s = bytes_per_s

    def stall(self) -> None:
        """Nothing passes, and nobody is told."""
        self._flowing.clear()

    def flow(self) -> None:
        """It passes again."""
        self._flowing.set()

    async def _one_way(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while True:
                data = await reader.read(_PIECE_BYTES)
                # A dead line passes nobody's farewell either.
                await self._flowing.wait()
                if not data:
                    return
                if self._is_cut:
                    writer.write(data[: max(1, len(data) // 2)])
                    await asyncio.wait_for(writer.drain(), 1.0)
                    return
                if self._bytes_per_s is not None:
                    await asyncio.sleep(len(data) / self._bytes_per_s)
                writer.write(data)
                await writer.drain()


class Proxy:
    """Listens for agents. `route` says to which nodes a new connection may go: (name, port), the best first."""

    def __init__(self, route: Callable[[], Sequence[tuple[str, int]]], *, seed: int) -> None:
        self.port = 0
        self.connections: set[Connection] = set()
        self.faults: Counter[str] = Counter()
        self._route = route
        self._dice = random.Random(seed)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen on a free port of loopback."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close everything."""
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.reset()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def reset_all(self) -> None:
        """Every connection is dropped at once."""
        for connection in list(self.connections):
            connection.reset()

    async def weather(self, pause_s: float) -> None:
        """Harm one connection after another, until cancelled; those that are slow or stall recover then."""
        healing: set[asyncio.Task[None]] = set()
        try:
            while True:
                await asyncio.sleep(pause_s * self._dice.uniform(0.5, 1.5))
                healthy = [connection for connection in self.connections if connection.is_healthy]
                if healthy:
                    task = asyncio.create_task(self._harm(self._dice.choice(healthy)))
                    healing.add(task)
                    task.add_done_callback(healing.discard)
        finally:
            for task in healing:
                task.cancel()
            await asyncio.gather(*healing, return_exceptions=True)
            for connection in self.connections:
                connection.slow(None)
                connection.flow()

    async def _harm(self, connection: Connection) -> None:
        (kind,) = self._dice.choices(KINDS, _WEIGHTS)
        self.faults[kind] += 1
        if kind == "reset":
            connection.reset()
        elif kind == "cut":
            connection.cut()
        elif kind == "slow":
            connection.slow(self._dice.uniform(3_000, 20_000))
            await asyncio.sleep(self._dice.uniform(3, 12))
            connection.slow(None)
        else:
            connection.stall()
            await asyncio.sleep(self._dice.uniform(2, 25))
            if self._dice.random() < 0.5:
                connection.reset()
            connection.flow()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for node, port in self._route():
            try:
                other = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), 2.0)
            except OSError:
                continue
            connection = Connection(node, ((reader, writer), other))
            self.connections.add(connection)
            try:
                await connection.carry()
            finally:
                self.connections.discard(connection)
            return
        writer.transport.abort()
