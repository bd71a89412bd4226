"""Fits the trees of `coordinator/highlight/trees.json` to made-up streams of `dev` and `third`, never of `held`.

python -m tests.bench.highlights_fit --date 2026-11-26 [--out coordinator/highlight/trees.json]

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
from coordinator.highlight.detect import CORE_SHARE, PRE_ROLL_S, SMOOTH_STEPS
from coordinator.highlight.lanes import build_lanes
from coordinator.highlight.normalise import smooth
from coordinator.highlight.trees import TreesFile
from coordinator.model.highlight import SIGNAL_RATE_HZ, SessionSignals
from tests.bench import highlights_score as score
from tests.bench.highlights_boost import Grown, Matrix, Shape, Vector, grow, predict
from tests.bench.highlights_score import Guess, Judged
from tests.bench.highlights_streams import Case, cases
from tests.bench.measure import say
from tests.synthetic.family import DEV_SEEDS, THIRD_SEEDS

_DURATION_S = 600.0
# The bench chooses its threshold on the first eight of `dev`: they are left out.
FITTED = (DEV_SEEDS[8:68], THIRD_SEEDS[:60])
JUDGED = (DEV_SEEDS[68:80], THIRD_SEEDS[60:80])
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
    parser.add_argument("--date", required=True, help="today, for the file")
    parser.add_argument("--out", type=Path, default=Path("coordinator/highlight/trees.json"))
    arguments = parser.parse_args()
    rows = _rows(FITTED)
    say(f"fits {rows.measured.shape[0]} steps of {rows.measured.shape[1]} columns")
    grown = grow(rows.measured, rows.truth, np.ones(rows.truth.size), Shape(num_trees=140, row_share=0.2))
    file = judged_file(grown, rows.names, arguments.date)
    arguments.out.write_text(json.dumps(file, separators=(",", ":")) + "\n", encoding="utf-8")
    say(json.dumps(file["report"]))


def judged_file(grown: Grown, names: tuple[str, ...], date: str) -> dict[str, object]:
    """The file, its scores set right and its report made on streams that the trees do not know."""
    unseen = [case for seeds in JUDGED for case in cases(seeds, duration_s=_DURATION_S)]
    slope, shift = _set_right([_found(grown, case) for case in unseen])
    surely = [_found(grown, case, slope, shift) for case in unseen]
    threshold = score.best_threshold(surely)
    file = TreesFile(
        version=VERSION,
        made_on=date,
        origin=(
            "made-up streams alone: dev 8 to 67 and third 2000 to 2059, 600 s each, whole and with lanes missing; "
            "scores set right, and the report made, on dev 68 to 79 and third 2060 to 2079"
        ),
        report={
            "f1": round(score.f1(*score.precision_recall(surely, threshold)), 3),
            "ap": round(score.average_precision(surely), 3),
            "threshold": round(_sure(threshold), 3),
            "num_streams": len(unseen),
        },
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


def _found(grown: Grown, case: Case, slope: float = 1.0, shift: float = 0.0) -> Judged:
    """Spans of a stream, scored by their log odds."""
    odds = slope * predict(grown, _measured(case.signals)[1]) + shift
    curve = smooth(1.0 / (1.0 + np.exp(-odds)), np.ones(odds.size, dtype=bool), SMOOTH_STEPS)
    pauses = segment.pauses_of(case.signals.utterances)
    guesses = []
    for span in segment.spans_above(
        curve, start_at=_sure(_LEAST_ODDS), keep_above=_sure(_LEAST_ODDS), core_share=CORE_SHARE
    ):
        start_s, end_s = segment.bounds_s(
            span, pauses, case.signals.duration_s, pre_roll_s=PRE_ROLL_S, tail_s=0.0
        )
        guesses.append(Guess(start_s=start_s, end_s=end_s, score=float(odds[span.peak])))
    return Judged(
        guesses=sorted(guesses, key=lambda guess: -guess.score),
        wanted=[event.span for event in case.plan.events],
        decoys=case.plan.decoys,
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


def _rows(of: Sequence[Sequence[int]]) -> Rows:
    measured, truth = [], []
    names: tuple[str, ...] = ()
    for seeds in of:
        apart = cases(seeds, duration_s=_DURATION_S)
        mixed = cases(seeds, duration_s=_DURATION_S, is_mixed=True)
        for case, mix in zip(apart, mixed, strict=True):
            for signals in _variants(case, mix):
                names, rows = _measured(signals)
                measured.append(rows)
                truth.append(_truth(case, rows.shape[0]))
    return Rows(names=names, measured=np.concatenate(measured), truth=np.concatenate(truth))


def _measured(signals: SessionSignals) -> tuple[tuple[str, ...], Matrix]:
    found = columns(build_lanes(signals), signals.utterances)
    return tuple(found), np.stack(list(found.values()), axis=1).astype(np.float32)


def _variants(apart: Case, mixed: Case) -> Iterator[SessionSignals]:
    """The stream with all that is known of it, in one lane, and twice with some of it."""
    chance = random.Random(apart.plan.seed)
    yield apart.signals
    yield mixed.signals
    for _ in range(2):
        whole = (apart if chance.random() < 0.65 else mixed).signals
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


def _truth(case: Case, num_steps: int) -> Vector:
    inside = np.zeros(num_steps)
    for event in case.plan.events:
        inside[int(event.span.start_s * SIGNAL_RATE_HZ) : int(event.span.end_s * SIGNAL_RATE_HZ)] = 1.0
    return inside


if __name__ == "__main__":
    main()
