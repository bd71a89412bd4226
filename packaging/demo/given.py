"""What the demo was given, looked at before anything starts; and how it says that it cannot go on."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path


class DemoFailed(Exception):
    """The demo cannot go on; the message says what failed, with which value, and what to do."""

    def __init__(
        self, message: str, *, code: str = "demo_failed", exit_code: int = 1, retryable: bool = False
    ) -> None:
        super().__init__(message)
        self.code = code
        self.exit_code = exit_code
        self.retryable = retryable


def say(text: str) -> None:
    """Progress, for people."""
    print(text, file=sys.stderr, flush=True)


def make_folder(path: Path) -> None:
    """Make the results' folder, and see that it can be written; DemoFailed when not."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as exc:
        raise DemoFailed(
            f"--out {path}: it cannot be written ({exc.strerror}); give another folder",
            code="environment_problem",
            exit_code=3,
        ) from exc


def check_video(path: Path | None) -> None:
    """DemoFailed when there is no such recording, or nothing in it; the player looks at the rest."""
    if path is None:
        return
    if path.is_dir():
        raise DemoFailed(
            f"--video {path}: it is a folder; give the path of a recording",
            code="input_unusable",
            exit_code=2,
        )
    if not path.is_file():
        raise DemoFailed(
            f"--video {path}: no such file; give the path of a recording", code="input_unusable", exit_code=2
        )
    if path.stat().st_size == 0:
        raise DemoFailed(
            f"--video {path}: the file is empty; give a recording", code="input_unusable", exit_code=2
        )
    import av

    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise DemoFailed(
                    f"--video {path}: it holds no picture; give a recording that has one",
                    code="input_unusable",
                )
            next(container.decode(video=0))
    except (av.FFmpegError, StopIteration, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or str(exc) or "no picture can be decoded"
        raise DemoFailed(
            f"--video {path}: it cannot be played ({reason}); is it a recording, and whole?",
            code="input_unusable",
        ) from exc
