"""What the pages are made of, without a server."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import IO

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from coordinator.errors import DiskFull, StoreUnavailable
from coordinator.web.headers import SafeHeaders
from coordinator.web.site import clock
from coordinator.web.uploads import UploadRefused, check_size, receive


@pytest.mark.parametrize(
    ("time_s", "shown"),
    [(0, "0:00"), (65.9, "1:05"), (3_599, "59:59"), (3_723, "1:02:03")],
)
def test_times_read_as_on_a_clock(time_s: float, shown: str):
    assert clock(time_s) == shown


async def parts(*blocks: bytes) -> AsyncIterator[bytes]:
    for block in blocks:
        yield block


async def test_a_body_is_written_whole_whatever_its_parts():
    file = io.BytesIO()
    blocks = [b"a", b"", b"b" * 1_500_000, b"c"]

    assert await receive(parts(*blocks), file, max_bytes=2_000_000) == 1_500_002
    assert file.getvalue() == b"".join(blocks)


async def test_a_body_of_exactly_what_was_granted_is_taken():
    assert await receive(parts(b"123", b"45"), io.BytesIO(), max_bytes=5) == 5


@pytest.fixture
def full_disk() -> Iterator[IO[bytes]]:
    with Path("/dev/full").open("wb", buffering=0) as full:
        yield full


async def test_a_full_disk_says_what_to_do(full_disk: IO[bytes]):
    with pytest.raises(DiskFull, match="make room"):
        await receive(parts(b"x"), full_disk, max_bytes=5)


async def test_a_disk_that_fails_is_not_called_full():
    class Failing(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(5, "Input/output error")

    with pytest.raises(StoreUnavailable, match="Input/output error"):
        await receive(parts(b"x"), Failing(), max_bytes=5)


@pytest.mark.parametrize(("declared_bytes", "status"), [(0, 400), (11, 413)])
def test_what_a_request_declares_is_believed_when_it_is_against_it(
    tmp_path: Path, declared_bytes: int, status: int
):
    with pytest.raises(UploadRefused) as refused:
        check_size(declared_bytes, max_bytes=10, folder=tmp_path)

    assert refused.value.status == status


def test_films_may_come_from_the_bucket_that_was_named():
    application = Starlette(middleware=[Middleware(SafeHeaders, media_sources=["https://bucket.example"])])

    policy = TestClient(application).get("/").headers["content-security-policy"]

    assert "media-src 'self' https://bucket.example;" in policy
    assert policy.startswith("default-src 'self';")
