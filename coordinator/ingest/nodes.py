"""Which nodes are alive: a row each in the database, refreshed every 5 s, read into memory by the same task.

A node is a process that holds a spool. It is alive when it was seen within 15 s by the database's clock; the clocks
of machines are never compared. A silent one is gone, and comes back by saying so: what others took over meanwhile
stays theirs. A name belongs to one spool at a time; a second one waits until the first has been silent for 15 s.

What a node held counts as held only while it is alive. When one goes, whoever has streams with chunks there hears it
from `on_gone`. All of it runs in the loop; `living` is a read of memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal

import asyncpg
import structlog

from coordinator.errors import AlreadyRunning, CoordinatorError, StoreUnavailable
from coordinator.ingest.database import fetch
from coordinator.ingest.places import is_node_name

log = structlog.get_logger(__name__)

State = Literal["serving", "draining", "gone"]
_ID_FILE = "id"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """How often a node says that it is there, and after how long it counts as gone.

    Attributes:
        claim_s: how long a name that another spool holds is waited for.
        stale_s: what was read longer ago, by our own clock, is not believed any more: we were stopped, or the
            database was away.
    """

    beat_s: float = 5.0
    dead_s: float = 15.0
    claim_s: float = 17.0
    stale_s: float = 30.0


@dataclasses.dataclass(slots=True, kw_only=True)
class _Held:
    """A name that this process holds: its own, or that of a spool that it drains."""

    folder: Path
    spool_id: str
    state: State


class NodeRegistry:
    """This process's view of all nodes. `join` before recovery, `run` as a task, `leave` at the end."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        *,
        spool_folder: Path,
        files_url: str = "",
        settings: NodeSettings | None = None,
    ) -> None:
        """Args: files_url: where other nodes read the spools of this machine; empty: nowhere."""
        self._pool = pool
        self._spool_folder = spool_folder
        self._files_url = files_url
        self._settings = settings or NodeSettings()
        self._held: dict[str, _Held] = {}
        self._living: frozenset[str] = frozenset()
        self._read_s = -self._settings.stale_s
        self._untold: set[str] = set()
        # A name that is being given up must not be said to be there by a beat that is under way.
        self._saying = asyncio.Lock()
        self.on_gone: Callable[[frozenset[str]], Awaitable[None]] | None = None

    def living(self) -> frozenset[str]:
        """The nodes whose spools can be read, as of the last look; only our own where that is too long ago."""
        mine = frozenset(name for name, held in self._held.items() if held.state != "gone")
        if time.monotonic() - self._read_s > self._settings.stale_s:
            return mine
        return self._living | mine

    async def join(self, node: str, *, state: State = "serving") -> None:
        """Take a name, and look who else is there.

        Raises:
            AlreadyRunning: Another spool of this name is alive.
            DatabaseUnavailable, StoreUnavailable: Nobody knows now, or the folder cannot be used.
        """
        folder = self._spool_folder / node
        spool_id = await asyncio.to_thread(read_spool_id, folder)
        held = _Held(folder=folder, spool_id=spool_id, state=state)
        deadline_s = time.monotonic() + self._settings.claim_s
        while not await self._claim(node, held):
            if time.monotonic() < deadline_s:
                # Our own, before its disk was lost, perhaps: it is gone in a moment.
                await asyncio.sleep(min(1.0, self._settings.beat_s))
                continue
            raise AlreadyRunning(
                f"a node {node!r} with another spool was there within {self._settings.dead_s:.0f} s; "
                f"give each machine its own `node`, or try again when that one is gone"
            )
        self._held[node] = held
        await self._look()

    async def forget(self, node: str) -> None:
        """A spool was drained and its folder deleted: its name is free."""
        async with self._saying:
            held = self._held.pop(node)
            await fetch(self._pool, "node_is_gone", node, held.spool_id)

    async def leave(self) -> None:
        """Say that this process is stopping. Its spool counts as alive for 15 s more: a restart is not a loss."""
        for held in self._held.values():
            held.state = "draining"
        with contextlib.suppress(CoordinatorError):
            await self._beat()

    async def run(self) -> None:
        """Beat and look until cancelled; a database that is away is tried again at the next beat."""
        problem = ""
        while True:
            await asyncio.sleep(self._settings.beat_s)
            try:
                await self._beat()
                await self._look()
                problem = ""
            except CoordinatorError as exc:
                if str(exc) != problem:
                    log.warning("node_beat_delayed", problem=str(exc))
                problem = str(exc)
            except Exception:
                log.exception("node_beat_failed")

    async def _claim(self, node: str, held: _Held) -> bool:
        values = (node, held.spool_id, self._files_url, os.getpid(), held.state, self._settings.dead_s)
        return bool(await fetch(self._pool, "claim_node", *values))

    async def _beat(self) -> None:
        for node, held in list(self._held.items()):
            size_bytes = await asyncio.to_thread(_folder_bytes, held.folder)
            async with self._saying:
                if self._held.get(node) is held:
                    await self._say(node, held, size_bytes)

    async def _say(self, node: str, held: _Held, size_bytes: int) -> None:
        if await fetch(self._pool, "beat_node", node, held.spool_id, held.state, size_bytes):
            return
        if not await self._claim(node, held):
            log.error("node_name_taken", node=node, advice="give each machine its own `node`")

    async def _look(self) -> None:
        await fetch(self._pool, "bury_nodes", self._settings.dead_s)
        rows = await fetch(self._pool, "living_nodes", self._settings.dead_s)
        before, self._living = self._living, frozenset(row["node"] for row in rows)
        self._read_s = time.monotonic()
        gone = before - self._living - set(self._held)
        if gone:
            log.info("nodes_gone", nodes=sorted(gone))
        # Kept until somebody was told: the database may be away in between.
        self._untold = (self._untold | gone) - self._living
        if self._untold and self.on_gone is not None:
            await self.on_gone(frozenset(self._untold))
        self._untold.clear()


def read_spool_id(folder: Path) -> str:
    """What tells this spool from one of the same name on another disk; made the first time. Blocks.

    Raises:
        StoreUnavailable: The folder cannot be made, read or written.
    """
    path = folder / _ID_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / f".{_ID_FILE}.{uuid.uuid4().hex}"
        if not path.exists():
            unfinished.write_text(uuid.uuid4().hex, encoding="ascii")
            try:
                # Two processes may start at once: the first link wins, both read it.
                os.link(unfinished, path)
            except FileExistsError:
                log.info("spool_id_was_made_meanwhile")
            finally:
                unfinished.unlink()
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise StoreUnavailable(f"cannot use the spool {folder.name}: {exc}; look at the disk") from exc


def node_folders(spool_folder: Path) -> list[str]:
    """Names of the nodes that have, or had, a spool on this disk. Blocks."""
    if not spool_folder.is_dir():
        return []
    return sorted(path.name for path in spool_folder.iterdir() if path.is_dir() and is_node_name(path.name))


def _folder_bytes(folder: Path) -> int:
    total = 0
    with contextlib.suppress(OSError):
        for path in folder.glob("[0-9]*"):
            with contextlib.suppress(OSError):
                total += path.stat().st_size
    return total
