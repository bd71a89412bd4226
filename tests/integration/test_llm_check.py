"""What an operator is told about the providers that he configured."""

from __future__ import annotations

import asyncpg
import pytest

from coordinator.llm.commands import check
from coordinator.llm.opening import open_judge
from coordinator.model.llm import Candidate, JudgedWindow
from coordinator.settings import Config, Llm, LlmProvider
from tests.fakes.llm_server import MODEL, running_llm_server

NOBODY = "http://127.0.0.1:9/v1"


def configured(*providers: LlmProvider) -> Config:
    return Config(llm=Llm(providers=providers))


async def test_each_provider_is_told_with_what_to_do():
    with running_llm_server() as server:
        good, unknown, dead, broken = await check(
            configured(
                LlmProvider(name="good", base_url=server.url, model=MODEL, rpm=100),
                LlmProvider(name="unknown", base_url=server.url, model="no-such", api_key="sk-secret"),
                LlmProvider(name="dead", base_url=NOBODY, model=MODEL),
                LlmProvider(name="broken"),
            ),
            {},
        )

    assert good.is_usable
    assert good.advice == ""
    assert good.limits == {"rpm": 95, "tpm": 0, "rpd": 0}
    assert unknown.is_model_known is False
    assert unknown.has_key
    assert MODEL in unknown.advice
    assert "sk-secret" not in repr(unknown)
    assert not dead.is_reachable
    assert NOBODY in dead.advice
    assert "base_url" in broken.advice


@pytest.mark.parametrize(
    ("key", "said"),
    [("", "set CLIPPY_LLM_MINE_KEY"), ("sk-secret", "still valid")],
)
async def test_who_is_refused_is_told_which_key(key: str, said: str):
    with running_llm_server(models_status=401) as server:
        [found] = await check(configured(LlmProvider(name="mine", base_url=server.url, api_key=key)), {})

    assert not found.is_usable
    assert said in found.advice
    assert "sk-secret" not in found.advice


async def test_no_provider_is_no_problem():
    assert await check(Config(), {}) == []


async def test_a_judge_is_put_together_from_the_settings(pool: asyncpg.Pool):
    candidate = Candidate(index=0, start_s=0.0, end_s=9.0, score=0.9, kind="loud", said="what a shot")
    asked = JudgedWindow(window_id="a", user_id="u", tier="pro", language="en", candidates=(candidate,))
    with running_llm_server() as server:
        settings = Llm(providers=(LlmProvider(name="local", base_url=server.url, timeout_s=5.0),))
        async with open_judge(pool, settings, {"CLIPPY_LLM_LOCAL_KEY": "sk-env"}) as judge:
            [found] = await judge.judge([asked])
        async with open_judge(pool, Llm(), {}) as judge:
            [nothing] = await judge.judge([asked])

    assert found is not None
    assert found.titles == {0: "What a shot"}
    assert server.seen[0][1] == "Bearer sk-env"
    assert nothing is None
