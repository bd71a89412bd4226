"""Fixtures that more than one kind of test asks for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.desktop_here import MISSING, REASON, load_packaging


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
