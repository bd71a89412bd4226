"""Find a Whisper model on this machine. Reads folders only: no network, no configuration, no environment.

A folder is a model when model.bin, config.json, tokenizer.json and a vocabulary are all there and not
empty. faster-whisper is never given anything else: a mistyped path would look like a bad repository
name to it, and a missing tokenizer.json is a hidden network call.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path

from coordinator.errors import ModelUnavailable

DEFAULT_MODEL = "base"
MODEL_FOLDER_VARIABLE = "CLIPPY_WHISPER_MODEL"

# CTranslate2 conversions of Whisper, by the names people use for them.
REPOSITORIES: Mapping[str, str] = {
    "tiny": "Systran/faster-whisper-tiny",
    "tiny.en": "Systran/faster-whisper-tiny.en",
    "base": "Systran/faster-whisper-base",
    "base.en": "Systran/faster-whisper-base.en",
    "small": "Systran/faster-whisper-small",
    "small.en": "Systran/faster-whisper-small.en",
    "medium": "Systran/faster-whisper-medium",
    "medium.en": "Systran/faster-whisper-medium.en",
    "large-v2": "Systran/faster-whisper-large-v2",
    "large-v3": "Systran/faster-whisper-large-v3",
    "distil-large-v3": "Systran/faster-distil-whisper-large-v3",
    "turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
}

REQUIRED_FILES = ("model.bin", "config.json", "tokenizer.json")
VOCABULARY_FILES = ("vocabulary.json", "vocabulary.txt")
# Git without LFS leaves a text of some 130 bytes where the weights should be.
_SMALLEST_WEIGHTS_BYTES = 1_024


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModelPlaces:
    """Where to look, in this order; None or empty means nowhere.

    Attributes:
        env_folder: the folder that `CLIPPY_WHISPER_MODEL` names.
        configured_folder: the folder that the configuration names.
        model_dirs: folders that hold one folder a model (`CLIPPY_MODEL_DIR`, `<data dir>/models`).
        hf_cache: the Hugging Face cache, see `hf_cache_folder`.
    """

    env_folder: Path | None = None
    configured_folder: Path | None = None
    model_dirs: tuple[Path, ...] = ()
    hf_cache: Path | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModelFolder:
    """A complete model on this machine, and which of the places it was found in."""

    name: str
    path: Path
    place: str


def resolve_model(name: str, places: ModelPlaces) -> ModelFolder:
    """Return the first complete model folder.

    A folder that somebody named must be right: the search goes on past the general places only.

    Args:
        name: one of `REPOSITORIES`, or a repository as owner/name.

    Raises:
        ModelUnavailable: None of the places has it; says what each lacked and how to get it.
    """
    for folder, place in (
        (places.env_folder, MODEL_FOLDER_VARIABLE),
        (places.configured_folder, "the configured folder"),
    ):
        if folder is None:
            continue
        fault = model_fault(folder)
        if fault is None:
            return ModelFolder(name=folder.name, path=folder, place=place)
        raise ModelUnavailable(
            f"{place} names {folder}, which is no Whisper model: {fault}; "
            "correct it, or remove it and run `clippy-coordinator models fetch`"
        )
    return _resolve_by_name(name, places)


def model_fault(folder: Path) -> str | None:
    """Return why the folder is no usable model, or None when it is one."""
    if not folder.is_dir():
        return "there is no such folder"
    missing = [each for each in REQUIRED_FILES if not _has_bytes(folder / each)]
    if not any(_has_bytes(folder / each) for each in VOCABULARY_FILES):
        missing.append("vocabulary.json or vocabulary.txt")
    if missing:
        return f"{', '.join(missing)} missing or empty"
    if (folder / "model.bin").stat().st_size < _SMALLEST_WEIGHTS_BYTES:
        return "model.bin is no weights file (a Git LFS pointer?)"
    try:
        json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return "config.json is not JSON"
    return None


def repository_of(name: str) -> str:
    """Return owner/name of the repository that a model name stands for.

    Raises:
        ModelUnavailable: The name is neither known nor of the form owner/name.
    """
    if name in REPOSITORIES:
        return REPOSITORIES[name]
    owner, slash, rest = name.partition("/")
    if slash and all(_is_plain(part) for part in (owner, rest)):
        return name
    raise ModelUnavailable(
        f"no Whisper model is called {name!r}; choose one of {', '.join(REPOSITORIES)}, "
        "or name a repository as owner/name"
    )


def folder_name_of(name: str) -> str:
    """Return the name of the folder that a model lives in below a models folder."""
    repository_of(name)
    return name.replace("/", "--")


def hf_cache_folder(environ: Mapping[str, str], home: Path) -> Path:
    """Return the Hugging Face cache of an environment, by the variables its own tools read."""
    if cache := environ.get("HF_HUB_CACHE"):
        return Path(cache)
    if hf_home := environ.get("HF_HOME"):
        return Path(hf_home) / "hub"
    cache_home = environ.get("XDG_CACHE_HOME")
    return (Path(cache_home) if cache_home else home / ".cache") / "huggingface" / "hub"


def _resolve_by_name(name: str, places: ModelPlaces) -> ModelFolder:
    repository = repository_of(name)
    misses: list[str] = []
    for model_dir in places.model_dirs:
        folder = model_dir / folder_name_of(name)
        fault = model_fault(folder)
        if fault is None:
            return ModelFolder(name=name, path=folder, place=str(model_dir))
        misses.append(f"{folder}: {fault}")
    if places.hf_cache is not None:
        found = _in_hf_cache(places.hf_cache, repository)
        if found is not None:
            return ModelFolder(name=name, path=found, place="the Hugging Face cache")
        misses.append(f"the Hugging Face cache has no complete {repository}")
    looked = "; ".join(misses) or "no place to look was given"
    raise ModelUnavailable(
        f"the Whisper model {name!r} is not on this machine ({looked}); "
        f"run `clippy-coordinator models fetch`, or set {MODEL_FOLDER_VARIABLE} to its folder"
    )


def _in_hf_cache(cache: Path, repository: str) -> Path | None:
    root = cache / f"models--{repository.replace('/', '--')}"
    try:
        main = (root / "refs" / "main").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        main = ""
    try:
        snapshots = sorted((each for each in (root / "snapshots").iterdir()), key=lambda each: each.name)
    except OSError:
        return None
    # The branch the tools fetched last comes first; an older complete snapshot still beats none.
    snapshots.sort(key=lambda each: each.name != main)
    return next((each for each in snapshots if model_fault(each) is None), None)


def _has_bytes(path: Path) -> bool:
    try:
        return path.is_file() and path.stat().st_size > 0
    except OSError:
        return False


def _is_plain(part: str) -> bool:
    return (
        bool(part)
        and part[0].isalnum()
        and all(char.isascii() and (char.isalnum() or char in "._-") for char in part)
        and os.pardir not in part
    )
