"""One small file that says what is being forgotten, so that a kill in the middle is finished at the next start."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import msgspec
import structlog

from agent.errors import DiskFull, EnvironmentProblem

log = structlog.get_logger()


class ForgetOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be forgotten: a span of one session, and the saved clips that were ticked.

    `forget_id`: under which the coordinator is asked to follow.
    """

    session_id: str
    start_ns: int
    end_ns: int
    clip_ids: tuple[str, ...] = ()
    forget_id: str = ""


class ForgettingJournal:
    """Holds at most one order. Used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, order: ForgetOrder) -> None:
        """Keep it; durable when this returns.

        Raises:
            DiskFull, EnvironmentProblem: It cannot be written; nothing was forgotten.
        """
        part = self._path.with_suffix(".part")
        try:
            with part.open("wb") as file:
                file.write(msgspec.json.encode(order))
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._path)
            self._sync_folder()
        except OSError as exc:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise DiskFull(
                f"nothing was forgotten: {self._path} cannot be written: {exc.strerror}; make a little room"
            ) from exc

    def read(self) -> ForgetOrder | None:
        """The order that a kill left, or None."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=ForgetOrder)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as exc:
            # It is replaced whole: who changed it was not us.
            log.warning("forgetting_journal_unreadable", problem=str(exc))
            return None
        except OSError as exc:
            raise EnvironmentProblem(f"cannot read {self._path}: {exc.strerror}; mend its rights") from exc

    def clear(self) -> None:
        """All of it is done."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
            self._sync_folder()

    def _sync_folder(self) -> None:
        if os.name == "nt":
            return  # Windows has no such thing as syncing a folder
        fd = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
