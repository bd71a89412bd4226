"""Judge `clippy-coordinator highlights` by these streams, as a black box.

`python -m tests.streams.score FOLDER --seeds 0-11` writes each stream that is not there yet, runs the command on its
files and compares its list with the truth. A moment is found where its intersection over union with the truth is at
least 0.5; the list is taken best first, each truth counts once, and the list's own length is what precision is of.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np

from tests.streams.write import write_stream

MIN_IOU = 0.5


@dataclasses.dataclass(slots=True)
class Score:
    """What one list, or several together, came to."""

    num_truths: int = 0
    num_given: int = 0
    num_found: int = 0
    num_kind_right: int = 0
    num_decoys: int = 0
    num_decoys_hit: int = 0
    num_near: int = 0
    errors_s: list[float] = dataclasses.field(default_factory=list)
    # Of every given moment over all streams: its score and whether it found something.
    ranked: list[tuple[float, bool]] = dataclasses.field(default_factory=list)
    truths: Counter[str] = dataclasses.field(default_factory=Counter)
    found: Counter[str] = dataclasses.field(default_factory=Counter)
    decoys: Counter[str] = dataclasses.field(default_factory=Counter)
    hit: Counter[str] = dataclasses.field(default_factory=Counter)

    @property
    def precision(self) -> float:
        """Share of the list that found something."""
        return self.num_found / self.num_given if self.num_given else 0.0

    @property
    def recall(self) -> float:
        """Share of the truth that was found."""
        return self.num_found / self.num_truths if self.num_truths else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.num_found / max(1, self.num_given + self.num_truths)

    def add(self, other: Score) -> None:
        """Take another stream's figures in."""
        for field in dataclasses.fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


def iou(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Intersection over union of two spans."""
    inside = min(a[1], b[1]) - max(a[0], b[0])
    return max(0.0, inside) / (max(a[1], b[1]) - min(a[0], b[0]))


def overlap(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Seconds that two spans share."""
    return max(0.0, min(a[1], b[1]) - max(a[0], b[0]))


def average_precision(ranked: Sequence[tuple[float, bool]], num_truths: int) -> float:
    """Area under precision over recall, precision taken as the best at that recall or beyond."""
    in_order = [is_right for _, is_right in sorted(ranked, key=lambda pair: -pair[0])]
    precisions = [sum(in_order[: at + 1]) / (at + 1) for at in range(len(in_order))]
    total = sum(max(precisions[at:]) for at, is_right in enumerate(in_order) if is_right)
    return total / num_truths if num_truths else 0.0


def cut_at(ranked: Sequence[tuple[float, bool]], least: float, num_truths: int) -> tuple[float, float, float]:
    """Precision, recall and F1 of what scores at least this; best first, so the cut changes no match before it."""
    kept = [is_right for score, is_right in ranked if score >= least]
    return (
        sum(kept) / max(1, len(kept)),
        sum(kept) / max(1, num_truths),
        2 * sum(kept) / max(1, len(kept) + num_truths),
    )


def span_of(item: dict[str, float]) -> tuple[float, float]:
    """Its start and end."""
    return item["start_s"], item["end_s"]


def judge(given: Sequence[dict], truth: dict) -> Score:
    """Compare a list, best first, with the truth of its stream."""
    score = Score(num_truths=len(truth["moments"]), num_given=len(given), num_decoys=len(truth["decoys"]))
    score.truths = Counter(moment["kind"] for moment in truth["moments"])
    score.decoys = Counter(decoy["kind"] for decoy in truth["decoys"])
    left = list(truth["moments"])
    for item in given:
        best = max(left, key=lambda moment: iou(span_of(item), span_of(moment)), default=None)
        is_right = best is not None and iou(span_of(item), span_of(best)) >= MIN_IOU
        score.ranked.append((item["score"], is_right))
        if best is not None and is_right:
            left.remove(best)
            score.num_found += 1
            score.found[best["kind"]] += 1
            score.num_kind_right += item.get("kind") == best["kind"]
            score.errors_s += [abs(item["start_s"] - best["start_s"]), abs(item["end_s"] - best["end_s"])]
    score.num_near = sum(
        any(overlap(span_of(item), span_of(moment)) > 0 for item in given) for moment in truth["moments"]
    )
    for decoy in truth["decoys"]:
        # Hit: half of the shorter of the two lies in the other.
        shorter = [min(decoy["end_s"] - decoy["start_s"], item["end_s"] - item["start_s"]) for item in given]
        is_hit = any(
            overlap(span_of(item), span_of(decoy)) >= 0.5 * least
            for item, least in zip(given, shorter, strict=True)
        )
        score.num_decoys_hit += is_hit
        score.hit[decoy["kind"]] += is_hit
    return score


def ask(folder: Path, lanes: Sequence[str], top: int) -> list[dict]:
    """The command's list for a stream, by the lanes `media`, `transcript`, `chat`."""
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    files = {"media": "media.mp4", "transcript": "transcript.json", "chat": "chat.json"}
    command = [sys.executable, "-m", "coordinator", "highlights", "--json", "--top", str(top)]
    command += ["--duration", str(truth["duration_s"])]
    for lane in lanes:
        command += [f"--{lane}", str(folder / files[lane])]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=540)
    if done.returncode != 0:
        raise SystemExit(
            f"highlights failed on {folder} with {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}"
        )
    return list(json.loads(done.stdout)["moments"])


