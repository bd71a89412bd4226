"""Fetching a model from a hub that misbehaves, and checking it afterwards."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coordinator.errors import AlreadyRunning, DiskFull, ModelUnavailable
from coordinator.speech import fetch as fetch_module
from coordinator.speech.fetch import FetchProgress, check_model, fetch_model
from coordinator.speech.staging import disk_errors, folder_lock
from tests.fakes.model_hub import ModelHub, running_hub
from tests.fakes.toy_whisper import build_toy_whisper


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_toy_whisper(tmp_path_factory.mktemp("hub") / "toy")


@pytest.fixture
def hub(toy: Path) -> Iterator[ModelHub]:
    with running_hub(toy) as served:
        yield served


def _fetch(hub: ModelHub, models_dir: Path, **options: Any) -> Path:
    options = {"read_timeout_s": 5.0, "retry_delay_s": 0.01, **options}
    return fetch_model("base", models_dir, hub_url=hub.url, **options)


def _file_requests(hub: ModelHub, name: str) -> list[str | None]:
    return [given for path, given in hub.requests if path.endswith(f"/{name}")]


def _left_behind(models_dir: Path) -> list[str]:
    return sorted(path.name for path in models_dir.iterdir() if path.suffix != ".lock")


def test_a_fetched_model_is_what_the_hub_has(hub: ModelHub, toy: Path, tmp_path: Path) -> None:
    folder = _fetch(hub, tmp_path)

    assert folder == tmp_path / "base"
    for path in toy.iterdir():
        assert (folder / path.name).read_bytes() == path.read_bytes()


def test_a_fetched_model_passes_its_check_and_leaves_nothing_beside_it(hub: ModelHub, tmp_path: Path) -> None:
    manifest = check_model(_fetch(hub, tmp_path))

    assert manifest.repository == "Systran/faster-whisper-base"
    assert _left_behind(tmp_path) == ["base"]


def test_the_size_is_told_before_any_file_is_loaded(hub: ModelHub, toy: Path, tmp_path: Path) -> None:
    told: list[tuple[FetchProgress, int]] = []

    _fetch(hub, tmp_path, progress=lambda each: told.append((each, len(hub.requests))))

    total_bytes = sum(path.stat().st_size for path in toy.iterdir())
    assert told[0][0].total_bytes == total_bytes
    assert told[0][1] == 1
    assert told[-1][0].done_bytes == total_bytes


def test_a_model_that_is_there_is_not_fetched_again(hub: ModelHub, tmp_path: Path) -> None:
    _fetch(hub, tmp_path)
    hub.requests.clear()

    _fetch(hub, tmp_path)

    assert hub.requests == []


def test_a_cut_connection_is_taken_up_where_it_ended(hub: ModelHub, tmp_path: Path) -> None:
    hub.cut_after_bytes, hub.num_cuts = 300_000, 1

    check_model(_fetch(hub, tmp_path))

    assert _file_requests(hub, "model.bin") == [None, "bytes=300000-"]


def test_a_stopped_fetch_goes_on_the_next_time(hub: ModelHub, tmp_path: Path) -> None:
    hub.cut_after_bytes, hub.num_cuts = 300_000, 1
    with pytest.raises(ModelUnavailable, match="stopped") as caught:
        _fetch(hub, tmp_path, stop=_StopAfterFirstWait())
    hub.requests.clear()
    check_model(_fetch(hub, tmp_path))

    assert caught.value.retryable
    assert _file_requests(hub, "model.bin") == ["bytes=300000-"]


class _StopAfterFirstWait(threading.Event):
    """Set as soon as the fetch waits before it tries again."""

    def wait(self, timeout: float | None = None) -> bool:
        self.set()
        return True


def test_a_hub_that_knows_no_ranges_is_loaded_from_the_start(hub: ModelHub, tmp_path: Path) -> None:
    hub.cut_after_bytes, hub.num_cuts, hub.ignores_range = 300_000, 1, True

    check_model(_fetch(hub, tmp_path))


def test_a_stalled_hub_is_given_up_with_a_message(hub: ModelHub, tmp_path: Path) -> None:
    hub.stalls = True

    with pytest.raises(ModelUnavailable, match="check the network") as caught:
        _fetch(hub, tmp_path, read_timeout_s=0.1)

    assert caught.value.retryable
    assert not (tmp_path / "base").exists()


def test_wrong_bytes_are_refused_and_deleted(hub: ModelHub, tmp_path: Path) -> None:
    hub.corrupts = "model.bin"

    with pytest.raises(ModelUnavailable, match=r"model\.bin .*wrong hash"):
        _fetch(hub, tmp_path)

    assert not (tmp_path / "base").exists()
    assert not list(tmp_path.rglob("model.bin*"))


def test_wrong_bytes_of_a_small_file_are_refused_too(hub: ModelHub, tmp_path: Path) -> None:
    hub.corrupts = "config.json"

    with pytest.raises(ModelUnavailable, match=r"config\.json .*wrong hash"):
        _fetch(hub, tmp_path)


def test_wrong_bytes_do_not_spoil_the_next_fetch(hub: ModelHub, tmp_path: Path) -> None:
    hub.corrupts = "model.bin"
    with pytest.raises(ModelUnavailable):
        _fetch(hub, tmp_path)
    hub.corrupts = None

    check_model(_fetch(hub, tmp_path))


def test_an_unknown_repository_says_so(hub: ModelHub, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="HTTP 404"):
        fetch_model("small", tmp_path, hub_url=hub.url)


def test_no_network_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="CLIPPY_WHISPER_MODEL"):
        fetch_model("base", tmp_path, hub_url="http://127.0.0.1:9", retry_delay_s=0.01)


def test_an_address_that_is_no_address_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="CLIPPY_HUB_URL"):
        fetch_model("base", tmp_path, hub_url="huggingface.co")


@pytest.mark.parametrize(
    "listing",
    [
        pytest.param({"error": "no list"}, id="an object"),
        pytest.param(
            [{"type": "file", "path": "model.bin", "size": 5, "oid": "../../x"}], id="a path for a hash"
        ),
        pytest.param(
            [{"type": "file", "path": "model.bin", "size": -5, "oid": "0" * 40}], id="a negative size"
        ),
        pytest.param([], id="nothing"),
    ],
)
def test_a_listing_that_is_none_is_refused(hub: ModelHub, tmp_path: Path, listing: object) -> None:
    hub.listing = listing

    with pytest.raises(ModelUnavailable):
        _fetch(hub, tmp_path)


def test_a_server_in_trouble_is_asked_again_and_then_given_up(hub: ModelHub, tmp_path: Path) -> None:
    hub.status = 503

    with pytest.raises(ModelUnavailable, match="503") as caught:
        _fetch(hub, tmp_path)

    assert len(hub.requests) > 1
    assert caught.value.retryable


def test_too_little_room_is_noticed_before_loading(
    hub: ModelHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_module, "_SPARE_BYTES", 10**18)

    with pytest.raises(DiskFull, match="MB free"):
        _fetch(hub, tmp_path)

    assert len(hub.requests) == 1


def test_a_disk_that_fills_up_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(DiskFull), disk_errors(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_folder_that_cannot_be_made_is_told_as_such(hub: ModelHub, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(ModelUnavailable, match="CLIPPY_MODEL_DIR"):
        _fetch(hub, tmp_path / "file")


def test_two_fetches_of_one_model_do_not_meet(hub: ModelHub, tmp_path: Path) -> None:
    with folder_lock(tmp_path / ".fetch-base.lock"), pytest.raises(AlreadyRunning):
        _fetch(hub, tmp_path)


def test_a_changed_byte_fails_the_check(hub: ModelHub, tmp_path: Path) -> None:
    folder = _fetch(hub, tmp_path)
    content = bytearray((folder / "model.bin").read_bytes())
    content[1_000] ^= 1
    (folder / "model.bin").write_bytes(content)

    with pytest.raises(ModelUnavailable, match="another content"):
        check_model(folder)


def test_a_model_that_fails_its_check_is_fetched_anew(hub: ModelHub, tmp_path: Path) -> None:
    folder = _fetch(hub, tmp_path)
    (folder / "model.bin").unlink()

    check_model(_fetch(hub, tmp_path))

    assert _left_behind(tmp_path) == ["base"]


def test_a_folder_of_somebody_else_is_not_replaced(hub: ModelHub, tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "notes.txt").write_text("mine")

    with pytest.raises(ModelUnavailable):
        _fetch(hub, tmp_path)

    assert (tmp_path / "base" / "notes.txt").read_text() == "mine"


def test_a_folder_without_a_manifest_cannot_be_checked(toy: Path) -> None:
    with pytest.raises(ModelUnavailable, match="not fetched by us"):
        check_model(toy)
