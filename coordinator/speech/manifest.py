"""What a fetched model folder holds, written beside its files: names, sizes and SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from coordinator.errors import ModelUnavailable

MANIFEST_NAME = "manifest.json"


class ManifestEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file as it was when its download was verified."""

    size_bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Where a model came from, and its files by name."""

    repository: str
    files: dict[str, ManifestEntry]


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(folder: Path, repository: str, names: Sequence[str]) -> None:
    """Write down the files as they are now."""
    files = {
        name: ManifestEntry(size_bytes=(folder / name).stat().st_size, sha256=digest_of(folder / name))
        for name in names
    }
    content = msgspec.json.encode(Manifest(repository=repository, files=files))
    (folder / MANIFEST_NAME).write_bytes(msgspec.json.format(content, indent=2) + b"\n")


def read_manifest(folder: Path) -> Manifest:
    """Return what `write_manifest` wrote.

    Raises:
        ModelUnavailable: There is none, or it is not one; nothing can be compared.
    """
    path = folder / MANIFEST_NAME
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as exc:
        raise ModelUnavailable(
            f"{path} cannot be read ({exc}): the model was not fetched by us and cannot be checked; "
            "run `clippy-coordinator models fetch` for one that can"
        ) from exc
    if any(Path(name).name != name for name in manifest.files):
        raise ModelUnavailable(f"{path} names files outside its folder; fetch the model again")
    return manifest
