"""A file's moments, judged by the configured language models as a session's are: same question, bounds and evidence."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from typing import Any

from coordinator.model.highlight import Moment, Utterance
from coordinator.model.llm import JudgedWindow, Judgement, Unjudged, unjudged_words
from coordinator.model.sessions import MomentRow, SessionOwner, SpokenWord, TranscriptRow
from coordinator.pipeline.opinions import opinion_of, weighed, window_of_moments
from coordinator.settings import Llm
from protos.timebase import SECOND_NS

# A model compares more than are wanted: what the detector put below the best few may belong there. More than these do
# not fit twice into a small model's context.
NUM_FINALISTS = 16
# Whoever types the command pays for it.
_OWNER = SessionOwner(user_id="owner", tier="business")
_WINDOW = "file"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JudgedMoments:
    """Moments as they rank now, best first, and which model judged them, or why none did."""

    moments: Sequence[MomentRow]
    model: str
    why: str


def judged(
    finalists: Sequence[Moment], utterances: Sequence[Utterance], *, top_k: int, settings: Llm
) -> JudgedMoments:
    """The best `top_k` of the finalists after a model compared them. A model that cannot be asked changes nothing.

    Raises:
        InputUnusable: A provider's settings cannot be used.
    """
    rows = [_row(moment, at) for at, moment in enumerate(finalists)]
    window = window_of_moments(_WINDOW, _OWNER, rows, [_heard(utterances)])
    judgement, why = asyncio.run(_asked(window, settings))
    ranked = sorted(
        (weighed(row, opinion_of(judgement, at)) for at, row in enumerate(rows)),
        key=lambda row: (-row.score, row.start_ns),
    )
    return JudgedMoments(
        moments=ranked[:top_k],
        model=judgement.model if judgement is not None else "",
        why="" if why is None else unjudged_words(why.value),
    )


def document(found: JudgedMoments) -> dict[str, Any]:
    """What `highlights --llm --json` prints."""
    return {
        "moments": [
            {
                "start_s": row.start_ns / SECOND_NS,
                "end_s": row.end_ns / SECOND_NS,
                "peak_s": row.peak_ns / SECOND_NS,
                "score": round(row.score, 4),
                "kind": row.kind,
                "evidence": [dataclasses.asdict(item) for item in row.evidence],
                "title": row.title or None,
                "hashtags": list(row.opinion.hashtags) if row.opinion is not None else [],
            }
            for row in found.moments
        ],
        "llm": {"model": found.model or None, "reason": found.why or None},
    }


async def _asked(window: JudgedWindow, settings: Llm) -> tuple[Judgement | None, Unjudged | None]:
    from coordinator.llm.alone import open_judge_alone

    whys: list[Unjudged] = []
    async with open_judge_alone(settings) as judge:
        [judgement] = await judge.judge([window], on_unjudged=lambda _, why: whys.append(why))
    return judgement, whys[0] if whys else None


def _row(moment: Moment, at: int) -> MomentRow:
    return MomentRow(
        moment_id=str(at),
        session_id=_WINDOW,
        start_ns=round(moment.start_s * SECOND_NS),
        end_ns=round(moment.end_s * SECOND_NS),
        peak_ns=round(moment.peak_s * SECOND_NS),
        score=moment.score,
        kind=moment.kind,
        title="",
        evidence=moment.evidence,
    )


def _heard(utterances: Sequence[Utterance]) -> TranscriptRow:
    words = [word for said in utterances for word in _spread(said)]
    return TranscriptRow(
        session_id=_WINDOW, lane=1, seq=0, start_ns=0, end_ns=0, language="", engine="", model="", words=tuple(words)
    )  # fmt: skip


def _spread(said: Utterance) -> list[SpokenWord]:
    """A line's words, as if each took as long as the next: a transcript's file has no times of words."""
    words = said.text.split()
    start_ns, each_ns = round(said.start_s * SECOND_NS), 0
    if words:
        each_ns = round((said.end_s - said.start_s) * SECOND_NS) // len(words)
    return [
        SpokenWord(text=word, start_ns=start_ns + at * each_ns, end_ns=start_ns + (at + 1) * each_ns)
        for at, word in enumerate(words)
    ]
