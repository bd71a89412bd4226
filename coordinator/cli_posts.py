"""The verb `posts`: how an account's posts look, and one more post of a clip."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coordinator.errors import InputUnusable

if TYPE_CHECKING:
    from coordinator.app.installation import Installation
    from coordinator.model.posts import PostWishes

_HELP = """posts show [ACCOUNT]     what holds for an account's posts, and what of it was set
posts set [ACCOUNT] ...  change some of it, for the posts that are made from now on
posts reset [ACCOUNT]    forget what was set: the account's posts look as the coordinator is configured
posts brand [ACCOUNT]    give an account's clips a watermark, an intro or an outro, or take them away
posts make CLIP ...      make one more post of a clip, by another preset

Without ACCOUNT it is the owner's. Posts that are made already stay as they are.
"""
_SET_HELP = """Change how an account's posts look. What is not named stays; `default` means as the coordinator is
configured (auto_export.preset, auto_export.layout and [export] in coordinator.toml)."""
_MAKE_HELP = """Ask for one more post of a clip. CLIP is its id, its moment's, or that of the press which it shows. A
post that is there or on its way stays as it is; one that failed is tried again. It looks as its account's posts do."""
_BRAND_HELP = """Give an account's clips a frame of its own. `presets --json` says which preset takes what of it. A
file is decoded within limits and encoded anew; only that is kept."""
_DEFAULT = "default"


def add_verb(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add it to the command line."""
    raw = argparse.RawDescriptionHelpFormatter
    posts = verbs.add_parser(
        "posts",
        help="how an account's posts look, and one more post of a clip",
        description=_HELP,
        formatter_class=raw,
    )
    whats = posts.add_subparsers(dest="what", required=True, metavar="WHAT")

    def add(what: str, text: str, description: str = "") -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = whats.add_parser(
            what, help=text, description=description or text, parents=[common]
        )
        parser.add_argument("account", nargs="?", default="owner", metavar="ACCOUNT", help="its name (owner)")
        return parser

    add("show", "what holds for an account's posts")
    add("reset", "forget what was set of an account's posts")
    _add_settings(add("set", "change how an account's posts look", _SET_HELP))
    _add_brand(add("brand", "an account's own frame around its clips", _BRAND_HELP))
    making = whats.add_parser(
        "make", help="one more post of a clip", description=_MAKE_HELP, parents=[common]
    )
    making.add_argument("clip", metavar="CLIP", help="an id of it")
    making.add_argument(
        "--preset", action="append", required=True, metavar="NAME", help="see `presets`; again for more"
    )


def _add_settings(setting: argparse.ArgumentParser) -> None:
    setting.add_argument(
        "--preset",
        action="append",
        metavar="NAME",
        help="what each clip becomes, see `presets`; again for more, all made from one decode, at most 8",
    )
    setting.add_argument("--caption-style", metavar="NAME", help="pop, karaoke, clean, one-word, calm")
    setting.add_argument(
        "--layout", metavar="NAME", help="see `layouts list`; preset: what each preset does by itself"
    )
    setting.add_argument("--shape", metavar="SHAPE", help="9:16, 4:5, 1:1, 16:9; preset: the preset's own")
    setting.add_argument(
        "--title",
        choices=["show", "hide", _DEFAULT],
        help="draw the moment's title on the first seconds, where the preset has room for one",
    )
    setting.add_argument(
        "--profanity",
        choices=["keep", "mask", _DEFAULT],
        help="mask: the first letter of a swear word and asterisks",
    )


def _add_brand(brand: argparse.ArgumentParser) -> None:
    for part, text in (
        ("intro", "a film before each clip, at most 30 s and 64 MiB"),
        ("outro", "a film after each clip, the same"),
        ("watermark", "a picture in the corner: PNG, WebP or JPEG, at most 4 MiB"),
    ):
        brand.add_argument(f"--{part}", type=Path, metavar="FILE", help=text)
    brand.add_argument(
        "--remove",
        action="append",
        default=[],
        choices=["intro", "outro", "watermark"],
        help="again for more",
    )


def run(installation: Installation, arguments: argparse.Namespace) -> int:
    """Do it, and print the answer; returns the exit code. Raises as `post_commands`."""
    from coordinator.app import post_commands

    if arguments.what == "make":
        value = post_commands.make_posts(installation, arguments.clip, arguments.preset)
        lines = [f"{one['preset']}: {_asked(one)}" for one in value["posts"]]
        print(json.dumps(value) if arguments.json else "\n".join(lines), flush=True)
        return 0
    if arguments.what == "reset":
        value = post_commands.reset_posts(installation, arguments.account)
    elif arguments.what == "brand":
        named = {part: getattr(arguments, part) for part in ("intro", "outro", "watermark")}
        files = {part: path for part, path in named.items() if path is not None}
        if not files and not arguments.remove:
            raise InputUnusable("nothing to change; see `clippy-coordinator posts brand --help`")
        value = post_commands.change_brand(installation, arguments.account, files, arguments.remove)
    elif arguments.what == "set":
        value = post_commands.set_posts(
            installation, arguments.account, lambda wishes: _changed(wishes, arguments)
        )
    else:
        value = post_commands.posts_of(installation, arguments.account)
    print(json.dumps(value) if arguments.json else "\n".join(_lines(value)), flush=True)
    return 0


def _asked(post: dict[str, Any]) -> str:
    if post["is_new"]:
        return f"asked for; `clippy-coordinator jobs show exp:{post['clip_id']}:{post['preset']}` says how far it is"
    return "is there already" if post["state"] == "ready" else "is being made already"


def _changed(wishes: PostWishes, arguments: argparse.Namespace) -> PostWishes:
    """The wishes with what the command line names."""
    import dataclasses

    named: dict[str, Any] = {
        "presets": None if arguments.preset is None else tuple(arguments.preset),
        "caption_style": arguments.caption_style,
        "layout": arguments.layout,
        "shape": arguments.shape,
        "is_title_shown": arguments.title,
        "profanity": arguments.profanity,
    }
    changes = {name: value for name, value in named.items() if value is not None}
    if not changes:
        raise InputUnusable("nothing to set; see `clippy-coordinator posts set --help`")
    titles = {"show": True, "hide": False}
    if "is_title_shown" in changes:
        changes["is_title_shown"] = titles.get(changes["is_title_shown"])
    for name, value in changes.items():
        if value in (_DEFAULT, (_DEFAULT,)):
            changes[name] = None
    return dataclasses.replace(wishes, **changes)


def _lines(value: dict[str, Any]) -> list[str]:
    shown = {
        "presets": ", ".join(value["presets"]),
        "caption_style": value["caption_style"],
        "layout": value["layout"],
        "shape": value["shape"],
        "is_title_shown": "shown" if value["is_title_shown"] else "not shown",
        "profanity": value["profanity"],
    }
    names = {"caption_style": "captions", "is_title_shown": "title"}
    lines = [f"posts of {value['account']}"]
    for name, text in shown.items():
        note = "" if name in value["set"] else "   (as configured)"
        lines.append(f"  {names.get(name, name):10} {text}{note}")
    for part, one in value["brand"].items():
        length = "" if one["duration_s"] is None else f", {one['duration_s']:.1f} s"
        lines.append(f"  {part:10} {one['width']}x{one['height']}{length}")
    return lines
