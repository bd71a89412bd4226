"""Streams of several makers as the detector gets them, measured by the product's own code.

All but `synthetic` were written by authors who knew nothing of the detector nor of each other: a detector that was
fitted to some of them is judged by one that it does not know. Measuring is kept in `.clippy/highlights`, under the sum
of the code that has a part in it.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import hashlib
import importlib
import json
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from coordinator.highlight import features
from coordinator.model.highlight import Audience, ChatLine, SessionSignals, Track, Utterance
from tests.bench.highlights_streams import cases, motion_of
from tests.bench.measure import ROOT, say
from tests.synthetic.model import Span

_CACHE = ROOT / ".clippy" / "highlights"
_NUM_PROCESSES = 2
_MIX = "mix"
_FRAMES_PER_S = 10
SYNTHETIC = "synthetic"
DURATION_S = 600.0
Picture = npt.NDArray[np.uint8]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One stream of a maker: sound at 16 kHz, small pictures ten a second, words and chat, and the truth."""

    duration_s: float
    mic: npt.NDArray[np.float32]
    desktop: npt.NDArray[np.float32]
    mixed: npt.NDArray[np.float32]
    frames: Callable[[], Iterator[Picture]]
    segs: Sequence[tuple[float, float, str]]
    chat: Sequence[tuple[float, str]]
    num_viewers: int
    moments: Sequence[tuple[float, float, str]]
    decoys: Sequence[tuple[float, float, str]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MadeCase:
    """A stream's truth, and everything a coordinator would know of it: with lanes apart, and as a recording."""

    seed: int
    apart: SessionSignals
    mixed: SessionSignals
    wanted: Sequence[Span]
    decoys: Sequence[Span]


def _streams(seed: int) -> Made:
    from tests.streams import chat, picture, sound, words
    from tests.streams.script import write_script

    script = write_script(seed, DURATION_S)
    desk = sound.desktop(script, seed)
    mic = sound.microphone(script, desk, seed)
    talk = words.transcript(
        script.lines, script.streamer.asr_error, DURATION_S, np.random.default_rng([seed, 5])
    )
    lines = chat.write(script.streamer, script.chats, DURATION_S, np.random.default_rng([seed, 6]))

    def frames() -> Iterator[Picture]:
        for planes in picture.frames(script, mic, seed):
            luma = planes[: picture.HEIGHT].reshape(90, 2, 160, 2)
            yield luma.mean(axis=(1, 3)).astype(np.uint8)

    return Made(
        duration_s=DURATION_S,
        mic=_at_16k(mic),
        desktop=_at_16k(desk),
        mixed=_at_16k(sound.mixed(mic, desk)),
        frames=frames,
        segs=[(float(start), float(end), str(text)) for start, end, text in talk],
        chat=[(float(at), str(text)) for at, text in lines],
        num_viewers=script.streamer.viewers,
        moments=[(one.start_s, one.end_s, one.kind) for one in script.moments],
        decoys=[(one.start_s, one.end_s, one.kind) for one in script.decoys],
    )


def _sketch(name: str) -> Callable[[int], Made]:
    def make(seed: int) -> Made:
        found = importlib.import_module(f"tests.sketches.{name}.stream").make(seed, DURATION_S)
        loudest = max(1.0, float(np.abs(found.mic + found.desktop).max()))
        return Made(
            duration_s=DURATION_S,
            mic=found.mic,
            desktop=found.desktop,
            mixed=(found.mic + found.desktop) / np.float32(loudest),
            frames=found.frames,
            segs=found.segs,
            chat=found.chat,
            num_viewers=found.num_viewers,
            moments=[(one.start_s, one.end_s, one.kind) for one in found.moments],
            decoys=[(one.start_s, one.end_s, one.kind) for one in found.decoys],
        )

    return make


_SKETCHES = (
    *("a_signs", "b_broadcast", "c_bedroom", "d_stage", "e_street", "f_arena", "h_scares"),
    *("i_laps", "j_workshop", "k_voices", "l_ranked", "m_reacts", "n_habits"),
)
MAKERS: dict[str, Callable[[int], Made]] = {
    "streams": _streams,
    **{name: _sketch(name) for name in _SKETCHES},
}
# Nothing is ever fitted to their streams, nor chosen by them.
_JUDGES = ("g_living", "o_evening", "p_variety", "q_sofa")
JUDGES: dict[str, Callable[[int], Made]] = {name: _sketch(name) for name in _JUDGES}


def made_cases(maker: str, seeds: Sequence[int]) -> list[MadeCase]:
    """A maker's streams of these seeds, in that order; what is not measured yet is rendered now.

    Args:
        maker: one of `MAKERS` or `JUDGES`, or `synthetic`, whose seeds name the family too.
    """
    if maker == SYNTHETIC:
        both = (cases(seeds, duration_s=DURATION_S, is_mixed=is_mixed) for is_mixed in (False, True))
        return [
            MadeCase(
                seed=apart.plan.seed,
                apart=apart.signals,
                mixed=mixed.signals,
                wanted=[event.truth for event in apart.plan.events],
                decoys=apart.plan.decoys,
            )
            for apart, mixed in zip(*both, strict=True)
        ]
    folder = _CACHE / f"{maker}-{_code_sum(maker)}"
    folder.mkdir(parents=True, exist_ok=True)
    missing = [seed for seed in seeds if not (folder / f"{seed}.npz").exists()]
    if missing:
        say(f"highlights: renders {len(missing)} streams of {maker}")
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(_NUM_PROCESSES, mp_context=context) as pool:
            for future in [pool.submit(_measure, maker, seed, folder / f"{seed}.npz") for seed in missing]:
                future.result()
    return [_case(seed, folder / f"{seed}.npz") for seed in seeds]


def _measure(maker: str, seed: int, path: Path) -> None:
    made = {**MAKERS, **JUDGES}[maker](seed)
    tracks = [
        *features.lane_tracks(made.mic, lane="mic"),
        *features.lane_tracks(made.desktop, lane="desktop"),
        *features.lane_tracks(made.mixed, lane=_MIX),
        motion_of(made.frames(), frames_per_s=_FRAMES_PER_S, duration_s=made.duration_s),
    ]
    arrays = {
        f"{track.name}.{part}": getattr(track, part) for track in tracks for part in ("values", "present")
    }
    told = {
        name: getattr(made, name)
        for name in ("duration_s", "segs", "chat", "num_viewers", "moments", "decoys")
    }
    arrays["told"] = np.frombuffer(json.dumps(told).encode(), dtype=np.uint8)
    half = path.with_suffix(".half.npz")
    np.savez_compressed(half, **arrays)  # type: ignore[arg-type]
    half.replace(path)


def _case(seed: int, path: Path) -> MadeCase:
    with np.load(path) as arrays:
        told = json.loads(bytes(arrays["told"]))
        tracks = [
            Track(
                name=name.removesuffix(".values"),
                values=arrays[name],
                present=arrays[name.removesuffix(".values") + ".present"],
            )
            for name in arrays.files
            if name.endswith(".values")
        ]
    whole = SessionSignals(
        duration_s=told["duration_s"],
        tracks=[track for track in tracks if not track.name.startswith(f"{_MIX}_")],
        utterances=[Utterance(start_s=start, end_s=end, text=text) for start, end, text in told["segs"]],
        chat=[ChatLine(at_s=at_s, text=text) for at_s, text in told["chat"]],
        audiences=[Audience(at_s=0.0, num_viewers=told["num_viewers"])] if told["chat"] else [],
    )
    as_one = [track for track in tracks if track.name == "motion" or track.name.startswith(f"{_MIX}_")]
    return MadeCase(
        seed=seed,
        apart=whole,
        mixed=dataclasses.replace(whole, tracks=as_one),
        wanted=[Span(start_s=start, end_s=end, kind=kind) for start, end, kind in told["moments"]],
        decoys=[Span(start_s=start, end_s=end, kind=kind) for start, end, kind in told["decoys"]],
    )


def _at_16k(sound: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """From 24 kHz, by libswresample."""
    from av import AudioFrame, AudioResampler

    resampler = AudioResampler(format="fltp", layout="mono", rate=16_000)
    frame = AudioFrame.from_ndarray(
        np.ascontiguousarray(sound[None], np.float32), format="fltp", layout="mono"
    )
    frame.sample_rate = 24_000
    parts = [part.to_ndarray()[0] for piece in (frame, None) for part in resampler.resample(piece)]
    return np.concatenate(parts)


def _code_sum(maker: str) -> str:
    folder = ROOT / "tests" / ("streams" if maker == "streams" else f"sketches/{maker}")
    sources = [*sorted([*folder.glob("*.py"), *folder.glob("*.txt")]), Path(features.__file__)]
    whole = hashlib.sha256()
    for source in sources:
        if not source.name.startswith(("test_", "score")):
            whole.update(source.read_bytes())
    return whole.hexdigest()[:16]
