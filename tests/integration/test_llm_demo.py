"""The demo's language model: what is there is used, what is not is said, and the demo goes on either way."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.fakes.llm_server import MODEL, LlmServer, running_llm_server
from tests.fakes.told_command import bare_environment, refusal, tell

pytestmark = pytest.mark.timeout(120)
DEMO = Path(__file__).parents[2] / "packaging" / "demo"
RUN = ("packaging/demo/run.py", "--offline", "--json")
CHECK = (sys.executable, "-m", "coordinator", "llm", "check")
JUDGED = {
    "start_s": 12.0,
    "end_s": 30.0,
    "score": 0.7,
    "evidence": [
        {"lane": "mic", "weight": 1.0, "note": "loud"},
        {"lane": "llm", "weight": 0.1, "note": "rated it +0.67"},
    ],
    "opinion": {"adjustment": 0.67, "title": "What a shot", "hashtags": ["clutch"], "model": "local/m"},
}


@pytest.fixture(scope="module")
def demo() -> Iterator[ModuleType]:
    """The demo's script, loaded as its neighbours load it."""
    sys.path.insert(0, str(DEMO))
    try:
        yield importlib.import_module("language_model")
    finally:
        sys.path.remove(str(DEMO))
        for name, module in list(sys.modules.items()):
            if str(DEMO) in (getattr(module, "__file__", None) or ""):
                del sys.modules[name]


@pytest.fixture
def server() -> Iterator[LlmServer]:
    with running_llm_server() as running:
        yield running


def checked(demo: ModuleType, folder: Path, *, url: str, model: str = MODEL) -> str:
    """What `llm check` of the written configuration finds wrong; empty: nothing."""
    llm = demo.LanguageModel(url=url, model=model)
    environment = bare_environment(
        {
            "CLIPPY_COORDINATOR_CONFIG": llm.write_config(folder),
            "CLIPPY_COORDINATOR_DATA": folder / "data",
        }
    )
    llm.check(CHECK, environment)
    return str(llm.problem)


def test_a_model_that_answers_has_no_problem(demo: ModuleType, server: LlmServer, tmp_path: Path) -> None:
    assert checked(demo, tmp_path, url=server.url) == ""


def test_a_model_that_the_server_does_not_list_is_named(
    demo: ModuleType, server: LlmServer, tmp_path: Path
) -> None:
    problem = checked(demo, tmp_path, url=server.url, model="another")

    assert "another" in problem
    assert MODEL in problem


def test_a_server_that_wants_a_key_is_said(demo: ModuleType, tmp_path: Path) -> None:
    with running_llm_server(models_status=401) as server:
        problem = checked(demo, tmp_path, url=server.url)

    assert "CLIPPY_LLM_LOCAL_KEY" in problem


@pytest.mark.parametrize(
    ("url", "said"),
    [("http://127.0.0.1:1/v1", "is the server running"), ("ftp://x/v1", "http(s)"), ('"quo\\ted', "http(s)")],
    ids=["refused", "other scheme", "nonsense"],
)
def test_an_address_that_cannot_be_asked_is_said_and_raises_nothing(
    demo: ModuleType, url: str, said: str, tmp_path: Path
) -> None:
    assert said in checked(demo, tmp_path, url=url)


@pytest.mark.parametrize(
    "words",
    [
        ["--llm-url", "http://127.0.0.1:1/v1"],
        ["--llm-model", "m"],
        ["--llm-url", "", "--llm-model", "m"],
        ["--llm-url", "http://127.0.0.1:1/v1\x07", "--llm-model", "m"],
    ],
    ids=["no model", "no address", "empty", "control character"],
)
def test_half_an_answer_to_where_the_model_is_ends_before_anything_starts(words: list[str]) -> None:
    exit_code, code, message = refusal(*RUN, *words)

    assert (exit_code, code) == (2, "usage")
    assert "--llm-" in message


def usage_command(folder: Path, answer: dict[str, Any]) -> list[str]:
    """A command that answers like `llm usage`."""
    script = folder / "usage.py"
    script.write_text(f"print({json.dumps(json.dumps(answer))})")
    return [sys.executable, str(script)]


def test_the_report_says_what_was_asked_what_it_cost_and_what_it_changed(
    demo: ModuleType, tmp_path: Path
) -> None:
    used = {"num_calls": 3, "num_tokens": 1_200, "cost_usd": 0.0}
    session = {"moments": [JUDGED], "judge": {"model": "local/m", "reason": "", "words": "judged by local/m"}}
    llm = demo.LanguageModel(url="http://here/v1", model="m")

    report = llm.report(session, usage_command(tmp_path, {"today": [used]}), bare_environment())

    assert (report["calls"], report["tokens"], report["moments_judged"]) == (3, 1_200, 1)
    assert report["titles"] == ["What a shot"]
    assert report["moments"][0]["score_without"] == pytest.approx(0.6)
    assert report["problem"] is None
    lines = "\n".join(demo.table_lines(report, lambda words: words))
    assert "3 calls of m, 1200 tokens" in lines
    assert "0.60 -> 0.70 (+0.10) 'What a shot' #clutch" in lines


def test_a_model_that_only_ever_broke_the_rules_had_no_say_and_the_report_says_why(
    demo: ModuleType, tmp_path: Path
) -> None:
    plain = {**JUDGED, "evidence": JUDGED["evidence"][:1], "opinion": None}
    session = {
        "moments": [plain],
        "judge": {"model": "", "reason": "bad_answer", "words": "it broke the rules"},
    }
    llm = demo.LanguageModel(url="http://here/v1", model="m")

    report = llm.report(session, usage_command(tmp_path, {"today": []}), bare_environment())

    assert report["problem"] == "it broke the rules"
    assert report["moments"][0]["moved"] is None
    assert "had no say: it broke the rules" in "\n".join(demo.table_lines(report, str))


def test_a_count_that_cannot_be_had_is_unknown_and_not_nought(demo: ModuleType) -> None:
    llm = demo.LanguageModel(url="http://here/v1", model="m")

    report = llm.report({}, [sys.executable, "-c", "print('no object')"], bare_environment())

    assert (report["calls"], report["tokens"], report["cost_usd"]) == (None, None, None)


@pytest.mark.slow
@pytest.mark.desktop
@pytest.mark.timeout(900)
@pytest.mark.parametrize("behaviour", ["ok", "hostile", "broken", "refused"])
def test_the_demo_ends_with_posts_whatever_the_model_is_like(behaviour: str, tmp_path: Path) -> None:
    with running_llm_server(always="ok" if behaviour == "refused" else behaviour) as server:
        url = "http://127.0.0.1:1/v1" if behaviour == "refused" else server.url
        options = ("--close", "--screen", "virtual", "--llm-url", url, "--llm-model", MODEL)
        exit_code, answer = tell(*RUN, "--out", tmp_path, *options, timeout_s=800)

    assert answer["exports"]
    assert exit_code == (0 if behaviour in ("ok", "hostile") else 3)
    assert bool(answer["llm"]["problem"]) is (exit_code == 3)
    assert bool(answer["llm"]["titles"]) is (exit_code == 0)
    assert not any("<" in title or "http" in title for title in answer["llm"]["titles"])
