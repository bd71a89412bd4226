"""An export is as loud as platforms want it, by a meter that is not ours, and sounds of what was asked for."""

from fractions import Fraction

import av
import numpy as np
import pytest

from coordinator.errors import MediaUnusable
from coordinator.media.output.export import export
from coordinator.media.output.mp4 import Mp4Writer, VideoSettings
from coordinator.media.picture.frames import blank
from coordinator.media.sound.aac import PRIMING_SAMPLES, bandwidth_hz, heard_after_aac
from coordinator.media.sound.ducking import ducked
from coordinator.media.sound.levelling import GENTLE_MS, HARD_MS, SUDDEN_MS, Levelling, level, level_sound
from coordinator.media.sound.loudness import measure
from coordinator.media.sound.mixing import mixed
from coordinator.model.exporting import Recipe, SoundWish
from tests.fakes import sounds
from tests.fakes.loudness_meter import integrated_lufs, true_peak_dbtp
from tests.fakes.sound_clip import heard, write_sounds
from tests.fakes.sounds import KINDS, ODD, RATE_HZ, speech, tone

BITRATE_BPS = 128_000
# Odd sounds that no lawful gain brings to the target, and why.
SHORT = {"taps": "too sudden", "metronome": "too sudden", "whisper": "too quiet"}
# Other channels or another rate than what is levelled: the bench exports them.
UNLIKE = [kind for kind, odd in ODD.items() if odd.layout != "stereo" or odd.rate_hz != RATE_HZ]
# How fast the limiter is that is chosen.
QUICK = {"shots 5": SUDDEN_MS, "shots 2": HARD_MS, "speech 2": GENTLE_MS}


def levelled(sound):
    """What a listener gets of a sound, and what is said of it."""
    result = level_sound(lambda: iter([sound]), bitrate_bps=BITRATE_BPS)
    assert result is not None
    return np.concatenate(list(heard_after_aac(result.open(), BITRATE_BPS)), axis=1), result


def level_at(sound, hz: float) -> float:
    """Level in dB of one tone in a sound of shape (channels, num_samples)."""
    at = np.arange(sound.shape[1]) / RATE_HZ
    return float(20 * np.log10(np.abs(np.mean(sound[0] * np.exp(-2j * np.pi * hz * at))) * 2 + 1e-9))


def test_the_meter_reads_what_the_standard_says_of_a_sine():
    # EBU Tech 3341, test 1: 1 kHz in both channels at -23 dBFS (peak) is -23 LUFS.
    sound = tone(20.0, 1000.0, -23.0 - 20 * np.log10(np.sqrt(2)))

    assert integrated_lufs(sound) == pytest.approx(-23.0, abs=0.1)
    assert measure(iter([sound])).integrated_lufs == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize(
    "kind",
    [
        "speech 2",  # quiet, with high peaks
        "music 6",  # louder than it may be
        "shots 2",  # bursts, which the limiter must take much from
        "shots 5",  # bursts that follow each other, to which AAC adds 2 dB
        "dynamic 5",  # whispered, then shouted
        "noise 6",  # beyond full scale
        "between samples",  # peaks that no sample shows
        "clipped 1",
        "offset",
        "half a second",
        "very quiet",
    ],
)
def test_each_kind_of_sound_comes_out_at_the_target_and_below_the_ceiling(kind):
    after, result = levelled(KINDS[kind]())

    assert after.shape == KINDS[kind]().shape
    assert integrated_lufs(after) == pytest.approx(-14, abs=0.5)
    assert true_peak_dbtp(after) <= -1.0
    assert result.lufs == pytest.approx(integrated_lufs(after), abs=0.1)
    assert result.true_peak_dbtp == pytest.approx(true_peak_dbtp(after), abs=0.1)
    assert result.note is None


@pytest.mark.parametrize("kind", [kind for kind, odd in ODD.items() if kind not in (*SHORT, *UNLIKE)])
def test_odd_sounds_come_out_at_the_target_too(kind):
    after, result = levelled(ODD[kind].make())

    assert integrated_lufs(after) == pytest.approx(-14, abs=0.5)
    assert true_peak_dbtp(after) <= -1.0
    assert result.note is None


