"""The generated match: its plan, its sound, and the bar that counts its frames."""

from __future__ import annotations

import importlib
import itertools
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

DEMO = Path(__file__).parents[3] / "packaging" / "demo"
RATE_HZ = 48_000
SEEDS = [1, 7, 42, 1_000_003]


@pytest.fixture(scope="module")
def demo() -> Iterator[dict[str, ModuleType]]:
    """The scripts that need neither screen nor sound server, loaded as they load each other."""
    sys.path.insert(0, str(DEMO))
    try:
        yield {name: importlib.import_module(name) for name in ("match", "marks", "speech", "mix", "arena")}
    finally:
        sys.path.remove(str(DEMO))
        for name, module in list(sys.modules.items()):
            if str(DEMO) in (getattr(module, "__file__", None) or ""):
                del sys.modules[name]


@pytest.mark.parametrize("seed", SEEDS)
def test_match_holds_three_highlights_of_six_to_ten_seconds(demo, seed):
    played = demo["match"].timeline(seed=seed)

    lengths_s = [highlight.end_s - highlight.start_s for highlight in played.highlights]

    assert len(lengths_s) == 3
    assert all(6 <= length_s <= 10 for length_s in lengths_s)


@pytest.mark.parametrize("seed", SEEDS)
def test_last_highlight_leaves_a_minute_of_match_for_its_post(demo, seed):
    played = demo["match"].timeline(seed=seed)

    assert played.duration_s <= 165
    assert played.duration_s - played.highlights[-1].end_s >= 60


@pytest.mark.parametrize("seed", SEEDS)
def test_every_decoy_keeps_its_distance_from_every_highlight(demo, seed):
    match = demo["match"]
    played = match.timeline(2 * match.CYCLE_S, seed)

    gaps_s = [
        max(decoy.start_s - highlight.end_s, highlight.start_s - decoy.end_s)
        for decoy in played.decoys
        for highlight in played.highlights
    ]

    assert {decoy.kind for decoy in played.decoys} == {"advert", "music", "shouting"}
    assert min(gaps_s) >= match.MIN_GAP_S


@pytest.mark.parametrize("seed", SEEDS)
def test_streamer_ends_each_line_before_the_next_begins(demo, seed):
    match = demo["match"]
    lines = [line for line in match.timeline(400, seed).utterances if line.voice == "streamer"]

    pauses_s = [
        later.start_s - earlier.start_s - match.estimated_s(earlier.text)
        for earlier, later in itertools.pairwise(lines)
    ]

    assert min(pauses_s) >= 0


def test_same_seed_gives_the_same_match_and_another_seed_another(demo):
    timeline = demo["match"].timeline

    assert timeline(155, 7) == timeline(155, 7)
    assert timeline(155, 7).utterances != timeline(155, 8).utterances


def test_shorter_match_is_the_beginning_of_the_longer(demo):
    timeline = demo["match"].timeline

    assert timeline(60, 7).highlights == timeline(155, 7).highlights[:1]
    assert timeline(30, 7).utterances == timeline(155, 7).utterances[: len(timeline(30, 7).utterances)]


def test_longer_match_goes_on_with_another_cycle(demo):
    match = demo["match"]

    assert len(match.timeline(3 * match.CYCLE_S).highlights) == 9


@pytest.mark.parametrize("duration_s", [0.0, -1.0, math.nan, math.inf, 1e9])
def test_match_of_no_sensible_length_is_refused_with_the_value(demo, duration_s):
    with pytest.raises(ValueError, match="cannot be played"):
        demo["match"].timeline(duration_s)


def test_streamer_says_nothing_but_the_closed_set_of_phrases(demo):
    match = demo["match"]

    said = {line.text for line in match.timeline(2_000).utterances if line.voice == "streamer"}

    assert said == set(match.phrases())
    assert 25 <= len(match.phrases()) <= 32


def test_every_spoken_word_is_in_the_dictionary_of_the_offline_recogniser(demo):
    pocketsphinx = pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed")
    dictionary = Path(pocketsphinx.get_model_path()) / "en-us" / "cmudict-en-us.dict"
    known = {line.split(maxsplit=1)[0] for line in dictionary.read_text(encoding="utf-8").splitlines()}

    assert {word for phrase in demo["match"].phrases() for word in phrase.split()} <= known


def test_score_counts_goals_from_their_shots_on(demo):
    played = demo["match"].timeline()
    first, _, last = played.highlights

    assert played.score_at(first.shot_s - 0.1) == (0, 0)
    assert played.score_at(first.shot_s) == (1, 0)
    assert played.score_at(last.end_s) == (1, 1)


def test_ball_is_in_the_goal_when_a_goal_is_scored(demo):
    arena = demo["arena"]
    played = demo["match"].timeline()
    goal = played.highlights[0]

    moment = arena.Arena(played).at(goal.shot_s + 0.05)

    assert moment.ball[0] > arena.PITCH[2]
    assert moment.flash > 0.5


