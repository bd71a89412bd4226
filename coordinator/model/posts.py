"""How an account's posts look: what is set of it, and what follows where nothing is. Pure."""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args

from coordinator.model.exporting import Profanity
from coordinator.model.framing import ShapeName

MAX_PRESETS = 8
BrandPartName = Literal["intro", "outro", "watermark"]
BRAND_PARTS: tuple[BrandPartName, ...] = get_args(BrandPartName)
# A layout's name that stands for the preset's own.
PRESETS_OWN = "preset"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PostSettings:
    """How posts look.

    Attributes:
        presets: what each clip becomes, one post each.
        caption_style: a name in `media/captions/styles.toml`.
        layout: a name of a layout, built in or kept; `preset`: the preset's own.
        shape: instead of the layout's or preset's; `preset`: as those say.
        is_title_shown: the moment's title is drawn on the first seconds, where the preset has room for one.
        profanity: of captions and of titles that are drawn.
    """

    presets: tuple[str, ...] = ("vertical",)
    caption_style: str = "pop"
    layout: str = PRESETS_OWN
    shape: ShapeName = "preset"
    is_title_shown: bool = False
    profanity: Profanity = "keep"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PostWishes:
    """What an account has set; None: as the coordinator is configured. See `PostSettings`."""

    presets: tuple[str, ...] | None = None
    caption_style: str | None = None
    layout: str | None = None
    shape: ShapeName | None = None
    is_title_shown: bool | None = None
    profanity: Profanity | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What of it is set."""
        return tuple(
            field.name for field in dataclasses.fields(self) if getattr(self, field.name) is not None
        )

    def over(self, defaults: PostSettings) -> PostSettings:
        """What holds: the wishes, and the defaults where there are none."""
        return dataclasses.replace(defaults, **{name: getattr(self, name) for name in self.names})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AskedPost:
    """A post that was asked for. `state`: pending or ready; `is_new`: it was neither before."""

    export_id: str
    session_id: str
    clip_id: str
    preset: str
    state: str
    is_new: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BrandPart:
    """A part of an account's brand kit: a film before or after its clips, or a picture in their corner.

    Attributes:
        width, height: pixels.
        duration_s: of a film; None: it is a picture.
    """

    part: BrandPartName
    object_key: str
    size_bytes: int
    width: int
    height: int
    duration_s: float | None
