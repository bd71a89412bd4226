"""An FFmpeg input that stands in for a device of another system: FFmpeg's own test picture, read the same way."""

from __future__ import annotations

import re
from collections.abc import Mapping

import av

SIZE = (641, 361)


def open_test_picture(file: str, format_name: str, options: Mapping[str, str]) -> av.container.InputContainer:
    """As `open_input`; the size is that of the graph, where it names one, else odd."""
    named = re.search(r"video_size=(\d+x\d+)", file)
    size = named[1] if named else "{}x{}".format(*SIZE)
    pixel_format = options.get("pixel_format", "bgra")
    return av.open(f"testsrc2=size={size}:rate=1000,format={pixel_format}", format="lavfi")
