"""What the user does with moments, and what is learnt from it: with no coordinator too. Any thread.

A clip speaks of a moment when it shows half of it or more and is not much longer. What is done with it is kept here
and told to the coordinator; what was done elsewhere comes from there.
"""

from __future__ import annotations

import dataclasses
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence

import structlog

from agent.errors import AgentError, InputUnusable
from agent.library.library import Library
from agent.library.verdicts import LibraryVerdicts
from agent.model.clips import SavedClip
from agent.signals.gate import Candidate
from protos.clippy.v1 import clips_pb2, link_pb2
from protos.taste import LANE, Subject, Verdict, VerdictKind, newest_first
from protos.taste_model import NO_TASTE, Taste, fit, tasted
from protos.taste_wire import VerdictInvalid, subject_of, verdict_message, verdict_of
from protos.taste_words import note_of, shown
from protos.timebase import MILLISECOND_NS, SECOND_NS

log = structlog.get_logger()

# Of all moments these are looked at when they are ordered by taste.
_MOST_MOMENTS = 500
_MAX_TIMES_LONGER = 3
# A candidate that the taste lowers by so much is not kept: it would push out others.
_UNWANTED = -0.1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ListedMoment:
    """A moment with the taste in its score. `verdict`: what was last done with it; empty: nothing."""

    moment: clips_pb2.Moment
    exports: Sequence[clips_pb2.Export]
    verdict: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Learnt:
    """The taste of one version of the verdicts, and what was last said of each moment."""

    version: tuple[int, int]
    taste: Taste = NO_TASTE
    last: Mapping[str, str] = dataclasses.field(default_factory=dict)


