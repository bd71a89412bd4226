"""Fits the odds of `coordinator/highlight/weights.json` to made-up streams, and prints them.

python -m tests.bench.highlights_fit [--seeds 0:16,1040:1052]
"""

from __future__ import annotations

import argparse
import json

import numpy as np
import numpy.typing as npt

from coordinator.highlight.fuse import evidence_columns, reaching
from coordinator.highlight.lanes import Lanes, build_lanes
from coordinator.model.highlight import SIGNAL_RATE_HZ
from tests.bench.highlights_streams import Case, cases

# Speech faster than usual is left out: made-up speech says nothing about it.
NAMES = ("crowd", "voice", "loudness", "flux", "motion", "words", "chat", "turnout")
PAIRS = ("sound*words", "sound*chat")
# Of 600 s each; neighbours that do as well are not told apart by less.
_DURATION_S, _RIDGE, _NUM_STEPS = 600.0, 3.0, 40
_REACH_STEPS = 3

Matrix = npt.NDArray[np.float64]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="tests.bench.highlights_fit", description=__doc__)
    parser.add_argument("--seeds", default="0:16,1040:1052", help="ranges of seeds, default %(default)s")
    seeds = [
        seed
        for part in parser.parse_args().seeds.split(",")
        for seed in range(int(part.split(":")[0]), int(part.split(":")[1]))
    ]
    print(json.dumps(fitted(cases(seeds, duration_s=_DURATION_S)), indent=2))


def fitted(found_in: list[Case]) -> dict[str, object]:
    """The odds that fit these streams: a ridge on all but the bias, and no lane that speaks against a moment."""
    heard = [build_lanes(case.signals) for case in found_in]
    usual = {name: _usual(name, heard) for name in NAMES}
    columns = np.concatenate([_columns(lanes, usual) for lanes in heard])
    truth = np.concatenate(
        [_truth(case, lanes.num_steps) for case, lanes in zip(found_in, heard, strict=True)]
    )
    weights = _logistic(columns, truth)
    by_name = dict(zip(("bias", *NAMES, *PAIRS), (round(float(one), 2) for one in weights), strict=True))
    return {
        "bias": by_name["bias"],
        "lanes": {name: max(0.0, by_name[name]) for name in NAMES},
        "usual": usual,
        "with_sound": {name.removeprefix("sound*"): max(0.0, by_name[name]) for name in PAIRS},
    }


def _usual(name: str, heard: list[Lanes]) -> float:
    said = [
        lane.activation[lane.present]
        for lanes in heard
        for lane in (reaching(one, _REACH_STEPS) for one in lanes.lanes)
        if lane.name == name
    ]
    return round(float(np.concatenate(said).mean()), 3)


def _columns(lanes: Lanes, usual: dict[str, float]) -> Matrix:
    voters = [reaching(lane, _REACH_STEPS) for lane in lanes.lanes]
    found = evidence_columns(voters, usual, lanes.num_steps)
    none = np.zeros(lanes.num_steps)
    return np.column_stack([np.ones(lanes.num_steps), *(found.get(name, none) for name in (*NAMES, *PAIRS))])


def _truth(case: Case, num_steps: int) -> npt.NDArray[np.float64]:
    inside = np.zeros(num_steps)
    for event in case.plan.events:
        inside[int(event.span.start_s * SIGNAL_RATE_HZ) : int(event.span.end_s * SIGNAL_RATE_HZ)] = 1.0
    return inside


def _logistic(columns: Matrix, truth: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Newton's method."""
    weights = np.zeros(columns.shape[1])
    ridge = np.eye(columns.shape[1]) * _RIDGE
    ridge[0, 0] = 0.0
    for _ in range(_NUM_STEPS):
        likely = 1.0 / (1.0 + np.exp(-columns @ weights))
        slope = columns.T @ (likely - truth) + ridge @ weights
        bend = (columns * (likely * (1.0 - likely))[:, None]).T @ columns + ridge
        weights -= np.linalg.solve(bend, slope)
    return weights


if __name__ == "__main__":
    main()
