"""A process that asks a provider as often as it may, for a while; prints what became of its questions as JSON.

`python tests/fakes/llm_caller_process.py SETTINGS` with a JSON object: `database_url`, `base_url`, `rpm`, `window_s`,
`duration_s`, `num_at_once`, and for money `usd_per_million` and `limit_micros`.
"""

from __future__ import annotations

import asyncio
import collections
import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from coordinator.llm.chain import Answered, Chain
from coordinator.llm.client import Client
from coordinator.llm.ledger import Ledger
from coordinator.llm.presets import complete
from coordinator.llm.question import ask_about
from coordinator.model.llm import Candidate, JudgedWindow
from coordinator.settings import LlmProvider
from coordinator.store.connect import connect


async def _run(settings: dict[str, Any]) -> dict[str, int]:
    price = settings.get("usd_per_million", 0.0)
    provider = complete(
        LlmProvider(
            name="local",
            base_url=settings["base_url"],
            rpm=settings["rpm"],
            usd_per_million_in=price,
            usd_per_million_out=price,
            timeout_s=20.0,
        ),
        {},
    )
    pool = await connect(settings["database_url"], max_connections=4)
    client = Client()
    ledger = Ledger(pool, window_s=settings["window_s"])
    chain = Chain([provider], ledger, client, patience_s=0.5)
    candidate = Candidate(index=0, start_s=0.0, end_s=9.0, score=0.7, kind="loud", said="what a shot")
    question = ask_about(
        [JudgedWindow(window_id="w", user_id="u", tier="free", language="en", candidates=(candidate,))]
    )
    outcomes: collections.Counter[str] = collections.Counter()
    until_s = time.monotonic() + settings["duration_s"]

    async def ask_on() -> None:
        while time.monotonic() < until_s:
            answered = await chain.ask(
                question, tier="free", limit_micros=settings.get("limit_micros", 10**12)
            )
            outcomes["answered" if isinstance(answered, Answered) else answered.why.value] += 1

    await asyncio.gather(*(ask_on() for _ in range(settings["num_at_once"])))
    await client.aclose()
    await pool.close()
    return dict(outcomes)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(_run(json.loads(sys.argv[1])))) + "\n")
