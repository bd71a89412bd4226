"""The house's rules that a linter does not know: sizes, names, docstrings, and what no file may say."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
ROOMS = ("agent", "coordinator", "protos")
GENERATED = ROOT / "protos" / "clippy"
# Names that say nothing of what is inside.
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}
# Folders that are no part of the project, for a copy without git.
_PASSED_OVER = {
    *(".git", ".venv", ".clippy", "__pycache__", "node_modules", "dist", "build"),
    *(".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".import_linter_cache"),
}
# Written in two halves, so that this file does not name them itself.
_INDEX_HOSTS = tuple(
    first + second
    for first, second in (
        ("pypi", ".org"),
        ("pythonhosted", ".org"),
        ("pypi.python", ".org"),
        ("registry.npmjs", ".org"),
        ("registry.yarnpkg", ".com"),
        ("conda.anaconda", ".org"),
        ("download.pytorch", ".org"),
        ("deb.debian", ".org"),
        ("archive.ubuntu", ".com"),
        ("crates", ".io"),
    )
)
# A checkout directly in one of these says nothing about the machine: other texts name them too.
_SHARED_FOLDERS = {
    "/tmp",
    "/srv",
    "/opt",
    "/var",
    "/usr",
    "/home",
    "/mnt",
    "/root",
    "/app",
    "/workspace",
    "/data",
}


@functools.cache
def committed_files() -> tuple[Path, ...]:
    """Every file of the project: what git tracks or would; without git, everything that is not built."""
    try:
        done = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            timeout=30,
            check=False,
        )
    except FileNotFoundError:
        names: list[str] = []
    else:
        names = done.stdout.decode().split("\0") if done.returncode == 0 else []
    found = [ROOT / name for name in names if name] or [
        path for path in ROOT.rglob("*") if not _PASSED_OVER & set(path.relative_to(ROOT).parts)
    ]
    return tuple(sorted(path for path in found if path.is_file()))


def python_files(*rooms: str) -> list[Path]:
    """Our own Python files of some top-level folders, generated ones left out."""
    return [
        path
        for path in committed_files()
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in rooms and GENERATED not in path.parents
    ]


@functools.cache
def syntax_tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def public_things(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Classes and functions of a module's top level that others may use."""
    for node in tree.body:
        if isinstance(
            node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        ) and not node.name.startswith("_"):
            yield node


def undocumented(tree: ast.Module) -> list[str]:
    """What lacks a docstring: the module, its classes, its functions.

    Methods are left out: those of an adapter are documented on its port.
    """
    missing = [] if ast.get_docstring(tree) or not tree.body else ["the module"]
    return missing + [node.name for node in public_things(tree) if not ast.get_docstring(node)]


def texts() -> Iterator[tuple[Path, str]]:
    """Every committed file that is text, with its contents."""
    for path in committed_files():
        try:
            yield path, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def machine_paths() -> list[str]:
    """How an absolute path of this checkout, or of what lies beside it, would begin."""
    found = [str(ROOT)] if str(ROOT) not in _SHARED_FOLDERS else []
    parent = str(ROOT.parent)
    if parent != ROOT.anchor and parent not in _SHARED_FOLDERS:
        found.append(parent)
    return found


def names_path(text: str, path: str) -> bool:
    """Does the text name this absolute path, or one below it?"""
    return re.search(rf"(?<![\w.~*-]){re.escape(path)}(?=[/\s\"'`,;:)]|$)", text) is not None


def test_packaging_and_tests_are_no_packages() -> None:
    # They would hide the `packaging` that other programs import, and become a second `agent`.
    found = [
        name_of(path)
        for path in committed_files()
        if path.name == "__init__.py" and path.relative_to(ROOT).parts[0] in ("packaging", "tests")
    ]

    assert found == []


def test_no_file_of_the_product_is_over_400_lines() -> None:
    lengths = {
        name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in python_files(*ROOMS)
    }

    assert {name: length for name, length in lengths.items() if length > MAX_FILE_LINES} == {}


def test_no_function_is_over_60_lines() -> None:
    lengths = {
        f"{name_of(path)}:{node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path in python_files(*ROOMS, "packaging", "tests")
        for node in functions(syntax_tree(path))
    }

    assert {name: length for name, length in lengths.items() if length > MAX_FUNCTION_LINES} == {}


def test_no_module_has_a_name_that_says_nothing() -> None:
    found = [
        name_of(path)
        for path in python_files(*ROOMS, "packaging", "tests")
        if EMPTY_NAMES & {path.stem, *path.relative_to(ROOT).parts[:-1]}
    ]

    assert found == []


def test_what_is_public_is_documented() -> None:
    missing = {
        name_of(path): found
        for path in python_files(*ROOMS)
        # A migration's two functions are Alembic's, and its module says what it does.
        if "migrations/versions" not in name_of(path) and (found := undocumented(syntax_tree(path)))
    }

    assert missing == {}


def test_no_committed_text_names_a_path_of_this_machine() -> None:
    paths = machine_paths()
    if not paths:
        pytest.skip(f"{ROOT} is a place that any text may name")

    assert [name_of(file) for file, text in texts() if any(names_path(text, path) for path in paths)] == []


def test_no_committed_text_names_a_package_index() -> None:
    found = [
        (name_of(file), host)
        for file, text in texts()
        for host in _INDEX_HOSTS
        if re.search(rf"(?<![\w-]){re.escape(host)}\b", text)
    ]

    assert found == []


def test_the_committed_files_are_found() -> None:
    assert {"pyproject.toml", "protos/segment.py", "docs/architecture.md"} <= {
        name_of(path) for path in committed_files()
    }


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('"""Says."""\nclass Bare: ...\n', ["Bare"]),
        ('"""Says."""\ndef bare(): ...\ndef _private(): ...\n', ["bare"]),
        ('class Said:\n    """Says."""\n', ["the module"]),
        ("", []),  # an empty __init__.py has nothing to say
    ],
)
def test_a_missing_docstring_is_noticed(source: str, expected: list[str]) -> None:
    assert undocumented(ast.parse(source)) == expected


@pytest.mark.parametrize(
    ("text", "is_named"),
    [
        ("see /srv-x/build/out.txt", True),
        ('root = "/srv-x/build"', True),
        ("~/srv-x/build", False),  # below somebody's home: no machine of ours
        ("/srv-x/builder", False),  # another folder
    ],
)
def test_an_absolute_path_is_noticed(text: str, is_named: bool) -> None:
    assert names_path(text, "/srv-x/build") is is_named
