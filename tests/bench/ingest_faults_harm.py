"""What is done to nodes, agents, the database, disks and clocks while the bench `ingest --part faults` runs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from tests.bench.ingest_faults_site import Agents, Child, Node, Site
from tests.bench.measure import say

# Of a hundred kills so many hit a node, an agent, one of PostgreSQL's backends, PostgreSQL itself.
_WEIGHTS = {"node": 46, "agent": 44, "backend": 7, "database": 3}
_CLOCK_JUMPS_S = (-86_400, -3_600, -30, 30, 3_600, 86_400)


class Harm:
    """Owned by the loop. Every method that lasts may be cancelled; `calm` then mends what it left."""

    def __init__(self, site: Site, nodes: Sequence[Node], agents: Sequence[Agents], *, seed: int) -> None:
        self.kills: Counter[str] = Counter()
        self.others: Counter[str] = Counter()
        self.planted_bytes = 0
        self.cut_bytes = 0
        self.is_disk_small = False
        self._site = site
        self._nodes = nodes
        self._agents = agents
        self._dice = random.Random(seed)
        self._starting: set[asyncio.Task[None]] = set()
        self._busy: set[str] = set()
        self._is_database_busy = False

    @property
    def num_kills(self) -> int:
        """All kills so far."""
        return self.kills.total()

    async def kill(self, num_kills: int, length_s: float) -> None:
        """So many kill -9, spread over the time; whoever was killed is started again."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        first = self.num_kills
        while self.num_kills - first < num_kills:
            due_s = began_s + length_s * (self.num_kills - first + 0.5) / num_kills
            await asyncio.sleep(max(0.05, due_s - loop.time()))
            (kind,) = self._dice.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
            before = self.num_kills
            await self._kill_one(kind)
            if self.num_kills // 10 > before // 10:
                say(f"faults: {self.num_kills} kills, {len(self._site.promises.acked)} chunks acknowledged")
            if loop.time() - began_s > 1.5 * length_s + 30:
                return

    async def all_up(self) -> None:
        """Wait until whoever was killed is back."""
        await asyncio.gather(*self._starting)
        for node in self._nodes:
            await node.up()

    async def full_disks(self, length_s: float) -> None:
        """Again and again fill n2's spool, by a stranger's file, or by its own chunks while the store is away."""
        pause_s = max(1.0, length_s / 12)
        while True:
            await asyncio.sleep(pause_s)
            if not self.is_disk_small:
                continue
            is_own = self.others["disk_full"] % 2 == 1
            self.others["disk_full"] += 1
            if is_own:
                self._switch.touch()
            # Its own chunks fill what a stranger's file leaves.
            self._fill(leaving_bytes=1_500_000 if is_own else 0)
            await asyncio.sleep(min(pause_s, self._dice.uniform(4, 10)))
            # A store that is back must be enough to free the disk: the stranger's file stays.
            self._switch.unlink(missing_ok=True)
            if is_own:
                await asyncio.sleep(min(pause_s, 5.0))
            self._empty()

    async def jump_clocks(self) -> None:
        """Again and again set somebody's clock wrong, or right."""
        names = [node.name for node in self._nodes] + [agents.name for agents in self._agents]
        while True:
            await asyncio.sleep(self._dice.uniform(1, 6))
            name = self._dice.choice(names)
            jump_s = self._dice.choice((*_CLOCK_JUMPS_S, 0))
            (self._site.folder / f"clock-{name}").write_text(str(jump_s), encoding="ascii")
            self.others["clock_jump"] += 1

    def calm(self) -> None:
        """No disk is full, no store away, no clock wrong any more."""
        self._switch.unlink(missing_ok=True)
        self._empty()
        for path in self._site.folder.glob("clock-*"):
            path.unlink()

    @property
    def _switch(self) -> Path:
        return self._site.folder / "store-down"

    def _fill(self, *, leaving_bytes: int) -> None:
        if self._site.tmpfs is None:
            return
        size_bytes = shutil.disk_usage(self._site.tmpfs).free - leaving_bytes
        with contextlib.suppress(OSError), (self._site.tmpfs / "stranger").open("wb") as file:
            while size_bytes > 0:
                size_bytes -= file.write(b"\1" * min(size_bytes, 64 * 1024))
                file.flush()

    def _empty(self) -> None:
        if self._site.tmpfs is not None:
            (self._site.tmpfs / "stranger").unlink(missing_ok=True)

    async def _kill_one(self, kind: str) -> None:
        if kind in ("backend", "database"):
            if not self._is_database_busy:
                self._begin(self._kill_database(is_whole=kind == "database"))
            return
        among: Sequence[Child] = self._nodes if kind == "node" else self._agents
        # A node that is starting may be killed as well: recovery must survive that too.
        able = [
            child
            for child in among
            if child.name not in self._busy and child.process is not None and child.process.returncode is None
        ]
        if not able:
            return
        victim = self._dice.choice(able)
        self._busy.add(victim.name)
        is_caught = isinstance(victim, Node) and not self._is_database_busy and self._dice.random() < 0.4
        if not (is_caught and await self._kill_before_its_rows(victim)):  # type: ignore[arg-type]
            await victim.kill()
        self.kills[kind] += 1
        self._begin(self._restart(victim))

    def _begin(self, work: object) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)  # type: ignore[arg-type]
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _kill_database(self, *, is_whole: bool) -> None:
        self._is_database_busy = True
        try:
            if await self._site.kill_database(self._dice, is_whole=is_whole):
                self.kills["database" if is_whole else "backend"] += 1
        finally:
            self._is_database_busy = False

    async def _restart(self, victim: Child) -> None:
        if isinstance(victim, Node) and self._dice.random() < 0.7:
            self._tear(victim)
        await asyncio.sleep(self._dice.uniform(0, 1.5))
        await victim.start()  # type: ignore[attr-defined]
        # Three of four are left alone until they work; the fourth may be hit while it starts.
        if isinstance(victim, Node) and self._dice.random() < 0.75:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(victim.up(), 30)
                await asyncio.sleep(1.0)
        self._busy.discard(victim.name)

    async def _kill_before_its_rows(self, node: Node) -> bool:
        """Kill a node that has written chunks and cannot write their rows; then perhaps cut off what no row knows."""
        if self._site.pool is None:
            return False
        try:
            async with self._site.pool.acquire(timeout=5) as connection, connection.transaction():
                # Waits for writers, and lets no new one write, until this transaction ends.
                await connection.execute("lock table chunks in exclusive mode", timeout=5)
                await asyncio.sleep(self._dice.uniform(0.1, 0.6))
                await node.kill()
                self.others["killed_before_rows"] += 1
                path = _newest(node)
                if path is None or self._dice.random() < 0.4:
                    return True
                indexed = await connection.fetchval(
                    "select max(split_part(place, '/', 3)::bigint + split_part(place, '/', 4)::bigint) from chunks"
                    " where place like 'spool:%' and split_part(place, '/', 1) = $1 and split_part(place, '/', 2) = $2",
                    f"spool:{node.name}",
                    path.name,
                )
                size_bytes = path.stat().st_size
                if size_bytes > (indexed or 0):
                    kept_bytes = self._dice.randrange(indexed or 0, size_bytes)
                    os.truncate(path, kept_bytes)
                    self.cut_bytes += size_bytes - kept_bytes
                    self.others["cut_tail"] += 1
                return True
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as exc:
            say(f"faults: the database was in the way: {type(exc).__name__}")
            return node.process is None or node.process.returncode is not None

    def _tear(self, node: Node) -> None:
        """What a power cut may leave after the newest segment's last record: garbage, or the beginning of a record."""
        path = _newest(node)
        if path is None:
            return
        extra = self._dice.randbytes(self._dice.randrange(1, 3000))
        if self._dice.random() < 0.5:
            extra = path.read_bytes()[: self._dice.randrange(1, 400)]
        with path.open("ab") as file:
            try:
                file.write(extra)
                file.flush()
            except OSError as exc:
                say(f"faults: no tail was torn: {exc}")
                return
        self.planted_bytes += len(extra)
        self.others["torn_tail"] += 1


def _newest(node: Node) -> Path | None:
    segments = [path for path in node.spool.glob("[0-9]*") if path.name.isdecimal()]
    return max(segments, default=None)
