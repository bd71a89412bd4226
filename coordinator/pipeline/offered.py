"""A moment as it is offered: whether it is one that is known, what it is called, and what is asked for of it. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from coordinator.model.highlight import Moment
from coordinator.model.sessions import MarkerRow, MomentRow, RequestRow, SpokenWord
from coordinator.pipeline.look_signals import group_words
from protos.timebase import SECOND_NS


def moment_row(session_id: str, moment: Moment, since_ns: int, words: Sequence[SpokenWord]) -> MomentRow:
    """A moment that a look found which began at `since_ns`, with a title from what was said in it."""
    start_ns = since_ns + round(moment.start_s * SECOND_NS)
    end_ns = since_ns + round(moment.end_s * SECOND_NS)
    peak_ns = since_ns + round(moment.peak_s * SECOND_NS)
    return MomentRow(
        moment_id=uuid.uuid4().hex,
        session_id=session_id,
        start_ns=start_ns,
        end_ns=end_ns,
        peak_ns=peak_ns,
        score=moment.score,
        kind=moment.kind,
        title=title_of(start_ns, end_ns, peak_ns, words),
        evidence=moment.evidence,
    )


def same_moment(moment: MomentRow, known: Sequence[MomentRow]) -> MomentRow | None:
    """The known moment that this is: they share half of the shorter, or one's peak lies in the other."""
    for other in known:
        shared_ns = min(moment.end_ns, other.end_ns) - max(moment.start_ns, other.start_ns)
        shorter_ns = min(moment.end_ns - moment.start_ns, other.end_ns - other.start_ns)
        holds_peak = other.start_ns <= moment.peak_ns < other.end_ns or (
            moment.start_ns <= other.peak_ns < moment.end_ns
        )
        if shared_ns > 0 and (2 * shared_ns >= shorter_ns or holds_peak):
            return other
    return None


def title_of(moment_start_ns: int, moment_end_ns: int, peak_ns: int, words: Sequence[SpokenWord]) -> str:
    """What was said nearest to the peak, as a title; empty when nobody spoke."""
    said = [
        group
        for group in group_words([word for word in words if moment_start_ns <= word.start_ns < moment_end_ns])
        if len(group) > 1
    ]
    if not said:
        return ""
    nearest = min(said, key=lambda group: abs((group[0].start_ns + group[-1].end_ns) // 2 - peak_ns))
    text = " ".join(word.text for word in nearest[:12]).strip()
    return text[:1].upper() + text[1:80]


def request_for(moment: MomentRow) -> RequestRow:
    """Full quality of exactly the moment: nothing else leaves the streamer's PC."""
    return _request(
        moment.session_id,
        f"clippy:source:{moment.moment_id}",
        moment.start_ns,
        moment.end_ns,
        moment_id=moment.moment_id,
    )


def request_for_press(session_id: str, marker: MarkerRow) -> RequestRow:
    """Full quality of what a press saved; each span that its clip has had is a request, a cut and posts of its own."""
    again = f":{marker.num_changes}" if marker.num_changes else ""
    name = f"clippy:press:{marker.clip_id}{again}"
    return _request(session_id, name, marker.start_ns, marker.end_ns, clip_id=marker.clip_id)


def _request(
    session_id: str,
    name: str,
    start_ns: int,
    end_ns: int,
    *,
    moment_id: str | None = None,
    clip_id: str | None = None,
) -> RequestRow:
    request_id = uuid.uuid5(uuid.NAMESPACE_URL, name).hex
    return RequestRow(
        request_id=request_id,
        session_id=session_id,
        moment_id=moment_id,
        marker_clip_id=clip_id,
        start_ns=start_ns,
        end_ns=end_ns,
        state="wanted",
        object_key=f"sources/{session_id}/{request_id}.mp4",
        covered_start_ns=None,
        covered_end_ns=None,
    )
