"""The port that agents connect to, and the certificate that is shown there. Owned by the loop.

A renewed certificate is shown by a second gRPC server, which takes over the port; the first one keeps its streams until
they leave by themselves. gRPC can also ask Python for the certificate before each handshake: that costs a turn of the
interpreter's lock for each connection, and took 40 % off the rate at which agents that came at once were let in.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Sequence

import grpc
import structlog

from coordinator.errors import PortBusy

log = structlog.get_logger(__name__)

# Streams leave when their access token runs out; those that have none are ended then.
_LEAVE_S = 3600.0
_TAKE_OVER_S = 5.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LinkTls:
    """The server's certificate chain and its key, both PEM.

    Attributes:
        client_ca: authorities, PEM; agents must show a certificate of one of them. Empty: none is asked for.
        renewed: asked every few seconds, in a thread: what to show from now on; None: no change.
    """

    certificate: bytes
    key: bytes
    client_ca: bytes = b""
    renewed: Callable[[], LinkTls | None] | None = None


class Listener:
    """Listens from `start` to `stop`; `look` belongs to whoever has a clock."""

    def __init__(
        self,
        *,
        options: Sequence[tuple[str, int]],
        services: Sequence[Callable[[grpc.aio.Server], None]],
        tls: LinkTls | None,
    ) -> None:
        """`services` each register one on a server; `tls` None: plaintext."""
        self._options = list(options)
        self._services = services
        self._tls = tls
        self._renewed = tls.renewed if tls is not None else None
        self._address = ""
        self._server: grpc.aio.Server | None = None
        self._leaving: dict[asyncio.Task[None], grpc.aio.Server] = {}
        self._lock = asyncio.Lock()
        self._is_stopped = False

    async def start(self, address: str) -> int:
        """Listen on `host:port` (port 0: any free one); returns the port.

        Raises:
            PortBusy: The address cannot be listened on.
        """
        port = await self._open(address)
        self._address = f"{address.rpartition(':')[0]}:{port}"
        return port

    async def look(self) -> None:
        """Show a certificate that was renewed to whoever connects from now on."""
        if self._renewed is None:
            return
        renewed = await asyncio.to_thread(self._renewed)
        async with self._lock:
            if self._is_stopped:
                return
            if renewed is not None:
                self._tls = renewed
                self._leave()
            if self._server is None:
                await self._take_over()

    async def stop(self, grace_s: float) -> None:
        """Close the port; calls under way are ended after `grace_s`. Twice is once."""
        async with self._lock:
            self._is_stopped = True
            servers = [*self._leaving.values(), *([self._server] if self._server else [])]
            self._server = None
            await asyncio.gather(*(server.stop(grace_s) for server in servers))
            await asyncio.gather(*self._leaving)

    def _leave(self) -> None:
        """Let go of the port at once; the streams stay."""
        if self._server is None:
            return
        task = asyncio.create_task(self._server.stop(_LEAVE_S), name="link-leaving")
        self._leaving[task] = self._server
        task.add_done_callback(self._leaving.pop)
        self._server = None

    async def _take_over(self) -> None:
        deadline_s = time.monotonic() + _TAKE_OVER_S
        while True:
            # The port is let go of by gRPC's own threads, within milliseconds.
            await asyncio.sleep(0.05)
            try:
                await self._open(self._address)
            except PortBusy as exc:
                if time.monotonic() < deadline_s:
                    continue
                log.error("link_not_listening", problem=str(exc))
            else:
                log.info("link_certificate_taken_up", address=self._address)
            return

    async def _open(self, address: str) -> int:
        server = grpc.aio.server(options=self._options)
        for register in self._services:
            register(server)
        try:
            if self._tls is None:
                port = server.add_insecure_port(address)
            else:
                port = server.add_secure_port(address, _credentials(self._tls))
        except RuntimeError as exc:
            raise PortBusy(f"cannot listen on {address} for agents: {exc}; set listen.grpc") from exc
        if port == 0:
            raise PortBusy(f"cannot listen on {address} for agents: it is in use; set listen.grpc")
        await server.start()
        self._server = server
        return port


def _credentials(tls: LinkTls) -> grpc.ServerCredentials:
    return grpc.ssl_server_credentials(
        [(tls.key, tls.certificate)],
        root_certificates=tls.client_ca or None,
        require_client_auth=bool(tls.client_ca),
    )
