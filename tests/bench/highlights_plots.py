"""python -m tests.bench.highlights_plots FIGURES OUT: the plots of docs/highlights.md, as SVG, from the bench's JSON.

Precision over recall is found anew; the streams are rendered already when the bench ran here.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from tests.bench import highlights_score as score
from tests.bench.highlights import LANES, finders, judged, synthetic_cases
from tests.bench.highlights_naive import NAIVE
from tests.synthetic.model import DECOY_KINDS

_COLOURS = ("#1f6f8b", "#c4572b", "#7a8b1f", "#7d5ba6", "#6b6b6b")
_STYLE = "font-family='sans-serif' font-size='12' fill='#222'"
_ROW_PX, _LABEL_PX, _BAR_PX = 22, 150, 330
_SIDE_PX = 320


def bars(
    title: str, rows: Sequence[tuple[str, float]], *, intervals: Mapping[str, tuple[float, float]]
) -> str:
    """Rows with a bar from 0 to 1 each, and its interval where it has one."""
    height = 40 + _ROW_PX * len(rows)
    parts = [f"<text x='8' y='20' {_STYLE} font-weight='bold'>{escape(title)}</text>"]
    for index, (label, value) in enumerate(rows):
        top = 34 + index * _ROW_PX
        parts += [
            f"<text x='{_LABEL_PX - 8}' y='{top + 11}' text-anchor='end' {_STYLE}>{escape(label)}</text>",
            f"<rect x='{_LABEL_PX}' y='{top}' width='{value * _BAR_PX:.1f}' height='15' fill='{_COLOURS[0]}'/>",
        ]
        end = value
        if label in intervals:
            low, high = intervals[label]
            end = high
            parts.append(
                f"<path d='M{_LABEL_PX + low * _BAR_PX:.1f} {top + 7}H{_LABEL_PX + high * _BAR_PX:.1f}' "
                "stroke='#222' stroke-width='2'/>"
            )
        parts.append(
            f"<text x='{_LABEL_PX + end * _BAR_PX + 6:.1f}' y='{top + 11}' {_STYLE}>{value:.2f}</text>"
        )
    return _svg(_LABEL_PX + _BAR_PX + 50, height, parts)


def curves(title: str, lines: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Precision over recall, a line for each name."""
    left, top = 46, 34
    parts = [f"<text x='8' y='20' {_STYLE} font-weight='bold'>{escape(title)}</text>"]
    for tick in range(6):
        at = tick / 5
        x, y = left + at * _SIDE_PX, top + (1 - at) * _SIDE_PX
        parts += [
            f"<path d='M{left} {y:.0f}h{_SIDE_PX}M{x:.0f} {top}v{_SIDE_PX}' stroke='#ddd'/>",
            f"<text x='{left - 6}' y='{y + 4:.0f}' text-anchor='end' {_STYLE}>{at:.1f}</text>",
            f"<text x='{x:.0f}' y='{top + _SIDE_PX + 16}' text-anchor='middle' {_STYLE}>{at:.1f}</text>",
        ]
    for (name, points), colour, index in zip(lines.items(), _COLOURS, range(len(lines)), strict=False):
        path = " ".join(
            f"{left + recall * _SIDE_PX:.1f},{top + (1 - precision) * _SIDE_PX:.1f}"
            for recall, precision in points
        )
        y = top + 14 + 18 * index
        parts += [
            f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2'/>",
            f"<path d='M{left + _SIDE_PX + 12} {y}h18' stroke='{colour}' stroke-width='3'/>",
            f"<text x='{left + _SIDE_PX + 36}' y='{y + 4}' {_STYLE}>{escape(name)}</text>",
        ]
    bottom = top + _SIDE_PX + 34
    parts.append(f"<text x='{left + _SIDE_PX / 2}' y='{bottom}' text-anchor='middle' {_STYLE}>recall</text>")
    parts.append(f"<text x='8' y='{top - 4}' {_STYLE}>precision</text>")
    return _svg(left + _SIDE_PX + 150, bottom + 8, parts)


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.highlights_plots", description=__doc__)
    parser.add_argument("figures", type=Path, help="what `dev.py bench highlights --json` printed")
    parser.add_argument("out", type=Path, help="the folder to write into")
    arguments = parser.parse_args()
    figures = json.loads(arguments.figures.read_text(encoding="utf-8"))["figures"]
    arguments.out.mkdir(parents=True, exist_ok=True)
    held, _ = synthetic_cases()
    wanted = {
        "all lanes": "all",
        "without chat": "without_chat",
        **{name.replace("_", " "): name for name in NAIVE},
    }
    lines = {label: score.curve(judged(held, finders()[name])) for label, name in wanted.items()}
    for name, drawn in {
        "precision_recall": curves("Made-up streams never developed against, tIoU 0.5", lines),
        "ablation": _ablation(figures),
        "decoys": bars(
            "Share of decoys taken for a moment",
            [(kind.replace("_", " "), figures[f"decoy_share_{kind}"] or 0.0) for kind in DECOY_KINDS],
            intervals={},
        ),
    }.items():
        (arguments.out / f"{name}.svg").write_text(drawn, encoding="utf-8")
    return 0


def _ablation(figures: Mapping[str, float]) -> str:
    rows = [("all lanes", figures["synthetic_f1"])]
    rows += [(f"without {lane}", figures[f"synthetic_f1_without_{lane}"]) for lane in LANES]
    rows += [(f"only {lane}", figures[f"synthetic_f1_only_{lane}"]) for lane in LANES]
    rows += [(f"recipe: {name.replace('_', ' ')}", figures[f"synthetic_f1_{name}"]) for name in NAIVE]
    interval = (figures["synthetic_f1_low"], figures["synthetic_f1_high"])
    return bars("F1 at tIoU 0.5", rows, intervals={"all lanes": interval})


def _svg(width: float, height: float, parts: Sequence[str]) -> str:
    body = "\n".join(parts)
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width:.0f}' height='{height:.0f}' "
        f"viewBox='0 0 {width:.0f} {height:.0f}'>\n<rect width='100%' height='100%' fill='#fff'/>\n{body}\n</svg>\n"
    )


if __name__ == "__main__":
    sys.exit(main())
