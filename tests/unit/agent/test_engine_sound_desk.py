"""Gain, mute and noise suppression, as the user sets them."""

from __future__ import annotations

import msgspec
import pytest

from agent.config import Config, Sound
from agent.engine.sound_desk import FACT, SoundDesk
from agent.errors import DiskFull, InputUnusable
from agent.library.library import Library
from agent.model.sound import SoundSetting


@pytest.fixture
def library(tmp_path):
    opened = Library(tmp_path / "library.db")
    yield opened
    opened.close()


def desk(library, names=("mic", "desktop"), **sound):
    return SoundDesk(names, Config(sound=Sound(**sound)), library)


def test_the_configuration_says_how_it_begins(library):
    made = desk(library, gain_db={"mic": 3.0}, muted=("desktop",), is_mic_noise_suppressed=True)

    assert made.settings == {
        "mic": SoundSetting(gain_db=3.0, is_noise_suppressed=True),
        "desktop": SoundSetting(is_muted=True),
    }
    assert made.has_raw_mic


def test_only_what_is_given_changes_and_it_is_handed_on(library):
    made = desk(library, gain_db={"mic": 3.0})
    applied = []
    made.connect(lambda name, setting: applied.append((name, setting)))
    made.set_sound("mic", is_muted=True)

    assert applied == [("mic", SoundSetting(gain_db=3.0, is_muted=True))]
    assert made.settings["mic"] == applied[0][1]


def test_what_was_set_holds_after_a_restart(library):
    desk(library).set_sound("mic", gain_db=-6.0)
    desk(library).set_sound("desktop", is_muted=True)

    assert desk(library).settings == {
        "mic": SoundSetting(gain_db=-6.0),
        "desktop": SoundSetting(is_muted=True),
    }


def test_a_sound_that_was_away_for_a_run_keeps_its_setting(library):
    desk(library).set_sound("mic", gain_db=-6.0)
    desk(library, names=("desktop",)).set_sound("desktop", gain_db=1.0)

    assert desk(library).settings["mic"].gain_db == -6.0


def test_a_new_word_in_the_configuration_wins_over_what_was_set_before(library):
    desk(library).set_sound("mic", gain_db=-6.0)

    assert desk(library, gain_db={"mic": 2.0}).settings["mic"].gain_db == 2.0


@pytest.mark.logs("sound_settings_unreadable")
def test_a_fact_that_cannot_be_read_is_left_aside(library):
    library.set_fact(FACT, "{not json")

    assert desk(library).settings["mic"] == SoundSetting()


@pytest.mark.logs("sound_setting_not_kept")
def test_a_full_disk_mutes_all_the_same():
    class Full:
        def fact(self, name):
            return ""

        def set_fact(self, name, value):
            raise DiskFull("no room")

    made = SoundDesk(["mic"], Config(), Full())

    assert made.set_sound("mic", is_muted=True).is_muted
    assert made.settings["mic"].is_muted


def test_suppression_that_was_switched_on_while_recording_begins_with_the_next_start(library):
    running = desk(library)
    running.set_sound("mic", is_noise_suppressed=True)

    assert not running.has_raw_mic and "next start" in running.warning
    assert desk(library).has_raw_mic and not desk(library).warning


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("Discord", {"is_muted": True}, "there are mic, desktop"),
        ("mix", {"gain_db": 1.0}, "set its sources"),
        ("mic_raw", {"is_muted": True}, "muted with mic"),
        ("mic", {"gain_db": 20.5}, "-60..20"),
        ("mic", {"gain_db": float("nan")}, "-60..20"),
        ("desktop", {"is_noise_suppressed": True}, "only the microphone"),
    ],
)
def test_what_cannot_be_set_is_refused_and_nothing_changes(library, name, change, said):
    made = desk(library)
    with pytest.raises(InputUnusable, match=said):
        made.set_sound(name, **change)

    assert made.settings == {"mic": SoundSetting(), "desktop": SoundSetting()}


def test_the_kept_fact_is_small(library):
    desk(library).set_sound("mic", gain_db=-6.0)

    assert len(msgspec.json.encode(library.fact(FACT))) < 400
