"""Finding a Whisper model on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from coordinator.errors import ModelUnavailable
from coordinator.speech.resolve import ModelPlaces, hf_cache_folder, model_fault, repository_of, resolve_model


def _model(folder: Path, *, without: str | None = None) -> Path:
    folder.mkdir(parents=True)
    for name in ("model.bin", "config.json", "tokenizer.json", "vocabulary.json"):
        if name != without:
            (folder / name).write_bytes(b"{}" if name != "model.bin" else bytes(2_048))
    return folder


def _cached(cache: Path, commit: str, *, is_main: bool = True, without: str | None = None) -> Path:
    root = cache / "models--Systran--faster-whisper-base"
    (root / "refs").mkdir(parents=True, exist_ok=True)
    if is_main:
        (root / "refs" / "main").write_text(commit)
    return _model(root / "snapshots" / commit, without=without)


def test_the_folder_of_the_environment_comes_before_all_others(tmp_path: Path) -> None:
    places = ModelPlaces(
        env_folder=_model(tmp_path / "env"),
        configured_folder=_model(tmp_path / "configured"),
        model_dirs=(_model(tmp_path / "models" / "base").parent,),
    )

    assert resolve_model("base", places).path == tmp_path / "env"


def test_the_configured_folder_comes_before_the_models_folders(tmp_path: Path) -> None:
    places = ModelPlaces(
        configured_folder=_model(tmp_path / "configured"),
        model_dirs=(_model(tmp_path / "models" / "base").parent,),
    )

    assert resolve_model("base", places).path == tmp_path / "configured"


def test_models_folders_are_searched_in_order_by_name(tmp_path: Path) -> None:
    _model(tmp_path / "first" / "small")
    second = _model(tmp_path / "second" / "base")
    places = ModelPlaces(model_dirs=(tmp_path / "first", tmp_path / "second"))

    assert resolve_model("base", places).path == second


def test_the_cache_gives_the_snapshot_its_main_branch_names(tmp_path: Path) -> None:
    _cached(tmp_path, "aaa", is_main=False)
    main = _cached(tmp_path, "bbb")

    assert resolve_model("base", ModelPlaces(hf_cache=tmp_path)).path == main


def test_the_cache_gives_an_older_snapshot_when_the_newest_is_incomplete(tmp_path: Path) -> None:
    older = _cached(tmp_path, "aaa", is_main=False)
    _cached(tmp_path, "bbb", without="model.bin")

    assert resolve_model("base", ModelPlaces(hf_cache=tmp_path)).path == older


@pytest.mark.parametrize("missing", ["model.bin", "config.json", "tokenizer.json", "vocabulary.json"])
def test_a_named_folder_without_a_file_says_which(tmp_path: Path, missing: str) -> None:
    folder = _model(tmp_path / "model", without=missing)

    with pytest.raises(ModelUnavailable, match=f"{missing}.* missing"):
        resolve_model("base", ModelPlaces(env_folder=folder))


def test_a_named_folder_that_is_broken_is_not_passed_over(tmp_path: Path) -> None:
    good = _model(tmp_path / "models" / "base")

    with pytest.raises(ModelUnavailable, match="CLIPPY_WHISPER_MODEL"):
        resolve_model("base", ModelPlaces(env_folder=tmp_path / "typo", model_dirs=(good.parent,)))


def test_a_miss_says_where_it_looked_and_how_to_get_the_model(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable) as caught:
        resolve_model("base", ModelPlaces(model_dirs=(tmp_path,), hf_cache=tmp_path / "cache"))

    message = str(caught.value)
    assert str(tmp_path / "base") in message
    assert "clippy-coordinator models fetch" in message


@pytest.mark.parametrize("name", ["huge", "../base", "a/../b", "/etc", "a/b/c", ""])
def test_a_name_that_is_no_model_is_refused(name: str) -> None:
    with pytest.raises(ModelUnavailable, match="choose one of"):
        repository_of(name)


def test_a_git_pointer_is_no_weights_file(tmp_path: Path) -> None:
    folder = _model(tmp_path / "model")
    (folder / "model.bin").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")

    assert "LFS" in str(model_fault(folder))


def test_a_config_that_is_no_json_is_a_fault(tmp_path: Path) -> None:
    folder = _model(tmp_path / "model")
    (folder / "config.json").write_bytes(b"<html>")

    assert model_fault(folder) == "config.json is not JSON"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param({"HF_HUB_CACHE": "/a", "HF_HOME": "/b"}, "/a", id="the cache itself"),
        pytest.param({"HF_HOME": "/b"}, "/b/hub", id="its home"),
        pytest.param({"XDG_CACHE_HOME": "/c"}, "/c/huggingface/hub", id="all caches"),
        pytest.param({}, "/h/.cache/huggingface/hub", id="nothing"),
    ],
)
def test_the_cache_is_where_the_hubs_own_tools_put_it(environ: dict[str, str], expected: str) -> None:
    assert hf_cache_folder(environ, Path("/h")) == Path(expected)
