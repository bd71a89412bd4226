"""Logs of the coordinator."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from coordinator.log import configure_logs


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_personal_data_is_dropped():
    stream = io.StringIO()
    configure_logs(style="json", stream=stream, stage="clip")

    structlog.get_logger("x").info("moment_found", pii_text="what was said", score=0.5)

    (line,) = lines(stream)
    assert (line["event"], line["score"], line["stage"]) == ("moment_found", 0.5, "clip")
    assert "pii_text" not in line


def test_personal_data_stays_when_asked_for():
    stream = io.StringIO()
    configure_logs(style="json", stream=stream, keep_personal_data=True)

    structlog.get_logger("x").info("moment_found", pii_text="what was said")

    assert lines(stream)[0]["pii_text"] == "what was said"


@pytest.mark.logs("library:")
def test_what_libraries_log_comes_the_same_way_and_once():
    stream = io.StringIO()
    configure_logs(style="json", stream=io.StringIO())
    configure_logs(style="json", stream=stream)

    logging.getLogger("library").warning("it is %s", "late")

    assert [(line["event"], line["level"]) for line in lines(stream)] == [("it is late", "warning")]


@pytest.mark.logs("x:")
def test_the_level_is_kept():
    stream = io.StringIO()
    configure_logs(style="console", level="warning", stream=stream)

    structlog.get_logger("x").info("moment_found")
    structlog.get_logger("x").warning("queue_paused")

    assert "queue_paused" in stream.getvalue()
    assert "moment_found" not in stream.getvalue()


@pytest.mark.logs("x:")
def test_exceptions_carry_their_trace():
    stream = io.StringIO()
    configure_logs(style="json", stream=stream)

    try:
        raise ValueError("odd")
    except ValueError:
        structlog.get_logger("x").exception("job_crashed")

    assert "ValueError: odd" in str(lines(stream)[0]["exception"])
