"""A whole made-up stream by its seed: the same seed, the same stream, to the sample."""

from __future__ import annotations

from tests.synthetic.audio import render_lanes
from tests.synthetic.chat import write_chat
from tests.synthetic.model import Stream
from tests.synthetic.plan import make_plan
from tests.synthetic.script import hear, write_script

LANGUAGES = ("en",)


def make_stream(
    seed: int, *, duration_s: float | None = None, has_chat: bool | None = None, language: str = "en"
) -> Stream:
    """Make it: 600 to 1,800 s, three quarters with a chat, where neither is given.

    Raises:
        ValueError: No such seed, duration or language.
    """
    if language not in LANGUAGES:
        raise ValueError(f"there are no phrases in {language!r}: there are {', '.join(LANGUAGES)}")
    plan = make_plan(seed, duration_s=duration_s, has_chat=has_chat)
    spoken = write_script(plan)
    mic, desktop = render_lanes(plan, spoken)
    return Stream(plan=plan, mic=mic, desktop=desktop, heard=hear(plan, spoken), chat=write_chat(plan))
