"""Bench `highlights`: how well moments are found, in made-up streams and in commentary and chat of real ones.

`synthetic`: forty streams of the family `held`, made by `tests/synthetic`, measured by the product's own code and
given to the detector; from which score on a moment counts was chosen on eight of the family `dev`. `makers`: fresh
streams of each other maker, and of judges, to whom nothing is ever fitted; the threshold was chosen by makers left out.
`commentary`, `chat`: data that nobody here made, where it lies beside the checkout, judged by the scorer that lies with
it. `live`: how much later than the chunk that holds it a moment is there. `cost`: CPU seconds.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import time
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np

from coordinator.highlight.chat import reaction_score
from coordinator.highlight.detect import detect
from coordinator.highlight.likely import shipped_file
from coordinator.model.highlight import ChatLine, Moment, SessionSignals, Track, Utterance
from tests.bench import highlights_live
from tests.bench import highlights_score as score
from tests.bench.highlights_fit import FRESH
from tests.bench.highlights_makers import JUDGES, MAKERS, MadeCase, made_cases
from tests.bench.highlights_naive import NAIVE
from tests.bench.highlights_score import Guess, Judged
from tests.bench.highlights_streams import Case, cases, in_processes, motion_track, signals_of, sound_tracks
from tests.bench.measure import ROOT, CannotMeasure, Result, median, say
from tests.synthetic.family import DEV_SEEDS, HELD_SEEDS
from tests.synthetic.model import DECOY_KINDS
from tests.synthetic.stream import make_stream

Finder: TypeAlias = "Callable[[SessionSignals], Sequence[Guess]]"

PARTS = ("synthetic", "makers", "commentary", "chat", "live", "cost")
_NUM_LIVE = 12
NUM_HELD, NUM_DEV = 40, 8
_DEV_S = 600.0  # a threshold needs no more
LANES = ("mic", "desktop", "motion", "words", "chat")
_TOP_K = 60
_DATA = ROOT.parent / "shared" / "datasets"
MAKERS_FIGURES = ("f1", "ap", "ap_loose", "f1_mixed", "ap_mixed", "decoy_share", "boundary_s")
FIGURES = {
    "synthetic": (
        *("synthetic_precision", "synthetic_recall", "synthetic_f1", "synthetic_f1_low", "synthetic_f1_high"),
        *("synthetic_ap", "synthetic_ap_low", "synthetic_ap_high", "synthetic_map", "synthetic_f1_loose"),
        *("synthetic_recall_at_k", "boundary_s", "decoy_share", "synthetic_dev_f1", "synthetic_dev_ap"),
        *(f"decoy_share_{kind}" for kind in DECOY_KINDS),
        *("synthetic_f1_no_chat", "synthetic_ap_no_chat"),
        *(f"synthetic_f1_{how}_{lane}" for how in ("only", "without") for lane in LANES),
        *(f"synthetic_f1_{name}" for name in NAIVE),
    ),
    "commentary": (
        *("commentary_r3", "commentary_r5", "commentary_ap5"),
        *("commentary_keywords_r3", "commentary_keywords_r5", "commentary_keywords_ap5"),
    ),
    "chat": (
        *("chat_rank_ap", "chat_rank_ap_reaction", "chat_rank_ap_laugh_share"),
        *("chat_recall20", "chat_precision20", "chat_recall20_laugh_rate", "chat_precision20_laugh_rate"),
        *("chat_recall20_rate", "chat_precision20_rate"),
    ),
    "makers": tuple(f"{maker}_{figure}" for maker in (*MAKERS, *JUDGES) for figure in MAKERS_FIGURES),
    "live": highlights_live.FIGURES,
    "cost": ("cpu_s_per_media_hour", "sound_cpu_s_per_media_hour", "detect_cpu_s_4h"),
}


def run(result: Result, parts: tuple[str, ...], *, scale: float = 1.0) -> None:
    """Measure."""
    steps = {
        "synthetic": _synthetic,
        "makers": _makers,
        "commentary": _commentary,
        "chat": _chat,
        "live": _live,
        "cost": _cost,
    }
    for part in parts:
        with result.promising(*FIGURES[part]):
            steps[part](result, scale)


def _live(result: Result, scale: float) -> None:
    num = max(2, round(_NUM_LIVE * min(1.0, scale)))
    highlights_live.measure(result, cases(HELD_SEEDS[:num], duration_s=_DEV_S if scale < 0.1 else None))


def ours(signals: SessionSignals) -> list[Guess]:
    """What the product finds."""
    return [
        Guess(start_s=one.start_s, end_s=one.end_s, score=one.score) for one in detect(signals, top_k=_TOP_K)
    ]


def variants() -> Mapping[str, Callable[[SessionSignals], SessionSignals]]:
    """By name, what the detector is left with: everything, one lane, or all but one."""
    return {
        "all": lambda signals: signals,
        **{f"only_{lane}": _keeping({lane}) for lane in LANES},
        **{f"without_{lane}": _keeping(set(LANES) - {lane}) for lane in LANES},
    }


def judged(found_in: Sequence[Case], find: Finder) -> list[Judged]:
    """What a finder finds in streams, beside the truth."""
    return [
        Judged(
            guesses=sorted(find(case.signals), key=lambda guess: -guess.score),
            wanted=[event.truth for event in case.plan.events],
            decoys=case.plan.decoys,
        )
        for case in found_in
    ]


def synthetic_cases(scale: float = 1.0) -> tuple[list[Case], list[Case]]:
    """Streams to judge by, and streams to choose a threshold on; shortened below a tenth."""
    num_held, num_dev = (max(2, round(num * min(1.0, scale))) for num in (NUM_HELD, NUM_DEV))
    held = cases(HELD_SEEDS[:num_held], duration_s=_DEV_S if scale < 0.1 else None)
    return held, cases(DEV_SEEDS[:num_dev], duration_s=_DEV_S)


def finders() -> Mapping[str, Finder]:
    """Ours with everything, by lane, and the usual recipes."""
    ablated: dict[str, Finder] = {name: _through(keep) for name, keep in variants().items()}
    return ablated | NAIVE


def _through(keep: Callable[[SessionSignals], SessionSignals]) -> Finder:
    return lambda signals: ours(keep(signals))


def _keeping(lanes: set[str]) -> Callable[[SessionSignals], SessionSignals]:
    def keep(signals: SessionSignals) -> SessionSignals:
        return dataclasses.replace(
            signals,
            tracks=[track for track in signals.tracks if track.name.split("_")[0] in lanes],
            utterances=signals.utterances if "words" in lanes else (),
            chat=signals.chat if "chat" in lanes else (),
            audiences=signals.audiences if "chat" in lanes else (),
        )

    return keep


def _judge(name: str, held: Sequence[Case], dev: Sequence[Case]) -> tuple[list[Judged], list[Judged]]:
    find = finders()[name]
    return judged(dev, find), judged(held, find)


def _synthetic(result: Result, scale: float) -> None:
    held, dev = synthetic_cases(scale)
    figures = result.figures
    names = list(finders())
    for name, (on_dev, on_held) in zip(names, in_processes(_judge, names, held, dev), strict=True):
        threshold = score.best_threshold(on_dev)
        precision, recall = score.precision_recall(on_held, threshold)
        if name == "all":
            figures |= {"synthetic_precision": round(precision, 3), "synthetic_recall": round(recall, 3)}
            _add_whole(result, on_dev, on_held, threshold)
        else:
            figures[f"synthetic_f1_{name}"] = round(score.f1(precision, recall), 3)
        if name == "without_chat":
            figures["synthetic_f1_no_chat"] = figures["synthetic_f1_without_chat"]
            figures["synthetic_ap_no_chat"] = round(score.average_precision(on_held), 3)
        say(f"highlights: {name}: F1 {score.f1(precision, recall):.3f}")
    num_events = sum(len(case.plan.events) for case in held)
    result.notes.append(
        f"{len(held)} streams of held, {sum(case.plan.duration_s for case in held) / 3600:.1f} h, "
        f"{num_events} events, {sum(len(case.plan.decoys) for case in held)} decoys; "
        f"{sum(not case.plan.has_chat for case in held)} without chat; threshold from {len(dev)} of dev"
    )


def _add_whole(result: Result, on_dev: Sequence[Judged], on_held: Sequence[Judged], threshold: float) -> None:
    """Everything about the detector with all its lanes."""
    f1_low, f1_high = score.f1_interval(on_held, threshold)
    ap_low, ap_high = score.average_precision_interval(on_held)
    decoys = score.decoys_hit(on_held, threshold)
    aps = [score.average_precision(on_held, bound) for bound in score.OVERLAPS]
    loose = score.precision_recall(on_held, threshold, 0.3)
    result.figures |= {
        "synthetic_f1": round(score.f1(*score.precision_recall(on_held, threshold)), 3),
        "synthetic_f1_low": f1_low,
        "synthetic_f1_high": f1_high,
        "synthetic_ap": round(aps[0], 3),
        "synthetic_ap_low": ap_low,
        "synthetic_ap_high": ap_high,
        "synthetic_map": round(float(np.mean(aps)), 3),
        "synthetic_f1_loose": round(score.f1(*loose), 3),
        "synthetic_recall_at_k": round(score.recall_at_count(on_held), 3),
        "decoy_share": round(
            sum(hit for hit, _ in decoys.values()) / max(1, sum(num for _, num in decoys.values())), 3
        ),
        "synthetic_dev_f1": round(score.f1(*score.precision_recall(on_dev, threshold)), 3),
        "synthetic_dev_ap": round(score.average_precision(on_dev), 3),
    }
    for kind, (hit, num) in decoys.items():
        result.figures[f"decoy_share_{kind}"] = round(hit / num, 3)
    for kind in DECOY_KINDS:
        if kind not in decoys:
            result.notes.append(f"decoy_share_{kind}: not measured: these streams have none")
    result.notes.append(f"a moment counts from a score of {threshold:.3f} on")
    result.figures["boundary_s"] = score.middle_s(score.boundary_errors_s(on_held, threshold))


def _makers(result: Result, scale: float) -> None:
    """Streams of each maker that nothing was fitted to nor chosen by; other streams were, but of the judges none."""
    threshold = shipped_file().report["threshold"]
    for maker in (*MAKERS, *JUDGES):
        num_fresh = len(FRESH) if maker in JUDGES else len(FRESH) // 2
        fresh = made_cases(maker, FRESH[: max(2, round(num_fresh * min(1.0, scale)))])
        by_lanes = judged_made(fresh, apart)
        as_recording = judged_made(fresh, mixed)
        decoys = score.decoys_hit(by_lanes, threshold).values()
        errors_s = score.boundary_errors_s(by_lanes, threshold)
        result.figures |= {
            f"{maker}_f1": round(score.f1(*score.precision_recall(by_lanes, threshold)), 3),
            f"{maker}_ap": round(score.average_precision(by_lanes), 3),
            f"{maker}_ap_loose": round(score.average_precision(by_lanes, 0.3), 3),
            f"{maker}_f1_mixed": round(score.f1(*score.precision_recall(as_recording, threshold)), 3),
            f"{maker}_ap_mixed": round(score.average_precision(as_recording), 3),
            f"{maker}_decoy_share": round(
                sum(hit for hit, _ in decoys) / max(1, sum(n for _, n in decoys)), 3
            ),
            f"{maker}_boundary_s": score.middle_s(errors_s) if errors_s else 0.0,
        }
        say(f"highlights: {maker}: F1 {result.figures[f'{maker}_f1']}")
    result.notes.append(
        f"makers: {len(FRESH) // 2} fresh streams each, {len(FRESH)} of a judge; a moment counts from a score of"
        f" {threshold:.3f} on, which was chosen by makers left out"
    )


def apart(case: MadeCase) -> SessionSignals:
    """Microphone and desktop in lanes of their own."""
    return case.apart


def mixed(case: MadeCase) -> SessionSignals:
    """As a recording: all sound in one lane."""
    return case.mixed


def judged_made(found_in: Sequence[MadeCase], how: Callable[[MadeCase], SessionSignals]) -> list[Judged]:
    """What the product finds in a maker's streams, beside the truth."""
    return [Judged(guesses=ours(how(case)), wanted=case.wanted, decoys=case.decoys) for case in found_in]


