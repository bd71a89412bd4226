"""The process that agents and browsers speak to: the link and the pages, in one loop."""

from __future__ import annotations

import asyncio
import functools
import gc
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coordinator.app.files import files_server, local_path, verifier
from coordinator.app.http_server import HttpServer
from coordinator.app.installation import Installation
from coordinator.app.node import Node
from coordinator.app.processes import process_name
from coordinator.errors import DatabaseUnavailable
from coordinator.model.jobs import NewJob
from coordinator.model.sessions import MarkerRow
from coordinator.ops import lifeline
from coordinator.pipeline import steps
from coordinator.settings import STAGES
from protos.clippy.v1 import media_pb2

if TYPE_CHECKING:
    from collections.abc import Callable

    import asyncpg
    import grpc

    from coordinator.ingest.listener import LinkTls
    from coordinator.ingest.server import LinkServer
    from coordinator.jobs.placing import Placing
    from coordinator.ops.shown_certificate import FileCertificate, OwnCertificate, Shown
    from coordinator.ports import Authenticator


def run_serve(installation: Installation, *, process: int, num_processes: int) -> int:
    """Serve the link, and in the first process the pages, until asked to stop; returns the exit code.

    Args:
        process: which of `num_processes` that share the ports this one is, from 0.
    """
    lifeline.hold()
    installation.configure_logs(process=process_name(process))
    return asyncio.run(_serve(installation, process, num_processes))


