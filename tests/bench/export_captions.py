"""Part `captions` of bench `export`: when words come on screen, and whether they stay where the app leaves room.

Grey recordings are exported with random words in several scripts, in every style, and each frame of the result is
decoded and compared with a frame that bears none.
"""

from __future__ import annotations

import dataclasses
import random
import tempfile
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from coordinator.media.captions.burning import drawn_words
from coordinator.media.captions.cards import cards_of
from coordinator.media.captions.styles import CaptionStyle, style_named, styles
from coordinator.media.output.export import export
from coordinator.media.picture.safe_areas import safe_area
from coordinator.model.exporting import CaptionWish, Recipe
from coordinator.model.speech import Word

PRESETS = ("tiktok", "shorts", "reels", "vertical", "square", "landscape", "discord")
RATES = (30, 60, 25, 24, 10)
_VOCABULARY = {
    "en": "oh my god that was insane what a shot no way chat look at this guy absolutely wild go again".split(),
    "de": "das glaube ich jetzt aber überhaupt nicht Donaudampfschifffahrtsgesellschaft krass".split(),
    "ar": "هذا كان جنونيا حقا يا شباب انظروا مستحيل رائع".split(),
    "ja": "今日は めっちゃ いい 試合 でした すごい 本当に 負けない 次は 応援".split(),
    "he": "זה היה מטורף לגמרי תראו מה קורה כאן".split(),
    "hi": "यह बहुत अच्छा था देखो क्या हुआ भाई".split(),
    "emoji": "🔥 gg 😂 ez 🇩🇪 👨‍👩‍👧 💀 wow ❤️ 🏆 no".split(),
}
# Luma levels: x264's noise about letters stays below, the faintest edge of a shadow above its half.
_VISIBLE = 24


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One list of words, in one language, for one preset and rate of the source."""

    words: tuple[Word, ...]
    language: str
    preset: str
    rate: int
    duration_s: float


@dataclasses.dataclass(slots=True)
class Found:
    """What was seen: the largest error, frames with captions, and those with any outside the safe area."""

    error_ms: float = 0.0
    num_frames: int = 0
    num_outside: int = 0


def caption_errors(
    *, num_lists: int = 20, seed: int = 1, presets: Sequence[str] = PRESETS, duration_s: float = 3.0
) -> dict[str, float]:
    """Export random words in every style and measure them on decoded frames.

    Returns:
        `caption_error_ms_max`: from a word's onset to the frame that shows it (its mark, its card where the style marks
        none). `caption_frames_outside`: frames with a caption outside the safe area, of `caption_frames`.
    """
    chance = random.Random(seed)
    cases = [
        random_case(
            chance,
            language=list(_VOCABULARY)[k % len(_VOCABULARY)],
            preset=presets[k % len(presets)],
            rate=RATES[k % len(RATES)],
            duration_s=duration_s,
        )
        for k in range(num_lists)
    ]
    found = Found()
    with tempfile.TemporaryDirectory() as folder:
        for case in cases:
            source = Path(folder) / "source.mp4"
            _write_grey(source, case)
            for name in styles():
                measure_one(source, Path(folder) / "post.mp4", case, style_named(name), found)
    return {
        "caption_error_ms_max": round(found.error_ms, 1),
        "caption_frames_outside": found.num_outside,
        "caption_frames": found.num_frames,
    }


def random_case(chance: random.Random, *, language: str, preset: str, rate: int, duration_s: float) -> Case:
    """Say words at random times: no two equal ones in a row, none before 0.4 s."""
    words: list[Word] = []
    time_s = 0.4 + chance.random() * 0.3
    while time_s < duration_s - 0.4:
        length_s = chance.uniform(0.08, 0.5)
        choice = [w for w in _VOCABULARY[language] if not words or w != words[-1].text]
        mark = chance.choice(["", "", "", "", ",", ".", "!"])
        text = chance.choice(choice) + (mark if language != "emoji" else "")
        words.append(Word(text=text, start_s=time_s, end_s=min(duration_s, time_s + length_s)))
        time_s += length_s + chance.choice([0.0, 0.0, 0.02, 0.1, 0.5])
    return Case(words=tuple(words), language=language, preset=preset, rate=rate, duration_s=duration_s)


def measure_one(source: Path, dst: Path, case: Case, style: CaptionStyle, found: Found) -> None:
    """Export once and add what is seen to `found`."""
    wish = CaptionWish(style=style.name, language=case.language, files=())
    export(source, dst, Recipe(preset=case.preset, words=case.words, captions=wish))
    changes_s: list[float] = []
    clean: npt.NDArray[np.int16] | None = None
    before: npt.NDArray[np.int16] | None = None
    for time_s, planes in _frames(dst):
        height, width = planes.shape[1] * 2, planes.shape[2] * 2
        if clean is None or before is None:
            clean = before = planes
        if np.abs(planes - before).max() > _VISIBLE:
            changes_s.append(time_s)
        before = planes
        seen = np.abs(planes - clean).max(axis=0) > _VISIBLE
        if seen.any():
            found.num_frames += 1
            found.num_outside += _is_outside(seen, case.preset, width, height)
    for onset_s in expected_s(case, style):
        error_s = min((abs(onset_s - change_s) for change_s in changes_s), default=9.9)
        found.error_ms = max(found.error_ms, error_s * 1000)


def expected_s(case: Case, style: CaptionStyle) -> list[float]:
    """When something has to change: at every word where the style marks it or shows it alone, else at every card.

    What is written without spaces stands alone as a phrase, not as a word.
    """
    words = drawn_words(case.words, style, case.language)
    if style.highlight != "none" or (style.max_words == 1 and case.language != "ja"):
        return [word.start_s for word in words]
    return [card.start_s for card in cards_of(words, duration_s=case.duration_s, shape=style.shape)]


def _is_outside(seen: npt.NDArray[np.bool_], preset: str, width: int, height: int) -> bool:
    area = safe_area(preset, width, height)
    rows, columns = np.flatnonzero(seen.any(axis=1)) * 2, np.flatnonzero(seen.any(axis=0)) * 2
    # Half-size planes: a sample stands for two pixels, of which one may lie on either side of an odd edge.
    return bool(
        rows.min() < area.top_px - 1
        or rows.max() >= area.bottom_px
        or columns.min() < area.left_px - 1
        or columns.max() >= area.right_px
    )


def _frames(path: Path) -> Iterator[tuple[float, npt.NDArray[np.int16]]]:
    """Yield (seconds, planes): luma at half size, and both colours. Shape (3, height / 2, width / 2)."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            luma, *colours = (
                np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]
                for plane in frame.planes
            )
            yield float(frame.time), np.stack([luma[::2, ::2], *colours]).astype(np.int16)


def _write_grey(path: Path, case: Case) -> None:
    width, height = (640, 360) if case.preset != "discord" else (360, 640)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=case.rate, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        for index in range(round(case.duration_s * case.rate)):
            frame = av.VideoFrame(width, height, "yuv420p")
            for plane, level in zip(frame.planes, (96, 128, 128), strict=True):
                np.frombuffer(plane, np.uint8)[:] = level
            frame.pts, frame.time_base = index, Fraction(1, case.rate)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
