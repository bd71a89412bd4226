"""The process that agents and browsers speak to: the link and the pages, in one loop."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coordinator.app.installation import Installation
from coordinator.errors import DatabaseUnavailable, InputUnusable
from coordinator.model.jobs import NewJob
from coordinator.model.sessions import MarkerRow
from coordinator.ops import lifeline
from coordinator.pipeline import steps
from coordinator.settings import STAGES

if TYPE_CHECKING:
    import asyncpg

    from coordinator.ingest.server import LinkServer


def run_serve(installation: Installation) -> int:
    """Serve link and pages until asked to stop; returns the exit code."""
    lifeline.hold()
    installation.configure_logs(process="serve")
    return asyncio.run(_serve(installation))


async def _serve(installation: Installation) -> int:
    import uvicorn

    config = installation.config
    stop = asyncio.Event()
    lifeline.stop_on_signals(stop)
    async with installation.pool(extra=4) as pool:
        link = _link(installation, pool)
        await link.start(str(config.listen.grpc_endpoint))
        web = config.listen.web_endpoint
        pages = uvicorn.Server(
            uvicorn.Config(
                _site(installation, pool),
                host=web.host,
                port=web.port,
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=3,
                lifespan="off",
            )
        )
        # Signals are ours: the link has streams to say goodbye to first.
        pages.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        serving = asyncio.create_task(pages._serve(), name="pages")
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        await link.stop()
        pages.should_exit = True
        stopping.cancel()
        await asyncio.wait({serving}, timeout=8)
        return 0 if stop.is_set() else 1


def _link(installation: Installation, pool: asyncpg.Pool) -> LinkServer:
    """The agents' side, with what follows from what they send."""
    from coordinator.identity.owner import OwnerOnly
    from coordinator.ingest.events import FollowUps
    from coordinator.ingest.roll_up import RollUpSettings
    from coordinator.ingest.server import IngestSettings, LinkServer, LinkTls
    from coordinator.jobs.engine import PgQueuerQueue
    from coordinator.ops.certificates import load_certificates
    from coordinator.ops.tokens import load_token

    config, certificates = installation.config, load_certificates(installation.data)
    token = load_token(installation.data)

    return LinkServer(
        pool=pool,
        store=installation.objects(),
        jobs=PgQueuerQueue(),
        identity=OwnerOnly(token.is_valid),
        settings=IngestSettings(
            node=config.node,
            spool_folder=installation.spool,
            roll_up=RollUpSettings(max_age_s=config.roll_up_s, interval_s=min(5.0, config.roll_up_s)),
        ),
        follow_ups=FollowUps(
            after_chunk=steps.jobs_after_chunk,
            after_upload=lambda request_id, is_press, num_attempts: [
                steps.preparation(request_id, is_press=is_press, num_attempts=num_attempts)
            ],
            after_press=_after_press(pool, is_exported=config.auto_export.are_presses_exported),
            after_end=lambda session_id: [steps.final_analysis(session_id)],
        ),
        tls=LinkTls(certificate=certificates.chain, key=certificates.key),
    )


def _after_press(pool: asyncpg.Pool, *, is_exported: bool) -> Any:
    """A press's clip is asked for at once: it needs no analysis."""
    from coordinator.pipeline.detect import REQUEST_EXPIRES_S, request_for_press
    from coordinator.store.rows import PostgresRows

    rows = PostgresRows(pool)

    async def after_press(connection: asyncpg.Connection, session_id: str, marker: MarkerRow) -> list[NewJob]:
        if is_exported:
            wish = request_for_press(session_id, marker)
            await rows.add_request(connection, wish, expires_in_s=REQUEST_EXPIRES_S)
            await rows.notify_link(connection, session_id)
        return []

    return after_press


def _site(installation: Installation, pool: asyncpg.Pool) -> Any:
    from coordinator.store.signatures import load_secret, verify
    from coordinator.web.site import Site

    objects = installation.objects()
    secret = load_secret(installation.data / "objects.secret")
    local = installation.local_objects() if installation.config.objects.kind == "local" else None

    def local_path(key: str) -> Path | None:
        """None for an object that is no file; Site says not found for a file that is not there."""
        return None if local is None else local.path_of(key)

    def granted(method: str, key: str, query: dict[str, str]) -> int | None:
        try:
            return verify(secret, method=method, key=key, query=query, now_s=time.time()).max_bytes
        except InputUnusable:
            return None

    async def check_ready() -> None:
        async with pool.acquire(timeout=3) as connection:
            present = await connection.fetch("select stage from workers where state <> 'starting'")
        missing = set(STAGES) - {row["stage"] for row in present}
        if missing:
            raise DatabaseUnavailable(f"workers are still starting: {', '.join(sorted(missing))}")

    site = Site(
        pool=pool,
        objects=objects,
        local_path=local_path,
        verify=granted,
        check_ready=check_ready,
        scratch=installation.scratch_of("serve"),
    )
    return site.application()
