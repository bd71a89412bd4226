"""Each extra imports with nothing of the other installed, and `--help` pays for nothing heavy.

What an extra has is read from its lock; whatever else is in this environment is made to look absent.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Imports every module of a package; a module that needed something absent is reported with the chain's last name.
_IMPORT_ALL = """
import importlib, importlib.abc, json, pkgutil, sys

absent = set(json.loads(sys.argv[2]))

class Absent(ModuleNotFoundError):
    pass

class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise Absent(name)
        return None

sys.meta_path.insert(0, Finder())
refused, imported = {}, []
package = importlib.import_module(sys.argv[1])
for found in pkgutil.walk_packages(package.__path__, sys.argv[1] + "."):
    if found.name.endswith("__main__"):
        continue
    try:
        importlib.import_module(found.name)
        imported.append(found.name)
    except Absent as exc:
        refused[found.name] = str(exc)
    except Exception as exc:
        # A library of the system that is missing, or another platform's module: for other tests to judge.
        print(f"{found.name}: {exc!r}", file=sys.stderr)
print(json.dumps({"refused": refused, "imported": imported}), flush=True)
"""

_IMPORT_ONE = """
import importlib, json, sys

importlib.import_module(sys.argv[1])
print(json.dumps({"loaded": sorted(sys.modules)}), flush=True)
"""

_HELP = """
import importlib, json, sys

sys.argv = [sys.argv[1], "--help"]
module = importlib.import_module(sys.argv[0])
code = 0
try:
    module.main()
except SystemExit as exc:
    code = exc.code or 0
print(json.dumps({"code": code, "loaded": sorted(sys.modules)}), flush=True)
"""


def distribution_name(text: str) -> str:
    """The name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", text).lower()


def locked(extra: str) -> set[str]:
    """The distributions of an extra, and what they need, from its lock."""
    lines = (ROOT / "packaging" / "locks" / f"{extra}.txt").read_text(encoding="utf-8").splitlines()
    return {distribution_name(line.split("==")[0]) for line in lines if re.match(r"[A-Za-z0-9][^ ]*==", line)}


def absent_without(extra: str) -> list[str]:
    """Names that cannot be imported where this extra alone is installed."""
    present = locked(extra) | {"clippy"}
    providers = importlib.metadata.packages_distributions()
    return sorted(
        name
        for name, distributions in providers.items()
        if not any(distribution_name(item) in present for item in distributions)
    )


def run_script(script: str, *arguments: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answer: dict[str, object] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


@pytest.mark.parametrize(
    ("package", "extra", "others"),
    [
        ("agent", "agent", {"faster_whisper", "ctranslate2", "pgqueuer", "asyncpg", "starlette", "obstore"}),
        ("coordinator", "coordinator", {"PySide6", "sounddevice", "mss", "Xlib", "sqlite_utils", "keyring"}),
        ("protos", "agent", {"faster_whisper", "pgqueuer", "asyncpg"}),
    ],
)
def test_each_package_imports_with_its_own_extra_alone(package: str, extra: str, others: set[str]) -> None:
    absent = absent_without(extra)
    if missing := others - set(absent):
        pytest.skip(f"not in this environment, or in the lock of {extra}: {', '.join(sorted(missing))}")

    answer = run_script(_IMPORT_ALL, package, json.dumps([*absent, *_other_side(package)]))

    assert answer["refused"] == {}
    assert answer["imported"]


def _other_side(package: str) -> list[str]:
    # The two sides never import one another, installed or not.
    return {"agent": ["coordinator"], "coordinator": ["agent"], "protos": ["agent", "coordinator"]}[package]


@pytest.mark.parametrize("module", ["agent.engine", "agent.cli"])
def test_the_engine_imports_without_qt(module: str) -> None:
    loaded = run_script(_IMPORT_ONE, module)["loaded"]

    assert isinstance(loaded, list)
    assert [name for name in loaded if name.startswith("PySide6")] == []


@pytest.mark.parametrize("module", ["agent.cli", "coordinator.cli"])
def test_help_imports_neither_numpy_nor_grpc(module: str) -> None:
    answer = run_script(_HELP, module)
    loaded = answer["loaded"]

    assert isinstance(loaded, list)
    heavy = {"numpy", "grpc", "av", "PySide6", "asyncpg", "pgqueuer", "faster_whisper", "sqlalchemy"}
    assert (answer["code"], sorted(heavy & set(loaded))) == (0, [])
