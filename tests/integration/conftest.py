"""One embedded PostgreSQL a test process; each test that asks for `database_url` gets a fresh, migrated database."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from coordinator.ingest.server import LinkServer
from coordinator.store.connect import connect
from coordinator.store.embedded import EmbeddedPostgres
from coordinator.store.migrate import migrate
from tests.fakes.forgettable_stream import close_ingest, open_ingest
from tests.fakes.link_parts import Site, make_site
from tests.fakes.llm_server import LlmServer, running_llm_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A real server with a migrated database `clippy`, which serves as the template of the tests' own."""
    # Not pytest's folder: as root the server runs as a user that cannot enter it.
    data = Path(tempfile.mkdtemp(prefix="clippy-test-", dir="/tmp"))
    data.chmod(0o711)
    server = EmbeddedPostgres(data)
    try:
        migrate(server.start())
        yield server
    finally:
        server.stop()
        shutil.rmtree(data, ignore_errors=True)


@pytest.fixture
def database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A fresh database with the newest schema, as the product's role sees it."""
    name = f"test_{uuid.uuid4().hex}"
    asyncio.run(_execute(postgres.superuser_url, f"create database {name} template clippy owner clippy"))
    parts = urlsplit(postgres.url)
    yield urlunsplit(parts._replace(path=f"/{name}"))
    asyncio.run(_execute(postgres.superuser_url, f"drop database {name} with (force)"))


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """A pool of 10 connections to `database_url`."""
    opened = await connect(database_url, max_connections=10)
    try:
        yield opened
    finally:
        await asyncio.wait_for(opened.close(), 10)


@pytest.fixture
async def site(tmp_path: Path, pool: asyncpg.Pool) -> Site:
    """What a coordinator's ingest stands on, its objects in a folder; nothing of it runs yet."""
    return await make_site(tmp_path, pool)


@pytest.fixture
async def server(site: Site) -> AsyncIterator[LinkServer]:
    """Ingest of `site`; rounds of forgetting and expiring are made by the tests."""
    opened = await open_ingest(site)
    yield opened
    await close_ingest(opened)


@pytest.fixture
def first() -> Iterator[LlmServer]:
    """A provider of a language model on the loopback."""
    with running_llm_server() as server:
        yield server


@pytest.fixture
def second() -> Iterator[LlmServer]:
    """Another one."""
    with running_llm_server() as server:
        yield server


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
