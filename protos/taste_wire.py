"""Verdicts as messages, and what of a message from outside is taken. Pure."""

from __future__ import annotations

import math
from typing import Final

from protos.clippy.v1 import clips_pb2
from protos.segment import MAX_SESSION_NS, is_session_id
from protos.taste import NAME, VERDICT_KINDS, Subject, Verdict, VerdictKind, plain_lanes, plain_score

# A clock that is further off says nothing: the years 2000 to 2100.
_FIRST_UNIX_MS: Final = 946_684_800_000
_LAST_UNIX_MS: Final = 4_102_444_800_000
_MAX_MOVED_S: Final = 600.0
_KINDS: Final[dict[VerdictKind, clips_pb2.MomentVerdict.Kind.ValueType]] = {
    kind: clips_pb2.MomentVerdict.Kind.Value(kind.upper()) for kind in VERDICT_KINDS
}


class VerdictInvalid(ValueError):
    """A verdict breaks a rule; says which."""


def subject_of(moment: clips_pb2.Moment) -> Subject:
    """What a verdict about this moment would be about: as it was found, the taste taken out."""
    evidence = [(one.lane, one.weight) for one in moment.evidence]
    return Subject(
        moment_id=moment.moment_id,
        session_id=moment.session_id,
        start_ns=moment.start_ns + moment.roll_before_ns,
        end_ns=moment.end_ns - moment.roll_after_ns,
        kind=moment.kind,
        score=plain_score(moment.score, evidence),
        lanes=plain_lanes(evidence),
    )


def kind_of(kind: clips_pb2.MomentVerdict.Kind.ValueType) -> VerdictKind:
    """Its name. Raises VerdictInvalid: it is none that is known here."""
    for name, number in _KINDS.items():
        if number == kind:
            return name
    raise VerdictInvalid(f"kind {kind} of a verdict is unknown")


def kind_number(kind: VerdictKind) -> clips_pb2.MomentVerdict.Kind.ValueType:
    """Its number in a message."""
    return _KINDS[kind]


def verdict_message(verdict: Verdict) -> clips_pb2.MomentVerdict:
    """A verdict as it travels: no words of the moment are in it."""
    subject = verdict.subject
    return clips_pb2.MomentVerdict(
        verdict_id=verdict.verdict_id,
        kind=_KINDS[verdict.kind],
        moment=clips_pb2.Moment(
            moment_id=subject.moment_id,
            session_id=subject.session_id,
            start_ns=subject.start_ns,
            end_ns=subject.end_ns,
            score=subject.score,
            kind=subject.kind,
            evidence=[clips_pb2.Evidence(lane=lane, weight=weight) for lane, weight in subject.lanes],
        ),
        at_unix_ms=verdict.at_unix_ms,
        before_s=verdict.before_s,
        after_s=verdict.after_s,
    )


def verdict_of(message: clips_pb2.MomentVerdict, *, now_unix_ms: int) -> Verdict:
    """What a message says; a time to come is now.

    Raises:
        VerdictInvalid: It breaks a rule.
    """
    moment = message.moment
    if not is_session_id(message.verdict_id):
        raise VerdictInvalid(f"verdict_id {message.verdict_id[:64]!r} is not 32 hexadecimal digits")
    if not is_session_id(moment.session_id):
        raise VerdictInvalid(f"session_id {moment.session_id[:64]!r} is not 32 hexadecimal digits")
    if not 0 <= moment.start_ns < moment.end_ns <= MAX_SESSION_NS:
        raise VerdictInvalid(f"times {moment.start_ns}..{moment.end_ns} ns are no span of a session")
    for name, text in (("moment_id", moment.moment_id[:32]), ("kind", moment.kind)):
        if not NAME.match(text) or len(moment.moment_id) > 64:
            raise VerdictInvalid(f"{name} {text[:64]!r} is not a name of letters and digits")
    if not _FIRST_UNIX_MS <= message.at_unix_ms <= _LAST_UNIX_MS:
        raise VerdictInvalid(f"time {message.at_unix_ms} ms is not of this century")
    if not math.isfinite(moment.score):
        raise VerdictInvalid("the score of its moment is no number")
    return Verdict(
        verdict_id=message.verdict_id,
        kind=kind_of(message.kind),
        subject=subject_of(moment),
        at_unix_ms=min(message.at_unix_ms, now_unix_ms),
        before_s=_moved_s(message.before_s) if message.HasField("before_s") else None,
        after_s=_moved_s(message.after_s) if message.HasField("after_s") else None,
    )


def _moved_s(moved_s: float) -> float:
    if not math.isfinite(moved_s) or abs(moved_s) > _MAX_MOVED_S:
        raise VerdictInvalid(f"an end that was moved by {moved_s} s")
    return moved_s
