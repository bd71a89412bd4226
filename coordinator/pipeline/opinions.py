"""What a language model may do to what was found: move a score within bounds, and name it. Pure.

It adds no moment, takes none away and moves no span. What it moved is evidence of its own, the lane `llm`, so that the
score without it can be read off. An opinion stays with its moment until a model has another one (ADR 0025).
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence

from coordinator.model.highlight import Evidence
from coordinator.model.llm import Candidate, JudgedWindow, Judgement, Opinion, said_room
from coordinator.model.sessions import MomentRow, SessionOwner, SpokenWord, TranscriptRow
from protos.timebase import SECOND_NS

# What the strongest opinion adds to a score of 0 to 1, or takes from it.
MAX_INFLUENCE = 0.15
LANE = "llm"
# What happened is told after it happened.
_TOLD_AFTER_NS = 4 * SECOND_NS


def window_of_moments(
    window_id: str, owner: SessionOwner, moments: Sequence[MomentRow], transcripts: Sequence[TranscriptRow]
) -> JudgedWindow:
    """What a model is asked about a look: its moments as they were found, in their order, and what was said in them."""
    words = [word for row in transcripts for word in row.words]
    languages = collections.Counter(row.language for row in transcripts if row.words and row.language)
    candidates = tuple(
        Candidate(
            index=index,
            start_s=moment.start_ns / SECOND_NS,
            end_s=moment.end_ns / SECOND_NS,
            score=moment.score,
            kind=moment.kind,
            said=said_in(moment, words, max_characters=said_room(len(moments))),
            notes=tuple(item.note for item in moment.evidence),
        )
        for index, moment in enumerate(moments)
    )
    return JudgedWindow(
        window_id=window_id,
        user_id=owner.user_id,
        tier=owner.tier,
        language=languages.most_common(1)[0][0] if languages else "",
        candidates=candidates,
    )


def said_in(moment: MomentRow, words: Sequence[SpokenWord], *, max_characters: int) -> str:
    """The words that begin in a moment's span; where they are too many, those around its peak and after it."""
    inside = [word for word in words if moment.start_ns <= word.start_ns < moment.end_ns]
    middle_ns = moment.peak_ns + _TOLD_AFTER_NS
    nearest = sorted(range(len(inside)), key=lambda at: abs(inside[at].start_ns - middle_ns))
    num_characters, kept = 0, set()
    for at in nearest:
        num_characters += len(inside[at].text) + 1
        if num_characters > max_characters + 1:
            break
        kept.add(at)
    return " ".join(inside[at].text for at in sorted(kept))


def opinion_of(judgement: Judgement | None, index: int) -> Opinion | None:
    """What a judgement says of its window's candidate of this index; None where it knows no such."""
    if judgement is None or index not in judgement.adjustments:
        return None
    return Opinion(
        adjustment=min(max(judgement.adjustments[index], -1.0), 1.0),
        title=judgement.titles.get(index, ""),
        model=judgement.model,
        hashtags=judgement.hashtags,
    )


def weighed(moment: MomentRow, opinion: Opinion | None) -> MomentRow:
    """A moment as it was found, with an opinion of it.

    The score moves by at most `MAX_INFLUENCE` and stays within 0 to 1; the evidence's weight is by how much it did.
    """
    if opinion is None:
        return moment
    score = min(max(moment.score + MAX_INFLUENCE * opinion.adjustment, 0.0), 1.0)
    moved = score - moment.score
    said = f"{opinion.model} rated it {opinion.adjustment:+.2f}: "
    if abs(moved) < 0.005:
        said += f"the score stayed at {moment.score:.2f}"
    else:
        said += f"the score {'rose' if moved > 0 else 'fell'} by {abs(moved):.2f}, from {moment.score:.2f}"
    if opinion.title:
        said += "; the title is its own"
    return dataclasses.replace(
        moment,
        score=score,
        title=opinion.title or moment.title,
        evidence=(*moment.evidence, Evidence(lane=LANE, weight=round(moved, 6), note=said)),
        opinion=opinion,
    )
