"""Structured logs to stderr: one JSON object a line, or coloured text on a terminal.

Events are past-tense names with data. Keys that begin with `pii_` (transcripts, titles, names, home paths) are
dropped unless the operator asked for them. What libraries say through `logging` goes the same way.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, MutableMapping
from typing import Any, Literal, TextIO

import structlog

PERSONAL_PREFIX = "pii_"
_NOISY = ("alembic", "asyncio", "httpx", "httpcore", "PIL", "grpc")


def configure_logs(
    *,
    level: str = "info",
    style: Literal["auto", "json", "console"] = "auto",
    keep_personal_data: bool = False,
    stream: TextIO | None = None,
    **bound: Any,
) -> None:
    """Set up structlog and the standard library's logging for this process; a second call replaces the first.

    Args:
        bound: values for every line, e.g. `process="worker", stage="clip"`.
    """
    stream = stream or sys.stderr
    is_console = style == "console" or (style == "auto" and stream.isatty())
    shared: list[Callable[..., Any]] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if not keep_personal_data:
        shared.append(drop_personal_data)
    structlog.contextvars.clear_contextvars()
    # Bound as defaults and not as context, so that threads and tasks started before carry them too.
    if bound:
        shared.insert(0, _Adding(bound))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    last: list[Callable[..., Any]] = (
        [structlog.dev.ConsoleRenderer(colors=stream.isatty())]
        if is_console
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    for old in list(root.handlers):
        if getattr(old, "is_ours", False):
            root.removeHandler(old)
    handler.is_ours = True  # type: ignore[attr-defined]
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)


def drop_personal_data(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Remove every `pii_` key."""
    for key in [key for key in event if key.startswith(PERSONAL_PREFIX)]:
        del event[key]
    return event


class _Adding:
    """A processor that adds the same values to every line."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def __call__(
        self, _logger: Any, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        for key, value in self._values.items():
            event.setdefault(key, value)
        return event
