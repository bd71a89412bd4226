"""Captions of every script on one sheet, and how far two sheets are apart.

`python -m tests.fakes.caption_sheet FOLDER` draws the sheets that the tests compare with: look at each before it
becomes one.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from coordinator.media.captions.burning import drawn_words
from coordinator.media.captions.cards import cards_of
from coordinator.media.captions.painting import CardPainter
from coordinator.media.captions.styles import style_named, styles
from coordinator.model.speech import Word

SHORT_PX = 400
# (language, text): with a word in another script, a joined emoji, a flag.
TEXTS = {
    "latin": ("en", "That was absolutely insane, guys!"),
    "arabic": ("ar", "هذا كان جنونيا، GG يا شباب!"),
    "japanese": ("ja", "今日は めっちゃ いい 試合で したね。"),
    "emoji": ("en", "🔥🔥 👨‍👩‍👧 GG 🇩🇪 ez"),
}
OTHERS = {
    "hebrew": ("he", "זה היה (ממש) מטורף 3 פעמים"),
    "hindi": ("hi", "यह मैच बहुत अच्छा था"),
    "bengali": ("bn", "খুব ভালো খেলা"),
    "tamil": ("ta", "மிகவும் நன்று"),
    "telugu": ("te", "చాలా బాగుంది"),
    "thai": ("th", "สุดยอด มาก เลย"),
    "chinese": ("zh", "这太 疯狂了， 直接 赢了"),
    "korean": ("ko", "이거 진짜 미쳤다"),
    "cyrillic": ("ru", "это было нечто ёлки"),
    "greek": ("el", "αυτό ήταν τρελό"),
    "georgian": ("ka", "ეს იყო გიჟური"),
    "armenian": ("hy", "սա խենթ էր"),
    "vietnamese": ("vi", "thật không thể tin được"),
}


def words_of(text: str) -> list[Word]:
    """Return the words of a text, one every 0.4 s."""
    return [
        Word(text=part, start_s=0.4 * index, end_s=0.4 * index + 0.35)
        for index, part in enumerate(text.split())
    ]


def draw_row(style_name: str, language: str, text: str, *, spoken: int = 1) -> Image.Image:
    """Draw the first card of a text on grey, as wide as the sheet, while word `spoken` is said."""
    style = style_named(style_name)
    words = drawn_words(words_of(text), style, language)
    card = cards_of(words, duration_s=60, shape=style.shape)[0]
    painter = CardPainter(
        card.texts,
        style,
        short_px=SHORT_PX,
        max_width_px=SHORT_PX * style.max_width,
        max_height_px=SHORT_PX,
        language=language,
    )
    card_image = painter.paint(min(spoken, len(card.texts) - 1))
    row = Image.new("RGBA", (SHORT_PX, card_image.height), "#5a6e8a")
    row.alpha_composite(card_image, ((SHORT_PX - card_image.width) // 2, 0))
    return row.convert("RGB")


def draw_sheet(style_name: str, texts: dict[str, tuple[str, str]] = TEXTS) -> Image.Image:
    """Draw a row of each text below one another."""
    rows = [draw_row(style_name, language, text) for language, text in texts.values()]
    sheet = Image.new("RGB", (SHORT_PX, sum(row.height for row in rows)))
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    return sheet


def difference(first: Image.Image, second: Image.Image) -> float:
    """Return the share of pixels that anyone would call another colour; 1 where the sizes differ."""
    if first.size != second.size:
        return 1.0
    a, b = (np.asarray(image.convert("RGB"), np.int16) for image in (first, second))
    return float((np.abs(a - b).max(axis=2) > 40).mean())


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for name in styles():
        draw_sheet(name).save(folder / f"captions_{name}.png", optimize=True)
    draw_sheet("pop", OTHERS).save(folder / "captions_scripts.png", optimize=True)