def _commentary(result: Result, scale: float) -> None:
    scorer = _scorer()
    halves = list(scorer.soccer("dev"))[: max(4, round(181 * min(1.0, scale)))]
    if not any(scorer.goal_times(half) for half in halves):
        raise CannotMeasure("none of so few halves has a goal")

    def find(half: Mapping[str, Any]) -> list[tuple[float, float, float]]:
        said = [Utterance(start_s=start, end_s=end, text=text) for start, end, text in half["segs"]]
        return _triples(detect(SessionSignals(duration_s=half["dur"], utterances=said), top_k=5))

    for prefix, finder in (("commentary", find), ("commentary_keywords", scorer.base_soccer("goal-kw"))):
        found = [(half, finder(half)) for half in halves]
        at_3, at_5 = scorer.score_topk(found, 3), scorer.score_topk(found, 5)
        result.figures |= {f"{prefix}_r3": at_3["R"], f"{prefix}_r5": at_5["R"], f"{prefix}_ap5": at_5["AP"]}
    result.notes.append(f"commentary: {len(halves)} halves of a development set that was looked at")


def _triples(moments: Sequence[Moment]) -> list[tuple[float, float, float]]:
    return [(one.start_s, one.end_s, one.score) for one in moments]


def _chat(result: Result, scale: float) -> None:
    scorer = _scorer()
    streams = scorer.chat("dev")

    def rank(_: object, clip: Mapping[str, Any]) -> float:
        lines = [ChatLine(at_s=max(0.0, at_s - clip["start"]), text=text) for at_s, text in clip["chat"]]
        duration_s = max(clip["end"] - clip["start"], *(line.at_s + 1 for line in lines))
        found = detect(SessionSignals(duration_s=duration_s, chat=lines), top_k=3)
        return max((one.score for one in found), default=0.0)

    def laugh_share(_: object, clip: Mapping[str, Any]) -> float:
        return float(np.mean([bool(scorer.LAUGH.search(text)) for _, text in clip["chat"]]))

    def react(_: object, clip: Mapping[str, Any]) -> float:
        return reaction_score([text for _, text in clip["chat"]])

    for name, by in (("", rank), ("_reaction", react), ("_laugh_share", laugh_share)):
        result.figures[f"chat_rank_ap{name}"] = round(scorer.score_chat_rank(streams, by)[0], 3)

    def find(stream: Mapping[str, Any]) -> list[tuple[float, float]]:
        lines = [ChatLine(at_s=at_s, text=text) for at_s, text in stream["chat"]]
        moments = detect(SessionSignals(duration_s=stream["duration"], chat=lines), top_k=20)
        return [(one.peak_s, one.score) for one in moments]

    rivals = {"_laugh_rate": scorer.base_chat("laugh-rate"), "_rate": scorer.base_chat("msg-z")}
    for name, finder in {"": find, **rivals}.items():
        counted = scorer.score_chat_free(streams, finder)
        result.figures[f"chat_recall20{name}"] = counted["recall"]
        result.figures[f"chat_precision20{name}"] = counted["precision_judged"]
    result.notes.append(f"chat: {len(streams)} streams of a development set that was looked at")


