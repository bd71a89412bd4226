"""`clippy-coordinator llm`: what it prints, and its exit codes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from coordinator.cli import main
from coordinator.llm.breaker import Health
from coordinator.llm.ledger import Ledger, Taken
from coordinator.llm.presets import complete
from coordinator.settings import LlmProvider
from coordinator.store.connect import connect
from tests.fakes.llm_server import MODEL, LlmServer, running_llm_server

_NOBODY = "http://127.0.0.1:9/v1"


@pytest.fixture
def server() -> Iterator[LlmServer]:
    with running_llm_server() as serving:
        yield serving


def configure(data: Path, *addresses: str) -> list[str]:
    """Providers of these addresses in the configuration of a data directory; returns its command line."""
    tables = [
        f'[[llm.providers]]\nname = "p{at}"\nbase_url = "{address}"\nmodel = "{MODEL}"\nrpm = 100\n'
        for at, address in enumerate(addresses)
    ]
    (data / "coordinator.toml").write_text("\n".join(tables))
    return ["--data", str(data), "llm"]


def test_check_says_of_each_provider_whether_it_can_be_used(
    tmp_path: Path, server: LlmServer, capsys: pytest.CaptureFixture[str]
):
    words = configure(tmp_path, server.url, _NOBODY)

    code = main([*words, "check"])
    text = capsys.readouterr().out
    code_of_json = main([*words, "check", "--json"])
    value = json.loads(capsys.readouterr().out)

    assert (code, code_of_json) == (3, 3)
    [_, good, bad, advice] = text.splitlines()
    assert good.split() == ["ok", "p0", MODEL, "no", "95", "-", "-", server.url]
    assert bad.startswith("FAIL p1 ")
    assert "is the server running?" in advice
    assert [(one["name"], one["is_usable"]) for one in value["providers"]] == [("p0", True), ("p1", False)]
    assert value["providers"][0]["advice"] is None
    # Asked for its list alone.
    assert server.seen == []


def test_check_is_content_where_all_can_be_used_and_where_none_is_configured(
    tmp_path: Path, server: LlmServer, capsys: pytest.CaptureFixture[str]
):
    assert main([*configure(tmp_path, server.url), "check"]) == 0
    capsys.readouterr()
    assert main([*configure(tmp_path), "check"]) == 0
    assert "none is needed" in capsys.readouterr().out


def test_usage_tells_todays_calls_tokens_and_money_by_tier_and_provider(
    tmp_path: Path, database_url: str, server: LlmServer, capsys: pytest.CaptureFixture[str]
):
    words = configure(tmp_path, server.url)
    (tmp_path / "database.url").write_text(database_url)

    async def use() -> None:
        pool = await connect(database_url, max_connections=2)
        provider = complete(LlmProvider(name="p0", base_url=server.url, model=MODEL), {})
        ledger = Ledger(pool)
        for tier in ("free", "free", "pro"):
            taken = await ledger.take(
                provider, tier=tier, tokens=900, cost_micros=5_000, limit_micros=10**6, lease_s=30.0
            )
            assert isinstance(taken, Taken)
            await ledger.settle(taken, Health.WELL, tokens=700, cost_micros=2_500)
            # A second time changes nothing.
            await ledger.settle(taken, Health.WELL, tokens=700, cost_micros=2_500)
        await pool.execute(
            "insert into workers (worker_id, stage, pid, state, detail)"
            " values ('w1', 'ai', 1, 'ready', '{\"llm_pressure\": 0.4}')"
        )
        await pool.close()

    asyncio.run(use())
    assert main([*words, "usage", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert main([*words, "usage"]) == 0
    text = capsys.readouterr().out

    assert [
        (one["tier"], one["provider"], one["num_calls"], one["num_tokens"], one["cost_usd"])
        for one in value["today"]
    ] == [("free", "p0", 2, 1400, 0.005), ("pro", "p0", 1, 700, 0.0025)]
    assert value["providers"]["p0"]["num_calls"] == 3
    assert value["pressures"] == {"w1": 0.4}
    assert value["limit_usd"]["free"] == 1.0
    assert "free      p0                 2       1400    0.0050     1.00" in text
    assert "p0: may be asked; 3 calls and 2100 tokens in the last minute" in text
    assert "w1: pressure 0.4 of 3: windows of the tier free" in text


def test_usage_without_a_database_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main([*configure(tmp_path), "usage"]) != 0
    assert "clippy-coordinator all" in capsys.readouterr().err


def test_highlights_of_a_file_are_judged_where_it_is_asked_for_and_found_without_otherwise(
    tmp_path: Path, server: LlmServer, capsys: pytest.CaptureFixture[str]
):
    said = [
        [at, at + 5.0, "what a goal he scores" if at % 200 == 0 else "well"] for at in range(100, 1_200, 10)
    ]
    file = tmp_path / "said.json"
    file.write_text(json.dumps({"segs": said}))
    words = configure(tmp_path, server.url)[:2]
    asked = [*words, "highlights", "--transcript", str(file), "--duration", "1300", "--json"]

    main(asked)
    plain = json.loads(capsys.readouterr().out)
    num_asked = len(server.seen)
    code = main([*asked, "--llm"])
    judged = json.loads(capsys.readouterr().out)

    assert (code, num_asked, len(server.seen)) == (0, 0, 1)
    assert "llm" not in plain
    assert judged["llm"] == {"model": f"p0/{MODEL}", "reason": None}
    assert all(moment["evidence"][-1]["lane"] == "llm" for moment in judged["moments"])
    assert all(moment["title"] and moment["hashtags"] == ["clip"] for moment in judged["moments"])


def test_highlights_without_a_model_that_answers_are_as_they_were_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "said.json"
    file.write_text(json.dumps({"segs": [[100, 105, "what a goal he scores"]]}))
    words = configure(tmp_path, _NOBODY)[:2]
    asked = [*words, "highlights", "--transcript", str(file), "--duration", "300", "--json"]

    main(asked)
    plain = json.loads(capsys.readouterr().out)
    code = main([*asked, "--llm"])
    judged = json.loads(capsys.readouterr().out)

    assert code == 0
    assert judged["llm"]["model"] is None
    assert "no provider answered" in judged["llm"]["reason"]
    assert [one["score"] for one in judged["moments"]] == [one["score"] for one in plain["moments"]]
