"""A batch of looks for moments with one question to a language model; each look ends for itself, whatever that says.

Nothing a model or its provider does fails a look or costs it an attempt: what was not judged is written as it was
found, with the reason.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence

import structlog

from coordinator.model.jobs import Job
from coordinator.model.llm import JudgedWindow, Judgement, Unjudged
from coordinator.pipeline.detect import Detection, Look
from coordinator.pipeline.offered import same_moment
from coordinator.pipeline.opinions import window_of_moments
from coordinator.pipeline.quiet import session_of, unless_forgotten
from coordinator.ports import Effect, Judge
from coordinator.row_ports import Rows

log = structlog.get_logger(__name__)

# The judge ends by itself after 45 s and the call under way; a post is wanted long before.
_JUDGING_S = 60.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A look that was made, and what is to be asked about it; without a window, why nothing is."""

    look: Look
    window: JudgedWindow | None
    why: Unjudged | None = None


class JudgedLooks:
    """Looks, and asks a judge about what they found. One instance a worker."""

    def __init__(
        self, *, detection: Detection, rows: Rows, judge: Judge, judging_s: float = _JUDGING_S
    ) -> None:
        """Args: judging_s: looks are written without a judgement that takes longer."""
        self._detection = detection
        self._rows = rows
        self._judge = judge
        self._judging_s = judging_s
        self._prepare = unless_forgotten(self.prepare, rows, session_of)

    async def handle_many(self, jobs: Sequence[Job]) -> Sequence[Effect | Exception]:
        """For each job, in the same order: its effect, or what failed for it alone."""
        made = [await self._made(job) for job in jobs]
        windows = [one.window for one in made if isinstance(one, Prepared) and one.window is not None]
        judgements, whys = await self._judged(windows) if windows else ({}, {})
        return [self._effect(one, judgements, whys) if isinstance(one, Prepared) else one for one in made]

    async def prepare(self, job: Job) -> Prepared:
        """Make one look, and say what is to be asked about it."""
        look = await self._detection.look(job)
        if not look.moments:
            return Prepared(look=look, window=None, why=Unjudged.NO_CANDIDATES)
        session_id = look.analysis.session_id
        known = await self._rows.offered(session_id)
        same = [same_moment(moment, known) for moment in look.moments]
        # A moment is in every look of the next ten minutes: it is asked about once, and again beside what is new.
        if all(one is not None and one.opinion is not None for one in same):
            return Prepared(look=look, window=None, why=Unjudged.JUDGED_BEFORE)
        owner = await self._rows.owner(session_id)
        # By the job: two of one session may be in a batch.
        return Prepared(look=look, window=window_of_moments(job.key, owner, look.moments, look.transcripts))

    async def _made(self, job: Job) -> Prepared | Effect | Exception:
        try:
            return await self._prepare(job)
        except Exception as exc:  # noqa: BLE001 - a job's outermost frame: it is that job's alone
            return exc

    async def _judged(
        self, windows: Sequence[JudgedWindow]
    ) -> tuple[Mapping[str, Judgement], Mapping[str, Unjudged]]:
        """Judgements and reasons by `window_id`; whatever happens."""
        whys: dict[str, Unjudged] = {}

        def tell(window: JudgedWindow, why: Unjudged) -> None:
            whys[window.window_id] = why

        try:
            async with asyncio.timeout(self._judging_s):
                found = await self._judge.judge(windows, on_unjudged=tell)
            pairs = zip(windows, found, strict=True)
            return {window.window_id: one for window, one in pairs if one is not None}, whys
        except TimeoutError:
            log.info("judging_gave_up", num_windows=len(windows), after_s=self._judging_s)
            return {}, dict.fromkeys((window.window_id for window in windows), Unjudged.UNAVAILABLE)
        except Exception:
            # A fault of ours must not cost looks, which are worth something without any opinion.
            log.exception("judging_crashed", num_windows=len(windows))
            return {}, dict.fromkeys((window.window_id for window in windows), Unjudged.BUG)

    def _effect(
        self, made: Prepared, judgements: Mapping[str, Judgement], whys: Mapping[str, Unjudged]
    ) -> Effect:
        window_id = made.window.window_id if made.window is not None else ""
        judgement, why = judgements.get(window_id), whys.get(window_id) or made.why
        analysis = dataclasses.replace(
            made.look.analysis,
            judge=judgement.model if judgement is not None else "",
            unjudged="" if judgement is not None else (why or Unjudged.UNAVAILABLE).value,
        )
        return self._detection.effect(dataclasses.replace(made.look, analysis=analysis), judgement)
