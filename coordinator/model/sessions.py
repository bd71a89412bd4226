"""Rows of a session as the pipeline sees them. Times are int nanoseconds on the session's own line."""

from __future__ import annotations

import dataclasses

from coordinator.model.highlight import Evidence
from coordinator.model.llm import Opinion


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """One session. Known once it ended: `duration_ns`, and `lane_counts`, how many chunks a lane has in all, but for
    those that were lost or forgotten."""

    session_id: str
    is_live: bool
    duration_ns: int | None
    lane_counts: dict[str, int] | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SessionOwner:
    """Whose a session is, and of which tier that account is."""

    user_id: str
    tier: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LookState:
    """How far a session was heard, and where its looks for moments stand.

    Attributes:
        is_over: the last look has ended, or nothing is waited for any more.
        is_all_heard: it has ended, and every chunk was heard, failed or will never come.
        until_ns: up to where every lane that lives was heard.
        front_ns: up to where the one furthest ahead was.
        pressed_ns: the newest press; -1: none.
        promising_until_ns: until then every window is worth a look of its own.
        queued_no, looked_no: the windows of the looks that were queued, and ended, last; 0: none.
    """

    session_id: str
    is_live: bool
    is_over: bool
    is_all_heard: bool
    until_ns: int
    front_ns: int
    pressed_ns: int
    promising_until_ns: int
    queued_no: int
    looked_no: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisRow:
    """What one look found, or why it failed.

    Attributes:
        num_moments: that it found, known ones included.
        reason: why there are none.
        engines: what heard and what found, with versions.
        judge: the language model that judged what was found; empty: none did.
        unjudged: why none did, one of `Unjudged`; empty where none is configured.
    """

    session_id: str
    window_no: int
    until_ns: int
    is_final: bool
    state: str = "done"
    num_moments: int = 0
    reason: str = ""
    engines: str = ""
    judge: str = ""
    unjudged: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FeatureRow:
    """Signals of one chunk; None where a value was not measured. With a `reason` it could not be heard."""

    lane: int
    seq: int
    start_ns: int
    step_ns: int
    tracks: dict[str, list[float | None]]
    reason: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SpokenWord:
    """One word on the session's line."""

    text: str
    start_ns: int
    end_ns: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Words without a pause between them, on the session's line."""

    start_ns: int
    end_ns: int
    text: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptRow:
    """What was said in one chunk."""

    session_id: str
    lane: int
    seq: int
    start_ns: int
    end_ns: int
    language: str
    engine: str
    model: str
    words: tuple[SpokenWord, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MarkerRow:
    """A press, and the span its clip shows. `num_changes`: how many spans it has shown before this one."""

    clip_id: str
    at_ns: int
    start_ns: int
    end_ns: int
    num_changes: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MomentRow:
    """A moment as it is offered.

    Attributes:
        opinion: a language model's, which is in its score, title and evidence.
        is_forming: what comes next may still move its ends.
        roll_before_ns, roll_after_ns: how much of its span its streamer's taste added; less than 0: took away.
    """

    moment_id: str
    session_id: str
    start_ns: int
    end_ns: int
    peak_ns: int
    score: float
    kind: str
    title: str
    evidence: tuple[Evidence, ...]
    opinion: Opinion | None = None
    is_forming: bool = False
    roll_before_ns: int = 0
    roll_after_ns: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RequestRow:
    """Full quality of a span, asked of the agent. Without a moment it is a press's clip.

    Attributes:
        size_bytes, sha256: of the file, as the agent said; None until it says that it was uploaded.
        part_bytes: how large the parts are that it came in; 0: in one PUT.
        num_attempts: how many uploads before this one were no good.
    """

    request_id: str
    session_id: str
    moment_id: str | None
    marker_clip_id: str | None
    start_ns: int
    end_ns: int
    state: str
    object_key: str
    covered_start_ns: int | None
    covered_end_ns: int | None
    size_bytes: int | None = None
    sha256: bytes | None = None
    part_bytes: int = 0
    num_attempts: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WordsAwaited:
    """What of a clip's words is still to come.

    Attributes:
        age_s: since it was cut.
        num_unheard: chunks of the microphone with part of it that were neither heard nor failed.
        is_more_to_come: the microphone's chunks do not reach its end yet, and may.
    """

    age_s: float
    num_unheard: int
    is_more_to_come: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LeftoverUpload:
    """What may lie in the object store and is of no use: parts, and without `is_object_kept` the object, too."""

    request_id: str
    object_key: str
    size_bytes: int | None
    sha256: bytes | None
    part_bytes: int | None
    is_object_kept: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClipRow:
    """A cut in the object store."""

    clip_id: str
    session_id: str
    moment_id: str | None
    request_id: str
    object_key: str
    start_ns: int
    end_ns: int
    width: int
    height: int
    title: str = ""
