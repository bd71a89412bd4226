"""Stage `ai-analysis`: what was heard so far becomes moments, and moments become source requests.

One look a window (`windows.py` says when), each over the minutes before. A moment keeps its id and span once it was
offered; later looks only re-score it. What a language model says of a look (`judging.py`) is part of its effect.
"""

from __future__ import annotations

import asyncio
import dataclasses
import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from coordinator.model.highlight import SIGNAL_RATE_HZ, Moment, SessionSignals, Track, Utterance
from coordinator.model.jobs import Job, NewJob
from coordinator.model.llm import Judgement
from coordinator.model.sessions import (
    AnalysisRow,
    FeatureRow,
    MarkerRow,
    MomentRow,
    RequestRow,
    SpokenWord,
    TranscriptRow,
)
from coordinator.pipeline.opinions import opinion_of, weighed
from coordinator.pipeline.tasting import rolled, to_taste
from coordinator.pipeline.windows import next_look, window_of
from coordinator.ports import Effect
from coordinator.row_ports import Looks, Rows, Tastes
from protos.taste_model import NO_TASTE, Taste
from protos.timebase import SECOND_NS

if TYPE_CHECKING:
    import asyncpg

# Five minutes are looked at, and five before them give the detector its baselines; it renews those every 2 s.
WINDOW_NS = 600 * SECOND_NS
_GRID_NS = 2 * SECOND_NS
MAX_MOMENTS_A_LOOK = 20
# An agent keeps five minutes; what it could not pin by then it will never have.
REQUEST_EXPIRES_S = 24 * 3600.0
_PAUSE_NS = 600_000_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a look found: moments that will not change any more, best first, or the reason why there are none."""

    moments: Sequence[Moment]
    reason: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A look that was made and is not written yet: what was found, best first, and what was heard around it.

    `taste`: of whose session it is; it is not in the scores yet.
    """

    analysis: AnalysisRow
    moments: Sequence[MomentRow]
    pressed: Sequence[MarkerRow]
    transcripts: Sequence[TranscriptRow]
    taste: Taste = NO_TASTE


# Pure; some ten milliseconds, in a thread. Times are seconds from the window's start; True: nothing more will come.
Detector: TypeAlias = "Callable[[SessionSignals, bool], Found]"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RequestPolicy:
    """Which moments are worth full quality without being asked for.

    Attributes:
        are_presses_exported: export every press's clip; else only when a whole session had no moment.
    """

    min_score: float
    max_per_hour: int
    are_presses_exported: bool


