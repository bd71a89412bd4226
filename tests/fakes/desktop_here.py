"""A virtual desktop that this very process lives on, for tests of what reads DISPLAY and PULSE_SERVER itself."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

PACKAGING = Path(__file__).parents[2] / "packaging"
MISSING = [name for name in ("Xvfb", "pulseaudio", "pactl", "paplay") if shutil.which(name) is None]
REASON = f"not installed: {', '.join(MISSING)}"


def load_packaging(relative: str) -> ModuleType:
    """A module of packaging/, which is no package."""
    path = PACKAGING / relative
    name = f"loaded_{path.stem}"
    if name not in sys.modules:
        specification = importlib.util.spec_from_file_location(name, path)
        assert specification is not None and specification.loader is not None
        module = importlib.util.module_from_spec(specification)
        sys.modules[name] = module
        specification.loader.exec_module(module)
    return sys.modules[name]


@contextlib.contextmanager
def desktop_here(size: tuple[int, int] = (640, 360)) -> Iterator[Any]:
    """Start a desktop and put its environment into this process's own."""
    virtual_desktop = load_packaging("virtual_desktop.py")
    with (
        virtual_desktop.VirtualDesktop(size=size) as desktop,
        mock.patch.dict(os.environ, desktop.environment),
    ):
        yield desktop


def wait_until(condition: Callable[[], Any], deadline_s: float = 15.0) -> bool:
    """Poll until the condition holds; False at the deadline."""
    ends = time.monotonic() + deadline_s
    while time.monotonic() < ends:
        if condition():
            return True
        time.sleep(0.02)
    return False
