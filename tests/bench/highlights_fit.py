"""Fits the trees of `coordinator/highlight/trees.json` to made-up streams of many makers, never to those that judge.

python -m tests.bench.highlights_fit --date 2026-11-26 [--out coordinator/highlight/trees.json]

Each stream is given whole and with parts of it missing, so that the trees know what to make of what is left. Each maker
is then judged by trees of all the others: that tells what a stream of a maker whom nobody knows would get. By the same
trees the scores of the shipped ones are made to say how often a moment of that score is one. Takes some half an hour of
CPU once the streams are measured.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import json
import math
import multiprocessing
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from coordinator.highlight import segment
from coordinator.highlight.columns import columns
from coordinator.highlight.detect import PRE_ROLL_S, TAIL_S, scored_spans
from coordinator.highlight.fuse import shipped_weights
from coordinator.highlight.lanes import Lanes, build_lanes
from coordinator.highlight.trees import TreesFile
from coordinator.model.highlight import SIGNAL_RATE_HZ, SessionSignals
from tests.bench import highlights_score as score
from tests.bench.highlights_boost import Grown, Matrix, Shape, Vector, grow, predict
from tests.bench.highlights_makers import MAKERS, SYNTHETIC, MadeCase, made_cases
from tests.bench.highlights_score import Guess, Judged
from tests.bench.measure import say
from tests.synthetic.family import DEV_SEEDS, THIRD_SEEDS

# By maker. The bench chooses its threshold on the first eight of `dev`: they are left out.
FITTED: dict[str, Sequence[int]] = {
    SYNTHETIC: (*DEV_SEEDS[8:48], *THIRD_SEEDS[:40]),
    **{maker: range(100, 148) for maker in MAKERS},
}
# Scores are set right, and the threshold of the report is chosen, on these.
SET_RIGHT: dict[str, Sequence[int]] = {
    SYNTHETIC: (*DEV_SEEDS[68:80], *THIRD_SEEDS[60:72]),
    **{maker: range(148, 160) for maker in MAKERS},
}
# Nothing is fitted to these, nor chosen by them.
FRESH = range(200, 216)
SHAPE = Shape(num_trees=300, row_share=0.1)
_KEPT_CHANCE = 0.6
_NUM_PROCESSES = 2
VERSION = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rows:
    """Steps of streams: what was measured, shape (num_steps, num_columns), and whether each lies in an event."""

    names: tuple[str, ...]
    measured: Matrix
    truth: Vector


@dataclasses.dataclass(frozen=True, kw_only=True)
class Looked:
    """A stream that trees looked at which know its maker not: its lanes, and log odds of each step."""

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
    parser.add_argument("--date", required=True, help="today, for the file")
    parser.add_argument("--out", type=Path, default=Path("coordinator/highlight/trees.json"))
    arguments = parser.parse_args()
    makers = tuple(FITTED)
    for maker in makers:
        # Rendered here once, not by two processes at the same time.
        made_cases(maker, [*FITTED[maker], *SET_RIGHT[maker], *_fresh(maker)])
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(_NUM_PROCESSES, mp_context=context) as pool:
        shipped = pool.submit(fit, makers)
        left_out = [pool.submit(fit, tuple(other for other in makers if other != maker)) for maker in makers]
        strangers = {maker: future.result()[0] for maker, future in zip(makers, left_out, strict=True)}
        grown, names = shipped.result()
    chosen_by = {maker: _looked(trees, maker, SET_RIGHT[maker]) for maker, trees in strangers.items()}
    for maker, trees in strangers.items():
        others = [one for other in makers if other != maker for one in chosen_by[other]]
        found = report(_looked(trees, maker, _fresh(maker) or SET_RIGHT[maker]), others)
        say(json.dumps({"maker": maker, **found}))
    everything = [one for looked in chosen_by.values() for one in looked]
    scale, threshold = set_right(everything)
    file = _file(grown, names, arguments.date, scale=scale, threshold=threshold)
    arguments.out.write_text(json.dumps(file, separators=(",", ":")) + "\n", encoding="utf-8")


def fit(makers: Sequence[str]) -> tuple[Grown, tuple[str, ...]]:
    """Trees for these makers' streams, each maker as heavy as the next; and the names of their columns."""
    parts = [_rows(made_cases(maker, FITTED[maker])) for maker in makers]
    weight = np.concatenate([np.full(part.truth.size, 1.0 / part.truth.size) for part in parts])
    measured = np.concatenate([part.measured for part in parts])
    say(f"fits {measured.shape[0]} steps of {measured.shape[1]} columns, by {', '.join(makers)}")
    truth = np.concatenate([part.truth for part in parts])
    return grow(measured, truth, weight / weight.mean(), SHAPE), parts[0].names


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


