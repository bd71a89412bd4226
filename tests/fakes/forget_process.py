"""A process that forgets, to be killed: `python forget_process.py DATA`. Says `forgetting` when it begins."""

from __future__ import annotations

import sys
from pathlib import Path

from protos.clippy.v1 import control_pb2
from protos.timebase import SECOND_NS
from tests.fakes.forgettable import NOW_NS, SESSION, Forgettable


def main() -> None:
    there = Forgettable(Path(sys.argv[1]))
    sys.stdout.write("forgetting\n")
    sys.stdout.flush()
    there.forgetter.forget(
        control_pb2.ForgetRequest(last_ns=40 * SECOND_NS, clip_ids=["middle", "last"]),
        session_id=SESSION,
        now_ns=NOW_NS,
    )


if __name__ == "__main__":
    main()
