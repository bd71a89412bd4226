"""What a streamer's taste does to a moment: moves its score within bounds, and a new one's ends by some seconds. Pure.

It comes last, after a language model's opinion. What it moved is evidence of its own, the lane `taste`, so that the
score without it can be read off (ADR 0035).
"""

from __future__ import annotations

import dataclasses

from coordinator.model.highlight import MAX_MOMENT_S, MIN_MOMENT_S, Evidence
from coordinator.model.sessions import MomentRow
from protos.taste import LANE, Subject, plain_lanes, plain_score
from protos.taste_model import Taste, tasted
from protos.taste_words import note_of
from protos.timebase import SECOND_NS


def subject_of(moment: MomentRow) -> Subject:
    """A moment as a taste looks at it: as it was found."""
    evidence = [(item.lane, item.weight) for item in moment.evidence]
    return Subject(
        moment_id=moment.moment_id,
        session_id=moment.session_id,
        start_ns=moment.start_ns + moment.roll_before_ns,
        end_ns=moment.end_ns - moment.roll_after_ns,
        kind=moment.kind,
        score=plain_score(moment.score, evidence),
        lanes=plain_lanes(evidence),
    )


def to_taste(moment: MomentRow, taste: Taste) -> MomentRow:
    """A moment without a taste in it, with this one: its score, and what is said of that."""
    found = tasted(taste, subject_of(moment))
    if found.like is None:
        return moment
    note = note_of(found, score=moment.score)
    evidence = Evidence(lane=LANE, weight=round(found.moved, 6), note=note)
    return dataclasses.replace(moment, score=found.score, evidence=(*moment.evidence, evidence))


def rolled(moment: MomentRow, taste: Taste) -> MomentRow:
    """A new moment with its ends where this streamer mostly moves them.

    Its peak stays within, and it stays as long and as short as moments may be.
    """
    start_ns = moment.start_ns - round(taste.before_s * SECOND_NS)
    end_ns = moment.end_ns + round(taste.after_s * SECOND_NS)
    start_ns = max(0, min(start_ns, moment.peak_ns))
    end_ns = max(end_ns, moment.peak_ns + 1)
    length_s = (end_ns - start_ns) / SECOND_NS
    if (start_ns, end_ns) == (moment.start_ns, moment.end_ns) or not MIN_MOMENT_S <= length_s <= MAX_MOMENT_S:
        return moment
    return dataclasses.replace(
        moment,
        start_ns=start_ns,
        end_ns=end_ns,
        roll_before_ns=moment.start_ns - start_ns,
        roll_after_ns=end_ns - moment.end_ns,
    )
