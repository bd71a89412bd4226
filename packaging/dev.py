"""Sets a machine up for Clippy, then runs what was asked: demo, test, lint, bench, run, screenshots, doctor, exec.

Standard library only, Python 3.11 or later; `set_up.py` says what is installed where.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import set_up
import set_up_packages
import set_up_steps
from set_up import BIN, ROOT, VENV
from set_up_steps import SetupFailed, SetupInterrupted, say

# Exit codes are the product's own: 2 usage, 3 environment problem.
USAGE, ENVIRONMENT, INTERRUPTED = 2, 3, 130
TESTS_FAILED, NO_TESTS = 1, 5  # pytest's exit codes
# Each test process starts a PostgreSQL, and a desktop where it needs one.
MAX_TEST_PROCESSES = 4
# More than a few are no race.
MAX_LOOKED_AT_AGAIN = 3


# ---- verbs


def in_venv(*command: str) -> list[str]:
    """A command of the environment."""
    return [str(VENV / BIN / command[0]), *command[1:]]


def call(command: list[str]) -> int:
    """Run in the foreground, inside the environment; its exit code is ours."""
    environment = {**os.environ, "PATH": f"{VENV / BIN}{os.pathsep}{os.environ.get('PATH', '')}"}
    environment.setdefault("LANG", "C.UTF-8")
    try:
        return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    except FileNotFoundError:
        say(f"{command[0]} is neither in the environment nor on this machine")
        return USAGE
    except KeyboardInterrupt:
        return INTERRUPTED


LINTERS = [
    ("ruff check", "."),
    ("ruff format", "--check", "."),
    ("mypy",),
    ("lint-imports",),
    ("python", "-m", "protos.generate", "--check"),
]


def lint() -> int:
    """Every linter; the first failure is the exit code."""
    for linter in LINTERS:
        name, *rest = [*linter[0].split(), *linter[1:]]
        code = call(in_venv(name, *rest))
        if code != 0:
            say(f"lint: {' '.join(linter)} failed")
            return code
    return 0


def test(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Linters, then the tests."""
    if not rest:
        code = lint()
        if code != 0:
            return code
    selection = [] if arguments.slow else ["-m", "not slow and not gpu"]
    if rest:
        return call(in_venv("pytest", *selection, *parallel(rest), *rest))
    # The end-to-end tests start whole installations, which would starve one another: they come last, one by one.
    code = suite([*selection, *parallel(rest), "--ignore", "tests/e2e"])
    return suite([*selection, "tests/e2e"]) if code in (0, NO_TESTS) else code


def suite(options: list[str]) -> int:
    """A part of the tests. A few that failed are run twice more, alone: to tell a race from what is simply broken.

    Either is a failure: a race in a test may be one in the product, and the second run would have hidden it.
    """
    code = call(in_venv("pytest", "--cache-clear", *options))
    failed = failed_tests() if code == TESTS_FAILED else []
    if not 0 < len(failed) <= MAX_LOOKED_AT_AGAIN:
        return code
    for _ in range(2):
        say(f"once more, alone: {' '.join(failed)}")
        if call(in_venv("pytest", *failed)) != 0:
            return code
    say(f"failed beside others, passed twice alone; a race, to be found: {' '.join(failed)}")
    return code


def failed_tests() -> list[str]:
    """Which tests of the last run failed, as pytest noted them."""
    try:
        noted = json.loads((ROOT / ".pytest_cache/v/cache/lastfailed").read_text())
    except (OSError, ValueError):
        return []
    return sorted(noted)


def parallel(rest: list[str]) -> list[str]:
    """Pytest's options for several processes: for the whole suite, where nobody asked otherwise.

    The tests of a file stay in one process: they share its module's servers.
    """
    has_own_way = any(
        argument.startswith(("-n", "--numprocesses", "--dist", "-p", "--pdb", "-s")) for argument in rest
    )
    names_tests = any((ROOT / argument.partition("::")[0]).exists() for argument in rest)
    num_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if has_own_way or names_tests or num_cores < 2:
        return []
    # A process that crashes ends the run: where it is replaced, pytest-xdist 3.8 waits for ever (its issue 784).
    processes = str(min(num_cores, MAX_TEST_PROCESSES))
    return ["-n", processes, "--dist", "loadfile", "--max-worker-restart", "0"]


def bench(arguments: argparse.Namespace) -> int:
    """The benches themselves live beside the tests; they know their names and parts."""
    options = [f"--part={part}" for part in arguments.part] + (["--json"] if arguments.json else [])
    return call(in_venv("python", "-m", "tests.bench.run", *options, *arguments.names))