def _fresh(maker: str) -> Sequence[int]:
    return () if maker == SYNTHETIC else FRESH


def _looked(grown: Grown, maker: str, seeds: Sequence[int]) -> list[Looked]:
    """Streams with lanes apart, and as recordings of one lane."""
    found = []
    for case in made_cases(maker, seeds):
        for signals in (case.apart, case.mixed):
            lanes = build_lanes(signals)
            odds = predict(grown, _measured(signals)[1])
            found.append(Looked(case=case, signals=signals, lanes=lanes, odds=odds))
    return found


def _file(
    grown: Grown, names: tuple[str, ...], date: str, *, scale: Scale, threshold: float
) -> dict[str, object]:
    file = TreesFile(
        version=VERSION,
        made_on=date,
        origin=(
            "made-up streams alone, 600 s each, whole and with lanes missing, by maker: "
            + "; ".join(f"{maker} {_span(seeds)}" for maker, seeds in FITTED.items())
            + "; scores set right, and the threshold chosen, by trees of the others, on "
            + "; ".join(f"{maker} {_span(seeds)}" for maker, seeds in SET_RIGHT.items())
        ),
        report={"threshold": round(threshold, 3), "num_streams": sum(map(len, FITTED.values()))},
        columns=names,
        bias=round(grown.bias, 4),
        slope=round(scale.slope, 4),
        shift=round(scale.shift, 4),
        column=grown.column.tolist(),
        threshold=[
            [float(f"{value:.5g}") if math.isfinite(value) else 1e30 for value in tree]
            for tree in grown.threshold
        ],
        missing_right=grown.missing_right.astype(int).tolist(),
        leaf=np.round(grown.leaf, 4).tolist(),
    )
    return {name: getattr(file, name) for name in TreesFile.__struct_fields__}


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
        one.lanes, _sure(one.odds), _sure(scale.slope * one.odds + scale.shift), shipped_weights()
    )
    return _judged(one, [(span, span.score) for span in spans])


def _scale(looked: Sequence[Looked]) -> Scale:
    """So that where the trees give odds for a score s there is something wanted in a share s of cases.

    One counts that shares three tenths with it: whether it is cut well is another matter.
    """
    found = []
    for one in looked:
        sure = _sure(one.odds)
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
        likely = _sure(rows @ weights)
        bend = (rows * (likely * (1.0 - likely))[:, None]).T @ rows + 1e-3 * np.eye(2)
        weights -= np.linalg.solve(bend, rows.T @ (likely - truth))
    return Scale(slope=float(weights[0]), shift=float(weights[1]))


def _sure(odds: Vector) -> Vector:
    return np.asarray(1.0 / (1.0 + np.exp(-odds)), np.float64)


def _judged(one: Looked, scored: Sequence[tuple[segment.Span, float]]) -> Judged:
    pauses = segment.pauses_of(one.signals.utterances)
    guesses = []
    for span, value in scored:
        start_s, end_s = segment.bounds_s(
            span, pauses, one.signals.duration_s, pre_roll_s=PRE_ROLL_S, tail_s=TAIL_S
        )
        guesses.append(Guess(start_s=start_s, end_s=end_s, score=value))
    return Judged(
        guesses=sorted(guesses, key=lambda guess: -guess.score),
        wanted=one.case.wanted,
        decoys=one.case.decoys,
    )


def _rows(of: Sequence[MadeCase]) -> Rows:
    measured, truth = [], []
    names: tuple[str, ...] = ()
    for case in of:
        for signals in _variants(case):
            names, rows = _measured(signals)
            measured.append(rows)
            truth.append(_truth(case, rows.shape[0]))
    return Rows(names=names, measured=np.concatenate(measured), truth=np.concatenate(truth))


def _measured(signals: SessionSignals) -> tuple[tuple[str, ...], Matrix]:
    found = columns(build_lanes(signals), signals.utterances)
    return tuple(found), np.stack(list(found.values()), axis=1).astype(np.float32)


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
