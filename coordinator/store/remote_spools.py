"""Reads the spools of other machines: over TLS, signed with the secret that the installation's machines share.

A chunk is heard at once and not when its session is rolled up. The node's address is in the registry. One retry, since
a connection that was kept may have been closed; then the job waits. Owned by the loop.
"""

from __future__ import annotations

import ssl
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from coordinator.errors import BytesAway, EnvironmentProblem, NotFound
from coordinator.statements import load_statements
from coordinator.store.connect import ACQUIRE_TIMEOUT_S, translated
from coordinator.store.signatures import SpoolRange, sign_spool_read

if TYPE_CHECKING:
    import asyncpg

SQL = load_statements("coordinator.store", "nodes.sql")
# Clocks of machines differ by seconds; an address that is overheard is of no use a minute later.
_SIGNED_S = 60
_TIMEOUT = httpx.Timeout(10.0, connect=5.0)


class RemoteSpools:
    """`ElsewhereSpools` over HTTPS."""

    def __init__(self, pool: asyncpg.Pool, *, secret: bytes, tls: ssl.SSLContext) -> None:
        """Args: tls: from `trusting`."""
        self._pool = pool
        self._secret = secret
        self._client = httpx.AsyncClient(
            verify=tls, timeout=_TIMEOUT, trust_env=False, limits=httpx.Limits(max_connections=32)
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def read(self, node: str, segment: str, *, offset: int, length: int) -> bytes:
        """As the protocol says."""
        base_url = await self._address(node)
        wanted = SpoolRange(node=node, segment=segment, offset=offset, length=length)
        url = sign_spool_read(self._secret, base_url, wanted, expires_at_s=int(time.time()) + _SIGNED_S)
        try:
            try:
                answer = await self._client.get(url)
            except httpx.TransportError:
                answer = await self._client.get(url)
        except (httpx.TransportError, httpx.InvalidURL) as exc:
            raise BytesAway(
                f"node {node} does not answer at {base_url}: {exc or type(exc).__name__}"
            ) from exc
        return _data(answer, node, wanted)

    async def _address(self, node: str) -> str:
        with translated("where a node is"):
            async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
                row = await connection.fetchrow(SQL["node_address"], node)
        if row is None or not row["is_alive"]:
            raise BytesAway(f"node {node} is gone; it comes back, or agents send again what it held")
        if not row["files_url"]:
            raise BytesAway(
                f"node {node} is on another machine and serves no files; set listen.files there, or wait until the "
                f"session is rolled up"
            )
        return str(row["files_url"])


def trusting(*files: Path) -> ssl.SSLContext:
    """Whom we believe: the system's authorities (`SSL_CERT_FILE` adds to them), and those in `files` that exist.

    Raises:
        EnvironmentProblem: A file holds no certificate.
    """
    context = ssl.create_default_context()
    for path in files:
        try:
            if path.exists():
                context.load_verify_locations(cafile=path)
        except OSError as exc:
            raise EnvironmentProblem(f"cannot use the certificates in {path}: {exc}") from exc
    return context


def _data(answer: httpx.Response, node: str, wanted: SpoolRange) -> bytes:
    if answer.status_code == 404:
        raise NotFound(f"segment {wanted.segment} is not in the spool of {node} any more")
    if answer.status_code == 403:
        raise BytesAway(
            f"node {node} refuses our signature; give all machines one identity.secret_file, and the right time"
        )
    if answer.status_code != 200 or len(answer.content) != wanted.length:
        raise BytesAway(f"node {node} answered {answer.status_code} with {len(answer.content)} bytes")
    return answer.content