def loudest(media: Path, num: int = 8) -> list[dict]:
    """The naive rival: the loudest seconds of the first sound track, with 9 s before and 6 s after.

    It is told how many moments a stream has and how long they are on average, which nobody knows of a real one.
    """
    with av.open(str(media)) as opened:
        resampler = av.AudioResampler("flt", "mono", 8_000)
        blocks = [
            out for frame in opened.decode(opened.streams.audio[0]) for out in resampler.resample(frame)
        ]
    sound = np.concatenate([block.to_ndarray()[0] for block in blocks])
    level = np.sqrt(np.mean(sound[: len(sound) // 8_000 * 8_000].reshape(-1, 8_000) ** 2, axis=1))
    level = np.convolve(level, np.ones(3) / 3, "same")
    usual, found = float(np.median(level)), []
    for _ in range(num):
        peak = int(level.argmax())
        found.append(
            {"start_s": peak - 9.0, "end_s": peak + 6.0, "score": float(level[peak]) / usual, "kind": "hype"}
        )
        level[max(0, peak - 15) : peak + 15] = 0
    return found


def row(name: str, score: Score) -> str:
    """A line of the table."""
    error = f"{statistics.median(score.errors_s):5.1f}" if score.errors_s else "    -"
    ap = average_precision(score.ranked, score.num_truths)
    counts = f"{score.num_truths:5} {score.num_given:5} {score.num_found:5}"
    shares = f"{score.precision:5.2f} {score.recall:5.2f} {score.f1:5.2f} {ap:5.2f}"
    decoys = f"{score.num_decoys_hit:4}/{score.num_decoys:<4}"
    return f"{name:34} {counts} {shares} {error} {score.num_near:5} {decoys} {score.num_kind_right:4}"


def main() -> int:
    """Write what is missing, ask, compare, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.streams.score")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", default="0-11", help="first-last (0-11)")
    parser.add_argument("--mixed", action="store_true", help="one sound track of both")
    parser.add_argument("--lanes", default="media,transcript,chat")
    parser.add_argument("--top", type=int, default=30)
    parser.add_argument("--naive", action="store_true", help="judge the loudest seconds instead, as a rival")
    asked = parser.parse_args()
    first, _, last = asked.seeds.partition("-")
    whole, began = Score(), time.process_time()
    sys.stdout.write(f"{'stream':34} truth given found  prec   rec    f1  ap.5 err_s  near  decoys  kind\n")
    for seed in range(int(first), int(last or first) + 1):
        folder = asked.folder / f"{'mixed' if asked.mixed else 'two'}-{seed}"
        if not (folder / "truth.json").exists():
            write_stream(seed, folder, is_mixed=asked.mixed)
        truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
        lanes = asked.lanes.split(",")
        given = loudest(folder / "media.mp4") if asked.naive else ask(folder, lanes, asked.top)
        score = judge(given, truth)
        whole.add(score)
        sys.stdout.write(row(f"{seed} {truth['genre']}, {truth['viewers']} viewers", score) + "\n")
        sys.stdout.flush()
    sys.stdout.write(row("all", whole) + "\n")
    for least in () if asked.naive else (0.3, 0.4, 0.5, 0.6, 0.7, 0.8):
        precision, recall, f1 = cut_at(whole.ranked, least, whole.num_truths)
        sys.stdout.write(
            f"of those that score {least} and more: prec {precision:.2f} rec {recall:.2f} f1 {f1:.2f}\n"
        )
    for title, of, got in (("found", whole.truths, whole.found), ("decoys hit", whole.decoys, whole.hit)):
        sys.stdout.write(
            f"{title}: " + ", ".join(f"{kind} {got[kind]}/{of[kind]}" for kind in sorted(of)) + "\n"
        )
    sys.stdout.write(f"{time.process_time() - began:.0f} s of CPU here, without the command's own\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