async def _serve(installation: Installation, process: int, num_processes: int) -> int:
    from coordinator.jobs.placing import Placing

    config = installation.config
    _calm_collector()
    stop = asyncio.Event()
    lifeline.stop_on_signals(stop)
    async with installation.pool(extra=4) as pool:
        placing = Placing(pool)
        node = Node(installation, pool, process=process, num_processes=num_processes, placing=placing)
        link = _link(installation, pool, node, placing, is_port_shared=num_processes > 1)
        servers = _servers(installation, pool, placing, process, is_port_shared=num_processes > 1)
        placing_task = asyncio.create_task(placing.run(), name="placing")
        await node.join(link)
        try:
            await link.start(str(config.listen.grpc_endpoint))
            node.start()
            serving = [asyncio.create_task(server.run()) for server in servers]
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait({*serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            await node.leave()
            await link.stop()
            for server in servers:
                server.stop()
            stopping.cancel()
            if serving:
                await asyncio.wait(serving, timeout=8)
        finally:
            placing_task.cancel()
            await node.close()
        return 0 if stop.is_set() else 1


def _calm_collector() -> None:
    """Look for reference cycles seldom: with 5,000 streams a look costs up to half a second, in which nobody is served.

    Nothing here makes cycles chunk by chunk; by the defaults there was a look for each list of all streams.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _servers(
    installation: Installation, pool: asyncpg.Pool, placing: Placing, process: int, *, is_port_shared: bool
) -> list[HttpServer]:
    """The pages in the first process; signed files for other machines in each."""
    servers: list[HttpServer] = []
    if installation.config.listen.files_endpoint is not None:
        servers.append(
            files_server(installation, process=process_name(process), is_port_shared=is_port_shared)
        )
    if process == 0:
        web = installation.config.listen.web_endpoint
        servers.append(HttpServer(_site(installation, pool, placing), host=web.host, port=web.port))
    return servers


def _link(
    installation: Installation, pool: asyncpg.Pool, node: Node, placing: Placing, *, is_port_shared: bool
) -> LinkServer:
    """The agents' side, with what follows from what they send."""
    from coordinator.ingest.events import FollowUps
    from coordinator.ingest.ingest_settings import IngestSettings
    from coordinator.ingest.roll_up import RollUpSettings
    from coordinator.ingest.server import LinkServer
    from coordinator.jobs.engine import PgQueuerQueue
    from coordinator.jobs.waiting import waiting_by_account
    from coordinator.taste.verdicts import PostgresTastes

    config, certificate = installation.config, installation.certificate()
    return LinkServer(
        pool=pool,
        store=installation.objects(),
        jobs=PgQueuerQueue(placing),
        identity=_authenticator(installation, pool),
        settings=IngestSettings(
            node=node.name,
            spool_folder=installation.spool,
            limits=config.limits,
            max_user_pending_bytes=config.limits.pending_bytes,
            max_total_pending_bytes=config.limits.total_pending_bytes,
            dead_peer_s=config.serve.dead_peer_s,
            drain_s=config.serve.drain_s,
            is_port_shared=is_port_shared,
            max_connection_age_s=config.serve.max_connection_age_s or None,
            roll_up=RollUpSettings(max_age_s=config.roll_up_s, interval_s=min(5.0, config.roll_up_s)),
        ),
        follow_ups=FollowUps(
            after_chunk=steps.jobs_after_chunk,
            after_upload=lambda request_id, is_press, num_attempts: [
                steps.preparation(request_id, is_press=is_press, num_attempts=num_attempts)
            ],
            after_press=press_effect(pool, is_exported=config.auto_export.are_presses_exported),
            after_end=lambda session_id: [steps.analysis_at_end(session_id)],
            after_forget=lambda forget_id: [steps.forgetting(forget_id)],
            after_sweep=steps.after_sweep,
        ),
        living_nodes=node.registry.living,
        tls=_link_tls(installation, certificate),
        more_services=[_identity(installation, pool, certificate.shown)],
        waiting=lambda: waiting_by_account(pool),
        tastes=PostgresTastes(pool),
    )


def _authenticator(installation: Installation, pool: asyncpg.Pool) -> Authenticator:
    from coordinator.identity.accounts import TokenAuthenticator
    from coordinator.identity.owner import OwnerOnly
    from coordinator.ops.tokens import load_token

    # Machines that share a secret are a fleet, which has operators and no owner.
    is_own_machine = not installation.config.identity.secret_file
    owner = OwnerOnly(load_token(installation.data).is_valid) if is_own_machine else None
    return TokenAuthenticator(pool, installation.access_tokens(), owner=owner)


def _link_tls(installation: Installation, certificate: OwnCertificate | FileCertificate) -> LinkTls:
    from coordinator.ingest.listener import LinkTls
    from coordinator.ops.shown_certificate import read_client_ca

    client_ca_file = installation.config.tls.client_ca_file
    client_ca = read_client_ca(Path(client_ca_file)) if client_ca_file else b""

    def renewed() -> LinkTls | None:
        shown = certificate.renewed()
        if shown is None:
            return None
        return LinkTls(certificate=shown.chain, key=shown.key, client_ca=client_ca)

    shown = certificate.shown
    return LinkTls(certificate=shown.chain, key=shown.key, client_ca=client_ca, renewed=renewed)


def _identity(
    installation: Installation, pool: asyncpg.Pool, shown: Shown
) -> Callable[[grpc.aio.Server], None]:
    """Pairing and tokens, on the link's port."""
    from coordinator.identity.renewal import Renewals
    from coordinator.identity.service import Description, IdentityService

    service = IdentityService(
        description=Description(
            name=installation.config.identity.name,
            ca_pem=shown.ca_pem.decode("ascii"),
            ca_sha256=shown.ca_sha256,
        ),
        pairings=installation.pairings(pool),
        renewals=Renewals(pool, installation.access_tokens()),
    )
    return service.register


def press_effect(pool: asyncpg.Pool, *, is_exported: bool) -> Any:
    """A press's clip is asked for at once, as it needs no analysis, and what was said in it is heard next.

    A clip that has another span by now is asked for anew, in the place of what was asked for before.
    """
    from coordinator.jobs.upkeep import hasten
    from coordinator.pipeline.detect import REQUEST_EXPIRES_S
    from coordinator.pipeline.offered import request_for_press
    from coordinator.store.rows import PostgresRows

    rows = PostgresRows(pool)

    async def after_press(connection: asyncpg.Connection, session_id: str, marker: MarkerRow) -> list[NewJob]:
        span = {"start_ns": marker.start_ns, "end_ns": marker.end_ns}
        unheard = await rows.unheard_in_span(connection, session_id, media_pb2.LANE_MIC, **span)
        await hasten(connection, [steps.hearing(session_id, media_pb2.LANE_MIC, seq).key for seq in unheard])
        wish = request_for_press(session_id, marker)
        if await rows.replace_requests(connection, wish) or is_exported:
            await rows.add_request(connection, wish, expires_in_s=REQUEST_EXPIRES_S)
            await rows.notify_link(connection, session_id)
        return []

    return after_press


def _site(installation: Installation, pool: asyncpg.Pool, placing: Placing) -> Any:
    from coordinator.app.asked_posts import AskedPosts
    from coordinator.app.brand_kits import BrandKits
    from coordinator.jobs.engine import PgQueuerQueue
    from coordinator.posts import default_settings, post_choices
    from coordinator.search.find import find
    from coordinator.store.posts import PostgresPosts
    from coordinator.store.signatures import load_secret
    from coordinator.taste.verdicts import PostgresTastes
    from coordinator.web.site import Site

    async def check_ready() -> None:
        async with pool.acquire(timeout=3) as connection:
            present = await connection.fetch("select stage from workers where state <> 'starting'")
        missing = set(STAGES) - {row["stage"] for row in present}
        if missing:
            raise DatabaseUnavailable(f"workers are still starting: {', '.join(sorted(missing))}")

    objects, scratch = installation.objects(), installation.scratch_of("serve")
    posts = PostgresPosts(pool, default_settings(installation.config))
    site = Site(
        pool=pool,
        objects=objects,
        local_path=local_path(installation),
        verify=verifier(load_secret(installation.data / "objects.secret")),
        check_ready=check_ready,
        scratch=scratch,
        find=functools.partial(find, pool),
        tastes=PostgresTastes(pool),
        posts=posts,
        post_choices=functools.partial(post_choices, installation.data),
        make_post=AskedPosts(pool, PgQueuerQueue(placing)).make,
        brands=BrandKits(posts, objects, scratch),
        hours_by_tier=installation.config.retention.hours_by_tier,
    )
    return site.application()
