"""The child side of `child.LimitedMedia`: `python -m coordinator.media.worker`.

Reads requests from stdin and answers on stdout, one at a time. A message is one line of JSON, then as many
raw bytes as its `num_bytes` says. Before an answer there may be messages of `progress`. Ends when stdin does,
in the middle of a job too: a reader thread watches it, so that no child outlives its parent.
"""

from __future__ import annotations

import dataclasses
import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from coordinator.errors import CoordinatorError, MediaTooCostly, MediaUnusable
from coordinator.media.limits import SMALLER, Limits, allow_cpu_s, apply_limits, give_back_memory

Answer = tuple[Any, bytes]
# Told the share of a job that is done, from 0 to 1.
Tell = Callable[[float], None]
_TELL_EVERY_S = 0.5


def read_message(pipe: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    """Read one message, or None at the end."""
    line = pipe.readline()
    if not line.endswith(b"\n"):
        return None
    header = json.loads(line)
    payload = pipe.read(header["num_bytes"])
    return (header, payload) if len(payload) == header["num_bytes"] else None


def message(header: dict[str, Any], payload: bytes = b"") -> bytes:
    """Return one message as bytes."""
    return json.dumps(header | {"num_bytes": len(payload)}).encode() + b"\n" + payload


def _outline(arguments: dict[str, Any], _: bytes, _tell: Tell) -> Answer:
    from coordinator.media.intake.decoding import outline

    return {"duration_s": outline(Path(arguments["path"])).duration_s}, b""


def _probe(arguments: dict[str, Any], _: bytes, _tell: Tell) -> Answer:
    from coordinator.media.intake.probe import probe

    return dataclasses.asdict(probe(Path(arguments["path"]))), b""


def _survey(arguments: dict[str, Any], _: bytes, _tell: Tell) -> Answer:
    from coordinator.media.intake.survey import survey

    return dataclasses.asdict(survey(Path(arguments["path"]))), b""


def _normalize(arguments: dict[str, Any], _: bytes, _tell: Tell) -> Answer:
    from coordinator.media.intake.survey import Survey
    from coordinator.media.output.normalize import normalize

    found = msgspec.convert(arguments["found"], Survey)
    return dataclasses.asdict(normalize(Path(arguments["src"]), Path(arguments["dst"]), found)), b""


def _cut(arguments: dict[str, Any], _: bytes, tell: Tell) -> Answer:
    from coordinator.media.output.cut import cut

    src, dst = Path(arguments["src"]), Path(arguments["dst"])
    bounds = {"start_s": arguments["start_s"], "end_s": arguments["end_s"]}
    return dataclasses.asdict(cut(src, dst, **bounds, on_progress=tell)), b""


def _export(arguments: dict[str, Any], _: bytes, tell: Tell) -> Answer:
    from coordinator.media.output.export import export
    from coordinator.model.exporting import Recipe

    recipe = msgspec.convert(arguments["recipe"], Recipe)
    src, dst = Path(arguments["src"]), Path(arguments["dst"])
    return dataclasses.asdict(export(src, dst, recipe, on_progress=tell)), b""


def _export_all(arguments: dict[str, Any], _: bytes, tell: Tell) -> Answer:
    from coordinator.media.output.export import export_all
    from coordinator.media.output.making import Order
    from coordinator.model.exporting import Recipe

    recipe = msgspec.convert(arguments["recipe"], Recipe)
    orders = [Order(dst=Path(dst), preset=preset) for dst, preset in arguments["orders"]]
    results = export_all(Path(arguments["src"]), orders, recipe, on_progress=tell)
    return [dataclasses.asdict(result) for result in results], b""


def _thumbnail(arguments: dict[str, Any], _: bytes, _tell: Tell) -> Answer:
    from coordinator.media.output.thumbnail import thumbnail

    return thumbnail(Path(arguments["src"]), Path(arguments["dst"]), at_s=arguments["at_s"]), b""


def _thumbnails(arguments: dict[str, Any], _: bytes, _tell: Tell) -> Answer:
    from coordinator.media.output.thumbnail import thumbnails

    wanted = {"count": arguments["count"], "peak_s": arguments["peak_s"]}
    found = thumbnails(Path(arguments["src"]), Path(arguments["dst"]), **wanted)
    return [dataclasses.asdict(one) for one in found], b""


def _layout_still(arguments: dict[str, Any], _: bytes, _tell: Tell) -> Answer:
    from coordinator.media.output.layout_still import layout_still
    from coordinator.model.framing import Framing

    framing = msgspec.convert(arguments["framing"], Framing)
    wanted = {"preset": arguments["preset"], "at_s": arguments["at_s"]}
    found = layout_still(Path(arguments["src"]), Path(arguments["dst"]), framing, **wanted)
    return dataclasses.asdict(found), b""


def _clean_watermark(arguments: dict[str, Any], _: bytes, _tell: Tell) -> Answer:
    from coordinator.media.output.brand import clean_watermark

    return clean_watermark(Path(arguments["src"]), Path(arguments["dst"])), b""


def _find_cameras(arguments: dict[str, Any], _: bytes, _tell: Tell) -> Answer:
    from coordinator.media.output.camera_search import propose_cameras

    return [dataclasses.asdict(one) for one in propose_cameras(Path(arguments["path"]))], b""


def _decode_pcm16k(arguments: dict[str, Any], data: bytes, _tell: Tell) -> Answer:
    from coordinator.media.intake.audio import decode_pcm16k

    samples = decode_pcm16k(Path(arguments["path"]) if arguments.get("path") else data)
    return {"shape": list(samples.shape)}, samples.tobytes()


def _decode_channels(arguments: dict[str, Any], _: bytes, _tell: Tell) -> Answer:
    from coordinator.media.intake.audio import decode_channels

    samples = decode_channels(Path(arguments["path"]))
    return {"shape": list(samples.shape)}, samples.tobytes()


_OPERATIONS: dict[str, Callable[[dict[str, Any], bytes, Tell], Answer]] = {
    "outline": _outline,
    "probe": _probe,
    "survey": _survey,
    "normalize": _normalize,
    "cut": _cut,
    "export": _export,
    "export_all": _export_all,
    "thumbnail": _thumbnail,
    "thumbnails": _thumbnails,
    "layout_still": _layout_still,
    "clean_watermark": _clean_watermark,
    "find_cameras": _find_cameras,
    "decode_pcm16k": _decode_pcm16k,
    "decode_channels": _decode_channels,
}


def _telling(answers: BinaryIO) -> Tell:
    """Messages of one `progress` each, before the answer; a picture tells far more often than anybody reads."""
    last_s = time.monotonic()

    def tell(share: float) -> None:
        nonlocal last_s
        if (now_s := time.monotonic()) - last_s >= _TELL_EVERY_S:
            last_s = now_s
            answers.write(message({"progress": share}))
            answers.flush()

    return tell


def _answer(header: dict[str, Any], payload: bytes, tell: Tell) -> bytes:
    """Do one request; whatever goes wrong becomes an answer. The outermost frame of a job."""
    try:
        allow_cpu_s(header["cpu_s"])
        result, data = _OPERATIONS[header["operation"]](header["arguments"], payload, tell)
        return message({"result": result}, data)
    except CoordinatorError as exc:
        return message({"error": {"code": exc.code, "message": str(exc)}})
    except MemoryError:
        reason = f"it ran out of its memory limit; {SMALLER}"
        return message({"error": {"code": MediaTooCostly.code, "message": reason}})
    except Exception as exc:  # noqa: BLE001 (the outermost frame of a job)
        # A foreign library met data it was not made for: the job fails, the child goes on.
        reason = f"{type(exc).__name__}: {exc}"
        return message(
            {"error": {"code": MediaUnusable.code, "message": f"it could not be processed: {reason}"}}
        )


def _watch(pipe: BinaryIO, requests: queue.Queue[tuple[dict[str, Any], bytes]]) -> None:
    while (request := read_message(pipe)) is not None:
        requests.put(request)
    os._exit(0)


def main() -> None:
    """Serve until stdin ends. Arguments: the limits as JSON."""
    limits = Limits(**json.loads(sys.argv[1])) if len(sys.argv) > 1 else Limits()
    # Answers leave by a descriptor of their own: what a library prints must not mix with them.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    import av  # noqa: F401  (before the first request: it takes 0.3 s)
    import numpy as np  # noqa: F401

    apply_limits(limits)
    # Ctrl+C reaches every process of a terminal: our parent hears it, too, and ends us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The parent sends a request only after the answer to the one before: one place is enough.
    requests: queue.Queue[tuple[dict[str, Any], bytes]] = queue.Queue(maxsize=1)
    threading.Thread(target=_watch, args=(sys.stdin.buffer, requests), name="stdin", daemon=True).start()
    while True:
        header, payload = requests.get()
        answers.write(_answer(header, payload, _telling(answers)))
        answers.flush()
        give_back_memory()


if __name__ == "__main__":
    main()
