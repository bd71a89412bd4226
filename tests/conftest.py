"""Fixtures that more than one kind of test asks for."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import structlog

from tests.fakes.desktop_here import MISSING, REASON, load_packaging


class LoggedProblems(logging.Handler):
    """Every event of WARNING and above since it was last emptied, from structlog and the standard library."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.events: list[str] = []

    @property
    def names(self) -> list[str]:
        """The events alone, without what they say."""
        return [event.split(" ", 1)[0] for event in self.events]

    def emit(self, record: logging.LogRecord) -> None:
        self.events.append(f"{record.name}: {record.getMessage()}")

    def take(self, _logger: Any, method: str, event: dict[str, Any]) -> Any:
        """As a structlog processor: note it, print nothing."""
        if method in ("warning", "warn", "error", "exception", "critical"):
            details = {key: value for key, value in event.items() if key not in ("event", "exc_info")}
            self.events.append(f"{event.get('event')} {details}" if details else str(event.get("event")))
        raise structlog.DropEvent


_PROBLEMS = LoggedProblems()

# The same examples in every run: what fails here fails on every machine. `--hypothesis-seed` looks further.
hypothesis.settings.register_profile("same", derandomize=True)
hypothesis.settings.load_profile("same")


@pytest.fixture(autouse=True)
def no_unannounced_warning(request: pytest.FixtureRequest) -> Iterator[LoggedProblems]:
    """Fail a test whose code logs a WARNING or worse that the test did not announce.

    `@pytest.mark.logs("event", ...)` announces: any part of an event, or of a standard library's message.
    """
    before = structlog.get_config()
    structlog.configure(processors=[_PROBLEMS.take], cache_logger_on_first_use=False)
    logging.getLogger().addHandler(_PROBLEMS)
    _PROBLEMS.events.clear()
    yield _PROBLEMS
    logging.getLogger().removeHandler(_PROBLEMS)
    structlog.configure(**before)
    announced = [part for marker in request.node.iter_markers("logs") for part in marker.args]
    surprises = [event for event in _PROBLEMS.events if not any(part in event for part in announced)]
    if surprises:
        pytest.fail(f"logged without being announced by @pytest.mark.logs: {sorted(set(surprises))}")


@pytest.fixture(scope="session")
def desktop() -> Iterator[Any]:
    """One screen and sound card for the whole run (packaging/virtual_desktop.py), outside this process's environment.

    A program on it gets `os.environ | desktop.environment`; mark the test `desktop`. Who kills a part of it, or
    changes it for good, starts one of its own.
    """
    if MISSING:
        pytest.skip(REASON)
    with load_packaging("virtual_desktop.py").VirtualDesktop(size=(1280, 720)) as running:
        yield running


@pytest.fixture(scope="session")
def qapp_args() -> list[str]:
    """Qt's windows of the tests are drawn into memory; no screen is needed, and no environment is changed."""
    return ["clippy-tests", "-platform", "offscreen"]
