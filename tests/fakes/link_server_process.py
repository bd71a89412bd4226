"""A coordinator's ingest alone in a process of its own, to be killed: `python -m tests.fakes.link_server_process`.

Prints its port when it listens. Rolls up all the time, so that kills also hit between spool, object and rows.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from coordinator.ingest.events import FollowUps
from coordinator.ingest.group_commit import GroupSettings
from coordinator.ingest.ingest_settings import IngestSettings
from coordinator.ingest.listener import LinkTls
from coordinator.ingest.roll_up import RollUpSettings
from coordinator.ingest.server import LinkServer
from coordinator.ingest.stream_settings import StreamSettings
from coordinator.store.connect import connect
from coordinator.store.objects import LocalObjects
from tests.fakes.link_parts import JobTable, OneToken, hear, prepare


async def serve(folder: Path, database_url: str, port: int) -> None:
    """Serve until killed."""
    pool = await connect(database_url, max_connections=5)
    objects = LocalObjects(folder / "objects", base_url="http://127.0.0.1:9", secret=b"x" * 32)
    server = LinkServer(
        pool=pool,
        store=objects,
        jobs=JobTable(),
        identity=OneToken(),
        settings=IngestSettings(
            node="n1",
            spool_folder=folder / "spool",
            max_segment_bytes=200_000,
            group=GroupSettings(patience_s=1.0),
            stream=StreamSettings(retry_delay_ms=100),
            roll_up=RollUpSettings(max_age_s=0.3, interval_s=0.1, drained_age_s=0.0),
        ),
        follow_ups=FollowUps(after_chunk=hear, after_upload=prepare),
        tls=LinkTls(
            certificate=(folder / "server.pem").read_bytes(), key=(folder / "server.key").read_bytes()
        ),
    )
    print(await server.start(f"127.0.0.1:{port}"), flush=True)  # noqa: T201  the parent reads it
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("database_url")
    parser.add_argument("port", type=int)
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.folder, arguments.database_url, arguments.port))
