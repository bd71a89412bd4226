"""A synthetic match, made of numpy alone: what agrees must outrank what is merely loud."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pytest

from coordinator.highlight.detect import detect, explain_empty, settled
from coordinator.highlight.features import lane_tracks
from coordinator.highlight.live import detect_since
from coordinator.model.highlight import ChatLine, Moment, SessionSignals, Track, Utterance

RATE_HZ = 16_000
DURATION_S = 150
HIGHLIGHTS_S = (30.0, 66.0, 120.0)
ADVERT_S, MUSIC_S, SHOUTING_S = 46.0, 84.0, 104.0
DECOYS_S = ((ADVERT_S, ADVERT_S + 10), (MUSIC_S, MUSIC_S + 12), (SHOUTING_S, SHOUTING_S + 8))

Pcm = npt.NDArray[np.float32]


def voice(duration_s: float, *, pitch_hz: float, level_db: float, seed: int) -> Pcm:
    """Syllables of a gliding, harmonic source with pauses between them."""
    rng = np.random.default_rng(seed)
    num_samples = int(duration_s * RATE_HZ)
    at_s = np.arange(num_samples) / RATE_HZ
    bend = np.interp(
        at_s,
        np.arange(0, duration_s + 1, 0.2),
        rng.normal(1.0, 0.08, int((duration_s + 1) * 5) + 1)[: np.arange(0, duration_s + 1, 0.2).size],
    )
    phase = 2 * np.pi * np.cumsum(pitch_hz * bend) / RATE_HZ
    tone = sum(np.sin(phase * harmonic) / harmonic for harmonic in range(1, 14))
    hiss = rng.standard_normal(num_samples) * 0.15
    syllables = np.clip(np.sin(2 * np.pi * 4.3 * at_s) + 0.35, 0.0, 1.0)
    sound = (tone + hiss) * syllables
    return scaled(sound, level_db)


def cheer(duration_s: float, *, level_db: float, seed: int) -> Pcm:
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.standard_normal(int(duration_s * RATE_HZ)))
    frequency_hz = np.fft.rfftfreq(int(duration_s * RATE_HZ), 1 / RATE_HZ)
    return scaled(np.fft.irfft(spectrum / np.sqrt(1 + (frequency_hz / 1_200) ** 2)), level_db)


def chords(duration_s: float, *, level_db: float) -> Pcm:
    at_s = np.arange(int(duration_s * RATE_HZ)) / RATE_HZ
    roots_hz = np.array([220.0, 196.0, 174.6, 261.6])[(at_s // 1).astype(int) % 4]
    sound = sum(
        np.sin(2 * np.pi * roots_hz * interval * harmonic * at_s) / harmonic
        for interval in (1.0, 1.26, 1.498)
        for harmonic in range(1, 9)
    )
    return scaled(np.asarray(sound), level_db)


def scaled(sound: npt.NDArray[np.float64], level_db: float) -> Pcm:
    return (sound / (sound.std() + 1e-12) * 10 ** (level_db / 20)).astype(np.float32)


def mixed_in(lane: Pcm, at_s: float, sound: Pcm) -> None:
    first = int(at_s * RATE_HZ)
    lane[first : first + sound.size] += sound[: lane.size - first]


def synthetic_match(
    *, is_one_lane: bool = False, has_words: bool = True, has_motion: bool = True, cheer_db: float = -22.0
) -> SessionSignals:
    mic = np.zeros(DURATION_S * RATE_HZ, dtype=np.float32)
    desktop = cheer(DURATION_S, level_db=-44.0, seed=1)
    motion = np.abs(np.random.default_rng(2).normal(1.0, 0.2, DURATION_S * 2))
    utterances: list[Utterance] = []

    def say(
        at_s: float, duration_s: float, text: str, pitch_hz: float, level_db: float, lane: Pcm = mic
    ) -> None:
        mixed_in(lane, at_s, voice(duration_s, pitch_hz=pitch_hz, level_db=level_db, seed=int(at_s)))
        utterances.append(Utterance(start_s=at_s, end_s=at_s + duration_s, text=text))

    for at_s in (2, 7, 12, 18, 24, 40, 58, 76, 98, 115, 138):
        say(at_s, 3.0, f"they keep the ball and look for space number {at_s}", 120.0, -26.0)
    texts = ("he scores what a goal", "oh my god unbelievable", "incredible she wins it what a finish")
    for at_s, text in zip(HIGHLIGHTS_S, texts, strict=True):
        say(at_s, 4.0, text, 190.0, -17.0)
        mixed_in(desktop, at_s + 1.0, cheer(7.0, level_db=cheer_db, seed=int(at_s) + 1))
        if has_motion:
            motion[int(at_s * 2) : int(at_s * 2) + 4] += 5.0
    say(
        ADVERT_S,
        8.0,
        "sponsored by fresh box use code match for fifty percent off amazing unbelievable prices",
        150.0,
        -13.0,
        desktop,
    )
    mixed_in(desktop, ADVERT_S, chords(8.0, level_db=-24.0))
    mixed_in(desktop, MUSIC_S, chords(10.0, level_db=-14.0))
    say(SHOUTING_S, 6.0, "who took my sandwich i told you not to touch that", 210.0, -12.0)
    tracks = (
        lane_tracks(mic + desktop, lane="mix")
        if is_one_lane
        else [*lane_tracks(mic, lane="mic"), *lane_tracks(desktop, lane="desktop")]
    )
    tracks.append(Track(name="motion", values=motion, present=np.ones(motion.size, dtype=bool)))
    return SessionSignals(duration_s=DURATION_S, tracks=tracks, utterances=utterances if has_words else ())


@pytest.fixture(scope="module")
def match() -> SessionSignals:
    return synthetic_match()


def holds(moment: Moment, at_s: float) -> bool:
    return moment.start_s <= at_s + 2.0 <= moment.end_s


def is_decoy(moment: Moment) -> bool:
    has_highlight = any(holds(moment, at_s) for at_s in HIGHLIGHTS_S)
    return not has_highlight and any(
        moment.start_s < end_s and moment.end_s > start_s for start_s, end_s in DECOYS_S
    )


@pytest.mark.parametrize(
    "variant",
    [
        {},  # mic and desktop apart, words heard
        {"is_one_lane": True},  # everything in one mix
        {"has_words": False},  # the recogniser is down
        {"is_one_lane": True, "has_words": False},
        {"has_motion": False},  # a game that always moves
        {"cheer_db": -30.0},  # a small crowd
    ],
)
def test_highlights_come_first_and_decoys_do_not(variant):
    moments = detect(synthetic_match(**variant), top_k=5)

    assert all(any(holds(moment, at_s) for moment in moments) for at_s in HIGHLIGHTS_S)
    # An advert that shouts over music, in one lane with everything and with nobody to read its words, may come third.
    num_first = 2 if variant == {"is_one_lane": True, "has_words": False} else 3
    assert not any(is_decoy(moment) for moment in moments[:num_first])


def test_decoys_do_not_win_where_nothing_else_happens(match):
    lone = detect(
        dataclasses.replace(
            match, utterances=[one for one in match.utterances if one.start_s in (ADVERT_S, SHOUTING_S)]
        ),
        top_k=5,
    )

    assert [moment for moment in lone if is_decoy(moment) and moment.score > 0.3] == []


def test_moments_of_a_match_are_neither_snippets_nor_chapters(match):
    lengths_s = [moment.end_s - moment.start_s for moment in detect(match, top_k=3)]

    assert all(8.0 <= length_s <= 25.0 for length_s in lengths_s), lengths_s


def test_evidence_names_each_lane_with_its_share_and_adds_up_to_one(match):
    for moment in detect(match, top_k=3):
        assert {"words", "crowd", "motion"} <= {one.lane for one in moment.evidence}
        assert sum(one.weight for one in moment.evidence) == pytest.approx(1.0)
        assert all(one.note for one in moment.evidence)


def test_evidence_quotes_what_was_said_and_how_loud_it_got(match):
    first = next(moment for moment in detect(match, top_k=3) if holds(moment, HIGHLIGHTS_S[0]))

    notes = {one.lane: one.note for one in first.evidence}

    assert "what a goal" in notes["words"]
    assert "dB over the last 100 s" in notes["crowd"]


def test_a_goal_told_is_a_score(match):
    kinds = {moment.kind for moment in detect(match, top_k=3) if holds(moment, HIGHLIGHTS_S[0])}

    assert {"score"} == kinds


def test_same_input_gives_the_same_moments(match):
    assert detect(match, top_k=5) == detect(match, top_k=5)


def upto(signals: SessionSignals, now_s: float) -> SessionSignals:
    steps = int(now_s * 2)
    return SessionSignals(
        duration_s=now_s,
        tracks=[
            Track(name=one.name, values=one.values[:steps], present=one.present[:steps])
            for one in signals.tracks
        ],
        utterances=[one for one in signals.utterances if one.end_s <= now_s],
        chat=[line for line in signals.chat if line.at_s <= now_s],
    )


def test_what_has_settled_stays_when_more_is_known(match):
    final = detect(match, top_k=20)

    for now_s in range(20, DURATION_S, 5):
        for early in settled(detect(upto(match, now_s), top_k=20), now_s):
            assert any(
                abs(early.start_s - late.start_s) <= 2.0 and abs(early.end_s - late.end_s) <= 2.0
                for late in final
            ), early


def test_a_moment_settles_within_ten_seconds_of_its_end(match):
    first = next(moment for moment in detect(match, top_k=3) if holds(moment, HIGHLIGHTS_S[0]))
    now_s = first.end_s + 10.0

    assert any(
        holds(moment, HIGHLIGHTS_S[0]) for moment in settled(detect(upto(match, now_s), top_k=5), now_s)
    )


def test_detection_since_a_time_finds_what_a_whole_run_finds():
    steps = 1_600
    motion = np.abs(np.random.default_rng(5).normal(1.0, 0.2, steps))
    utterances = []
    for at_s in (90.0, 400.0, 700.0, 760.0):
        motion[int(at_s * 2) : int(at_s * 2) + 6] += 6.0
        utterances.append(Utterance(start_s=at_s, end_s=at_s + 3.0, text="oh my god what a shot"))
    signals = SessionSignals(
        duration_s=steps / 2,
        tracks=[Track(name="motion", values=motion, present=np.ones(steps, dtype=bool))],
        utterances=utterances,
    )

    whole = [moment for moment in detect(signals, top_k=50) if moment.end_s > 650.0]

    assert [(one.start_s, one.end_s) for one in whole] == [
        (one.start_s, one.end_s) for one in detect_since(signals, since_s=650.0, top_k=50)
    ]


def test_a_press_makes_a_moment_of_nothing_and_comes_first(match):
    moments = detect(dataclasses.replace(match, markers_s=[15.0]), top_k=4)

    assert (moments[0].kind, moments[0].score) == ("marker", 1.0)
    assert moments[0].start_s <= 15.0 <= moments[0].end_s


def test_a_press_belongs_to_the_best_of_what_was_just_seen_not_to_the_nearest(match):
    highlight = next(moment for moment in detect(match, top_k=3) if holds(moment, HIGHLIGHTS_S[0]))

    first = detect(dataclasses.replace(match, markers_s=[56.0]), top_k=4)[0]

    assert (first.start_s, first.score) == (highlight.start_s, 1.0)


def test_a_press_right_after_a_moment_belongs_to_it(match):
    found = next(moment for moment in detect(match, top_k=3) if holds(moment, HIGHLIGHTS_S[0]))

    first = detect(dataclasses.replace(match, markers_s=[found.end_s + 3.0]), top_k=4)[0]

    assert (found.start_s, found.end_s) == (first.start_s, first.end_s)
    assert first.evidence[0].lane == "marker"
    assert sum(one.weight for one in first.evidence) == pytest.approx(1.0)


def test_a_raid_in_chat_does_not_outrank_a_highlight(match):
    raid = [
        ChatLine(at_s=90.0 + index * 0.05, text=f"hello from the raid {index % 3}") for index in range(200)
    ]
    calm = [ChatLine(at_s=at_s, text="what game is this") for at_s in range(0, DURATION_S, 6)]
    cries = [
        ChatLine(at_s=at_s + 5.0 + index * 0.4, text="POGGERS")
        for at_s in HIGHLIGHTS_S
        for index in range(10)
    ]

    moments = detect(dataclasses.replace(match, chat=[*calm, *raid, *cries]), top_k=5)

    assert all(any(holds(moment, at_s) for at_s in HIGHLIGHTS_S) for moment in moments[:3])
    assert not any(moment.start_s < 100.0 and moment.end_s > 88.0 for moment in moments)


def test_silence_is_explained():
    quiet = cheer(60.0, level_db=-50.0, seed=9)
    signals = SessionSignals(duration_s=60.0, tracks=lane_tracks(quiet, lane="mic"))

    assert detect(signals, top_k=5) == []
    assert "no speech was heard" in explain_empty(signals)
    assert "background noise never rose more than" in explain_empty(signals)


def test_calm_talk_is_explained():
    signals = SessionSignals(
        duration_s=60.0, utterances=[Utterance(start_s=3.0, end_s=5.0, text="we wait for the lobby")]
    )

    assert detect(signals, top_k=5) == []
    assert "none of the 1 things said sounded like a moment" in explain_empty(signals)


@pytest.mark.parametrize("duration_s", [0.0, -3.0, 0.4, float("nan"), float("inf")])
def test_nothing_to_look_at_gives_nothing(duration_s):
    signals = SessionSignals(duration_s=duration_s, utterances=[Utterance(start_s=0, end_s=1, text="goal")])

    assert detect(signals, top_k=5) == []
    assert explain_empty(signals) == "there is nothing to look at yet"


def test_tracks_with_holes_nan_and_wrong_lengths_are_survived():
    rng = np.random.default_rng(3)
    tracks = [
        Track(name="mic_loudness_db", values=rng.normal(-30, 3, 90), present=rng.random(90) > 0.5),
        Track(name="motion", values=np.full(400, np.nan), present=np.ones(400, dtype=bool)),
        Track(name="desktop_loudness_db", values=np.zeros(0), present=np.zeros(0, dtype=bool)),
    ]

    moments = detect(SessionSignals(duration_s=61.3, tracks=tracks), top_k=5)

    assert all(0.0 <= moment.start_s < moment.end_s <= 61.3 for moment in moments)