def _scorer() -> ModuleType:
    """The scorer that lies with the data.

    Raises:
        CannotMeasure: The data is not there.
    """
    path = _DATA / "score.py"
    if not path.exists() or not (_DATA / "highlights").is_dir():
        raise CannotMeasure("the development sets are not beside this checkout (../shared/datasets)")
    spec = importlib.util.spec_from_file_location("highlights_scorer", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _cost(result: Result, scale: float) -> None:
    stream = make_stream(HELD_SEEDS[0], duration_s=1800 if scale >= 0.5 else 600, has_chat=True)
    num_times = 3 if scale >= 0.5 else 1
    hours = stream.plan.duration_s / 3600
    sound, tracks = _timed(lambda: sound_tracks(stream), num_times)
    motion = motion_track(stream.plan)
    signals = signals_of(stream.plan, [*tracks, motion])
    found, _ = _timed(lambda: detect(signals, top_k=20), num_times)
    result.figures |= {
        "sound_cpu_s_per_media_hour": round(median(sound) / hours, 2),
        "cpu_s_per_media_hour": round((median(sound) + median(found)) / hours, 2),
    }
    whole = _repeated(signals, round(4 * 3600 / stream.plan.duration_s))
    long, moments = _timed(lambda: detect(whole, top_k=100), num_times)
    result.figures["detect_cpu_s_4h"] = round(median(long), 2)
    result.notes.append(
        f"4 h: {len(whole.chat)} chat lines, {len(whole.utterances)} utterances, {len(moments)} moments; "
        "sound is microphone and desktop, of a stream with words and chat"
    )


def _timed(work: Callable[[], Any], num_times: int) -> tuple[list[float], Any]:
    """CPU seconds of each time, and what came of the last."""
    seconds, outcome = [], None
    for _ in range(num_times):
        began_s = time.process_time()
        outcome = work()
        seconds.append(time.process_time() - began_s)
    return seconds, outcome


def _repeated(signals: SessionSignals, num: int) -> SessionSignals:
    """The same stream again and again."""
    shifts = [index * signals.duration_s for index in range(num)]
    return SessionSignals(
        duration_s=signals.duration_s * num,
        tracks=[
            Track(name=one.name, values=np.tile(one.values, num), present=np.tile(one.present, num))
            for one in signals.tracks
        ],
        utterances=[
            dataclasses.replace(one, start_s=one.start_s + shift_s, end_s=one.end_s + shift_s)
            for shift_s in shifts
            for one in signals.utterances
        ],
        chat=[
            dataclasses.replace(one, at_s=one.at_s + shift_s) for shift_s in shifts for one in signals.chat
        ],
        audiences=signals.audiences,
    )