class Detection:
    """Looks for moments. One instance a worker."""

    def __init__(
        self,
        *,
        rows: Rows,
        looks: Looks,
        detect: Detector,
        policy: RequestPolicy,
        engine: str = "",
        unjudged: str = "",
        tastes: Tastes | None = None,
    ) -> None:
        """Args: engine: which detector this is; unjudged: why no model is asked; tastes: None: of nobody."""
        self._rows = rows
        self._looks = looks
        self._engine = engine
        self._detect = detect
        self._policy = policy
        self._unjudged = unjudged
        self._tastes = tastes

    async def handle(self, job: Job) -> Effect:
        """Look at one session, without asking anybody for an opinion."""
        return self.effect(await self.look(job))

    async def look(self, job: Job) -> Look:
        """Look at one session, and write nothing."""
        session_id = str(job.payload["session_id"])
        state = await self._looks.state(session_id)
        is_final = state.is_all_heard
        until_ns = state.front_ns if is_final else state.until_ns
        since_ns = max(0, until_ns - WINDOW_NS)
        since_ns -= since_ns % _GRID_NS
        features = await self._rows.features(session_id, since_ns=since_ns)
        transcripts = await self._rows.transcripts(session_id, start_ns=since_ns, end_ns=until_ns + WINDOW_NS)
        markers = await self._rows.markers(session_id)

        def detect() -> Found:
            signals = build_look(features, transcripts, markers, since_ns=since_ns, until_ns=until_ns)
            return self._detect(signals, is_final)

        # A batch of looks must not hold up the loop, which also keeps the leases.
        found = await asyncio.to_thread(detect)
        words = [word for row in transcripts for word in row.words]
        rows = [_row(session_id, moment, since_ns, words) for moment in found.moments]
        analysis = AnalysisRow(
            session_id=session_id,
            window_no=window_of(until_ns, is_final=is_final),
            until_ns=until_ns,
            is_final=is_final,
            num_moments=len(rows),
            reason=found.reason,
            engines=", ".join([self._engine, *sorted({f"{row.engine} {row.model}" for row in transcripts})]),
            unjudged=self._unjudged,
        )
        # Until the session is over, nobody knows that nothing will be found.
        pressed = markers if is_final or self._policy.are_presses_exported else []
        taste = NO_TASTE if self._tastes is None else await self._tastes.of_session(session_id)
        return Look(analysis=analysis, moments=rows, pressed=pressed, transcripts=transcripts, taste=taste)

    def effect(self, look: Look, judgement: Judgement | None = None) -> Effect:
        """What a look wants written.

        Args:
            judgement: of its moments, by their places in `look.moments`.
        """
        analysis, session_id = look.analysis, look.analysis.session_id

        async def write(connection: asyncpg.Connection) -> list[NewJob]:
            await self._rows.lock_session(connection, session_id)
            if not await self._looks.add_analysis(connection, analysis):
                return await self._after(connection, analysis)
            known = await self._rows.moments(connection, session_id)
            await self._offer_all(connection, look, judgement, known)
            for marker in look.pressed if self._policy.are_presses_exported or not known else ():
                await self._rows.add_request(
                    connection, request_for_press(session_id, marker), expires_in_s=REQUEST_EXPIRES_S
                )
            await self._rows.set_moments_reason(connection, session_id, "" if known else analysis.reason)
            await self._rows.notify_link(connection, session_id)
            return await self._after(connection, analysis)

        return write

    async def _offer_all(
        self,
        connection: asyncpg.Connection,
        look: Look,
        judgement: Judgement | None,
        known: list[MomentRow],
    ) -> None:
        """Write what was found, then ask for the best of it in full quality; `known` grows by what is new.

        Where no model was asked this time, the last opinion of it still counts: a score that falls back because calls
        are short just now would say something of our limits, and nothing of the moment.
        """
        session_id = look.analysis.session_id
        num_asked = await self._rows.num_requests_last_hour(connection, session_id)
        budget = self._policy.max_per_hour - num_asked
        offered: list[tuple[MomentRow, bool]] = []
        for index, moment in enumerate(look.moments):
            same = same_moment(moment, known)
            opinion = opinion_of(judgement, index) or (same.opinion if same is not None else None)
            meant = to_taste(weighed(moment, opinion), look.taste)
            if same is None:
                meant = rolled(meant, look.taste)
                known.append(meant)
            offered.append((await self._offer(connection, meant, same), same is None))
        # An opinion may have changed their order.
        for moment, is_new in sorted(offered, key=lambda pair: -pair[0].score):
            if moment.score >= self._policy.min_score and budget > 0:
                await self._rows.add_request(connection, request_for(moment), expires_in_s=REQUEST_EXPIRES_S)
                budget -= is_new

    async def _after(self, connection: asyncpg.Connection, analysis: AnalysisRow) -> list[NewJob]:
        return await _after(self._looks, connection, analysis)

    def give_up(self, job: Job, reason: str) -> Effect:
        """The look failed for good: its window says so, and so does the page while there is no moment."""
        return give_up(self._rows, self._looks)(job, reason)

    async def _offer(
        self, connection: asyncpg.Connection, moment: MomentRow, same: MomentRow | None
    ) -> MomentRow:
        """Write a moment, or what is new of the same one that is known; returns it as it stands."""
        if same is None:
            await self._rows.add_moment(connection, moment)
            return moment
        moment = dataclasses.replace(
            moment,
            moment_id=same.moment_id,
            start_ns=same.start_ns,
            end_ns=same.end_ns,
            roll_before_ns=same.roll_before_ns,
            roll_after_ns=same.roll_after_ns,
        )
        await self._rows.rescore_moment(connection, moment)
        return moment


