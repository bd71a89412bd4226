"""Exports in a process that is at work already, and says what that took: `python -m tests.bench.export_process`.

Reads one JSON object: {source, folder, recipes: [{presets, words, is_burned}], x264_preset}. Prints one:
{start_cpu_s, cpu_s: [...], sizes: [...]}. The first recipe warms the process up and is measured, too.
"""

from __future__ import annotations

import dataclasses
import json
import resource
import sys
from pathlib import Path

import structlog

from coordinator.media.output import presets
from coordinator.media.output.export import export_all
from coordinator.media.output.making import Order
from coordinator.model.exporting import Recipe
from coordinator.model.speech import Word


def used_cpu_s() -> float:
    """User and system time of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Do what stdin asks for."""
    asked = json.load(sys.stdin)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    if (name := asked.get("x264_preset")) is not None:
        same = {
            key: dataclasses.replace(row, x264_preset=name, max_bitrate_bps=None)
            for key, row in presets.presets().items()
        }
        presets.presets = lambda: same
    start_cpu_s = used_cpu_s()
    cpu_s, sizes = [], []
    for number, wanted in enumerate(asked["recipes"]):
        words = tuple(Word(text=text, start_s=a, end_s=b) for text, a, b in wanted.get("words", ()))
        orders = [
            Order(dst=Path(asked["folder"]) / f"{number}-{name}.mp4", preset=name)
            for name in wanted["presets"]
        ]
        before_s = used_cpu_s()
        results = export_all(Path(asked["source"]), orders, Recipe(preset=orders[0].preset, words=words))
        cpu_s.append(used_cpu_s() - before_s)
        sizes.append([result.size_bytes for result in results])
    print(json.dumps({"start_cpu_s": start_cpu_s, "cpu_s": cpu_s, "sizes": sizes}))


if __name__ == "__main__":
    main()
