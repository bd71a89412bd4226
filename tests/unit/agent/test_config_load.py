"""The agent's configuration: what is read, and what is refused with which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.config import Config, Trigger, load_config
from agent.engine.desking import hotkeys_of
from agent.errors import InputUnusable


def test_no_file_and_no_variables_give_the_defaults(tmp_path: Path):
    config = load_config(tmp_path / "absent.toml", {})

    assert config.ring.max_duration_s == 300
    assert config.uplink.address == ""


def test_a_variable_overrides_the_file(tmp_path: Path):
    path = tmp_path / "agent.toml"
    path.write_text("[ring]\nmax_duration_s = 120\nmax_bytes = 100000000\n")

    config = load_config(path, {"CLIPPY_AGENT_RING__MAX_DURATION_S": "60"})

    assert config.ring.max_duration_s == 60
    assert config.ring.max_bytes == 100_000_000


def test_a_list_in_a_variable_is_written_with_commas(tmp_path: Path):
    config = load_config(
        tmp_path / "absent.toml", {"CLIPPY_AGENT_TRIGGER__MORE_HOTKEYS": "Ctrl+F11=90, Ctrl+F12=0"}
    )

    assert config.trigger.more_hotkeys == ("Ctrl+F11=90", "Ctrl+F12=0")
    assert hotkeys_of(config) == [("Ctrl+Shift+F10", 30), ("Ctrl+F11", 90), ("Ctrl+F12", 0)]


@pytest.mark.parametrize("text", ["Ctrl+F11", "Ctrl+F11=long", "=90", "Ctrl+F11=4000", "ctrl+shift+f10=90"])
def test_a_hotkey_without_a_length_of_its_own_is_refused_by_name(text: str):
    with pytest.raises(InputUnusable, match=r"trigger\.more_hotkeys"):
        hotkeys_of(Config(trigger=Trigger(more_hotkeys=(text,))))


def test_a_list_and_a_table_are_written_in_a_variable_with_commas(tmp_path: Path):
    config = load_config(
        tmp_path / "absent.toml",
        {
            "CLIPPY_AGENT_CAPTURE__APPS": "Discord, game",
            "CLIPPY_AGENT_SOUND__GAIN_DB": "mic=3, Discord=-6.5",
            "CLIPPY_AGENT_SOUND__MUTED": "",
            "CLIPPY_AGENT_SOUND__IS_MIC_NOISE_SUPPRESSED": "true",
        },
    )

    assert config.capture.apps == ("Discord", "game")
    assert config.sound.gain_db == {"mic": 3.0, "Discord": -6.5}
    assert config.sound.muted == () and config.sound.is_mic_noise_suppressed


@pytest.mark.parametrize(
    ("toml", "environment", "named"),
    [
        ("[ring", {}, "cannot read"),  # not TOML
        ("[ring]\nmax_length = 3\n", {}, "max_length"),  # a name nobody knows
        ("[ring]\nmax_duration_s = 'long'\n", {}, "max_duration_s"),  # a wrong type
        ("[clips]\noverlap = 'merge'\n", {}, "overlap"),  # not one of the words
        ("[clips]\ndouble_press_length_s = 2000\n", {}, "0..1800"),
        ("[ring]\nmax_duration_s = 3\n", {}, "30..1800"),  # out of range: says what is allowed
        ("[encode]\ncodec = 'vp9'\n", {}, "codec"),  # not one of those there are
        ("[encode]\ntier = 'gold'\n", {}, "tier"),
        ("[encode]\nvideo_bit_rate_bps = 8\n", {}, "at least 100000"),  # somebody means Mbit/s
        ("", {"CLIPPY_AGENT_UPLINK__PROXY": "maybe"}, "proxy"),
        ("[chat]\ntwitch = ['#me']\n", {}, r"chat\.twitch"),  # the name alone
        ("[chat]\nkick = ['me=room']\n", {}, r"chat\.kick"),
        ("", {"CLIPPY_AGENT_CHAT__TWITCH": "a,b,c,d,e,f,g,h,i"}, "9 channels"),
        ("[chat]\nyoutube = 'my video'\nyoutube_key_file = 'k'\n", {}, r"chat\.youtube"),
        ("[chat]\nyoutube = 'abcdefghijk'\n", {}, "youtube_key_file"),  # nobody's key is built in
        ("[chat]\nyoutube_poll_s = 1\n", {}, r"5\.\.45"),
        ("[chat]\nlocal_port = 80\n", {}, r"1024\.\.65535"),
        (
            "",
            {"CLIPPY_AGENT_RING__MAX_DURATION": "60"},
            "CLIPPY_AGENT_RING__MAX_DURATION_S",
        ),  # the nearest name
        ("[capture]\napps = ['mic']\n", {}, "'mic'"),  # a track of ours
        ("[capture]\napps = ['Discord', 'discord']\n", {}, "'discord'"),  # two tracks of one name
        ("[capture]\napps = [' ']\n", {}, "part of the application's name"),
        ("[capture]\napps = ['a','b','c','d','e','f','g','h','i']\n", {}, "allowed: 8"),
        ("[sound]\ngain_db = {mic = 21}\n", {}, "-60..20"),
        ("[sound]\nmuted = ['Discord']\n", {}, "there are mic, desktop"),  # not recorded
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, toml: str, environment: dict[str, str], named: str):
    path = tmp_path / "agent.toml"
    path.write_text(toml)

    with pytest.raises(InputUnusable, match=named):
        load_config(path, environment)


def test_variables_that_find_the_configuration_are_no_settings(tmp_path: Path):
    load_config(tmp_path / "absent.toml", {"CLIPPY_AGENT_DATA": "/somewhere", "CLIPPY_AGENT_CONFIG": "/else"})
