"""The coordinator's link alone, with many accounts and the limits as they are shipped: `bench ingest --part flood`.

python -m tests.bench.flood_server DATA PORT, with DATABASE_URL in the environment. A token is the account's name, and a
statement a second stands in for the workers: it takes the jobs away, as they would.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from coordinator.ingest.events import FollowUps
from coordinator.ingest.listener import LinkTls
from coordinator.ingest.server import IngestSettings, LinkServer
from coordinator.jobs.engine import PgQueuerQueue
from coordinator.jobs.waiting import waiting_by_account
from coordinator.model.accounts import Principal
from coordinator.ops.certificates import load_certificates
from coordinator.pipeline.steps import jobs_after_chunk
from coordinator.settings import Limits
from coordinator.store.connect import connect
from coordinator.store.objects import LocalObjects

FLOOD = "flood"


class Named:
    """Port `Authenticator`: whoever says a name has that account; the one that floods has the highest tier."""

    async def authenticate(self, token: str, peer: str = "") -> Principal | None:
        """As the port says."""
        return Principal(user_id=token, tier="business" if token == FLOOD else "free")

    async def revoked(self, principals: Sequence[Principal]) -> set[Principal]:
        """As the port says."""
        return set()


async def serve(data: Path, port: int) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    certificates = load_certificates(data)
    pool = await connect(os.environ["DATABASE_URL"], max_connections=8)
    server = LinkServer(
        pool=pool,
        store=LocalObjects(data / "objects", base_url="http://127.0.0.1:9", secret=b"x" * 32),
        jobs=PgQueuerQueue(),
        identity=Named(),
        settings=IngestSettings(node="bench", spool_folder=data / "spool", limits=Limits()),
        follow_ups=FollowUps(after_chunk=jobs_after_chunk),
        tls=LinkTls(certificate=certificates.chain, key=certificates.key),
        waiting=lambda: waiting_by_account(pool),
    )
    await server.start(f"127.0.0.1:{port}")
    while not stop.is_set():
        await asyncio.sleep(1.0)
        await pool.execute("delete from pgqueuer where status = 'queued'")
    await server.stop()
    await pool.close()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
