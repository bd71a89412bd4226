"""Bring a Whisper model onto this machine, and check one that is there.

A model appears in its folder whole and verified, or not at all: files grow as `.part` in a folder beside
it, each is checked against the hash the hub states, and the finished folder is renamed into place. What a
broken attempt left behind is taken up by the next one. Blocking: call it from a thread or a command line.
"""

from __future__ import annotations

import dataclasses
import functools
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from coordinator.errors import DiskFull, ModelUnavailable
from coordinator.speech.hub import DEFAULT_HUB_URL, Hub, RemoteFile
from coordinator.speech.manifest import Manifest, digest_of, read_manifest, write_manifest
from coordinator.speech.resolve import (
    DEFAULT_MODEL,
    REQUIRED_FILES,
    VOCABULARY_FILES,
    folder_name_of,
    model_fault,
    repository_of,
)
from coordinator.speech.staging import disk_errors, folder_lock, sync_folder

log = structlog.get_logger(__name__)

_SPARE_BYTES = 64 * 1024 * 1024
_OPTIONAL_FILES = ("preprocessor_config.json",)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FetchProgress:
    """How far a fetch is; the first one comes before any file does and says the size."""

    repository: str
    file: str | None
    done_bytes: int
    total_bytes: int


def fetch_model(
    name: str = DEFAULT_MODEL,
    models_dir: Path = Path("models"),
    *,
    hub_url: str = DEFAULT_HUB_URL,
    progress: Callable[[FetchProgress], None] | None = None,
    stop: threading.Event | None = None,
    connect_timeout_s: float = 20.0,
    read_timeout_s: float = 30.0,
    retry_delay_s: float = 1.0,
) -> Path:
    """Download a model into `models_dir` and return its folder; at once when it is there already.

    Args:
        name: one of `resolve.REPOSITORIES`, or owner/name.
        hub_url: where from; `CLIPPY_HUB_URL` for those who keep a mirror.
        progress: told the size first, then at most every megabyte. Called on this thread.
        stop: set it to give up; what was loaded stays for the next time.

    Raises:
        ModelUnavailable: No such model, no network, or files that are not what the hub promised. Its
            `retryable` says whether the same call may work later.
        DiskFull: It does not fit.
    """
    repository = repository_of(name)
    target = models_dir / folder_name_of(name)
    staging = models_dir / f".fetch-{folder_name_of(name)}"
    with disk_errors(models_dir):
        staging.mkdir(parents=True, exist_ok=True)
        with folder_lock(staging.with_name(f"{staging.name}.lock")):
            if _is_complete(target):
                _remove(staging)
                return target
            hub = Hub(
                hub_url,
                repository,
                stop=stop or threading.Event(),
                connect_timeout_s=connect_timeout_s,
                read_timeout_s=read_timeout_s,
                retry_delay_s=retry_delay_s,
            )
            with hub:
                files = _wanted(hub.files(), repository)
                _Fetch(hub, repository, files, staging, progress).run()
            _finish(staging, target, repository, files)
    log.info("model_fetched", repository=repository, size_bytes=sum(file.size_bytes for file in files))
    return target


def check_model(folder: Path) -> Manifest:
    """Read every file of a fetched model and compare it with what was written down at fetch.

    Raises:
        ModelUnavailable: A file is missing or differs, or the folder was not made by `fetch_model`.
    """
    if fault := model_fault(folder):
        raise ModelUnavailable(
            f"{folder} is no Whisper model: {fault}; run `clippy-coordinator models fetch`"
        )
    manifest = read_manifest(folder)
    for name, entry in manifest.files.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != entry.size_bytes:
            fault = "is missing" if not path.is_file() else f"is not {entry.size_bytes} bytes long"
        elif digest_of(path) != entry.sha256:
            fault = "has another content than at its download"
        else:
            continue
        raise ModelUnavailable(f"{path} {fault}; run `clippy-coordinator models fetch`")
    return manifest


class _Fetch:
    """The downloads of one model, counted together."""

    def __init__(
        self,
        hub: Hub,
        repository: str,
        files: list[RemoteFile],
        staging: Path,
        progress: Callable[[FetchProgress], None] | None,
    ) -> None:
        self._hub = hub
        self._repository = repository
        self._files = files
        self._staging = staging
        self._progress = progress
        self._total_bytes = sum(file.size_bytes for file in files)
        self._finished_bytes = 0

    def run(self) -> None:
        """Load what is missing, smallest first: a wrong repository shows before the weights do."""
        self._tell(None, 0)
        self._require_room()
        for file in sorted(self._files, key=lambda each: each.size_bytes):
            done = self._staging / file.name
            if not (done.is_file() and file.matches(done)):
                self._hub.download(file, done, functools.partial(self._tell, file.name))
            self._finished_bytes += file.size_bytes
            self._tell(file.name, 0)

    def _tell(self, name: str | None, loaded_bytes: int) -> None:
        if self._progress is None:
            return
        done_bytes = self._finished_bytes + loaded_bytes
        self._progress(
            FetchProgress(
                repository=self._repository, file=name, done_bytes=done_bytes, total_bytes=self._total_bytes
            )
        )

    def _require_room(self) -> None:
        here = sum(each.stat().st_size for each in self._staging.iterdir() if each.is_file())
        needed = max(0, self._total_bytes - here) + _SPARE_BYTES
        free = shutil.disk_usage(self._staging).free
        if free < needed:
            raise DiskFull(
                f"{self._repository} needs {needed / 1e6:.0f} MB in {self._staging.parent}, which has "
                f"{free / 1e6:.0f} MB free; make room, or choose a smaller model"
            )


def _wanted(files: list[RemoteFile], repository: str) -> list[RemoteFile]:
    by_name = {file.name: file for file in files}
    missing = [name for name in REQUIRED_FILES if name not in by_name]
    if not any(name in by_name for name in VOCABULARY_FILES):
        missing.append("a vocabulary")
    if missing:
        raise ModelUnavailable(
            f"the repository {repository} is no faster-whisper model: it has no {', '.join(missing)}; "
            "name one converted for CTranslate2"
        )
    names = (*REQUIRED_FILES, *VOCABULARY_FILES, *_OPTIONAL_FILES)
    return [by_name[name] for name in names if name in by_name]


def _is_complete(target: Path) -> bool:
    if not target.exists():
        return False
    try:
        check_model(target)
    except ModelUnavailable as exc:
        try:
            read_manifest(target)
        except ModelUnavailable:
            # Somebody else's folder is not ours to replace, broken or not.
            if model_fault(target) is None:
                return True
            raise exc from None
        return False
    return True


def _finish(staging: Path, target: Path, repository: str, files: list[RemoteFile]) -> None:
    names = {file.name for file in files}
    for stray in staging.iterdir():
        if stray.name not in names:
            stray.unlink()
    write_manifest(staging, repository, sorted(names))
    if fault := model_fault(staging):
        raise ModelUnavailable(f"{repository} is no usable model: {fault}; name another one")
    sync_folder(staging)
    if target.exists():
        # Only a folder of our own that failed its check gets here.
        broken = target.with_name(f".broken-{target.name}")
        _remove(broken)
        target.rename(broken)
        staging.rename(target)
        _remove(broken)
    else:
        staging.rename(target)
    sync_folder(target.parent)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