def doctor() -> int:
    """What is here and what is missing, without changing anything."""
    say(f"Python {sys.version.split()[0]} on {sys.platform}")
    is_current = set_up.is_environment_current()
    say(f"environment: {'up to date' if is_current else 'not set up, or out of date'}")
    if set_up_packages.is_debian():
        missing = set_up.missing_here("test")
        say(f"system packages missing: {' '.join(missing) or 'none'}")
    elif sys.platform.startswith("linux"):
        say(f"missing on this system: {', '.join(set_up_packages.lacking_programs('test')) or 'nothing'}")
    return 0 if is_current else ENVIRONMENT


def parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Understand the command line; what a verb passes on comes back as the rest."""
    parser = argparse.ArgumentParser(prog="dev.py", description=__doc__.splitlines()[0] if __doc__ else None)
    verbs = parser.add_subparsers(dest="verb", required=True)
    demo = verbs.add_parser(
        "demo", help="the whole product, end to end, in about four minutes (see its --help)"
    )
    demo.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    tests = verbs.add_parser("test", help="linters and tests; further arguments go to pytest")
    tests.add_argument("--slow", action="store_true", help="the slow ones too")
    verbs.add_parser("lint", help="ruff, mypy, import contracts, stubs up to date")
    bench = verbs.add_parser(
        "bench", help="measure Clippy beside its rivals; without a name: which benches there are"
    )
    bench.add_argument("names", nargs="*", metavar="NAME", help="a bench; none: list them and their parts")
    bench.add_argument("--part", action="append", default=[], help="only this part; may be given again")
    bench.add_argument("--json", action="store_true", help="print one JSON object a bench")
    run = verbs.add_parser("run", help="the coordinator here, for an agent on this machine")
    run.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    shots = verbs.add_parser("screenshots", help="take the README's pictures anew")
    shots.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    verbs.add_parser("doctor", help="what is here and what is missing")
    execute = verbs.add_parser("exec", help="exec -- CMD ...: a command inside the environment")
    execute.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    if arguments[:1] == ["demo"]:
        # demo has options of its own; argparse's REMAINDER would swallow --help but not leading options.
        return argparse.Namespace(verb="demo"), arguments[1:]
    known, unknown = parser.parse_known_args(arguments)
    if unknown and known.verb not in ("test",):
        parser.error(f"unknown arguments: {' '.join(unknown)}")
    return known, [*unknown, *getattr(known, "rest", [])]


def prepare(verb: str) -> list[str]:
    """Set up what `verb` needs; return the system packages that are still missing.

    Raises:
        SetupFailed: Nothing can be run.
        SetupInterrupted: The user stopped it.
    """
    try:
        with set_up_steps.stop_when_asked():
            missing = set_up.set_up(verb)
            set_up_steps.raise_if_asked_to_stop("the end")
    except OSError as exc:
        raise SetupFailed(f"{exc.strerror or exc}: {exc.filename or ROOT}") from exc
    return missing


def main() -> int:
    """Command line entry point."""
    arguments, rest = parse(sys.argv[1:])
    if arguments.verb == "doctor":
        return doctor()
    rest = rest[1:] if rest[:1] == ["--"] else rest
    if arguments.verb == "exec" and not rest:
        say("exec: which command? e.g. dev.py exec -- clippy --help")
        return USAGE
    try:
        missing = prepare(arguments.verb)
    except SetupFailed as exc:
        say(f"set-up failed: {exc}")
        return ENVIRONMENT
    except SetupInterrupted as exc:
        say(f"set-up stopped at: {exc}. The same command takes it up again.")
        return INTERRUPTED
    if arguments.verb == "test":
        return test(arguments, rest)
    if arguments.verb == "lint":
        return lint()
    if arguments.verb == "bench":
        return bench(arguments)
    if arguments.verb == "run":
        return call(in_venv("clippy-coordinator", "all", *rest))
    if arguments.verb == "screenshots":
        return call(in_venv("python", "packaging/demo/screenshots.py", *rest))
    if arguments.verb == "exec":
        return call([shutil.which(rest[0], path=str(VENV / BIN)) or rest[0], *rest[1:]])
    os.environ["CLIPPY_DEMO_MISSING"] = " ".join(missing)
    return call(in_venv("python", "packaging/demo/run.py", *rest))


if __name__ == "__main__":
    sys.exit(main())
