"""Made-up streams as the detector gets them: rendered, then measured by the product's own code.

Measuring is kept in `.clippy/highlights`, under the sum of all code that has a part in it: whoever works on the
detector renders each stream once.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import hashlib
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from agent.model.media import SignalSample
from agent.signals.grid import STEP_NS
from agent.signals.motion import MotionMeter, SmallPicture
from coordinator.highlight import features
from coordinator.model.highlight import (
    SIGNAL_RATE_HZ,
    Audience,
    ChatLine,
    SessionSignals,
    Track,
    Utterance,
)
from protos.timebase import SECOND_NS
from tests.bench.measure import ROOT, say
from tests.synthetic.chat import write_chat
from tests.synthetic.model import FRAMES_PER_S, Plan, Stream
from tests.synthetic.picture import frames
from tests.synthetic.plan import make_plan
from tests.synthetic.script import hear, write_script
from tests.synthetic.stream import make_stream

_CACHE = ROOT / ".clippy" / "highlights"
_MIX = "mix"
_NUM_PROCESSES = 2
_SHARED: list[Sequence[Case]] = []  # what a process of `in_processes` was handed; filled once, when it starts
_Outcome = TypeVar("_Outcome")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A stream's truth, and everything a coordinator would know of it."""

    plan: Plan
    signals: SessionSignals


def cases(seeds: Sequence[int], *, duration_s: float | None = None, is_mixed: bool = False) -> list[Case]:
    """The streams of these seeds, in that order; what is not measured yet is rendered now.

    Args:
        duration_s: of each; drawn where not given.
        is_mixed: whether microphone and desktop come in one lane, as in a recording, or each by itself.
    """
    folder = _CACHE / _code_sum()
    folder.mkdir(parents=True, exist_ok=True)
    paths = {
        seed: folder / (f"{seed}.npz" if duration_s is None else f"{seed}-{duration_s:.0f}.npz")
        for seed in seeds
    }
    missing = [seed for seed in seeds if not paths[seed].exists()]
    if missing:
        say(f"highlights: renders {len(missing)} streams")
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(_NUM_PROCESSES, mp_context=context) as pool:
            for future in [pool.submit(_measure, seed, duration_s, paths[seed]) for seed in missing]:
                future.result()
    return [_case(make_plan(seed, duration_s=duration_s), paths[seed], is_mixed=is_mixed) for seed in seeds]


def in_processes(
    work: Callable[..., _Outcome], names: Sequence[str], *shared: Sequence[Case]
) -> Iterator[_Outcome]:
    """`work(name, *shared)` for each name, in order; what is shared is handed to each process once."""
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(
        _NUM_PROCESSES, mp_context=context, initializer=_take, initargs=(shared,)
    ) as pool:
        yield from pool.map(functools.partial(_with_shared, work), names)


def _take(shared: Sequence[Sequence[Case]]) -> None:
    _SHARED.extend(shared)


def _with_shared(work: Callable[..., _Outcome], name: str) -> _Outcome:
    return work(name, *_SHARED)


def sound_tracks(stream: Stream) -> list[Track]:
    """Both lanes, as the transcription stage measures them."""
    return [
        *features.lane_tracks(stream.mic, lane="mic"),
        *features.lane_tracks(stream.desktop, lane="desktop"),
    ]


def motion_track(plan: Plan) -> Track:
    """The picture, as the agent measures it."""
    return motion_of(frames(plan), frames_per_s=FRAMES_PER_S, duration_s=plan.duration_s)


def motion_of(pictures: Iterable[SmallPicture], *, frames_per_s: int, duration_s: float) -> Track:
    """How much small pictures change, as the agent measures it."""
    num_steps = int(duration_s * SIGNAL_RATE_HZ)
    values, present = np.zeros(num_steps), np.zeros(num_steps, dtype=bool)

    def take(sample: SignalSample) -> None:
        step = sample.at_ns // STEP_NS - 1
        if 0 <= step < num_steps:
            values[step], present[step] = sample.value, True

    meter = MotionMeter(take)
    for index, picture in enumerate(pictures):
        meter.feed(index * SECOND_NS // frames_per_s, picture)
    return Track(name="motion", values=values, present=present)


def signals_of(plan: Plan, tracks: Sequence[Track]) -> SessionSignals:
    """Tracks, words and chat of a stream as the coordinator's own values."""
    return SessionSignals(
        duration_s=plan.duration_s,
        tracks=tracks,
        utterances=[
            Utterance(start_s=one.start_s, end_s=one.end_s, text=one.text)
            for one in hear(plan, write_script(plan))
        ],
        chat=[
            ChatLine(at_s=one.at_s, text=one.text, author=one.author, kind=one.kind, count=one.count)
            for one in write_chat(plan)
        ],
        audiences=[Audience(at_s=0.0, num_viewers=plan.num_viewers)] if plan.has_chat else [],
    )


def _measure(seed: int, duration_s: float | None, path: Path) -> None:
    stream = make_stream(seed, duration_s=duration_s)
    tracks = [
        *sound_tracks(stream),
        motion_track(stream.plan),
        *features.lane_tracks(stream.mixed, lane=_MIX),
    ]
    arrays = {
        f"{track.name}.{part}": getattr(track, part) for track in tracks for part in ("values", "present")
    }
    half = path.with_suffix(".half.npz")
    np.savez_compressed(half, **arrays)  # type: ignore[arg-type]
    half.replace(path)


def _case(plan: Plan, path: Path, *, is_mixed: bool) -> Case:
    with np.load(path) as arrays:
        names = [name.removesuffix(".values") for name in arrays.files if name.endswith(".values")]
        names = [name for name in names if name == "motion" or name.startswith(f"{_MIX}_") == is_mixed]
        tracks = [
            Track(name=name, values=arrays[f"{name}.values"], present=arrays[f"{name}.present"])
            for name in names
        ]
    return Case(plan=plan, signals=signals_of(plan, tracks))


def _code_sum() -> str:
    """Of the generator and of what measures."""
    sources = [
        *sorted((ROOT / "tests" / "synthetic").glob("*.py")),
        *(ROOT / "agent" / "signals" / name for name in ("motion.py", "grid.py")),
        Path(features.__file__),
    ]
    whole = hashlib.sha256()
    for source in sources:
        if not source.name.startswith("test_"):
            whole.update(source.read_bytes())
    return whole.hexdigest()[:16]