def give_up(rows: Rows, looks: Looks) -> Callable[[Job, str], Effect]:
    """A look that comes to nothing: its window says so, and so does the page while there is no moment."""

    def effect(job: Job, reason: str) -> Effect:
        session_id = str(job.payload["session_id"])

        async def write(connection: asyncpg.Connection) -> list[NewJob]:
            await rows.lock_session(connection, session_id)
            state = await looks.state(session_id, connection)
            until_ns = state.front_ns if state.is_all_heard else state.until_ns
            analysis = AnalysisRow(
                session_id=session_id,
                window_no=window_of(until_ns, is_final=state.is_all_heard),
                until_ns=until_ns,
                is_final=state.is_all_heard,
                state="failed",
                reason=reason,
            )
            await looks.add_analysis(connection, analysis)
            if not await rows.moments(connection, session_id):
                await rows.set_moments_reason(connection, session_id, f"the look failed: {reason}")
            return await _after(looks, connection, analysis)

        return write

    return effect


async def _after(looks: Looks, connection: asyncpg.Connection, analysis: AnalysisRow) -> list[NewJob]:
    """The end of a session, or what was heard meanwhile."""
    if analysis.is_final:
        await looks.end_session(connection, analysis.session_id)
    return await next_look(looks, connection, analysis.session_id, looked_no=analysis.window_no)


def build_look(
    features: Sequence[FeatureRow],
    transcripts: Sequence[TranscriptRow],
    markers: Sequence[MarkerRow],
    *,
    since_ns: int,
    until_ns: int,
) -> SessionSignals:
    """Lay everything on one line of half-second steps that starts at `since_ns`."""
    step_ns = SECOND_NS // SIGNAL_RATE_HZ
    num_steps = max(0, -(-(until_ns - since_ns) // step_ns))
    values: dict[str, np.ndarray] = {}
    for row in features:
        first = round((row.start_ns - since_ns) / step_ns)
        for name, measured in row.tracks.items():
            line = values.setdefault(name, np.full(num_steps, np.nan))
            for index, value in enumerate(measured, start=first):
                if 0 <= index < num_steps and value is not None:
                    line[index] = value
    words = [word for row in transcripts for word in row.words if since_ns <= word.start_ns < until_ns]
    return SessionSignals(
        duration_s=(until_ns - since_ns) / SECOND_NS,
        tracks=[
            Track(name=name, values=np.nan_to_num(line), present=~np.isnan(line))
            for name, line in sorted(values.items())
        ],
        utterances=[
            Utterance(
                start_s=(said[0].start_ns - since_ns) / SECOND_NS,
                end_s=(said[-1].end_ns - since_ns) / SECOND_NS,
                text=" ".join(word.text for word in said),
            )
            for said in group_words(words)
        ],
        chat=[],
        markers_s=[(marker.at_ns - since_ns) / SECOND_NS for marker in markers if marker.at_ns >= since_ns],
    )


def group_words(words: Sequence[SpokenWord]) -> list[list[SpokenWord]]:
    """Words with no pause of 0.6 s between them, and at most 20, are one utterance."""
    groups: list[list[SpokenWord]] = []
    for word in words:
        if groups and len(groups[-1]) < 20 and word.start_ns - groups[-1][-1].end_ns < _PAUSE_NS:
            groups[-1].append(word)
        else:
            groups.append([word])
    return groups


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
    """Full quality of what a press saved."""
    return _request(
        session_id, f"clippy:press:{marker.clip_id}", marker.start_ns, marker.end_ns, clip_id=marker.clip_id
    )


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


def _row(session_id: str, moment: Moment, since_ns: int, words: Sequence[SpokenWord]) -> MomentRow:
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
