"""Fits the trees of `coordinator/highlight/trees.json` to made-up streams of five makers, never to those that judge.

python -m tests.bench.highlights_fit --date 2026-11-26 [--out coordinator/highlight/trees.json]
python -m tests.bench.highlights_fit --without a_signs     fits to the others, and judges by that one's streams

Each stream is given whole and with parts of it missing, so that the trees know what to make of what is left. The scores
are then made to say how often a moment of that score is one, on streams that no tree was fitted to.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from coordinator.highlight import segment
from coordinator.highlight.columns import columns
from coordinator.highlight.detect import CORE_SHARE, PRE_ROLL_S, SMOOTH_STEPS, TAIL_S
from coordinator.highlight.lanes import build_lanes
from coordinator.highlight.normalise import smooth
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
_LEAST_ODDS = -3.0  # below it nobody offers a span
VERSION = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rows:
    """Steps of streams: what was measured, shape (num_steps, num_columns), and whether each lies in an event."""

    names: tuple[str, ...]
    measured: Matrix
    truth: Vector


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="tests.bench.highlights_fit", description=__doc__)
    parser.add_argument("--date", help="today, for the file")
    parser.add_argument("--out", type=Path, default=Path("coordinator/highlight/trees.json"))
    parser.add_argument(
        "--without", choices=sorted(FITTED), help="a maker to judge by instead; writes no file"
    )
    arguments = parser.parse_args()
    if arguments.without is None and arguments.date is None:
        parser.error("give --date, or --without MAKER")
    makers = [maker for maker in FITTED if maker != arguments.without]
    grown, names = fit(makers)
    slope, shift, threshold = set_right(grown, makers)
    judged_by = [arguments.without] if arguments.without else list(MAKERS)
    reports = {
        maker: report(grown, _fresh(maker), slope=slope, shift=shift, threshold=threshold)
        for maker in judged_by
    }
    say(json.dumps(reports))
    if arguments.without is None:
        file = _file(grown, names, arguments.date, slope=slope, shift=shift, threshold=threshold)
        arguments.out.write_text(json.dumps(file, separators=(",", ":")) + "\n", encoding="utf-8")


def fit(makers: Sequence[str]) -> tuple[Grown, tuple[str, ...]]:
    """Trees for these makers' streams, each maker as heavy as the next; and the names of their columns."""
    parts = [_rows(made_cases(maker, FITTED[maker])) for maker in makers]
    weight = np.concatenate([np.full(part.truth.size, 1.0 / part.truth.size) for part in parts])
    measured = np.concatenate([part.measured for part in parts])
    say(f"fits {measured.shape[0]} steps of {measured.shape[1]} columns, by {', '.join(makers)}")
    truth = np.concatenate([part.truth for part in parts])
    return grow(measured, truth, weight / weight.mean(), SHAPE), parts[0].names


def set_right(grown: Grown, makers: Sequence[str]) -> tuple[float, float, float]:
    """Slope and shift that make a score say how often it is right, and the score from which on F1 is best."""
    cases = [case for maker in makers for case in made_cases(maker, SET_RIGHT[maker])]
    both = [(case, signals) for case in cases for signals in (case.apart, case.mixed)]
    slope, shift = _set_right([_found(grown, case, signals) for case, signals in both])
    return slope, shift, score.best_threshold([_found(grown, *one, slope, shift) for one in both])


def report(
    grown: Grown, cases: Sequence[MadeCase], *, slope: float, shift: float, threshold: float
) -> dict[str, float]:
    """How streams fare: with lanes apart, and as recordings of one lane."""
    found: dict[str, float] = {}
    for name, judged in (
        ("", [_found(grown, case, case.apart, slope, shift) for case in cases]),
        ("_mixed", [_found(grown, case, case.mixed, slope, shift) for case in cases]),
    ):
        found[f"f1{name}"] = round(score.f1(*score.precision_recall(judged, threshold)), 3)
        found[f"ap{name}"] = round(score.average_precision(judged), 3)
    return found


def _fresh(maker: str) -> list[MadeCase]:
    return made_cases(maker, SET_RIGHT[maker] if maker == SYNTHETIC else FRESH)


def _file(
    grown: Grown, names: tuple[str, ...], date: str, *, slope: float, shift: float, threshold: float
) -> dict[str, object]:
    file = TreesFile(
        version=VERSION,
        made_on=date,
        origin=(
            "made-up streams alone, 600 s each, whole and with lanes missing, by maker: "
            + "; ".join(f"{maker} {_span(seeds)}" for maker, seeds in FITTED.items())
            + "; scores set right, and the threshold chosen, on "
            + "; ".join(f"{maker} {_span(seeds)}" for maker, seeds in SET_RIGHT.items())
        ),
        report={"threshold": round(_sure(threshold), 3), "num_streams": sum(map(len, FITTED.values()))},
        columns=names,
        bias=round(slope * grown.bias + shift, 4),
        column=grown.column.tolist(),
        threshold=[
            [float(f"{value:.5g}") if math.isfinite(value) else 1e30 for value in tree]
            for tree in grown.threshold
        ],
        missing_right=grown.missing_right.astype(int).tolist(),
        leaf=np.round(slope * grown.leaf, 4).tolist(),
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


def _found(
    grown: Grown, case: MadeCase, signals: SessionSignals, slope: float = 1.0, shift: float = 0.0
) -> Judged:
    """Spans of a stream, scored by their log odds."""
    odds = slope * predict(grown, _measured(signals)[1]) + shift
    curve = smooth(1.0 / (1.0 + np.exp(-odds)), np.ones(odds.size, dtype=bool), SMOOTH_STEPS)
    pauses = segment.pauses_of(signals.utterances)
    guesses = []
    for span in segment.spans_above(
        curve, start_at=_sure(_LEAST_ODDS), keep_above=_sure(_LEAST_ODDS), core_share=CORE_SHARE
    ):
        start_s, end_s = segment.bounds_s(
            span, pauses, signals.duration_s, pre_roll_s=PRE_ROLL_S, tail_s=TAIL_S
        )
        guesses.append(Guess(start_s=start_s, end_s=end_s, score=float(odds[span.peak])))
    return Judged(
        guesses=sorted(guesses, key=lambda guess: -guess.score),
        wanted=case.wanted,
        decoys=case.decoys,
    )


def _set_right(found: Sequence[Judged]) -> tuple[float, float]:
    """(slope, shift) for log odds, so that a span of score s is one of the wanted in a share s of cases.

    One counts that shares three tenths with it: whether it is cut well is another matter.
    """
    pairs = [
        (guess.score, float(span is not None))
        for one in found
        for guess, span in zip(one.guesses, score.matches(one, 0.3), strict=True)
    ]
    odds, truth = np.array(pairs).T
    rows = np.column_stack((odds, np.ones(odds.size)))
    weights = np.array([1.0, 0.0])
    for _ in range(30):
        likely = 1.0 / (1.0 + np.exp(-rows @ weights))
        bend = (rows * (likely * (1.0 - likely))[:, None]).T @ rows + 1e-3 * np.eye(2)
        weights -= np.linalg.solve(bend, rows.T @ (likely - truth))
    return float(weights[0]), float(weights[1])


def _sure(odds: float) -> float:
    return 1.0 / (1.0 + math.exp(-odds))


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
