"""Uploads by signed address: whole or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from coordinator.web import uploads
from tests.fakes.running_site import RunningSite, running_site

KEY = "sources/s1/r1.mp4"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[RunningSite]:
    async with running_site(None, tmp_path) as running:
        yield running


@pytest.fixture
async def client(site: RunningSite) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=site.url, trust_env=False, timeout=20) as opened:
        yield opened


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of 2 MiB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("mounting a tmpfs needs root")
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def error_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def in_parts(data: bytes) -> AsyncIterator[bytes]:
    """A body without a declared length."""
    for start in range(0, len(data), 100_000):
        yield data[start : start + 100_000]


async def stored(site: RunningSite) -> int | None:
    assert list(site.scratch.iterdir()) == []
    return await site.objects.size(KEY)


async def until(condition, deadline_s: float = 10.0) -> None:
    async with asyncio.timeout(deadline_s):
        while not condition():  # noqa: ASYNC110 - a file appears or goes without a word
            await asyncio.sleep(0.02)


async def test_an_upload_is_stored_as_it_came(client: httpx.AsyncClient, site: RunningSite):
    data = os.urandom(3_000_001)

    answer = await client.put(
        site.objects.sign_put(KEY, expires_in_s=60, max_bytes=len(data)), content=in_parts(data)
    )

    assert answer.status_code == 201
    assert await site.objects.get(KEY) == data
    assert list(site.scratch.iterdir()) == []


@pytest.mark.parametrize("expires_in_s", [-10, 60])
async def test_a_wrong_or_expired_signature_is_refused(
    client: httpx.AsyncClient, site: RunningSite, expires_in_s: int
):
    url = site.objects.sign_put(KEY, expires_in_s=expires_in_s, max_bytes=9)
    if expires_in_s > 0:
        url = url.replace("max_bytes=9", "max_bytes=99")

    assert error_of(await client.put(url, content=b"x")) == (403, "link_invalid")
    assert await stored(site) is None


async def test_an_address_to_read_does_not_allow_to_write(client: httpx.AsyncClient, site: RunningSite):
    url = site.objects.sign_get(KEY, expires_in_s=60)

    assert error_of(await client.put(url, content=b"x")) == (403, "link_invalid")


@pytest.mark.parametrize("is_declared", [True, False])
async def test_more_than_was_granted_is_refused(
    client: httpx.AsyncClient, site: RunningSite, is_declared: bool
):
    url = site.objects.sign_put(KEY, expires_in_s=60, max_bytes=250_000)
    data = b"x" * 250_001

    answer = await client.put(url, content=data if is_declared else in_parts(data))

    assert error_of(answer) == (413, "upload_too_large")
    assert await stored(site) is None


@pytest.mark.parametrize("is_declared", [True, False])
async def test_an_empty_upload_is_refused(client: httpx.AsyncClient, site: RunningSite, is_declared: bool):
    url = site.objects.sign_put(KEY, expires_in_s=60, max_bytes=10)

    answer = await client.put(url, content=b"" if is_declared else in_parts(b""))

    assert error_of(answer) == (400, "empty_upload")
    assert await stored(site) is None


@pytest.mark.parametrize("framing", ["Content-Length: 900000", "Transfer-Encoding: chunked"])
async def test_a_sender_that_goes_away_leaves_nothing(site: RunningSite, framing: str):
    target = site.objects.sign_put(KEY, expires_in_s=60, max_bytes=10**6).removeprefix(site.url)
    head = f"PUT {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n{framing}\r\n\r\n".encode()
    part = b"x" * 200_000
    body = part if "Length" in framing else b"%x\r\n%b\r\n" % (len(part), part)
    _, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(head + body)
    await writer.drain()
    await until(lambda: any(site.scratch.iterdir()))

    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()

    await until(lambda: not any(site.scratch.iterdir()))
    assert await stored(site) is None


async def test_a_sender_that_stalls_is_let_go_and_may_try_again(
    site: RunningSite, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(uploads, "_PART_WITHIN_S", 0.2)
    target = site.objects.sign_put(KEY, expires_in_s=60, max_bytes=10**6).removeprefix(site.url)
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(f"PUT {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\nabc".encode())
    await writer.drain()

    answer = await asyncio.wait_for(reader.readuntil(b'"retryable":true'), 10)

    assert answer.startswith(b"HTTP/1.1 503")
    assert b"upload_stalled" in answer
    assert await stored(site) is None
    writer.close()


@pytest.mark.logs("request_failed")
async def test_an_upload_that_will_not_fit_is_refused_before_it_comes(
    client: httpx.AsyncClient, site: RunningSite, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(uploads, "_KEEP_FREE_BYTES", 2**62)
    url = site.objects.sign_put(KEY, expires_in_s=60, max_bytes=10)

    answer = await client.put(url, content=b"x")

    assert error_of(answer) == (507, "disk_full")
    assert "make room" in answer.json()["error"]["message"]


@pytest.mark.logs("request_failed")
async def test_a_disk_that_fills_up_on_the_way_is_named(tmp_path: Path, tiny_disk: Path):
    async with (
        running_site(None, tmp_path, scratch=tiny_disk) as site,
        httpx.AsyncClient(base_url=site.url, trust_env=False, timeout=20) as client,
    ):
        url = site.objects.sign_put(KEY, expires_in_s=60, max_bytes=10**7)

        answer = await client.put(url, content=in_parts(b"x" * 4_000_000))

        assert error_of(answer) == (507, "disk_full")
        assert answer.json()["error"]["retryable"] is True
        assert await stored(site) is None


async def test_other_requests_are_answered_while_a_disk_hangs(
    client: httpx.AsyncClient, site: RunningSite, monkeypatch: pytest.MonkeyPatch
):
    is_hanging, may_go_on = asyncio.Event(), asyncio.Event()
    real = asyncio.to_thread

    async def hang(*arguments):
        is_hanging.set()
        await may_go_on.wait()
        return await real(*arguments)

    monkeypatch.setattr(uploads.asyncio, "to_thread", hang)
    url = site.objects.sign_put(KEY, expires_in_s=60, max_bytes=10)
    uploading = asyncio.create_task(client.put(url, content=b"x"))
    await asyncio.wait_for(is_hanging.wait(), 10)

    assert (await client.get("/healthz")).status_code == 200

    may_go_on.set()
    assert (await uploading).status_code == 201
