"""An account's brand kit: files that it gives are made our own in a limited child, and that is what is kept.

What came in is decoded, bounded and encoded anew before anything is stored; of the file itself nothing stays.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.errors import InputUnusable, MediaUnusable
from coordinator.media.child import LimitedMedia
from coordinator.media.output.brand import MAX_FILM_S
from coordinator.model.object_keys import new_brand_key
from coordinator.model.posts import BRAND_PARTS, BrandPart, BrandPartName

if TYPE_CHECKING:
    from coordinator.model.media import MediaFile
    from coordinator.ports import ObjectStore
    from coordinator.store.posts import PostgresPosts

_MIB = 1024**2
_MAX_BYTES: dict[BrandPartName, int] = {"intro": 64 * _MIB, "outro": 64 * _MIB, "watermark": 4 * _MIB}


def brand_part_named(text: str) -> BrandPartName:
    """A part of a brand kit.

    Raises:
        InputUnusable: There is none of that name.
    """
    for part in BRAND_PARTS:
        if part == text:
            return part
    raise InputUnusable(f"a brand kit has no {text[:64]!r}; there are {', '.join(BRAND_PARTS)}")


class BrandKits:
    """Where brand kits are changed: one file at a time, for reading one costs up to half a minute of CPU."""

    def __init__(self, posts: PostgresPosts, objects: ObjectStore, scratch: Path) -> None:
        self._posts = posts
        self._objects = objects
        self._scratch = scratch
        self._turn = asyncio.Lock()

    def max_bytes(self, part: str) -> int:
        """How large a file of this part may be. Raises InputUnusable for what is no part."""
        return _MAX_BYTES[brand_part_named(part)]

    async def take(self, user_id: str, part: str, path: Path) -> BrandPart:
        """Make a file the account's intro, outro or watermark, in the place of the one before.

        Raises:
            InputUnusable: It is no part of a brand kit, larger or longer than that may be, or cannot be decoded.
            MediaInterrupted, DiskFull, StoreUnavailable, DatabaseUnavailable: Later.
        """
        name = brand_part_named(part)
        if (size_bytes := await asyncio.to_thread(os.path.getsize, path)) > _MAX_BYTES[name]:
            raise InputUnusable(
                f"the {name} has {size_bytes} bytes; at most {_MAX_BYTES[name] // _MIB} MiB are taken"
            )
        async with self._turn, LimitedMedia() as media:
            with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
                suffix = ".png" if name == "watermark" else ".mp4"
                ours = Path(folder) / f"{name}{suffix}"
                if name == "watermark":
                    width, height = await media.clean_watermark(path, ours)
                    duration_s = None
                else:
                    width, height, duration_s = await _clean_film(media, name, path, ours)
                kept = BrandPart(
                    part=name,
                    object_key=new_brand_key(user_id, suffix),
                    size_bytes=await asyncio.to_thread(os.path.getsize, ours),
                    width=width,
                    height=height,
                    duration_s=duration_s,
                )
                await self._objects.put(kept.object_key, ours)
        before = await self._posts.save_brand_part(user_id, kept)
        if before is not None:
            await self._objects.delete([before])
        return kept

    async def remove(self, user_id: str, part: str) -> bool:
        """Take a part away; False: there was none. Raises as `take`."""
        before = await self._posts.remove_brand_part(user_id, brand_part_named(part))
        if before is not None:
            await self._objects.delete([before])
        return before is not None


async def _clean_film(
    media: LimitedMedia, name: BrandPartName, path: Path, ours: Path
) -> tuple[int, int, float]:
    """Write a film anew; returns its width, height and length."""
    _check_film(name, await media.probe(path))
    made = await media.normalize(path, ours)
    # The file's own word was not enough.
    _check_film(name, made)
    picture = next(track for track in made.tracks if track.kind == "video")
    return picture.width or 0, picture.height or 0, made.duration_s or 0.0


def _check_film(name: BrandPartName, found: MediaFile) -> None:
    if not any(track.kind == "video" for track in found.tracks):
        raise MediaUnusable(f"the {name} has no picture")
    if found.duration_s is not None and found.duration_s > MAX_FILM_S:
        raise MediaUnusable(
            f"the {name} is {found.duration_s:.1f} s long; at most {MAX_FILM_S:g} s are taken"
        )
