"""Fits trees, nets and word weights of `coordinator/highlight` to made-up streams of makers, never to those that judge.

python -m tests.bench.highlights_fit --date 2026-11-27 [--out coordinator/highlight] [--only-judge]

Each stream is given whole and with parts of it missing, so that they know what to make of what is left. Each maker is
then judged by trees and nets that know neither it nor two others: that tells what a stream of a maker whom nobody
knows would get. By the same the scores of the shipped ones are made to say how often a moment of that score is one.
Takes some fifty minutes of CPU once the streams are measured, and measuring them as much again.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import json
import math
import multiprocessing
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from coordinator.highlight import nets, segment
from coordinator.highlight.columns import NAMES, WINDOWS, columns
from coordinator.highlight.detect import PRE_ROLL_S, TAIL_S, scored_spans
from coordinator.highlight.fuse import shipped_weights
from coordinator.highlight.lanes import Lanes, build_lanes
from coordinator.highlight.likely import LikelyFile, chance_of, together
from coordinator.highlight.nets import Nets, NetsFile
from coordinator.highlight.said import SaidFile, Weights
from coordinator.highlight.trees import TreesFile
from coordinator.model.highlight import SIGNAL_RATE_HZ, SessionSignals
from tests.bench import highlights_score as score
from tests.bench.highlights_boost import Grown, Matrix, Shape, Vector, grow, predict
from tests.bench.highlights_makers import MAKERS, SYNTHETIC, MadeCase, made_cases
from tests.bench.highlights_nets import Course, Lesson, fit_nets
from tests.bench.highlights_said import talk_of, weights_of
from tests.bench.highlights_score import Guess, Judged
from tests.bench.measure import say
from tests.synthetic.family import DEV_SEEDS, THIRD_SEEDS

# By maker. The bench chooses its threshold on the first eight of `dev`: they are left out.
FITTED: dict[str, Sequence[int]] = {
    SYNTHETIC: (*DEV_SEEDS[8:26], *THIRD_SEEDS[:18]),
    **{maker: range(100, 136) for maker in MAKERS},
}
# Scores are set right, the threshold of the report is chosen, and makers left out are judged, on these.
SET_RIGHT: dict[str, Sequence[int]] = {
    SYNTHETIC: (*DEV_SEEDS[68:74], *THIRD_SEEDS[60:66]),
    **{maker: range(148, 160) for maker in MAKERS},
}
# Nothing is fitted to these, nor chosen by them.
FRESH = range(200, 216)
SHAPE = Shape(num_trees=300, row_share=0.1)
COURSE = Course()
NUM_FOLDS = 5
_KEPT_CHANCE = 0.6
_NUM_PROCESSES = 2
VERSION = 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fitted:
    """What was fitted to some makers."""

    grown: Grown
    nets: Nets
    said: Weights


@dataclasses.dataclass(frozen=True, kw_only=True)
class Looked:
    """A stream looked at by what does not know its maker: its lanes, and log odds of each step."""

    case: MadeCase
    signals: SessionSignals
    lanes: Lanes
    odds: Vector


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What makes log odds say how often they are right."""

    slope: float = 1.0
    shift: float = 0.0


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="tests.bench.highlights_fit", description=__doc__)
    parser.add_argument("--date", required=True, help="today, for the files")
    parser.add_argument("--out", type=Path, default=Path("coordinator/highlight"), help="where the files go")
    parser.add_argument("--only-judge", action="store_true", help="judge makers left out; write nothing")
    arguments = parser.parse_args()
    makers = tuple(FITTED)
    for maker in makers:
        # Rendered here once, not by two processes at the same time.
        made_cases(maker, [*FITTED[maker], *SET_RIGHT[maker]])
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(_NUM_PROCESSES, mp_context=context) as pool:
        folds = [makers[fold::NUM_FOLDS] for fold in range(NUM_FOLDS)]
        strangers = [pool.submit(judge, fold, tuple(set(makers) - set(fold))) for fold in folds]
        shipped = None if arguments.only_judge else pool.submit(fit, makers)
        looked = {maker: found for future in strangers for maker, found in future.result().items()}
        scale, threshold, mean = _told(looked)
        if shipped is not None:
            files = _files(shipped.result(), arguments.date, scale, {"threshold": threshold, **mean})
            for name, file in files.items():
                text = json.dumps(msgspec.to_builtins(file), separators=(",", ":"))
                (arguments.out / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def judge(strangers: Sequence[str], makers: Sequence[str]) -> dict[str, list[Looked]]:
    """By stranger, streams of it as they are looked at by what was fitted to these makers."""
    fitted = fit(makers)
    return {maker: _looked(fitted, maker) for maker in strangers}


def fit(makers: Sequence[str]) -> Fitted:
    """Trees and nets for these makers' streams, each maker as heavy as the next."""
    makers = sorted(makers)
    say(f"fits to {', '.join(makers)}")
    streams = {maker: made_cases(maker, FITTED[maker]) for maker in makers}
    talks = {maker: talk_of(cases) for maker, cases in streams.items()}
    # What is said in a maker's streams is weighed by what others say: trees and nets shall learn what words are worth
    # that come from somebody else, as those of a stranger will.
    lessons = [
        _lesson(cases, weights_of([talks[other] for other in makers if other != maker]))
        for maker, cases in streams.items()
    ]
    rows = np.concatenate([lesson.rows.reshape(-1, len(NAMES)) for lesson in lessons])
    truth = np.concatenate([lesson.truth.ravel() for lesson in lessons]).astype(np.float64)
    weight = np.concatenate([np.full(lesson.truth.size, 1.0 / lesson.truth.size) for lesson in lessons])
    return Fitted(
        grown=grow(rows, truth, weight / weight.mean(), SHAPE),
        nets=fit_nets(lessons, NAMES, len(WINDOWS), COURSE),
        said=weights_of(list(talks.values())),
    )


def set_right(looked: Sequence[Looked]) -> tuple[Scale, float]:
    """The scale by which a score says how often it is right, and the score from which on F1 is best."""
    scale = _scale(looked)
    return scale, score.best_threshold([_found(one, scale) for one in looked])


def report(looked: Sequence[Looked], others: Sequence[Looked]) -> dict[str, float]:
    """How a maker fares of whom nothing is known: scale and threshold come from others that fared so."""
    scale, threshold = set_right(others)
    judged = [_found(one, scale) for one in looked]
    hit = score.decoys_hit(judged, threshold).values()
    errors_s = score.boundary_errors_s(judged, threshold)
    return {
        "f1": round(score.f1(*score.precision_recall(judged, threshold)), 3),
        "ap": round(score.average_precision(judged), 3),
        "ap_loose": round(score.average_precision(judged, 0.3), 3),
        "decoy_share": round(sum(num for num, _ in hit) / max(1, sum(num for _, num in hit)), 3),
        "boundary_s": score.middle_s(errors_s) if errors_s else 0.0,
        "threshold": round(threshold, 3),
    }


def _told(looked: dict[str, list[Looked]]) -> tuple[Scale, float, dict[str, float]]:
    """Says how each maker fares of whom nothing is known; gives scale, threshold and the mean of all."""
    found = {}
    for maker, own in looked.items():
        found[maker] = report(own, [one for other in looked if other != maker for one in looked[other]])
        say(json.dumps({"maker": maker, **found[maker]}))
    mean = {
        name: round(float(np.mean([one[name] for one in found.values()])), 3)
        for name in ("f1", "ap", "ap_loose")
    }
    say(json.dumps({"mean": mean}))
    return *set_right([one for own in looked.values() for one in own]), mean


def _looked(fitted: Fitted, maker: str) -> list[Looked]:
    """Streams with lanes apart, and as recordings of one lane."""
    found = []
    for case in made_cases(maker, SET_RIGHT[maker]):
        for signals in (case.apart, case.mixed):
            lanes = build_lanes(signals)
            told = columns(lanes, signals.utterances, said=fitted.said)
            odds = together(predict(fitted.grown, _stacked(told)), nets.odds(fitted.nets, told))
            found.append(Looked(case=case, signals=signals, lanes=lanes, odds=odds))
    return found


def _files(
    fitted: Fitted, date: str, scale: Scale, figures: dict[str, float]
) -> dict[str, TreesFile | NetsFile | SaidFile | LikelyFile]:
    grown, fitted_nets = fitted.grown, fitted.nets
    origin = "made-up streams alone, 600 s each, whole and with lanes missing, by maker: " + "; ".join(
        f"{maker} {_span(seeds)}" for maker, seeds in FITTED.items()
    )
    trees_file = TreesFile(
        version=VERSION,
        made_on=date,
        origin=origin,
        columns=NAMES,
        bias=round(grown.bias, 4),
        column=grown.column.tolist(),
        threshold=[
            [float(f"{value:.5g}") if math.isfinite(value) else 1e30 for value in tree]
            for tree in grown.threshold
        ],
        missing_right=grown.missing_right.astype(int).tolist(),
        leaf=np.round(grown.leaf, 4).tolist(),
    )
    nets_file = NetsFile(
        version=VERSION,
        made_on=date,
        origin=origin,
        columns=fitted_nets.columns,
        windows=fitted_nets.windows,
        middle=[float(f"{value:.5g}") for value in fitted_nets.middle],
        spread=[float(f"{value:.5g}") for value in fitted_nets.spread],
        weights=[
            {name: nets.layer_of(numbers) for name, numbers in one.items()} for one in fitted_nets.weights
        ],
    )
    said_file = SaidFile(version=VERSION, made_on=date, origin=origin, weights=dict(fitted.said))
    by = (
        "; scores set right, and the threshold chosen, by what knew neither the maker nor two others, on "
        + "; ".join(f"{maker} {_span(seeds)}" for maker, seeds in SET_RIGHT.items())
    )
    figures = {name: round(value, 3) for name, value in figures.items()}
    figures["num_streams"] = sum(map(len, FITTED.values()))
    likely_file = LikelyFile(
        version=VERSION,
        made_on=date,
        origin=origin + by,
        report=figures,
        slope=round(scale.slope, 4),
        shift=round(scale.shift, 4),
    )
    return {"trees": trees_file, "nets": nets_file, "said": said_file, "likely": likely_file}


def _span(seeds: Sequence[int]) -> str:
    """Seeds in few words: `8-47 2000-2039`."""
    runs: list[list[int]] = []
    for seed in seeds:
        if runs and seed == runs[-1][1] + 1:
            runs[-1][1] = seed
        else:
            runs.append([seed, seed])
    return " ".join(f"{first}-{last}" for first, last in runs)


def _found(one: Looked, scale: Scale) -> Judged:
    """What the product would find in a stream, the weakest included."""
    spans = scored_spans(
        one.lanes, chance_of(one.odds), chance_of(scale.slope * one.odds + scale.shift), shipped_weights()
    )
    return _judged(one, [(span, span.score) for span in spans])


def _scale(looked: Sequence[Looked]) -> Scale:
    """So that where trees and nets give odds for a score s there is something wanted in a share s of cases.

    One counts that shares three tenths with it: whether it is cut well is another matter.
    """
    found = []
    for one in looked:
        sure = chance_of(one.odds)
        spans = scored_spans(one.lanes, sure, sure, shipped_weights())
        found.append(_judged(one, [(span, float(one.odds[span.first : span.last].max())) for span in spans]))
    pairs = [
        (guess.score, float(span is not None))
        for judged in found
        for guess, span in zip(judged.guesses, score.matches(judged, 0.3), strict=True)
    ]
    odds, truth = np.array(pairs).T
    rows = np.column_stack((odds, np.ones(odds.size)))
    weights = np.array([1.0, 0.0])
    for _ in range(30):
        likely = chance_of(rows @ weights)
        bend = (rows * (likely * (1.0 - likely))[:, None]).T @ rows + 1e-3 * np.eye(2)
        weights -= np.linalg.solve(bend, rows.T @ (likely - truth))
    return Scale(slope=float(weights[0]), shift=float(weights[1]))


def _judged(one: Looked, scored: Sequence[tuple[segment.Span, float]]) -> Judged:
    guesses = []
    for span, value in scored:
        start_s, end_s = segment.bounds_s(span, one.signals.duration_s, pre_roll_s=PRE_ROLL_S, tail_s=TAIL_S)
        guesses.append(Guess(start_s=start_s, end_s=end_s, score=value))
    return Judged(
        guesses=sorted(guesses, key=lambda guess: -guess.score),
        wanted=one.case.wanted,
        decoys=one.case.decoys,
    )


def _lesson(of: Sequence[MadeCase], said: Weights) -> Lesson:
    rows, truth = [], []
    for case in of:
        for signals in _variants(case):
            rows.append(_stacked(columns(build_lanes(signals), signals.utterances, said=said)))
            truth.append(_truth(case, rows[-1].shape[0]))
    return Lesson(rows=np.stack(rows), truth=np.stack(truth).astype(np.float32))


def _stacked(told: Mapping[str, Vector]) -> Matrix:
    return np.stack([told[name] for name in NAMES], axis=1).astype(np.float32)


def _variants(case: MadeCase) -> Iterator[SessionSignals]:
    """The stream with all that is known of it, in one lane, and twice with some of it."""
    chance = random.Random(case.seed)
    yield case.apart
    yield case.mixed
    for _ in range(2):
        whole = case.apart if chance.random() < 0.65 else case.mixed
        lanes = sorted({track.name.split("_")[0] for track in whole.tracks})
        kept = {lane for lane in lanes if chance.random() < _KEPT_CHANCE} or {lanes[0]}
        has_words, has_chat = chance.random() < _KEPT_CHANCE, chance.random() < _KEPT_CHANCE
        yield dataclasses.replace(
            whole,
            tracks=[track for track in whole.tracks if track.name.split("_")[0] in kept],
            utterances=whole.utterances if has_words else (),
            chat=whole.chat if has_chat else (),
            audiences=whole.audiences if has_chat else (),
        )


def _truth(case: MadeCase, num_steps: int) -> Vector:
    inside = np.zeros(num_steps)
    for span in case.wanted:
        inside[int(span.start_s * SIGNAL_RATE_HZ) : int(span.end_s * SIGNAL_RATE_HZ)] = 1.0
    return inside


if __name__ == "__main__":
    main()
