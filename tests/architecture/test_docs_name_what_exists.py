"""Every path, link and command that the documentation names exists.

Paths: in backticks or as link targets, below the repository. Commands: `python3 packaging/dev.py ...`, `clippy ...`,
`clippy-coordinator ...` and `python -m ...`, in backticks or in fenced blocks; verbs and options are asked of the
programs' own parsers. Words in capitals stand for something (`FILE`), brackets for what may be left out.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib
import importlib.metadata
import importlib.util
import io
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
ASSESSMENT = ROOT / "docs" / "assessment.md"
TOP_LEVEL = {"agent", "coordinator", "protos", "packaging", "tests", "docs", ".ci", ".github"}
STATES = {"measured", "built", "built, not run", "planned", "different"}

_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_PATH = re.compile(r"[\w.*-]+(?:/[\w.*-]*)+(?:::\w+)?\Z")
_PLACEHOLDER = re.compile(r"[A-Z][A-Z0-9_]*(?:\.\.\.)?\Z|\.\.\.\Z|<.*>\Z")


# ---- what a text names


def code_spans(text: str) -> Iterator[str]:
    """What stands in backticks, outside fenced blocks."""
    for found in _INLINE.finditer(_FENCE.sub("", text)):
        yield found[1].strip()


def code_lines(text: str) -> Iterator[str]:
    """Lines of fenced blocks without what explains them: a comment, or text two spaces away."""
    for block in _FENCE.finditer(text):
        for line in block[0].splitlines()[1:-1]:
            yield re.split(r"\s{2,}|\s#", line.strip())[0]


def program_of(command: str) -> tuple[str, list[str]] | None:
    """Which of our programs a line calls, and with which words; None: it calls none of ours."""
    words = re.sub(r"[\[\]]", " ", command).split()
    if words[:1] in (["python3"], ["python"]) and words[1:2] == ["-m"] and len(words) > 2:
        return ("module", words[2:])
    words = words[1:] if words[:1] in (["python3"], ["python"]) else words
    if words[:1] in (["packaging/dev.py"], ["dev.py"]):
        return ("dev.py", words[1:])
    if words[:1] in (["clippy"], ["clippy-coordinator"]):
        return (words[0], words[1:])
    return None


# ---- is it there


def path_problem(text: str) -> str | None:
    """Why a path of the repository is wrong; None: it is right, or no path of ours."""
    if not _PATH.match(text) or text.partition("/")[0] not in TOP_LEVEL:
        return None
    path, _, symbol = text.partition("::")
    if "*" in path:
        return None if any(ROOT.glob(path)) else f"{path} matches no file"
    if not (ROOT / path).exists():
        return f"{path} is not there"
    if symbol and symbol not in (ROOT / path).read_text(encoding="utf-8"):
        return f"{path} has no {symbol}"
    return None


def link_problem(target: str, folder: Path) -> str | None:
    """Why a link is wrong; addresses of the web are not looked at."""
    if re.match(r"[a-z]+:", target) or (folder / target).exists():
        return None
    return f"the link to {target} leads nowhere"


def spoken_help(main: Callable[[], object], program: str, words: Sequence[str]) -> str | None:
    """What `program words --help` prints; None where its parser does not know the words."""
    out = io.StringIO()
    arguments, sys.argv = sys.argv, [program, *words, "--help"]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            answer = main()
    except SystemExit as exc:
        return out.getvalue() if exc.code in (0, None) else None
    finally:
        sys.argv = arguments
    # An entry point answers with its exit code; dev.py's parser with what it understood.
    return None if isinstance(answer, int) and answer != 0 else out.getvalue()


@functools.cache
def entry_point(program: str) -> Callable[[], object]:
    """The `main` behind a console script of ours, or of dev.py."""
    if program == "dev.py":
        spec = importlib.util.spec_from_file_location("clippy_dev", ROOT / "packaging" / "dev.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        parse = module.parse
        return lambda: parse(sys.argv[1:])
    module = importlib.import_module(
        {"clippy": "agent.cli", "clippy-coordinator": "coordinator.cli"}[program]
    )
    main: Callable[[], object] = module.main
    return main


def demo_options() -> str:
    """The options that the demo's own files declare: dev.py hands them over unread."""
    folder = ROOT / "packaging" / "demo"
    found: set[str] = set()
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("--"):
                found.add(node.value)
    return " ".join(sorted(found))


