"""Log lines: a past-tense event and data, to stderr. Personal data (`pii_*` keys) is dropped unless wanted.

Configured once, by a composition root; every module asks `structlog.get_logger()`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog


def configure_log(
    *, level: str = "info", is_json: bool = False, keeps_pii: bool = False, stream: TextIO | None = None
) -> None:
    """Send structlog and the standard library's log to `stream` (stderr), as text or JSON lines."""
    out = stream or sys.stderr

    def drop_pii(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if not keeps_pii:
            for key in [key for key in event if key.startswith("pii_")]:
                del event[key]
        return event

    renderer: Any = (
        structlog.processors.JSONRenderer()
        if is_json
        else structlog.dev.ConsoleRenderer(
            colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            *([structlog.processors.format_exc_info] if is_json else []),
            drop_pii,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(out),
        # A logger that were bound for good would go on writing to this stream when another is configured.
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(
        stream=out, level=logging.WARNING, format="%(levelname)s %(name)s %(message)s", force=True
    )
