"""The engine's own log, without what is no error: a job that we hold on purpose."""

from __future__ import annotations

import logging


class Held(Exception):
    """Tells the engine to park the job. Its reason is in job_runs, and logged, already."""


def quieten_engine_log() -> None:
    """Let the engine say nothing of held jobs. Twice is once."""
    logger = logging.getLogger("pgqueuer")
    if not any(isinstance(present, _WithoutHeld) for present in logger.filters):
        logger.addFilter(_WithoutHeld())


class _WithoutHeld(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], Held))