def command_problem(command: str) -> str | None:
    """Why a command is wrong; None: it is right, or not one of ours."""
    found = program_of(command)
    if found is None:
        return None
    program, words = found
    if program == "module":
        is_there = importlib.util.find_spec(words[0]) is not None
        return None if is_there else f"python -m {words[0]}: no such module"
    if program == "dev.py" and words[:1] == ["exec"]:
        return _inner_problem(words[1:])
    for verbs, rest in _alternatives(words):
        if (problem := _known(program, verbs, rest)) is not None:
            return problem
    return None


def _inner_problem(words: Sequence[str]) -> str | None:
    inner = " ".join(word for word in words if word != "--")
    if not inner or _PLACEHOLDER.match(inner.split()[0]) or program_of(inner) is not None:
        return command_problem(inner)
    scripts = {script.name for script in importlib.metadata.entry_points(group="console_scripts")}
    name = inner.split()[0]
    return None if name in scripts | {"python"} else f"dev.py exec: the environment has no {name}"


def _alternatives(words: Sequence[str]) -> Iterator[tuple[list[str], list[str]]]:
    """Each verb of `status|doctor`, with the words before the first option, and those from it on."""
    while words and words[0].startswith("--"):
        # An option of the program itself, and its value.
        words = words[2:] if len(words) > 1 and _PLACEHOLDER.match(words[1]) else words[1:]
    end = next((at for at, word in enumerate(words) if word.startswith("-")), len(words))
    named = [word for word in words[:end] if not _PLACEHOLDER.match(word)]
    for first in named[0].split("|") if named else [""]:
        yield ([first, *named[1:]] if first else []), list(words[end:])


def _known(program: str, verbs: list[str], rest: list[str]) -> str | None:
    name = " ".join([program, *verbs])
    if program == "dev.py" and verbs[:1] == ["test"]:
        # What follows goes to pytest.
        missing = [word for word in verbs[1:] if not (ROOT / word.partition("::")[0]).exists()]
        return f"{name}: {missing[0]} is not there" if missing else None
    if program == "dev.py" and verbs[:1] == ["demo"]:
        answer: str | None = demo_options()
    else:
        answer = spoken_help(entry_point(program), program, verbs)
    if answer is None:
        return f"{name}: no such verb"
    for word in rest:
        if word.startswith("--") and not re.search(rf"{re.escape(word)}(?![\w-])", answer):
            return f"{name}: no option {word}"
    return None


def problems(text: str, folder: Path) -> list[str]:
    """Everything in a text that names what is not there."""
    spans = list(code_spans(text))
    found = [path_problem(span) for span in spans]
    found += [command_problem(span) for span in [*spans, *code_lines(text)]]
    found += [link_problem(match[1], folder) for match in _LINK.finditer(_FENCE.sub("", text))]
    return [problem for problem in found if problem is not None]


# ---- the assessment's rows


def rows(text: str) -> Iterator[list[str]]:
    """The cells of every table row whose table has a column `state` at its end."""
    is_ours = False
    for line in text.splitlines():
        if not line.startswith("|"):
            is_ours = False
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if cells[-1] == "state":
            is_ours = True
        elif is_ours and not set(line) <= set("|-: "):
            yield cells


