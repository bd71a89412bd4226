"""The app as a process: it starts an engine, shows itself, and its end is never the engine's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.control.client import ControlClient
from agent.errors import EngineNotRunning, EnvironmentProblem
from agent.paths import AgentPaths
from agent.ui.engine_process import EngineProcess
from tests.fakes.desktop_here import wait_until

ROOT = Path(__file__).parents[2]
STARTS_WITHIN_S = 30.0
APP = """\
import sys
from pathlib import Path
from agent.app import run_app
from agent.paths import AgentPaths
sys.exit(run_app(AgentPaths(data=Path(sys.argv[1])), sys.argv[2:]))
"""


@pytest.fixture
def paths(tmp_path: Path) -> AgentPaths:
    return AgentPaths(data=tmp_path / "data")


@pytest.fixture
def command(paths: AgentPaths) -> list[str]:
    """Starts an engine that does as it is told."""
    return [sys.executable, "-m", "tests.fakes.told_engine_process", str(paths.control_socket)]


@pytest.fixture(autouse=True)
def _no_engine_is_left(paths: AgentPaths, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(ROOT)
    yield
    if answers(paths):
        client = ControlClient(paths.control_socket)
        client.stop_engine()
        client.close()
        assert wait_until(lambda: not paths.control_socket.exists())


def answers(paths: AgentPaths) -> bool:
    client = ControlClient(paths.control_socket)
    try:
        return client.status().state == "ready"
    except EngineNotRunning:
        return False
    finally:
        client.close()


def start_app(paths: AgentPaths, command: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", APP, str(paths.data), *command],
        cwd=ROOT,
        env=os.environ | environment,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_killed_app_leaves_the_engine_it_started_recording(paths: AgentPaths, command: list[str]):
    app = start_app(paths, command, {"QT_QPA_PLATFORM": "offscreen"})
    assert wait_until(lambda: answers(paths), STARTS_WITHIN_S)

    app.kill()
    app.communicate(timeout=20)

    assert answers(paths)


def test_an_interrupted_app_ends_well_and_leaves_the_engine_recording(paths: AgentPaths, command: list[str]):
    app = start_app(paths, command, {"QT_QPA_PLATFORM": "offscreen"})
    assert app.stderr is not None
    assert any("app_opened" in line for line in app.stderr)

    app.send_signal(signal.SIGINT)
    _, log = app.communicate(timeout=20)

    assert (app.returncode, "app_closed" in log) == (0, True)
    assert wait_until(lambda: answers(paths), STARTS_WITHIN_S)


@pytest.mark.desktop
def test_the_window_is_on_the_screen(paths: AgentPaths, command: list[str], desktop: Any):
    app = start_app(paths, command, desktop.environment | {"QT_QPA_PLATFORM": "xcb"})
    search = ["xdotool", "search", "--onlyvisible", "--name", "^Clippy$"]
    environment = os.environ | desktop.environment

    def is_shown() -> bool:
        return bool(subprocess.run(search, env=environment, capture_output=True, check=False).stdout)

    try:
        assert wait_until(is_shown, STARTS_WITHIN_S)
    finally:
        app.kill()
        app.communicate(timeout=20)


def test_without_a_desktop_the_message_says_what_works(paths: AgentPaths, command: list[str]):
    blank = {"DISPLAY": "", "WAYLAND_DISPLAY": "", "QT_QPA_PLATFORM": ""}

    app = start_app(paths, command, blank)
    _, words = app.communicate(timeout=STARTS_WITHIN_S)

    assert "no desktop to show a window on" in words
    assert not paths.data.exists()


def test_an_engine_that_answers_already_is_used(paths: AgentPaths, command: list[str]):
    with subprocess.Popen(command) as first:
        assert wait_until(lambda: answers(paths), STARTS_WITHIN_S)

        EngineProcess(paths, ["/nowhere/to/be/found"]).start_if_needed()

        assert answers(paths)
        first.terminate()


def test_an_engine_that_is_starting_is_given_time(paths: AgentPaths):
    engine = EngineProcess(
        paths, [sys.executable, "-c", "import sys; sys.stdin.read(); import time; time.sleep(2)"]
    )
    engine.start_if_needed()

    assert engine.explain("it does not answer") is None
    assert wait_until(lambda: engine.explain("it does not answer") == "it does not answer")


def test_an_engine_that_ends_at_once_is_quoted(paths: AgentPaths):
    script = "import sys; print('clippy: no screen here; set capture.screen', file=sys.stderr); sys.exit(3)"
    engine = EngineProcess(paths, [sys.executable, "-c", script])

    engine.start()

    expected = "the engine ended with exit code 3: no screen here; set capture.screen"
    assert wait_until(lambda: engine.explain("?") == expected)


def test_a_program_that_is_not_there_is_named(paths: AgentPaths):
    with pytest.raises(EnvironmentProblem, match=r"/nowhere/clippy.*clippy engine"):
        EngineProcess(paths, ["/nowhere/clippy"]).start()
