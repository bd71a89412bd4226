"""The picture and the sound made here, and the number each frame carries."""

from __future__ import annotations

import numpy as np
import pytest

from agent.capture import barcode
from agent.capture.choose_screen import open_screen
from agent.capture.choose_sound import open_sound
from agent.capture.generated import GeneratedScreen, GeneratedSound
from agent.errors import InputUnusable, ScreenUnavailable
from agent.model.media import SOUND_RATE_HZ
from protos.timebase import MILLISECOND_NS, SECOND_NS


@pytest.mark.parametrize("number", [0, 1, 12345, barcode.MAX_NUMBER])
@pytest.mark.parametrize("size", [(36, 64), (360, 640), (1080, 1920)])
def test_a_number_is_read_as_it_was_drawn(number, size):
    luma = np.full(size, 100, np.uint8)
    barcode.draw(luma, number)

    assert barcode.read(luma) == number


def test_a_picture_without_a_bar_has_no_number():
    assert barcode.read(np.zeros((360, 640), np.uint8)) is None


def test_two_blended_bars_have_no_number():
    first, second = (np.zeros((360, 640), np.uint8) for _ in range(2))
    barcode.draw(first, 1)
    barcode.draw(second, 2)

    assert barcode.read(first // 2 + second // 2) is None


def test_the_bar_is_laid_out_as_the_demo_lays_out_its_own():
    from tests.fakes.desktop_here import load_packaging

    luma = np.zeros((360, 640), np.uint8)
    barcode.draw(luma, 4711)

    assert load_packaging("demo/marks.py").read(luma) == 4711


def test_the_flash_and_the_beep_begin_at_the_same_time():
    screen = GeneratedScreen(64, 36, t0_monotonic_ns=0)
    sound = GeneratedSound(t0_monotonic_ns=0).render(0, 3 * SOUND_RATE_HZ)
    is_loud = np.abs(sound[:, 0]) > 0.1

    # the first millisecond of a 1 kHz sine passes 0.1 of full scale within 2 samples
    onsets = [second * SOUND_RATE_HZ + np.argmax(is_loud[second * SOUND_RATE_HZ :]) for second in range(3)]
    before = screen.render(SECOND_NS - MILLISECOND_NS, 0)[20:].mean()
    after = screen.render(SECOND_NS, 0)[20:].mean()

    assert all(0 <= onset - second * SOUND_RATE_HZ <= 3 for second, onset in enumerate(onsets))
    assert before < 200 < after


def test_a_generated_screen_must_be_opened_first():
    with pytest.raises(ScreenUnavailable, match="open it first"):
        GeneratedScreen().grab()


def test_an_unknown_screen_source_is_named_with_those_there_are():
    with pytest.raises(InputUnusable, match=r"'x12grab'.*x11grab"):
        open_screen("x12grab")


def test_no_display_says_what_was_tried(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)

    with pytest.raises(ScreenUnavailable, match=r"x11grab: .*DISPLAY.*mss: "):
        open_screen()


def test_a_sound_that_is_not_wanted_is_none():
    assert open_sound("mic", "none") is None
