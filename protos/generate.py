"""Generate the Python stubs from the .proto files, or check that the committed ones are up to date.

Run at the root of the repository: `python -m protos.generate [--check]`. The tools run at the root, so
that the stubs import one another as `protos.clippy.v1`. Exit code 1: a committed stub differs from what
would be generated.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTO_FOLDER = ROOT / "protos" / "clippy" / "v1"
SUFFIXES = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py", "_pb2_grpc.pyi")


def generate(out: Path) -> None:
    """Write all stubs below `out`, in the folders of their packages."""
    from grpc_tools import protoc

    # protoc looks its mypy plug-in up on PATH; it lies beside the interpreter.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    files = sorted(str(path.relative_to(ROOT)) for path in PROTO_FOLDER.glob("*.proto"))
    arguments = ["protoc", f"--proto_path={ROOT}", f"--python_out={out}", f"--grpc_python_out={out}"]
    arguments += [f"--mypy_out={out}", f"--mypy_grpc_out={out}", *files]
    if protoc.main(arguments) != 0:
        raise SystemExit("protoc failed: see its message above")


def stale_stubs() -> list[str]:
    """Names of the stubs that differ from what the .proto files would generate, or are not there."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        generate(fresh)
        new = sorted(path.relative_to(fresh) for path in fresh.rglob("*") if path.name.endswith(SUFFIXES))
        committed = sorted(
            path.relative_to(ROOT) for path in PROTO_FOLDER.iterdir() if path.name.endswith(SUFFIXES)
        )
        differing = [path for path in new if path not in committed]
        differing += [path for path in committed if path not in new]
        differing += [
            path
            for path in new
            if path in committed and not filecmp.cmp(fresh / path, ROOT / path, shallow=False)
        ]
        return [str(path) for path in differing]


def main() -> int:
    """Command line entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if a stub is out of date")
    if parser.parse_args().check:
        stale = stale_stubs()
        if stale:
            sys.stderr.write(f"out of date: {', '.join(stale)}; run `python -m protos.generate`\n")
        return 1 if stale else 0
    generate(ROOT)
    return 0


if __name__ == "__main__":
    sys.exit(main())