class Tasting:
    """Keeps verdicts, and orders moments by them. Args: say: tells the coordinator; returns at once."""

    def __init__(self, library: Library, *, say: Callable[[link_pb2.TasteNews], None]) -> None:
        self._library = library
        self._verdicts = LibraryVerdicts(library)
        self._say = say
        self._lock = threading.Lock()
        self._learnt = _Learnt(version=(0, 0))

    # ---- what was done

    def judge(self, words: str, kind: VerdictKind) -> str:
        """Keep or skip a moment of the list, by its id or the beginning of it; returns the id.

        Raises:
            InputUnusable: There is none, or more than one begins so.
            DiskFull, EnvironmentProblem: It cannot be written down.
        """
        found = [moment for moment in self._moments() if words and moment.moment_id.startswith(words)]
        exact = [moment for moment in found if moment.moment_id == words]
        if len(found) > 1 and not exact:
            raise InputUnusable(f"more than one moment begins with {words[:64]!r}; give more of its id")
        if not found:
            raise InputUnusable(f"there is no moment {words[:64]!r}; `clippy moments --json` lists them")
        moment = (exact or found)[0]
        self._add(kind, subject_of(moment))
        return moment.moment_id

    def note_clip(self, clip: SavedClip, kind: VerdictKind) -> None:
        """Something was done with a clip; that it cannot be noted stands in nobody's way."""
        self._guarded(lambda: self._note_clip(clip, kind))

    def note_moved(self, before: SavedClip, after: SavedClip) -> None:
        """A clip's ends were moved: how much more than the moment is wanted, at the end that was moved."""

        def note() -> None:
            subject = self._shown_in(after)
            if subject is not None:
                self._add(
                    "extend",
                    subject,
                    before_s=(subject.start_ns - after.start_ns) / SECOND_NS
                    if before.start_ns != after.start_ns
                    else None,
                    after_s=(after.end_ns - subject.end_ns) / SECOND_NS
                    if before.end_ns != after.end_ns
                    else None,
                )

        self._guarded(note)

    def take(self, news: link_pb2.TasteNews) -> None:
        """What the coordinator says: it was done on its page, or on another PC."""
        if news.WhichOneof("kind") == "reset":
            self._verdicts.reset(min(news.reset.at_unix_ms, _unix_ms()))
        elif news.WhichOneof("kind") == "verdict":
            try:
                self._verdicts.add(verdict_of(news.verdict, now_unix_ms=_unix_ms()))
            except VerdictInvalid as exc:
                log.info("verdict_not_taken", problem=str(exc))

    def reset(self) -> int:
        """Forget it all, here and at the coordinator; returns how many verdicts there were. Raises as `Library`."""
        now_unix_ms = _unix_ms()
        num = self._verdicts.reset(now_unix_ms)
        self._say(link_pb2.TasteNews(reset=clips_pb2.TasteReset(at_unix_ms=now_unix_ms)))
        return num

    def _note_clip(self, clip: SavedClip, kind: VerdictKind) -> None:
        subject = self._shown_in(clip)
        if subject is not None:
            self._add(kind, subject)

    def _add(
        self,
        kind: VerdictKind,
        subject: Subject,
        *,
        before_s: float | None = None,
        after_s: float | None = None,
    ) -> None:
        verdict = Verdict(
            verdict_id=uuid.uuid4().hex,
            kind=kind,
            subject=subject,
            at_unix_ms=_unix_ms(),
            before_s=before_s,
            after_s=after_s,
        )
        if self._verdicts.add(verdict):
            self._say(link_pb2.TasteNews(verdict=verdict_message(verdict)))

    def _shown_in(self, clip: SavedClip) -> Subject | None:
        """The moment that a clip shows most of; None: it shows none, or is much longer."""
        best: tuple[int, str, Subject] | None = None
        for moment in self._moments():
            if moment.session_id != clip.session_id:
                continue
            subject = subject_of(moment)
            length_ns = subject.end_ns - subject.start_ns
            shared_ns = min(clip.end_ns, subject.end_ns) - max(clip.start_ns, subject.start_ns)
            is_long = clip.end_ns - clip.start_ns > _MAX_TIMES_LONGER * length_ns
            if 2 * shared_ns >= length_ns > 0 and not is_long:
                best = max(best or (0, "", subject), (shared_ns, subject.moment_id, subject))
        return best[2] if best else None

    def _guarded(self, note: Callable[[], None]) -> None:
        try:
            note()
        except AgentError as exc:
            log.info("verdict_not_kept", problem=str(exc))

    # ---- what was learnt

    def taste(self) -> Taste:
        """What was learnt of all that is kept here. Raises as `Library`."""
        return self._now_learnt().taste

    def _now_learnt(self) -> _Learnt:
        # The app asks every two seconds: only other verdicts are learnt from anew.
        version = self._verdicts.version()
        with self._lock:
            if self._learnt.version == version:
                return self._learnt
        verdicts = self._verdicts.all()
        last: dict[str, str] = {}
        for verdict in newest_first(verdicts):
            last.setdefault(verdict.subject.moment_id, "" if verdict.kind == "undo" else verdict.kind)
        untouched = [subject_of(moment) for moment in self._moments()] if verdicts else []
        learnt = _Learnt(version=version, taste=fit(verdicts, untouched=untouched), last=last)
        with self._lock:
            self._learnt = learnt
        return learnt

    def shown(self) -> dict[str, object]:
        """What was learnt, and what it changes, as plain values. Raises as `Library`."""
        moments = [subject_of(moment) for moment in self._moments()]
        return shown(self.taste(), self._verdicts.all(), moments)

    def moments(self, limit: int) -> list[ListedMoment]:
        """The best by this PC's own taste, best first; what was skipped or deleted comes last. Raises as `Library`."""
        learnt = self._now_learnt()
        found = [to_taste(moment, learnt.taste) for moment in self._moments(max(limit, _MOST_MOMENTS))]

        def place(moment: clips_pb2.Moment) -> tuple[bool, float, int]:
            is_last = learnt.last.get(moment.moment_id) in ("skip", "delete")
            return is_last, -moment.score, moment.start_ns

        return [
            ListedMoment(
                moment=moment,
                exports=self._library.exports_of_moment(moment.moment_id),
                verdict=learnt.last.get(moment.moment_id, ""),
            )
            for moment in sorted(found, key=place)[:limit]
        ]

    def is_wanted(self, candidate: Candidate) -> bool:
        """May a span that the gate noticed be kept? True where nothing is known."""
        try:
            taste = self.taste()
        except AgentError:
            return True
        return tasted(taste, candidate_subject(candidate)).moved > _UNWANTED

    def _moments(self, limit: int = _MOST_MOMENTS) -> list[clips_pb2.Moment]:
        return self._library.moments_alone(limit)


def candidate_subject(candidate: Candidate) -> Subject:
    """What the gate noticed, as a taste looks at it: no kind, and each lane that rose alike. Pure."""
    return Subject(
        moment_id="",
        session_id="",
        start_ns=candidate.start_ns,
        end_ns=candidate.end_ns,
        kind="",
        score=0.5,
        lanes=tuple((lane, 1.0 / len(candidate.lanes)) for lane in candidate.lanes),
    )


def to_taste(moment: clips_pb2.Moment, taste: Taste) -> clips_pb2.Moment:
    """A moment with this taste in its score, in place of whatever taste was in it. Pure."""
    subject = subject_of(moment)
    found = tasted(taste, subject)
    if found.like is None and all(item.lane != LANE for item in moment.evidence):
        return moment
    changed = clips_pb2.Moment()
    changed.CopyFrom(moment)
    del changed.evidence[:]
    changed.evidence.extend(item for item in moment.evidence if item.lane != LANE)
    changed.score = found.score
    if found.like is not None:
        changed.evidence.add(lane=LANE, weight=found.moved, note=note_of(found, score=subject.score))
    return changed


def _unix_ms() -> int:
    return time.time_ns() // MILLISECOND_NS
