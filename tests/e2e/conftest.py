"""Fixtures of the end-to-end tests; a failed one tells what every process of its stack last said."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from tests.e2e.stack import Stack


@pytest.fixture
def stacks() -> Iterator[Callable[..., Stack]]:
    """Make stacks; each is ended with the test."""
    made: list[Stack] = []

    def make(*values: Any, **named: Any) -> Stack:
        made.append(Stack(*values, **named))
        return made[-1]

    yield make
    for stack in reversed(made):
        stack.close()


@pytest.fixture
def stack(stacks: Callable[..., Stack], desktop: Any) -> Stack:
    """A stack on the virtual desktop; nothing of it runs yet."""
    return stacks(desktop)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        for value in getattr(item, "funcargs", {}).values():
            if isinstance(value, Stack):
                report.sections += [(f"end of {name}", words) for name, words in value.logs().items()]
    return report
