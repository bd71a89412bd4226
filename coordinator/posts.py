"""Which post settings there are to choose from, which hold where none was chosen, and what is wrong with a choice.

Layouts are asked for anew each time: the file of those that are kept may change while a process lives.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import get_args

from coordinator.config import caption_style_names, post_presets
from coordinator.errors import InputUnusable
from coordinator.layouts import BUILT_IN, layout_named, layouts_file, saved_layouts
from coordinator.model.exporting import Profanity
from coordinator.model.framing import Framing, ShapeName
from coordinator.model.posts import MAX_PRESETS, PRESETS_OWN, PostSettings, PostWishes
from coordinator.settings import Config


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PostChoices:
    """What may be chosen. `presets`: by name, with where it goes."""

    presets: Mapping[str, str]
    caption_styles: Collection[str]
    layouts: Collection[str]
    shapes: Collection[str] = get_args(ShapeName)
    profanities: Collection[str] = get_args(Profanity)


def post_choices(data: Path) -> PostChoices:
    """Return what may be chosen with this data directory.

    Raises:
        InputUnusable: The file of the layouts that are kept cannot be read.
    """
    layouts = [PRESETS_OWN, *sorted({**BUILT_IN, **saved_layouts(layouts_file(data))})]
    return PostChoices(presets=post_presets(), caption_styles=caption_style_names(), layouts=layouts)


def default_settings(config: Config) -> PostSettings:
    """Return what holds for accounts that chose nothing."""
    return PostSettings(
        presets=(config.auto_export.preset,),
        caption_style=config.export.caption_style,
        layout=config.auto_export.layout or PRESETS_OWN,
        is_title_shown=config.export.is_title_shown,
        profanity=config.export.profanity,
    )


def check_wishes(wishes: PostWishes, choices: PostChoices) -> PostWishes:
    """Return wishes that can be fulfilled, each preset once.

    Raises:
        InputUnusable: One cannot; says which, and what there is.
    """
    if wishes.presets is not None:
        presets = tuple(dict.fromkeys(wishes.presets))
        if not 1 <= len(presets) <= MAX_PRESETS:
            raise InputUnusable(
                f"{len(presets)} presets were chosen; a clip becomes 1 to {MAX_PRESETS} posts"
            )
        for name in presets:
            check_choice("preset", name, choices.presets)
        wishes = dataclasses.replace(wishes, presets=presets)
    for what, value, known in (
        ("caption style", wishes.caption_style, choices.caption_styles),
        ("layout", wishes.layout, choices.layouts),
        ("shape", wishes.shape, choices.shapes),
        ("profanity", wishes.profanity, choices.profanities),
    ):
        if value is not None:
            check_choice(what, value, known)
    return wishes


def check_preset(name: str) -> None:
    """Raise InputUnusable for what is no preset of posts."""
    check_choice("preset", name, post_presets())


def check_choice(what: str, value: str, known: Collection[str]) -> None:
    """Raise InputUnusable for what is not among the choices; the message names some value and all there is."""
    if value not in known:
        raise InputUnusable(f"there is no {what} {value[:64]!r} for posts; choose one of {', '.join(known)}")


def framing_of(settings: PostSettings, data: Path) -> Framing:
    """Return how posts are laid out.

    Raises:
        InputUnusable: The layout is not kept any more in this data directory, or its file cannot be read.
    """
    is_own = settings.layout == PRESETS_OWN
    framing = Framing() if is_own else layout_named(settings.layout, layouts_file(data))
    return framing if settings.shape == "preset" else dataclasses.replace(framing, shape=settings.shape)
