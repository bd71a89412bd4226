"""What lies beside an export: caption files, and words that are masked."""

import argparse
import json

import msgspec
import pysubs2
import pytest

from coordinator import cli_captions
from coordinator.media.captions.files import write_caption_files
from coordinator.media.captions.profanity import languages_with_lists, masked
from coordinator.media.captions.soft_track import three_letter_code
from coordinator.media.captions.styles import style_named, styles
from coordinator.media.captions.wishes import words_to_show
from coordinator.media.commands import with_captions
from coordinator.media.partial import discard_partials
from coordinator.model.exporting import CaptionWish, Recipe
from coordinator.model.sessions import SpokenWord, TranscriptRow
from coordinator.model.speech import Word
from coordinator.pipeline.export import language_of


def spoken(text, *, step_s=0.3, length_s=0.25):
    return [Word(text=t, start_s=k * step_s, end_s=k * step_s + length_s) for k, t in enumerate(text.split())]


def written(kind, words, folder, *, style="pop"):
    export = folder / "clip.mp4"
    (path,) = write_caption_files([kind], words, export, style=style_named(style), duration_s=10)
    assert path == folder / f"clip.{kind}"
    return path.read_text("utf-8")


def test_an_srt_holds_the_same_cards(tmp_path):
    text = written("srt", spoken("Oh my god, that was it"), tmp_path)

    assert text.startswith("1\n00:00:00,000 --> 00:00:00,900\nOh my god,\n\n2\n")


def test_a_vtt_begins_with_its_name(tmp_path):
    text = written("vtt", spoken("Oh my god, that was it"), tmp_path)

    assert text.startswith("WEBVTT\n") and "00:00:00.000 --> 00:00:00.900\nOh my god,\n" in text


@pytest.mark.parametrize("style", sorted(styles()))
def test_an_ass_file_lights_each_word_when_it_is_spoken(tmp_path, style):
    words = spoken("Oh my god, that {was} it")

    written("ass", words, tmp_path, style=style)
    file = pysubs2.load(str(tmp_path / "clip.ass"))

    lit = []
    for event in file:
        at_ms = event.start
        for tag in event.text.split("{\\k")[1:]:
            ticks, text = tag.split("}", 1)
            lit.append((text.strip(), at_ms))
            at_ms += 10 * int(ticks)
        assert at_ms == pytest.approx(event.end, abs=10)
    assert [text for text, _ in lit] == ["Oh", "my", "god,", "that", "(was)", "it"]
    assert [at_ms for _, at_ms in lit] == pytest.approx([w.start_s * 1000 for w in words], abs=10)


def test_a_cue_of_a_file_holds_more_than_a_word_though_one_is_drawn_at_a_time(tmp_path):
    assert written("srt", spoken("Oh my god, that was it"), tmp_path, style="one-word").count("-->") == 2


def test_lines_that_run_to_the_left_say_so(tmp_path):
    text = written("srt", spoken("שלום לך !"), tmp_path)

    assert "\u200fשלום לך !\u200f" in text


def test_text_without_spaces_is_written_without_any(tmp_path):
    assert "今日は" in written("srt", spoken("今 日 は"), tmp_path)


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Fucking shit!", "en", "F****** s***!"),
        ("it's bull-shit, dick's", "en-US", "it's bull-s***, d***'s"),
        ("Scunthorpe Dickens assassin", "en", "Scunthorpe Dickens assassin"),  # whole words only
        ("Scheiße", "de", "S******"),
        ("Die Katze", "de", "Die Katze"),
        ("con", "fr", "c**"),
        ("con", "es", "con"),  # what is one here is none there
        ("Сука, сукно", "ru", "С***, сукно"),
        ("shit", None, "s***"),  # not known: English
        ("くそ", "ja", "くそ"),  # no list
    ],
)
def test_swear_words_keep_their_first_letter(text, language, expected):
    assert masked(text, language=language) == expected


