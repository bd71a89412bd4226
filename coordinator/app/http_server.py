"""One ASGI application on one address, in a loop that is not its own: uvicorn without its signals.

Over TLS it shows renewed certificate files from the next connection on. Owned by the loop.
"""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import structlog
import uvicorn

from coordinator.errors import PortBusy

log = structlog.get_logger(__name__)

_LOOK_AT_CERTIFICATES_S = 60.0
# Beyond, a request is answered 503: each may hold a file and a thread.
_MAX_REQUESTS = 512


class HttpServer:
    """Listens at once; `run` is the whole of its life, `stop` from the loop ends it."""

    def __init__(
        self,
        application: Any,
        *,
        host: str,
        port: int,
        certificate: Path | None = None,
        key: Path | None = None,
        is_port_shared: bool = False,
    ) -> None:
        """Args: certificate, key: PEM files; None: plaintext.

        Raises:
            PortBusy: The address cannot be listened on.
        """
        self._certificate, self._key = certificate, key
        self._config = uvicorn.Config(
            application,
            ssl_certfile=certificate,
            ssl_keyfile=key,
            limit_concurrency=_MAX_REQUESTS,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=3,
            lifespan="off",
        )
        self._server = uvicorn.Server(self._config)
        # Signals are ours: the link has streams to say goodbye to first.
        self._server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        self._socket = _listen(host, port, is_shared=is_port_shared)

    async def run(self) -> None:
        """Serve until `stop`."""
        renewing = asyncio.create_task(self._renew_certificate())
        try:
            await self._server._serve(sockets=[self._socket])
        finally:
            renewing.cancel()
            self._socket.close()

    def stop(self) -> None:
        """Finish what is under way, then end."""
        self._server.should_exit = True

    async def _renew_certificate(self) -> None:
        """Files that were renewed are shown from the next connection on."""
        if self._certificate is None:
            return
        seen = self._changed_at()
        while True:
            await asyncio.sleep(_LOOK_AT_CERTIFICATES_S)
            now = self._changed_at()
            if now == seen or self._config.ssl is None:
                continue
            try:
                self._config.ssl.load_cert_chain(self._certificate, self._key)
            except OSError as exc:
                # Perhaps half of the pair is written; the old one is still shown.
                log.warning("certificate_not_renewed", problem=str(exc))
                continue
            seen = now
            log.info("certificate_renewed")

    def _changed_at(self) -> tuple[float, ...]:
        try:
            return tuple(path.stat().st_mtime for path in (self._certificate, self._key) if path)
        except OSError:
            return ()


def _listen(host: str, port: int, *, is_shared: bool) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as exc:
        listener.close()
        raise PortBusy(
            f"cannot listen on {host}:{port}: {exc.strerror or exc}; set listen.web or listen.files"
        ) from exc
    return listener
