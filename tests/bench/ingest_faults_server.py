"""A node of the coordinator's ingest in a process of its own, to be killed by the bench `ingest --part faults`.

python -m tests.bench.ingest_faults_server FOLDER NODE PORT        the database's address comes by CLIPPY_BENCH_DATABASE

Standard output: `recovered JSON`, `listening PORT`, `streams N` whenever the number changes. SIGTERM drains it.
Its settings are the product's, but for small segments and a roll-up that hurries, so that kills also fall between
spool, object and rows. Files in FOLDER steer it: `store-down` (the object store does not answer), `clock-NODE`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import sys
from pathlib import Path

from coordinator.errors import StoreUnavailable
from coordinator.ingest.events import FollowUps
from coordinator.ingest.listener import LinkTls
from coordinator.ingest.nodes import NodeRegistry
from coordinator.ingest.roll_up import RollUpSettings
from coordinator.ingest.server import IngestSettings, LinkServer
from coordinator.jobs.engine import PgQueuerQueue
from coordinator.store.connect import connect
from coordinator.store.objects import LocalObjects
from tests.bench.ingest_faults_chunks import TOKEN, follow_clock, warn_to_stderr
from tests.fakes.link_parts import OneToken, hear, prepare


class FailingObjects(LocalObjects):
    """A store that can be away."""

    def __init__(self, folder: Path, switch: Path) -> None:
        super().__init__(folder, base_url="http://127.0.0.1:9", secret=b"x" * 32)
        self._switch = switch

    async def put(self, key: str, data: bytes | Path) -> None:
        """As the store's, while it is there."""
        if self._switch.exists():
            raise StoreUnavailable("the bench has taken the store away")
        await super().put(key, data)


def say(words: str) -> None:
    """One whole line."""
    os.write(1, f"{words}\n".encode())


async def serve(folder: Path, node: str, port: int) -> None:
    """Serve until SIGTERM or a kill."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    pool = await connect(os.environ["CLIPPY_BENCH_DATABASE"], max_connections=8, wait_s=60.0)
    settings = IngestSettings(
        node=node,
        spool_folder=folder / f"spool-{node}",
        max_segment_bytes=400_000,
        min_free_bytes=1_000_000,
        roll_up=RollUpSettings(max_age_s=1.5, interval_s=0.5, drained_age_s=0.0),
    )
    registry = NodeRegistry(pool, spool_folder=settings.spool_folder)
    server = LinkServer(
        pool=pool,
        store=FailingObjects(folder / "objects", folder / "store-down"),
        jobs=PgQueuerQueue(),
        identity=OneToken(TOKEN),
        settings=settings,
        follow_ups=FollowUps(after_chunk=hear, after_upload=prepare),
        living_nodes=registry.living,
        tls=LinkTls(
            certificate=(folder / "server.pem").read_bytes(), key=(folder / "server.key").read_bytes()
        ),
    )
    registry.on_gone = server.nodes_gone
    await registry.join(node)
    port = await server.start(f"127.0.0.1:{port}")
    beating = asyncio.create_task(registry.run())
    if server.recovery is not None:
        say(f"recovered {json.dumps(dataclasses.asdict(server.recovery))}")
    say(f"listening {port}")
    num_streams = -1
    while not stopping.is_set():
        if server.num_streams != num_streams:
            num_streams = server.num_streams
            say(f"streams {num_streams}")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), 0.1)
    await registry.leave()
    await server.stop()
    beating.cancel()
    await asyncio.wait_for(pool.close(), 10)
    say("stopped")


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("node")
    parser.add_argument("port", type=int)
    arguments = parser.parse_args()
    warn_to_stderr()
    follow_clock(arguments.folder / f"clock-{arguments.node}")
    asyncio.run(serve(arguments.folder, arguments.node, arguments.port))
    return 0


if __name__ == "__main__":
    sys.exit(main())