@pytest.mark.parametrize(("kind", "why"), SHORT.items())
def test_what_cannot_be_that_loud_says_why_and_keeps_the_ceiling(kind, why):
    after, result = levelled(ODD[kind].make())

    assert true_peak_dbtp(after) <= -1.0
    assert result.lufs < -14.5
    assert why in result.note


def test_a_limiter_as_quick_as_the_bursts_is_for_bursts_alone():
    """It would distort a voice."""
    clipped = {kind: np.clip(KINDS[kind](), -1, 1) for kind in QUICK}
    chosen = {
        kind: level_sound(lambda sound=sound: iter([sound]), bitrate_bps=96_000)
        for kind, sound in clipped.items()
    }

    assert all(each is not None and each.note is None for each in chosen.values())
    assert {kind: each.levelling.limiter_ms for kind, each in chosen.items()} == QUICK


@pytest.mark.parametrize("bitrate_bps", [96_000, 128_000, 160_000, 192_000])
def test_what_is_taken_away_before_the_limiter_is_not_in_the_file_anyway(bitrate_bps):
    sound = sounds.noise(2.0)
    after = np.concatenate(list(heard_after_aac(iter([sound]), bitrate_bps)), axis=1)
    lost_db = 20 * np.log10(np.abs(np.fft.rfft(after)) / np.abs(np.fft.rfft(sound)))[0]
    hz = np.fft.rfftfreq(sound.shape[1], 1 / RATE_HZ)
    edge_hz = bandwidth_hz(bitrate_bps)

    assert np.median(lost_db[(hz > edge_hz - 1500) & (hz < edge_hz - 500)]) > -1
    # The encoder cuts at the end of a band, which may be a little later.
    assert np.median(lost_db[(hz > 1.05 * edge_hz) & (hz < 20_000)]) < -30


def test_a_lone_click_is_not_made_into_a_bang_and_the_result_says_so():
    before = sounds.click()
    after, result = levelled(before)

    assert true_peak_dbtp(after) <= -1.0
    assert result.lufs < -20
    assert "too short" in result.note
    # Beside the click there is silence still.
    assert np.abs(after[:, :RATE_HZ]).max() < 0.001


def test_hiss_around_a_click_is_not_lifted_without_end():
    hiss = sounds.noise(5.0, level_db=-58)

    after, _ = levelled(sounds.click() + hiss)

    rms_db = 10 * np.log10(np.mean(after[:, :RATE_HZ] ** 2))
    assert rms_db <= -58 + 30.5


def test_what_is_too_short_to_be_measured_is_levelled_by_its_repetition():
    after, result = levelled(speech(0.3, 4, -30.0, pauses=0.0))

    assert result.lufs is None
    assert "400 ms" in result.note
    assert integrated_lufs(np.tile(after, 4)) == pytest.approx(-14, abs=1.0)
    assert true_peak_dbtp(after) <= -1.0


def test_silence_stays_silent_and_says_so():
    after, result = levelled(np.zeros((2, RATE_HZ), np.float32))

    assert np.abs(after).max() == 0
    assert (result.lufs, result.true_peak_dbtp) == (None, None)
    assert "silence" in result.note


@pytest.mark.parametrize(("num_pictures", "until"), [(40, 64_000), (90, 96_000)])
def test_a_file_holds_the_packets_that_were_measured_and_ends_with_its_picture(num_pictures, until, tmp_path):
    path = tmp_path / "post.mp4"
    found = level_sound(lambda: iter([tone(2.0, 440.0, -20.0)]), bitrate_bps=BITRATE_BPS)
    assert found is not None
    settings = VideoSettings(width=64, height=64, rate=Fraction(30), crf=30.0, x264_preset="ultrafast")

    for _ in range(2):  # Another file may want them, too.
        with Mp4Writer(path, settings, audio_bitrate_bps=BITRATE_BPS, encoded_audio=found.packets) as writer:
            for _ in range(num_pictures):
                writer.write_picture(blank(64, 64))

    with av.open(str(path)) as file:
        packets = [packet for packet in file.demux(audio=0) if packet.size]
    assert [bytes(one) for one in packets] == [bytes(one) for one in found.packets][: len(packets)]
    assert packets[0].pts == -PRIMING_SAMPLES
    assert packets[-1].pts + packets[-1].duration == until