def row_problem(cells: Sequence[str]) -> str | None:
    """Why a row breaks what the page promises; None: it keeps it."""
    if len(cells) != 5:
        return f"{cells[0]}: {len(cells)} cells, not 5"
    _, answer, where, command, state = cells
    states = {item.strip() for item in state.split(";")}
    if not states <= STATES:
        return f"{cells[0]}: state {state!r} is none of {sorted(STATES)}"
    if "different" in states and "reconsider" not in answer.lower():
        return f"{cells[0]}: different, without when to reconsider"
    if "built" in states and "`" not in where:
        return f"{cells[0]}: built, without a place"
    if states == {"planned"} and "`" in command:
        return f"{cells[0]}: planned, but with a command"
    return None


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_everything_a_document_names_exists(path: Path) -> None:
    assert problems(path.read_text(encoding="utf-8"), path.parent) == []


def test_every_row_of_the_assessment_keeps_the_pages_own_rules() -> None:
    found = list(rows(ASSESSMENT.read_text(encoding="utf-8")))

    assert found
    assert [problem for problem in map(row_problem, found) if problem is not None] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("See `agent/ring/ring.py` and `packaging/locks/*.txt`.", []),
        ("See `agent/ring/no_such_file.py`.", ["agent/ring/no_such_file.py is not there"]),
        ("See `docs/adr/9*.md`.", ["docs/adr/9*.md matches no file"]),
        ("See `protos/segment.py::check_chunk`.", []),
        ("See `protos/segment.py::nothing`.", ["protos/segment.py has no nothing"]),
        ("Not a path of ours: `H.264/AAC`, `a/b`, `8/9`.", []),
        ("[the house](architecture.md)", []),
        ("[gone](gone.md)", ["the link to gone.md leads nowhere"]),
        ("[elsewhere](https://example.org/x)", []),
        ("Run `python3 packaging/dev.py lint`.", []),
        ("Run `dev.py fly`.", ["dev.py fly: no such verb"]),
        ("Run `dev.py test protos/segment.py`.", []),
        ("Run `dev.py test tests/unit/no_such_test.py`.", None),
        ("`clippy clip --last 30 [--exact] [--json]`", []),
        ("`clippy status|doctor [--json]`", []),
        ("`clippy dance`", ["clippy dance: no such verb"]),
        ("`clippy status|dance`", ["clippy dance: no such verb"]),
        ("`clippy clip --louder`", ["clippy clip: no option --louder"]),
        ("`clippy VERB`, `clippy`", []),
        ("`python -m protos.generate`", []),
        ("`python -m protos.nothing`", ["python -m protos.nothing: no such module"]),
        ("`dev.py exec -- clippy dance`", ["clippy dance: no such verb"]),
        ("`dev.py exec -- CMD ...`", []),
        ("```\nclippy dance   # for joy\nls -l\n```", ["clippy dance: no such verb"]),
        ("```\nclippy doctor   what works here\n```", []),
    ],
)
def test_the_checker_notices_what_is_made_up(text: str, expected: list[str] | None) -> None:
    found = problems(text, ROOT / "docs")

    assert found if expected is None else found == expected


@pytest.mark.parametrize(
    ("line", "is_kept"),
    [
        ("a queue | ours | `agent/ring` | `clippy status` | built", True),
        ("a queue | ours | `agent/ring` | `clippy status` | measured; built", True),
        ("a queue | ours | `agent/ring` | `clippy status` | splendid", False),
        ("a queue | ours | - | - | built", False),
        ("a queue | ours; reconsider above 2,000 jobs/s | - | - | different", True),
        ("a queue | ours, because | - | - | different", False),
        ("a queue | later | - | `clippy status` | planned", False),
        ("a queue | later | - | built", False),
    ],
)
def test_a_row_that_promises_too_much_is_noticed(line: str, is_kept: bool) -> None:
    table = f"| asked | answer | where | command | state |\n|---|---|---|---|---|\n| {line} |\n"
    [cells] = list(rows(table))

    assert (row_problem(cells) is None) is is_kept
