"""The verbs `layouts` and `thumbnail`: how clips are framed, and which picture stands for one."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coordinator.errors import InputUnusable

if TYPE_CHECKING:
    from coordinator.model.framing import Framing, Rectangle

_HELP = """\
layouts list                          those that are built in, and those that you keep
layouts show NAME                     every value of one
layouts preview CLIP --layout NAME -o out.jpg [--preset PRESET] [--at S] [--camera X,Y,W,H]
                                      left what it takes of the picture, with a scale of tenths, right what it makes
                                      of it, with the area that the app's own buttons leave free
layouts find CLIP                     where the camera may be: a guess by borders that stay; look at it with preview

Yours are in layouts.toml in the data directory, a table each; x, y, width and height are shares of the picture:

  [layouts.duo]
  layout = "stack"          # blur, fit, crop, follow or stack
  camera = { x = 0.02, y = 0.68, width = 0.24, height = 0.3 }
  camera_at = "top"         # or bottom
  camera_share = 0.35       # of the height; left out: as the camera's own shape wants
  game = "fill"             # or whole, on a blurred copy
  focus_x = 0.5             # the middle of what is kept, of crop and of the game
  focus_y = 0.5
  zoom = 1.0                # 1 to 4
  shape = "preset"          # or 9:16, 4:5, 1:1, 16:9
