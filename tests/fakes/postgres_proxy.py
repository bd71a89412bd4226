"""A proxy before PostgreSQL's Unix socket that is slow, away, or cuts a connection at its COMMIT. Owned by the loop."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

_SOCKET = ".s.PGSQL.5432"
_PIECE_BYTES = 64 * 1024


class PostgresProxy:
    """Passes everything both ways, but for what is set here.

    Attributes:
        delay_s: every piece is so late, each way.
        cut_on: the next connection on which these bytes are sent to the server is ended before it hears of them.
        cut_at_commit: the next connection that commits while `commit_of` was written on it is ended: before the server
            hears of it, or once it has answered and before the client hears of that.
    """

    def __init__(self, url: str) -> None:
        self.delay_s = 0.0
        self.cut_on = b""
        self.cut_at_commit: Literal["", "before", "after"] = ""
        self.commit_of = b""
        self.num_cut = 0
        parts = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self._target = f"{query['host']}/{_SOCKET}"
        # Short: the path of a socket holds 100 bytes.
        self._folder = Path(tempfile.mkdtemp(prefix="pgproxy-", dir="/tmp"))
        self.url = urlunsplit(parts._replace(query=urlencode(query | {"host": str(self._folder)})))
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._clients: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def come(self) -> None:
        """Listen."""
        self._server = await asyncio.start_unix_server(self._accept, self._folder / _SOCKET)

    async def go_away(self) -> None:
        """Drop every connection and take no new one, as a server that was killed."""
        if self._server is not None:
            self._server.close()
        (self._folder / _SOCKET).unlink(missing_ok=True)
        for writer in list(self._writers):
            writer.transport.abort()

    def say_goodbye(self, *, newest: bool = False) -> None:
        """Send each client, or the newest alone, what a server sends that ends its connection, and no end of file yet.

        Between the two a client that does nothing else has some milliseconds in which it knows of neither.
        """
        fields = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"
        for writer in self._clients[-1:] if newest else self._clients:
            writer.write(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)

    async def close(self) -> None:
        """End it."""
        await self.go_away()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._carry(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(self._target)
        link = _Link(self, (reader, writer), (server_reader, server_writer))
        self._writers |= {writer, server_writer}
        self._clients.append(writer)
        try:
            ways = [asyncio.create_task(link.to_server()), asyncio.create_task(link.to_client())]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        finally:
            self._clients.remove(writer)
            for end in (writer, server_writer):
                self._writers.discard(end)
                end.transport.abort()


_End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Link:
    """One client's connection."""

    def __init__(self, proxy: PostgresProxy, client: _End, server: _End) -> None:
        self._proxy, self._client, self._server = proxy, client, server
        self._is_marked = False
        self._is_cut = False

    async def to_server(self) -> None:
        proxy = self._proxy
        with contextlib.suppress(OSError):
            while data := await self._client[0].read(_PIECE_BYTES):
                if proxy.cut_on and proxy.cut_on in data:
                    proxy.cut_on = b""
                    proxy.num_cut += 1
                    return
                self._is_marked |= bool(proxy.commit_of) and proxy.commit_of in data
                if b"COMMIT" in data and self._is_marked and proxy.cut_at_commit:
                    kind, proxy.cut_at_commit = proxy.cut_at_commit, ""
                    proxy.num_cut += 1
                    if kind == "before":
                        return
                    self._is_cut = True
                await asyncio.sleep(proxy.delay_s)
                self._server[1].write(data)
                await self._server[1].drain()

    async def to_client(self) -> None:
        with contextlib.suppress(OSError):
            while data := await self._server[0].read(_PIECE_BYTES):
                if self._is_cut:
                    return  # the server has committed, and nobody is told
                await asyncio.sleep(self._proxy.delay_s)
                self._client[1].write(data)
                await self._client[1].drain()


@contextlib.asynccontextmanager
async def postgres_proxy(url: str) -> AsyncIterator[PostgresProxy]:
    """One that listens, for the block."""
    proxy = PostgresProxy(url)
    await proxy.come()
    try:
        yield proxy
    finally:
        await proxy.close()