def test_no_sound_at_all_is_none():
    assert level_sound(lambda: iter([]), bitrate_bps=BITRATE_BPS) is None


def test_peaks_in_the_last_moment_are_measured_too():
    sound = np.zeros((2, RATE_HZ + 2000), np.float32)
    sound[:, :-1000] = tone(1.1, 400.0, -30.0)[:, : RATE_HZ + 1000]
    sound[:, -500:-480] = 0.9

    assert measure(iter([sound])).true_peak_dbtp == pytest.approx(true_peak_dbtp(sound), abs=0.2)


def test_an_offset_is_taken_out():
    after, _ = levelled(KINDS["offset"]())

    assert np.abs(after[:, RATE_HZ:].mean(axis=1)).max() < 0.003


@pytest.mark.parametrize(
    "levelling",
    [
        Levelling(gain_db=6.0, limit_dbtp=None),
        Levelling(gain_db=12.0),
        Levelling(is_evened=True),
    ],
)
def test_sound_stays_where_it_was(levelling):
    before = sounds.shots(6.0, every_s=1.0)

    after = np.concatenate(list(level(iter([before]), levelling)), axis=1)

    assert after.shape == before.shape
    spectrum = np.fft.rfft(np.abs(after[0])) * np.conj(np.fft.rfft(np.abs(before[0])))
    lag = int(np.argmax(np.fft.irfft(spectrum, before.shape[1])))
    assert min(lag, before.shape[1] - lag) <= 48  # 1 ms


# ---- which tracks


@pytest.fixture(scope="module")
def tracks(tmp_path_factory):
    """A clip with a mix and its parts, each a tone of its own."""
    parts = {"mic": tone(2.0, 500), "music": tone(2.0, 1500), "game": tone(2.0, 3000)}
    return write_sounds(
        tmp_path_factory.mktemp("tracks") / "clip.mp4", {"mix": mix(*parts.values()), **parts}
    )


def mix(*parts):
    return np.sum(parts, axis=0)


@pytest.mark.parametrize(
    ("wanted", "heard_hz"),
    [
        (None, {500, 1500, 3000}),
        (("mic", "game"), {500, 3000}),  # without the music
        (("MIC", "3"), {500, 3000}),
        (("2",), {1500}),
        (("mic", "1"), {500}),  # the same one twice is once
    ],
)
def test_only_the_chosen_tracks_are_heard(wanted, heard_hz, tracks, tmp_path):
    export(tracks, tmp_path / "post.mp4", Recipe(preset="discord", sound=SoundWish(tracks=wanted)))

    after = heard(tmp_path / "post.mp4")
    assert {hz for hz in (500, 1500, 3000) if level_at(after, hz) > -40} == heard_hz
    assert integrated_lufs(after) == pytest.approx(-14, abs=0.5)


def test_a_track_that_is_not_there_is_refused_with_those_that_are(tracks, tmp_path):
    with pytest.raises(MediaUnusable, match="'discord'; it has 0 mix, 1 mic, 2 music, 3 game"):
        export(tracks, tmp_path / "post.mp4", Recipe(preset="discord", sound=SoundWish(tracks=("discord",))))


def test_ducking_without_a_voice_is_refused(tracks, tmp_path):
    wish = SoundWish(tracks=("music", "game"), should_duck=True)
    with pytest.raises(MediaUnusable, match="called mic"):
        export(tracks, tmp_path / "post.mp4", Recipe(preset="discord", sound=wish))


