"""Stage `ai-analysis`: what was heard so far becomes moments, and moments become source requests.

One look a window (`windows.py` says when), each over the minutes before. A moment is offered as soon as it is heard;
its ends may move while it is forming, then it keeps its span, is asked for, and later looks only re-score it. What a
language model says of a look (`judging.py`) is part of its effect.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from coordinator.model.highlight import Moment, SessionSignals
from coordinator.model.jobs import Job, NewJob
from coordinator.model.llm import Judgement, Opinion
from coordinator.model.sessions import AnalysisRow, MarkerRow, MomentRow, TranscriptRow
from coordinator.pipeline.chatting import with_written
from coordinator.pipeline.look_signals import build_look
from coordinator.pipeline.offered import moment_row, request_for, request_for_press, same_moment
from coordinator.pipeline.opinions import opinion_of, weighed
from coordinator.pipeline.tasting import rolled, to_taste
from coordinator.pipeline.windows import next_look, window_of
from coordinator.ports import Effect
from coordinator.row_ports import Chats, Looks, Rows, Tastes
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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a look found: moments that will not change any more, best first, or the reason why there are none.

    Attributes:
        forming: moments that were heard, and whose ends what comes next may move.
    """

    moments: Sequence[Moment]
    reason: str
    forming: Sequence[Moment] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A look that was made and is not written yet: what was found, best first, and what was heard around it.

    `taste`: of whose session it is; it is not in the scores yet.
    """

    analysis: AnalysisRow
    moments: Sequence[MomentRow]
    forming: Sequence[MomentRow]
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
        chats: Chats,
        detect: Detector,
        policy: RequestPolicy,
        engine: str = "",
        unjudged: str = "",
        tastes: Tastes | None = None,
    ) -> None:
        """Args: engine: which detector this is; unjudged: why no model is asked; tastes: None: of nobody."""
        self._rows = rows
        self._looks = looks
        self._chats = chats
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
        chatter = await self._chats.chatter(session_id, start_ns=since_ns, end_ns=until_ns)

        def detect() -> Found:
            signals = build_look(features, transcripts, markers, since_ns=since_ns, until_ns=until_ns)
            return self._detect(with_written(signals, chatter, since_ns), is_final)

        # A batch of looks must not hold up the loop, which also keeps the leases.
        found = await asyncio.to_thread(detect)
        words = [word for row in transcripts for word in row.words]
        rows = [moment_row(session_id, moment, since_ns, words) for moment in found.moments]
        forming = [
            dataclasses.replace(moment_row(session_id, moment, since_ns, words), is_forming=True)
            for moment in found.forming
        ]
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
        return Look(
            analysis=analysis,
            moments=rows,
            forming=forming,
            pressed=pressed,
            transcripts=transcripts,
            taste=taste,
        )

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
        """Write what was found, then ask for the best of it in full quality; `known` grows by what is new."""
        session_id = look.analysis.session_id
        num_asked = await self._rows.num_requests_last_hour(connection, session_id)
        budget = self._policy.max_per_hour - num_asked
        offered: list[tuple[MomentRow, bool]] = []
        for index, moment in enumerate(look.moments):
            offered.append(
                await self._offer(connection, moment, opinion_of(judgement, index), look.taste, known)
            )
        for moment in look.forming:
            await self._offer(connection, moment, None, look.taste, known)
        # What two that were forming have become is one of them; the other was never asked for.
        certain = [moment for moment, _ in offered if not moment.is_forming]
        for other in [one for one in known if one.is_forming and same_moment(one, certain) is not None]:
            await self._rows.drop_moment(connection, other.moment_id)
            known.remove(other)
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
        self,
        connection: asyncpg.Connection,
        moment: MomentRow,
        opinion: Opinion | None,
        taste: Taste,
        known: list[MomentRow],
    ) -> tuple[MomentRow, bool]:
        """Write a moment, or what is new of one that is known; returns it as it stands, and whether it is new.

        Where no model was asked this time, the last opinion of it still counts: a score that falls back because calls
        are short just now would say something of our limits, and nothing of the moment.
        """
        same = same_moment(moment, known)
        opinion = opinion or (same.opinion if same is not None else None)
        moment = to_taste(weighed(moment, opinion), taste)
        if (same is None or same.is_forming) and not moment.is_forming:
            moment = rolled(moment, taste)
        if same is None:
            await self._rows.add_moment(connection, moment)
            known.append(moment)
            return moment, True
        moment = dataclasses.replace(moment, moment_id=same.moment_id)
        if not same.is_forming:
            moment = dataclasses.replace(
                moment,
                start_ns=same.start_ns,
                end_ns=same.end_ns,
                roll_before_ns=same.roll_before_ns,
                roll_after_ns=same.roll_after_ns,
                is_forming=False,
            )
        await self._rows.rescore_moment(connection, moment)
        known[known.index(same)] = moment
        return moment, same.is_forming


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
