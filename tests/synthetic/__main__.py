"""python -m tests.synthetic SEED OUT: writes a made-up stream, with the truth about it, into a folder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.synthetic.files import write_stream
from tests.synthetic.stream import make_stream


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.synthetic", description=__doc__)
    parser.add_argument("seed", type=int, help="0..99 (family dev), 1000..1099 (held) or 2000..2099 (third)")
    parser.add_argument("out", type=Path, help="the folder to write into")
    parser.add_argument("--duration", type=float, help="seconds, 600 to 1,800; drawn where not given")
    parser.add_argument("--no-chat", action="store_true", help="without a chat; drawn where not given")
    arguments = parser.parse_args()
    try:
        stream = make_stream(
            arguments.seed,
            duration_s=arguments.duration,
            has_chat=False if arguments.no_chat else None,
        )
    except ValueError as exc:
        parser.error(str(exc))
    write_stream(stream, arguments.out)
    plan = stream.plan
    sys.stdout.write(
        f"{arguments.out}: {plan.genre}, {plan.duration_s:.0f} s, {plan.num_viewers} viewers, "
        f"{len(plan.events)} events, {len(plan.decoys)} decoys, {len(stream.chat)} chat lines\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