def test_a_track_that_ends_early_is_silent_from_then_on():
    long, short = tone(1.0, 500), tone(0.25, 1500)

    total = np.concatenate(list(mixed([iter([short]), iter([long])])), axis=1)

    assert total.shape == long.shape
    assert np.array_equal(total[:, short.shape[1] :], long[:, short.shape[1] :])


# ---- ducking


@pytest.mark.parametrize("voice_db", [-20.0, -45.0])
def test_music_goes_down_while_a_voice_speaks_and_comes_back(voice_db):
    voice = np.zeros((2, 8 * RATE_HZ), np.float32)
    voice[:, 3 * RATE_HZ : 5 * RATE_HZ] = speech(2.0, 3, voice_db, pauses=0.0)
    music = tone(8.0, 9000, -20.0)

    after = np.concatenate(list(ducked(lambda: iter([voice]), lambda: iter([music]))()), axis=1)

    def music_db(first_s, last_s):
        return level_at(after[:, round(first_s * RATE_HZ) : round(last_s * RATE_HZ)], 9000)

    assert after.shape == voice.shape
    before = music_db(1.0, 2.5)
    assert before == pytest.approx(-17, abs=0.3)
    assert -18 <= music_db(3.5, 5.0) - before <= -6
    assert music_db(6.5, 8.0) == pytest.approx(before, abs=0.3)
    # What is not the voice alone is changed.
    assert np.abs(after - voice)[:, 3 * RATE_HZ : 5 * RATE_HZ].max() <= np.abs(music).max() + 1e-3


def test_nothing_goes_down_where_nobody_speaks():
    silence, music = np.zeros((2, 2 * RATE_HZ), np.float32), tone(2.0, 1500)

    after = np.concatenate(list(ducked(lambda: iter([silence]), lambda: iter([music]))()), axis=1)

    assert np.array_equal(after, music)


def test_an_export_ducks_all_parts_of_the_mix(tmp_path):
    voice = np.zeros((2, 4 * RATE_HZ), np.float32)
    voice[:, 2 * RATE_HZ :] = speech(2.0, 3, -20.0, pauses=0.0)
    game = tone(4.0, 9000, -20.0)
    src = write_sounds(tmp_path / "clip.mp4", {"mix": voice + game, "mic": voice, "game": game})

    export(src, tmp_path / "post.mp4", Recipe(preset="discord", sound=SoundWish(should_duck=True)))

    after = heard(tmp_path / "post.mp4")
    before, during = (level_at(after[:, at * RATE_HZ : (at + 1) * RATE_HZ], 9000) for at in (0, 3))
    assert -20 <= during - before <= -6


# ---- channels


def test_the_centre_of_surround_is_kept(tmp_path):
    """FL FR FC LFE BL BR: what is said stands in the centre."""
    channels = np.zeros((6, 2 * RATE_HZ), np.float32)
    channels[0] = tone(2.0, 3000, -30)[0]
    channels[2] = tone(2.0, 700, -20)[0]
    src = write_sounds(tmp_path / "clip.mp4", {"mix": channels}, layout="5.1", codec="aac")

    export(src, tmp_path / "post.mp4", Recipe(preset="discord"))

    after = heard(tmp_path / "post.mp4")
    left, right = level_at(after, 700), level_at(after[1:], 700)
    assert left == pytest.approx(right, abs=0.1)
    assert left - level_at(after, 3000) == pytest.approx(10 - 3, abs=0.5)
    assert integrated_lufs(after) == pytest.approx(-14, abs=0.5)


def test_mono_is_heard_on_both_sides(tmp_path):
    src = write_sounds(tmp_path / "clip.mp4", {"mix": tone(2.0, 700)[:1]}, layout="mono")

    export(src, tmp_path / "post.mp4", Recipe(preset="discord"))

    after = heard(tmp_path / "post.mp4")
    assert level_at(after, 700) == pytest.approx(level_at(after[1:], 700), abs=0.1)
    assert integrated_lufs(after) == pytest.approx(-14, abs=0.5)