"""


def add_verbs(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add both to the command line; `common` has the options of every verb."""
    layouts = verbs.add_parser(
        "layouts",
        help="how clips are framed: list, show or try a layout",
        description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whats = layouts.add_subparsers(dest="what", required=True, metavar="WHAT")
    whats.add_parser("list", help="every layout", parents=[common])
    whats.add_parser("show", help="every value of one", parents=[common]).add_argument("name")
    whats.add_parser("find", help="guess where the camera is", parents=[common]).add_argument(
        "clip", type=Path
    )
    preview = whats.add_parser("preview", help="try one on a clip", parents=[common])
    preview.add_argument("clip", type=Path)
    preview.add_argument(
        "--layout", required=True, metavar="NAME", help="one of list, or stack with --camera"
    )
    preview.add_argument("--preset", default="vertical", help="whose shape and safe area (vertical)")
    preview.add_argument(
        "--at", type=float, metavar="S", help="which picture, in seconds (the clip's middle)"
    )
    preview.add_argument("--camera", metavar="X,Y,W,H", help="try another place of the camera")
    preview.add_argument("-o", "--output", type=Path, required=True)
    thumbnail = verbs.add_parser("thumbnail", help="the pictures that show a clip best", parents=[common])
    thumbnail.add_argument("clip", type=Path)
    thumbnail.add_argument("--count", type=int, default=1, help="how many at most, apart from each other (1)")
    thumbnail.add_argument("--peak", type=float, metavar="S", help="when it happens, in seconds of the clip")
    thumbnail.add_argument("--at", type=float, metavar="S", help="the picture of this time, no choice")
    thumbnail.add_argument(
        "-o", "--output", type=Path, required=True, help="a JPEG; of more: NAME-1.jpg, NAME-2.jpg ..."
    )


def add_export_option(export: argparse.ArgumentParser) -> None:
    """Let `export` take a layout."""
    export.add_argument(
        "--layout", metavar="NAME", help="one of `layouts list` (default: as the preset says; not by source)"
    )


def framing_of(arguments: argparse.Namespace) -> Framing:
    """Return the layout that `--layout` names, or the preset's own. Raises as `layout_named`."""
    from coordinator.layouts import layout_named
    from coordinator.model.framing import Framing

    if arguments.layout is None:
        return Framing()
    return layout_named(arguments.layout, _file(arguments))


def run(arguments: argparse.Namespace) -> int:
    """Do what `layouts` says, and print the answer; returns the exit code. Raises as `saved_layouts` and the media."""
    value, text = _WHATS[arguments.what](arguments)
    print(json.dumps(value) if arguments.json else text, flush=True)
    return 0


def run_thumbnail(arguments: argparse.Namespace) -> int:
    """Write a clip's best pictures, and print which; returns the exit code. Raises as `thumbnails_command`."""
    import asyncio

    from coordinator.media.framing_commands import thumbnails_command

    if not 1 <= arguments.count <= 12:
        raise InputUnusable(f"--count {arguments.count} is not 1 to 12")
    value = asyncio.run(
        thumbnails_command(
            arguments.clip,
            arguments.output,
            count=arguments.count,
            peak_s=arguments.peak,
            at_s=arguments.at,
        )
    )
    lines = [f"wrote {one['path']}: the picture at {one['at_s']:.2f} s" for one in value["thumbnails"]]
    print(json.dumps(value) if arguments.json else "\n".join(lines), flush=True)
    return 0


def _file(arguments: argparse.Namespace) -> Path:
    from coordinator.config import find_data
    from coordinator.layouts import layouts_file

    return layouts_file(find_data(arguments.data))


def _list(arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from coordinator.layouts import BUILT_IN, MEANINGS, saved_layouts

    file = _file(arguments)
    saved = saved_layouts(file)
    rows = [
        {
            "name": name,
            "layout": framing.layout,
            "is_built_in": name in BUILT_IN,
            "meaning": MEANINGS[framing.layout],
        }
        for name, framing in [*BUILT_IN.items(), *sorted(saved.items())]
    ]
    lines = [f"{row['name']:<12} {row['layout']:<7} {row['meaning']}" for row in rows]
    ending = [] if saved else [f"none of yours yet; keep them in {file}: see `layouts --help`"]
    return {"file": str(file), "layouts": rows}, "\n".join(lines + ending)


def _show(arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    import dataclasses

    from coordinator.layouts import layout_named

    framing = layout_named(arguments.name, _file(arguments))
    value = {"name": arguments.name, **dataclasses.asdict(framing)}
    return value, "\n".join(f"{key} = {'-' if entry is None else entry}" for key, entry in value.items())


def _preview(arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    import asyncio

    from coordinator.media.framing_commands import layout_still_command

    framing = _tried(arguments)
    value = asyncio.run(
        layout_still_command(
            arguments.clip, arguments.output, framing, preset=arguments.preset, at_s=arguments.at
        )
    )
    text = f"wrote {arguments.output}: {value['width']}x{value['height']}, {seen(value['shown_share'])}"
    return {"layout": arguments.layout, "preset": arguments.preset, **value}, text


def _find(arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    import asyncio

    from coordinator.media.framing_commands import find_cameras_command

    value = asyncio.run(find_cameras_command(arguments.clip))
    lines = []
    for one in value["cameras"]:
        sides = ", ".join(f"{key} = {one['camera'][key]:.4f}" for key in ("x", "y", "width", "height"))
        lines.append(f"camera = {{ {sides} }}  # score {one['score']:.2f}")
    return value, "\n".join(lines) or "nothing looks like a camera; set it by looking, with layouts preview"


_WHATS = {"list": _list, "show": _show, "find": _find, "preview": _preview}


def seen(share: float) -> str:
    """Say how much of the picture a layout shows."""
    return "all of the picture is seen" if share >= 0.999 else f"{share:.0%} of the picture is seen"


def _tried(arguments: argparse.Namespace) -> Framing:
    """Return the layout to try: a saved one, or `stack`, with another camera where one is given."""
    import dataclasses

    from coordinator.layouts import check_layout, layout_named
    from coordinator.model.framing import Framing

    camera = _rectangle(arguments.camera) if arguments.camera is not None else None
    if arguments.layout == "stack":
        framing = Framing(layout="stack", camera=camera)
    else:
        framing = layout_named(arguments.layout, _file(arguments))
        framing = framing if camera is None else dataclasses.replace(framing, camera=camera)
    return check_layout(framing, f"layout {arguments.layout}")


def _rectangle(text: str) -> Rectangle:
    from coordinator.model.framing import Rectangle

    try:
        x, y, width, height = (float(part) for part in text.split(","))
    except ValueError as exc:
        raise InputUnusable(f"--camera {text!r} is not X,Y,W,H, e.g. 0.02,0.68,0.24,0.3") from exc
    return Rectangle(x=x, y=y, width=width, height=height)