@pytest.mark.parametrize("language", languages_with_lists())
def test_no_list_masks_what_people_say_all_day(language):
    """A row like `a*` would mask every word that begins so."""
    said = {
        "en": "hello what a great shot class pass cocktail analysis shiitake title",
        "de": "hallo das war ein guter schuss klasse marsch hurtig arsenal",
        "es": "hola que gran disparo computadora disputa culpa polvo con",
        "fr": "bonjour quel beau tir contre conseil computer",
        "it": "ciao che bel tiro fila figlio culla troppo",
        "nl": "hallo wat een mooi schot lullig kluts hoera",
        "pl": "cześć jaki piękny strzał jeden jest kurs",
        "pt": "olá que belo tiro computador reputação disputa",
        "ru": "привет какой удар хулиган себя сукно небо",
        "tr": "merhaba ne güzel vuruş boks götürmek sıkıcı",
    }[language]

    assert masked(said, language=language) == said


def test_a_wish_masks_what_is_shown():
    words = spoken("what the fuck")

    shown = words_to_show(CaptionWish(profanity="mask"), words, start_s=0.0, length_s=9.0)

    assert [word.text for word in shown] == ["what", "the", "f***"]


def test_an_mp4_names_languages_by_three_letters():
    found = {name: three_letter_code(name) for name in ("en", "pt-BR", "deu", "xx", None)}

    assert found == {"en": "eng", "pt-BR": "por", "deu": "deu", "xx": "und", None: "und"}


def transcript(language, num_words):
    words = (SpokenWord(text="a", start_ns=0, end_ns=1),) * num_words
    return TranscriptRow(
        session_id="s",
        lane=1,
        seq=0,
        start_ns=0,
        end_ns=1,
        language=language,
        engine="e",
        model="m",
        words=words,
    )


def test_a_posts_language_is_that_of_most_of_its_words():
    rows = [transcript("en", 2), transcript("de", 9), transcript("en", 3)]

    assert (language_of(rows), language_of([transcript("en", 0)]), language_of([])) == ("de", None, None)


def options():
    parser = argparse.ArgumentParser()
    cli_captions.add_options(parser)
    return parser


def test_the_command_line_says_what_becomes_of_the_words():
    arguments = options().parse_args(
        "--caption-style karaoke --profanity mask --caption-files srt,ass --soft-captions"
        " --no-burn --caption-language de".split()
    )

    assert cli_captions.wish_of(arguments) == CaptionWish(
        style="karaoke", is_burned=False, is_soft=True, files=("srt", "ass"), profanity="mask", language="de"
    )


def test_none_writes_no_caption_file():
    arguments = options().parse_args(["--caption-files", "none"])

    assert cli_captions.wish_of(arguments).files == ()


def test_a_file_that_was_about_to_replace_an_unfinished_one_goes_with_it(tmp_path):
    kept = tmp_path / ".post.mp4.8.partial"
    for name in (".post.mp4.7.partial", "..post.mp4.7.partial.7.partial", kept.name):
        (tmp_path / name).touch()

    discard_partials(tmp_path / "post.mp4", 7)

    assert list(tmp_path.iterdir()) == [kept]


def test_a_recipe_crosses_to_the_child_as_json():
    recipe = Recipe(preset="tiktok", captions=CaptionWish(files=("vtt",), language="ja"))

    assert msgspec.convert(json.loads(msgspec.json.encode(recipe)), Recipe) == recipe


def test_the_words_bring_their_language_unless_the_recipe_names_one(tmp_path):
    path = tmp_path / "words.json"
    path.write_text('{"language": "ja", "words": [{"text": "hi", "start_s": 0.1, "end_s": 0.5}]}')

    found = with_captions(Recipe(preset="tiktok"), path)
    named = with_captions(Recipe(preset="tiktok", captions=CaptionWish(language="de")), path)

    assert (found.words[0].text, found.captions.language, named.captions.language) == ("hi", "ja", "de")
