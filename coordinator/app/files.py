"""Signed files and spools for other machines: a small application over TLS on `listen.files`, in every process."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from coordinator.app.http_server import HttpServer
from coordinator.app.installation import Installation
from coordinator.errors import Bug, InputUnusable


def local_path(installation: Installation) -> Callable[[str], Path | None]:
    """Where an object lies as a file; None where objects are not files."""
    local = installation.local_objects() if installation.config.objects.kind == "local" else None

    return lambda key: None if local is None else local.path_of(key)


def verifier(secret: bytes) -> Callable[[str, str, dict[str, str]], int | None]:
    """How many bytes a request may bring, by its signature; None: it may nothing."""
    from coordinator.store.signatures import verify

    def granted(method: str, key: str, query: dict[str, str]) -> int | None:
        try:
            return verify(secret, method=method, key=key, query=query, now_s=time.time()).max_bytes
        except InputUnusable:
            return None

    return granted


def files_server(installation: Installation, *, process: str, is_port_shared: bool) -> HttpServer:
    """The application for other machines; it listens at once.

    Raises:
        PortBusy: `listen.files` cannot be listened on.
        EnvironmentProblem: No certificates, or no secret.
    """
    from coordinator.store.signatures import load_secret
    from coordinator.web.signed_files import SignedFiles

    endpoint = installation.config.listen.files_endpoint
    if endpoint is None:
        raise Bug("listen.files is not set")
    files = SignedFiles(
        objects=installation.objects(),
        local_path=local_path(installation),
        verify=verifier(load_secret(installation.data / "objects.secret")),
        scratch=installation.scratch_of(process),
    )
    certificate, key = installation.certificate_files()
    return HttpServer(
        files.application(_spool_reader(installation)),
        host=endpoint.host,
        port=endpoint.port,
        certificate=certificate,
        key=key,
        is_port_shared=is_port_shared,
    )


def _spool_reader(
    installation: Installation,
) -> Callable[[str, str, Mapping[str, str]], Awaitable[bytes | None]]:
    from coordinator.store.chunk_bytes import SpoolFolders
    from coordinator.store.signatures import verify_spool_read

    spools, secret = SpoolFolders(installation.spool), installation.internal_secret()

    async def read(node: str, segment: str, query: Mapping[str, str]) -> bytes | None:
        try:
            wanted = verify_spool_read(secret, node=node, segment=segment, query=query, now_s=time.time())
        except InputUnusable:
            return None
        return await spools.read(wanted.node, wanted.segment, offset=wanted.offset, length=wanted.length)

    return read
