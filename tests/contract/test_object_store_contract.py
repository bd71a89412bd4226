"""What every object store keeps: a folder, and a bucket that speaks S3 (set CLIPPY_TEST_S3_ENDPOINT for a real one)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from coordinator.errors import BytesAway, InputUnusable, NotFound, StoreUnavailable
from coordinator.ports import ObjectStore
from coordinator.store.chunk_bytes import PlacedBytes, SpoolFolders, parse_place
from coordinator.store.objects import LocalObjects, S3Objects
from coordinator.store.signatures import load_secret, verify
from tests.fakes.s3_server import s3_server

SECRET = b"s" * 32


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    if request.param == "local":
        yield LocalObjects(tmp_path / "objects", base_url="http://127.0.0.1:7844", secret=SECRET)
        return
    keys = {
        "access_key_id": os.environ.get("CLIPPY_TEST_S3_KEY", "k"),
        "secret_access_key": os.environ.get("CLIPPY_TEST_S3_SECRET", "s"),
    }
    bucket = os.environ.get("CLIPPY_TEST_S3_BUCKET", "clips")
    if endpoint := os.environ.get("CLIPPY_TEST_S3_ENDPOINT"):
        yield S3Objects(bucket, endpoint=endpoint, **keys)
        return
    with s3_server() as endpoint:
        yield S3Objects(bucket, endpoint=endpoint, **keys)


async def test_what_was_put_is_got(store: ObjectStore):
    await store.put("a/b.bin", b"hello")

    assert await store.get("a/b.bin") == b"hello"


async def test_put_replaces(store: ObjectStore):
    await store.put("a", b"one")
    await store.put("a", b"three")

    assert (await store.get("a"), await store.size("a")) == (b"three", 5)


async def test_a_range_is_just_that(store: ObjectStore):
    await store.put("a", b"0123456789")

    assert await store.get("a", offset=2, length=3) == b"234"
    assert await store.get("a", offset=7) == b"789"


async def test_a_range_that_ends_after_the_object_is_not_found(store: ObjectStore):
    await store.put("a", b"0123456789")

    with pytest.raises(NotFound):
        await store.get("a", offset=8, length=5)
    with pytest.raises(NotFound):
        await store.get("a", offset=80, length=5)


async def test_what_is_not_there_is_not_found_and_has_no_size(store: ObjectStore):
    with pytest.raises(NotFound):
        await store.get("missing/one")
    assert await store.size("missing/one") is None


async def test_deleting_takes_what_is_there_and_forgives_what_is_not(store: ObjectStore):
    await store.put("a/b", b"x")

    await store.delete(["a/b", "a/never"])

    assert await store.size("a/b") is None


async def test_files_go_in_and_come_out(store: ObjectStore, tmp_path: Path):
    content = os.urandom(3_000_000)
    source, target = tmp_path / "in.bin", tmp_path / "out.bin"
    source.write_bytes(content)

    await store.put("clips/a.mp4", source)
    await store.get_file("clips/a.mp4", target)

    assert target.read_bytes() == content


async def test_a_file_that_cannot_be_had_leaves_nothing(store: ObjectStore, tmp_path: Path):
    with pytest.raises(NotFound):
        await store.get_file("missing", tmp_path / "out.bin")

    assert not (tmp_path / "out.bin").exists()
    assert not (tmp_path / "out.bin.part").exists()


@pytest.mark.parametrize(
    "key", ["", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", ".hidden", "a\0b", "a b", "ä"]
)
async def test_keys_that_could_leave_the_store_are_refused(store: ObjectStore, key: str):
    with pytest.raises(InputUnusable):
        await store.put(key, b"x")
    with pytest.raises(InputUnusable):
        await store.get(key)


async def test_signed_addresses_of_a_bucket_put_and_get(tmp_path: Path):
    with s3_server() as endpoint:
        store = S3Objects("clips", endpoint=endpoint, access_key_id="k", secret_access_key="s")
        async with httpx.AsyncClient() as client:
            put = await client.put(store.sign_put("up/a", expires_in_s=60, max_bytes=10), content=b"12345")
            got = await client.get(store.sign_get("up/a", expires_in_s=60))

        assert (put.status_code, got.content, await store.size("up/a")) == (200, b"12345", 5)


async def test_a_bucket_that_does_not_answer_is_unavailable(monkeypatch: pytest.MonkeyPatch):
    store = S3Objects("clips", endpoint="http://127.0.0.1:1", access_key_id="k", secret_access_key="s")

    with pytest.raises(StoreUnavailable):
        await store.get("a")


def _asked(url: str) -> tuple[str, dict[str, str]]:
    parts = urlsplit(url)
    return parts.path.removeprefix("/objects/"), dict(parse_qsl(parts.query))


def test_a_signed_address_grants_what_it_says(tmp_path: Path):
    store = LocalObjects(tmp_path, base_url="http://127.0.0.1:7844", secret=SECRET)
    key, query = _asked(store.sign_put("sources/a.mp4", expires_in_s=60, max_bytes=99))

    grant = verify(SECRET, method="PUT", key=key, query=query, now_s=time.time())

    assert (grant.method, grant.key, grant.max_bytes) == ("PUT", "sources/a.mp4", 99)


@pytest.mark.parametrize(
    ("method", "key", "change", "later_s"),
    [
        ("GET", "sources/a.mp4", {}, 0),  # another method
        ("PUT", "sources/b.mp4", {}, 0),  # another object
        ("PUT", "sources/../a.mp4", {}, 0),  # no key at all
        ("PUT", "sources/a.mp4", {"max_bytes": "100"}, 0),  # more bytes
        ("PUT", "sources/a.mp4", {"expires": "9999999999"}, 0),  # longer
        ("PUT", "sources/a.mp4", {"expires": "9" * 5000}, 0),  # a number that int() refuses
        ("PUT", "sources/a.mp4", {"expires": "٣"}, 0),  # a digit of another script
        ("PUT", "sources/a.mp4", {"sig": ""}, 0),  # unsigned
        ("PUT", "sources/a.mp4", {"sig": "ä"}, 0),  # not ASCII, which compare_digest refuses as text
        ("PUT", "sources/a.mp4", {}, 61),  # expired
    ],
)
def test_a_changed_or_expired_address_grants_nothing(
    tmp_path: Path, method: str, key: str, change: dict[str, str], later_s: int
):
    store = LocalObjects(tmp_path, base_url="http://127.0.0.1:7844", secret=SECRET)
    _, query = _asked(store.sign_put("sources/a.mp4", expires_in_s=60, max_bytes=99))

    with pytest.raises(InputUnusable):
        verify(SECRET, method=method, key=key, query={**query, **change}, now_s=time.time() + later_s)


def test_the_secret_is_made_once_and_private(tmp_path: Path):
    first = load_secret(tmp_path / "objects.secret")

    assert load_secret(tmp_path / "objects.secret") == first
    assert (tmp_path / "objects.secret").stat().st_mode & 0o777 == 0o600


@pytest.fixture
def chunks(tmp_path: Path) -> PlacedBytes:
    (tmp_path / "spool" / "n1").mkdir(parents=True)
    (tmp_path / "spool" / "n1" / "00000001").write_bytes(b"headerPAYLOADrest")
    (tmp_path / "outside").write_bytes(b"private")
    objects = LocalObjects(tmp_path / "objects", base_url="http://x", secret=SECRET)
    return PlacedBytes(spools=SpoolFolders(tmp_path / "spool"), objects=objects)


async def test_bytes_are_read_where_the_place_says(chunks: PlacedBytes):
    await chunks._objects.put("roll/a/b.bin", b"0123456789")

    assert await chunks.read("spool:n1/00000001/6/7") == b"PAYLOAD"
    assert await chunks.read("object:roll/a/b.bin/2/3") == b"234"


@pytest.mark.parametrize(
    "place",
    [
        "spool:n1/00000009/0/4",  # no such segment
        "spool:n1/00000001/10/999",  # ends before
        "spool:n1/../outside/0/7",  # out of the spool
        "spool:n1/..%2Foutside/0/7",
        "spool:../outside/0/7",
        "spool:n1//etc/passwd/0/7",
        "spool:n1/lock/0/7",
        "spool:n1/id/0/7",
        "spool:n1/00000001/-1/4",
        "spool:n1/00000001/0/0",
        "object:never/0/4",
        "elsewhere:a/0/4",
        "",
    ],
)
async def test_a_place_that_holds_nothing_is_not_found(chunks: PlacedBytes, place: str):
    with pytest.raises(NotFound):
        await chunks.read(place)


async def test_an_object_place_cannot_leave_the_store(chunks: PlacedBytes):
    with pytest.raises(InputUnusable):
        await chunks.read("object:../outside/0/7")


async def test_another_nodes_spool_is_away_and_says_which(chunks: PlacedBytes):
    with pytest.raises(BytesAway, match="node n2"):
        await chunks.read("spool:n2/00000001/6/7")


async def test_lost_bytes_are_away_until_their_agent_has_sent_them_again(chunks: PlacedBytes):
    with pytest.raises(BytesAway):
        await chunks.read("lost:spool:n1/00000001/6/7")


def test_a_place_is_read_into_its_parts():
    assert parse_place("object:a/b/c.bin/12/34").name == "a/b/c.bin"


async def test_a_folder_that_went_away_is_a_store_that_is_down_and_not_one_without_objects(tmp_path: Path):
    folder, away = tmp_path / "objects", tmp_path / "away"
    store = LocalObjects(folder, base_url="http://x", secret=SECRET)
    await store.put("a/b", b"kept")

    folder.rename(away)
    # What began meanwhile, and what found an empty mount point, know no better.
    for begun in (store, LocalObjects(folder, base_url="http://x", secret=SECRET)):
        folder.mkdir(exist_ok=True)
        for call in (begun.get("a/b"), begun.size("a/b"), begun.delete(["a/b"]), begun.put("a/c", b"x")):
            with pytest.raises(StoreUnavailable, match="gone or not mounted"):
                await call
        with pytest.raises(StoreUnavailable):
            begun.path_of("a/b")
        assert list(folder.iterdir()) == []
    folder.rmdir()
    away.rename(folder)

    assert await store.get("a/b") == b"kept"
    assert await store.size("a/c") is None


async def test_a_folder_from_before_folders_were_marked_is_taken_as_it_is(tmp_path: Path):
    (tmp_path / "objects" / "a").mkdir(parents=True)
    (tmp_path / "objects" / "a" / "b").write_bytes(b"old")

    assert await LocalObjects(tmp_path / "objects", base_url="http://x", secret=SECRET).get("a/b") == b"old"
