"""`python -m tests.streams SEED OUT`: write a synthetic live stream, with the truth about it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.streams.write import write_stream


def main() -> int:
    """Parse, write, say what came out."""
    parser = argparse.ArgumentParser(prog="python -m tests.streams", description=__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("out", type=Path)
    parser.add_argument("--duration", type=int, default=600, help="seconds (600)")
    parser.add_argument("--mixed", action="store_true", help="one sound track of both")
    asked = parser.parse_args()
    if asked.duration < 60:
        parser.error("a stream lasts at least 60 s: a moment with its build-up may take 40")
    script = write_stream(asked.seed, asked.out, float(asked.duration), asked.mixed)
    streamer = script.streamer
    counts = f"{len(script.moments)} moments, {len(script.decoys)} decoys"
    sys.stdout.write(f"{asked.out}: {streamer.genre}, {streamer.viewers} viewers, {counts}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
