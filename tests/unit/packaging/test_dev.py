"""The set-up of a machine: what it recognises, what it makes anew, what it says when a step fails."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

PACKAGING = Path(__file__).parents[3] / "packaging"
OS_RELEASES = {
    # text -> is it of Debian's family?
    'ID=debian\nVERSION_ID="12"\n': True,
    'ID=ubuntu\nID_LIKE="debian"\n': True,
    'ID="linuxmint"\nID_LIKE="ubuntu debian"\n': True,
    'ID=fedora\nID_LIKE="rhel centos"\n': False,
    "ID=arch\n": False,
    "": False,
}


@pytest.fixture
def set_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The set-up's module, which finds its neighbour as it does below dev.py."""
    monkeypatch.syspath_prepend(str(PACKAGING))
    yield __import__("set_up")
    for name in ("set_up", "set_up_packages", "set_up_steps", "dev"):
        sys.modules.pop(name, None)


@pytest.fixture
def steps(set_up: ModuleType) -> ModuleType:
    """The steps' module."""
    return sys.modules["set_up_steps"]


@pytest.fixture
def made(set_up: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `.venv` that a set-up finished, with two packages in it."""
    venv = tmp_path / ".venv"
    packages = venv / "lib" / "python3.11" / "site-packages"
    programs = venv / set_up.BIN
    for folder in (packages / "one", packages / "two", programs):
        folder.mkdir(parents=True)
    (programs / set_up.python_name()).symlink_to(sys.executable)
    monkeypatch.setattr(set_up, "VENV", venv)
    note = {"stamp": set_up.stamp(), "contents": set_up.contents()}
    (venv / set_up.STAMP).write_text(json.dumps(note), encoding="utf-8")
    return venv


@pytest.mark.parametrize("text", OS_RELEASES)
def test_debian_and_its_children_are_recognised(set_up, tmp_path, monkeypatch, text):
    monkeypatch.setattr(set_up.shutil, "which", lambda name: f"/usr/bin/{name}")
    (tmp_path / "os-release").write_text(text, encoding="utf-8")

    assert set_up.is_debian(tmp_path / "os-release") == OS_RELEASES[text]


def test_a_system_without_os_release_is_no_debian(set_up, tmp_path):
    assert not set_up.is_debian(tmp_path / "absent")


def test_a_finished_environment_is_left_alone(set_up, made):
    assert (set_up.is_environment_current(), set_up.why_anew()) == (True, "")


def test_an_environment_that_lost_a_package_is_made_anew(set_up, made):
    (made / "lib" / "python3.11" / "site-packages" / "two").rmdir()

    assert (set_up.is_environment_current(), set_up.why_anew()) == (False, "a part of it is gone")


def test_a_package_that_the_user_added_makes_no_environment_old(set_up, made):
    (made / "lib" / "python3.11" / "site-packages" / "three").mkdir()

    assert set_up.is_environment_current()


def test_an_environment_whose_interpreter_is_gone_is_made_anew(set_up, made):
    python = made / set_up.BIN / set_up.python_name()
    python.unlink()
    python.symlink_to(made / "nowhere")

    assert (set_up.is_environment_current(), set_up.why_anew()) == (False, "it has no Python")


@pytest.mark.parametrize("left", ["{}", "", '{"stamp": ', "[]"])
def test_an_environment_that_was_not_finished_is_made_anew(set_up, made, left):
    (made / set_up.STAMP).write_text(left, encoding="utf-8")

    assert (set_up.is_environment_current(), set_up.why_anew()) == (False, "its set-up was not finished")


def test_an_environment_of_another_python_is_made_anew(set_up, made):
    python = made / set_up.BIN / set_up.python_name()
    python.unlink()
    python.write_text("#!/bin/sh\necho 3.9\n", encoding="utf-8")
    python.chmod(0o755)

    assert set_up.why_anew().startswith("it is of Python 3.9")


def test_an_environment_of_older_locks_is_brought_up_to_date_in_place(set_up, made, monkeypatch):
    monkeypatch.setattr(set_up, "stamp", lambda: "of newer locks")

    assert (set_up.is_environment_current(), set_up.why_anew()) == (False, "")


def test_what_the_user_told_pip_is_told_to_uv(set_up, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    monkeypatch.delenv("UV_DEFAULT_INDEX", raising=False)

    assert set_up.uv_environment()["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"


def test_a_python_that_cannot_make_the_environment_is_told_the_one_line(set_up, steps):
    packages = ["xvfb", set_up.venv_package()]

    with pytest.raises(steps.SetupFailed, match=r"sudo apt-get install .* xvfb python3\.\d+-venv"):
        set_up.tell_missing("demo", packages)


def test_what_is_missing_is_told_and_done_without(set_up, capsys):
    assert set_up.tell_missing("demo", ["xvfb"]) == ["xvfb"]
    assert "sudo apt-get install -y --no-install-recommends xvfb" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("cause: dns error", "the network does not answer"),
        ("Temporary failure resolving 'mirror'", "the network does not answer"),
        ("failed to copy: No space left on device (os error 28)", "the disk is full"),
        ("invalid peer certificate: UnknownIssuer", "certificate is not trusted"),
    ],
)
def test_a_failed_step_says_what_to_do(steps, words, reason):
    with pytest.raises(steps.SetupFailed) as failed:
        steps.run_step("fetch", [sys.executable, "-c", f"import sys; print({words!r}); sys.exit(2)"])

    assert reason in str(failed.value)
    assert words in str(failed.value)


def test_a_program_that_is_not_here_fails_the_step(steps):
    with pytest.raises(steps.SetupFailed, match="cannot run no-such-program"):
        steps.run_step("fetch", ["no-such-program"])


def test_a_step_without_end_is_stopped_at_its_deadline(steps):
    with pytest.raises(steps.SetupFailed, match="no end after"):
        steps.run_step("wait", ["sleep", "600"], deadline_s=0.1)


def test_a_second_set_up_waits_for_the_first(steps, tmp_path):
    order: list[str] = []
    lock = tmp_path / "lock"

    def second() -> None:
        with steps.one_at_a_time(lock):
            order.append("second")

    with steps.one_at_a_time(lock):
        thread = threading.Thread(target=second)
        thread.start()
        order.append("first")
    thread.join(timeout=10)

    assert order == ["first", "second"]


def test_a_terminated_set_up_stops_its_step_and_says_so(tmp_path):
    pid_file = tmp_path / "pid"
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import dev, set_up\n"
        "step = ['sh', '-c', 'echo $$ > ' + sys.argv[2] + '; exec sleep 600']\n"
        "set_up.set_up = lambda verb: dev.set_up_steps.run_step('a long step', step)\n"
        "sys.argv = ['dev.py', 'exec', '--', 'true']\n"
        "sys.exit(dev.main())\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(PACKAGING), str(pid_file)], stderr=subprocess.PIPE, text=True
    )
    ends = time.monotonic() + 20
    while not (pid_file.exists() and pid_file.read_text()) and time.monotonic() < ends:
        time.sleep(0.02)

    child.send_signal(signal.SIGTERM)
    _, words = child.communicate(timeout=30)

    assert child.returncode == 130
    assert "set-up stopped at: a long step" in words
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


@pytest.mark.parametrize(
    ("rest", "is_parallel"),
    [
        ([], True),
        (["-q"], True),
        (["-n", "0"], False),
        (["tests/unit"], False),
        (["tests/unit/packaging/test_dev.py::test_this"], False),
    ],
)
def test_the_whole_suite_alone_runs_in_several_processes(set_up, monkeypatch, rest, is_parallel):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1, 2}, raising=False)
    dev = __import__("dev")

    assert bool(dev.parallel(rest)) == is_parallel


def test_a_bench_is_told_which_parts_and_how_to_answer(set_up, monkeypatch):
    dev = __import__("dev")
    called: list[list[str]] = []
    monkeypatch.setattr(dev, "call", lambda command: called.append(command[1:]) or 0)
    arguments, rest = dev.parse(["bench", "capture", "--part", "30", "--part", "60", "--json"])

    assert (dev.bench(arguments), rest) == (0, [])
    assert called == [["-m", "tests.bench.run", "--part=30", "--part=60", "--json", "capture"]]


def test_a_bench_installs_its_rivals(set_up):
    assert {"ffmpeg", "obs-studio", "xvfb", "pulseaudio"} <= set(set_up.NEEDS["bench"])


@pytest.fixture
def small_suite(set_up: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """`dev`, in a folder whose tests fail as often as a file of theirs says."""
    dev = __import__("dev")
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    (tmp_path / "test_it.py").write_text(
        "from pathlib import Path\nimport pytest\n\n"
        "@pytest.mark.parametrize('name', Path('left').read_text().split())\n"
        "def test_it(name):\n"
        "    left = Path(f'left-{name}')\n"
        "    number = int(left.read_text()) if left.exists() else int(name.split('x')[1])\n"
        "    left.write_text(str(number - 1))\n"
        "    assert number <= 0\n"
    )
    monkeypatch.setattr(dev, "ROOT", tmp_path)
    monkeypatch.setattr(dev, "VENV", Path(sys.prefix))
    return dev


@pytest.mark.parametrize(
    ("names", "code"),
    [
        ("ax0 bx0", 0),
        ("ax0 bx1", 1),  # failed once beside others
        ("ax0 bx2", 1),  # and once more alone
        ("ax9", 1),
        ("ax1 bx1 cx1 dx1", 1),  # too many to be races
    ],
)
def test_a_few_failures_are_looked_at_again_told_and_failures_all_the_same(
    small_suite, tmp_path, capfd, names, code
):
    (tmp_path / "left").write_text(names)

    assert small_suite.suite(["-q"]) == code

    words = capfd.readouterr()
    assert ("a race, to be found: test_it.py::test_it[bx1]" in words.out + words.err) == (names == "ax0 bx1")