def test_camera_never_leaves_the_world(demo):
    arena = demo["arena"]
    played = arena.Arena(demo["match"].timeline())

    corners = [played.at(at_s / 5).camera for at_s in range(-10, 155 * 5)]

    assert all(0 <= x <= arena.WORLD[0] - arena.VIEW[0] for x, _ in corners)
    assert all(0 <= y <= arena.WORLD[1] - arena.VIEW[1] for _, y in corners)


class ToneSpeaker:
    """A fake `speech.Speaker`: a tone as long and as loud as the line would be."""

    def __init__(self, demo):
        self._demo = demo

    def say(self, text, manner):
        num_samples = round(self._demo["match"].estimated_s(text) * RATE_HZ)
        level = 10 ** (manner.level_dbfs / 20) * math.sqrt(2)
        tone = level * np.sin(np.arange(num_samples) * (2 * np.pi * 200 / RATE_HZ))
        return self._demo["speech"].Line(text=text, samples=tone.astype(np.float32), words=())


@pytest.fixture(scope="module")
def tracks(demo):
    """The match, and its two sound tracks with tones for words."""
    played = demo["match"].timeline()
    lines = demo["mix"].spoken_lines(played, ToneSpeaker(demo))
    return played, demo["mix"].game_track(played, lines), demo["mix"].voice_track(played, lines)


def level_dbfs(track, start_s, end_s):
    samples = track.block(round(start_s * RATE_HZ), round((end_s - start_s) * RATE_HZ)) / 32768.0
    return 10 * math.log10(float(np.mean(np.square(samples))) + 1e-12)


def test_game_is_much_louder_after_each_shot_than_in_calm_play(tracks):
    played, game, _ = tracks
    calm = level_dbfs(game, 3, 18)

    assert all(level_dbfs(game, one.shot_s, one.end_s) > calm + 15 for one in played.highlights)


def test_advert_and_music_are_loud_on_the_game_track_and_absent_from_the_microphone(tracks):
    played, game, voice = tracks
    loud = [decoy for decoy in played.decoys if decoy.kind in ("advert", "music")]

    assert all(level_dbfs(game, decoy.start_s, decoy.end_s) > -22 for decoy in loud)
    assert all(level_dbfs(voice, decoy.start_s, decoy.end_s) < -60 for decoy in loud)


def test_shouting_is_loud_on_the_microphone_while_the_crowd_stays_calm(tracks):
    played, game, voice = tracks
    (shouting,) = [decoy for decoy in played.decoys if decoy.kind == "shouting"]

    assert level_dbfs(voice, shouting.start_s, shouting.end_s) > level_dbfs(voice, 3, 18) + 3
    assert level_dbfs(game, shouting.start_s, shouting.end_s) == pytest.approx(level_dbfs(game, 3, 18), abs=2)


def test_track_sounds_the_same_however_it_is_cut_into_blocks(tracks):
    _, game, _ = tracks
    start, num_samples = 21 * RATE_HZ, 4_800

    whole = game.block(start, num_samples)
    pieces = np.concatenate([game.block(start, 1_777), game.block(start + 1_777, num_samples - 1_777)])

    assert np.array_equal(whole, pieces)


def test_track_is_silent_before_its_start_and_after_its_end(tracks):
    played, game, _ = tracks

    assert not game.block(-2_400, 2_400).any()
    assert not game.block(round(played.duration_s * RATE_HZ), 2_400).any()


@pytest.mark.parametrize("frame", [0, 1, 29, 30, 4_649, (1 << 20) - 1])
@pytest.mark.parametrize("size_px", [(1280, 720), (640, 360), (1920, 1080)])
def test_frame_number_is_read_back_from_a_noisy_picture_of_any_size(demo, frame, size_px):
    picture = bar(demo["marks"], frame, *size_px)
    noise = np.random.default_rng(frame).normal(0, 20, picture.shape)

    assert demo["marks"].read(np.clip(picture + noise, 0, 255).astype(np.uint8)) == frame


def test_two_frames_blended_are_read_as_none(demo):
    marks = demo["marks"]
    blend = (bar(marks, 40, 1280, 720).astype(int) + bar(marks, 41, 1280, 720)) // 2

    assert marks.read(blend.astype(np.uint8)) is None


def test_no_single_wrong_cell_is_read_as_another_frame(demo):
    marks = demo["marks"]

    for cell in range(marks.NUM_CELLS):
        picture = bar(marks, 1_234, 1280, 720)
        left, right = (1280 * edge // marks.NUM_CELLS for edge in (cell, cell + 1))
        picture[:24, left:right] = 255 - picture[:24, left:right]
        assert marks.read(picture) is None


def bar(marks, frame, width, height):
    """A grey picture with the bar on it, drawn independently of the scene."""
    picture = np.full((height, width), 128, np.uint8)
    for index, is_white in enumerate(marks.cells(frame)):
        left, right = (width * edge // marks.NUM_CELLS for edge in (index, index + 1))
        picture[: round(height * marks.HEIGHT_SHARE), left:right] = 235 if is_white else 16
    return picture
