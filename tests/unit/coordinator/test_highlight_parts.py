"""The parts of the detector, one sentence each."""

from __future__ import annotations

import gzip
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from coordinator.errors import AudioUnusable, InputUnusable
from coordinator.highlight import chat, files, normalise, rank, segment
from coordinator.highlight.features import STEP_SAMPLES, join_tracks, lane_tracks, measure
from coordinator.highlight.fuse import GROUP_OF_LANE, shipped_weights
from coordinator.highlight.scoreline import ScoreBoard, read_score
from coordinator.highlight.text import read_cues, spoken_after
from coordinator.model.highlight import ChatLine, Evidence, Moment, Utterance


def strength(*texts: str) -> float:
    return sum(
        cue.strength
        for cue in read_cues(
            [Utterance(start_s=at, end_s=at + 1, text=text) for at, text in enumerate(texts)]
        )
    )


@pytest.mark.parametrize(
    ("louder", "quieter"),
    [
        ("what a goal", "the goalkeeper takes the goal kick"),  # the field is no goal
        ("he scores", "he has scored ten goals this season"),  # the past is not now
        ("it's in the back of the net", "they need a goal"),  # a wish is not now
        ("goooooal", "goal difference"),  # drawn out
        ("unbelievable!", "unbelievable"),  # shouted
        ("clip that", "we talk about the patch notes"),
        ("that's an ace", "we talk about the patch notes"),
    ],
)
def test_what_happens_now_says_more_than_what_only_sounds_like_it(louder, quieter):
    assert strength(louder) > strength(quieter)


def test_an_echo_of_the_recogniser_counts_once():
    assert strength("what a goal") == strength("what a goal", "what a goal", "what a goal")


def test_selling_words_take_away_what_praise_gives():
    cue = read_cues(
        [Utterance(start_s=0, end_s=4, text="amazing use code match for fifty percent off subscribe now")]
    )[0]

    assert (cue.strength, cue.sales >= 2) == (0.0, True)


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("It's 2-0.", (2, 0)),
        ("one nil to the reds", (1, 0)),
        ("two all", (2, 2)),
        ("Reds 1, Blues 3.", (3, 1)),
        ("a neat one two", None),  # a pass
        ("they play 4-4-2", None),  # a formation
        ("a 50-50 ball", None),  # a chance
        ("the 2015-16 season", None),
        ("at 10:45 tonight", None),
    ],
)
def test_scores_are_read_and_what_only_looks_like_one_is_not(text, score):
    told = read_score(text)

    assert score == (None if told is None else told[0])


def test_a_score_that_went_up_by_one_is_news_and_an_old_one_is_not():
    board = ScoreBoard()
    board.tell(100.0, "it's 1-0")

    assert board.tell(900.0, "still 1-0")[0] < board.tell(1000.0, "1-1 now")[0]


def test_the_words_curve_peaks_at_the_first_word_of_a_burst():
    words = [(100, "he scores"), (110, "what a finish"), (120, "wonderful goal"), (300, "what a pass")]
    curve = spoken_after(
        read_cues([Utterance(start_s=at, end_s=at + 2, text=text) for at, text in words]), 800
    )

    assert 96.0 <= curve.argmax() / 2 <= 102.0


def test_a_burst_out_of_silence_says_more_than_the_same_words_in_a_talk_about_them():
    burst = [(300, "he scores"), (306, "what a finish")]
    phrases = ("and he scores", "what a strike", "that was a great goal", "he scores here")
    talk = [(262 + 8 * index, phrase) for index, phrase in enumerate(phrases)]

    def at_burst(said):
        cues = read_cues([Utterance(start_s=at, end_s=at + 2, text=text) for at, text in said])
        return spoken_after(cues, 800)[600]

    assert 0 < at_burst([*talk, *burst]) < 0.8 * at_burst(burst)


def test_chunks_measured_apart_equal_the_whole():
    samples = np.random.default_rng(4).normal(0, 0.1, STEP_SAMPLES * 40).astype(np.float32)
    parts = [
        measure(samples[first : first + STEP_SAMPLES * 10], at_s=first / 16_000)
        for first in range(0, samples.size, STEP_SAMPLES * 10)
    ]

    for whole, joined in zip(
        lane_tracks(samples, lane="mic"), join_tracks(parts[::-1], lane="mic", num_steps=40), strict=True
    ):
        np.testing.assert_allclose(whole.values, joined.values, rtol=1e-5, atol=1e-4)
        np.testing.assert_array_equal(whole.present, joined.present)


def test_what_was_measured_before_or_beside_does_not_change_a_measure():
    chance = np.random.default_rng(5)
    loud, soft = (
        chance.normal(0, level, STEP_SAMPLES * num_steps).astype(np.float32)
        for level, num_steps in ((0.3, 90), (0.001, 7))
    )
    alone = measure(soft).values

    with ThreadPoolExecutor(4) as threads:
        beside = list(threads.map(lambda at: measure(soft if at % 2 else loud).values, range(32)))

    for found in beside[1::2]:
        np.testing.assert_array_equal(found, alone)
    for found in beside[::2]:
        np.testing.assert_array_equal(found, beside[0])


def test_what_no_chunk_covers_is_not_present():
    part = measure(np.full(STEP_SAMPLES * 4, 0.1, dtype=np.float32), at_s=2.0)

    loudness = join_tracks([part], lane="mic", num_steps=12)[0]

    assert loudness.present.tolist() == [False] * 4 + [True] * 4 + [False] * 4


@pytest.mark.parametrize(
    "samples", [np.zeros((2, 8000), dtype=np.float32), np.full(8000, np.nan, dtype=np.float32)]
)
def test_audio_that_cannot_be_measured_says_so(samples):
    with pytest.raises(AudioUnusable, match="cannot measure audio"):
        measure(samples)


def test_a_rise_is_measured_against_the_past_alone():
    values = np.full(400, -40.0)
    values[300:] = -20.0
    everywhere = np.ones(400, dtype=bool)

    rise_db, known = normalise.rise(values, everywhere, floor=-60.0)
    early_db, _ = normalise.rise(values[:304], everywhere[:304], floor=-60.0)

    assert not known[:12].any()
    assert rise_db[302] == pytest.approx(20.0)
    np.testing.assert_array_equal(rise_db[:304], early_db)


def test_people_who_laugh_say_more_than_people_who_greet():
    assert chat.reaction_score(["LMAO", "KEKW", "hahaha"]) > chat.reaction_score(
        ["hello", "hi", "!mouse", "HIIIII"]
    )


def test_an_answer_in_chat_is_put_where_its_cause_was():
    lines = [ChatLine(at_s=at_s, text="what patch is it") for at_s in range(0, 300, 5)]
    lines += [ChatLine(at_s=205.0 + index * 0.3, text="LUL") for index in range(12)]

    peak_s = chat.reaction(lines, 300.0).activation.argmax() / 2

    assert 196.0 <= peak_s <= 204.0


def test_a_channel_without_people_is_absent_not_calm():
    assert not chat.reaction([ChatLine(at_s=3.0, text="hello")], 600.0).present[240:].any()


def test_spans_close_to_one_another_are_one():
    curve = np.zeros(200)
    curve[20:30] = curve[34:44] = 0.8  # 2 s apart
    curve[80:90] = 0.8

    spans = segment.spans_above(curve, start_at=0.5, keep_above=0.2)

    assert [(span.first, span.last) for span in spans] == [(20, 44), (80, 90)]


def test_a_span_that_never_ends_is_divided_into_minutes():
    spans = segment.spans_above(np.full(1_000, 0.9), start_at=0.5, keep_above=0.2)

    bounds = [segment.bounds_s(span, 500.0) for span in spans]

    assert len(bounds) > 5
    assert all(8.0 <= end_s - start_s <= 60.0 for start_s, end_s in bounds)


def moment(start_s: float, end_s: float, score: float) -> Moment:
    evidence = (Evidence(lane="words", weight=1.0, note="said 'goal'"),)
    return Moment(start_s=start_s, end_s=end_s, peak_s=start_s, score=score, kind="score", evidence=evidence)


def test_of_two_that_overlap_the_better_stays():
    kept = rank.best([moment(0, 20, 0.5), moment(5, 25, 0.9), moment(40, 50, 0.1)], top_k=5)

    assert [one.score for one in kept] == [0.9, 0.1]


def test_shipped_weights_have_a_version_and_an_origin():
    weights = shipped_weights()

    assert weights.version >= 1
    assert weights.origin
    assert set(GROUP_OF_LANE) == set(weights.lanes)
    assert set(GROUP_OF_LANE.values()) == set(weights.groups)


def test_a_transcript_is_read_plain_or_packed(tmp_path):
    document = json.dumps({"segs": [[5, 6.5, "b"], [1, 2, "a"]]})
    (tmp_path / "plain.json").write_text(document)
    (tmp_path / "packed.json.gz").write_bytes(gzip.compress(document.encode()))

    plain = files.read_transcript(tmp_path / "plain.json")

    assert [one.text for one in plain] == ["a", "b"]
    assert plain == files.read_transcript(tmp_path / "packed.json.gz")


def test_a_chat_is_read_in_time_order(tmp_path):
    (tmp_path / "chat.json").write_text('{"chat": [[9, "later"], [1, "first"]]}')

    assert [line.text for line in files.read_chat(tmp_path / "chat.json")] == ["first", "later"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{not json", "is not JSON"),
        ("[]", 'has no "segs"'),
        ('{"chat": []}', "found: chat"),
        ('{"segs": 3}', "give a list"),
        ('{"segs": [[1, 2]]}', r"segs\[0\] of bad.json"),
        ('{"segs": [["a", 2, "x"]]}', "give seconds as a number"),
        ('{"segs": [[true, 2, "x"]]}', "give seconds as a number"),
        ('{"segs": [[-1, 2, "x"]]}', "give seconds from 0"),
        ('{"segs": [[NaN, 2, "x"]]}', "give seconds from 0"),
        ('{"segs": [[1e300, 1e301, "x"]]}', "give seconds from 0"),
        ('{"segs": [[5, 2, "x"]]}', "before it starts"),
        ('{"segs": [[1, 2, 3]]}', "give a string"),
        ("[" * 100_000, "nested too deeply"),
        ("\x1f\x8bbroken", "damaged gzip"),
    ],
)
def test_a_transcript_that_cannot_be_used_says_what_is_wrong(tmp_path, content, message):
    path = tmp_path / "bad.json"
    path.write_bytes(content.encode("latin-1"))

    with pytest.raises(InputUnusable, match=message):
        files.read_transcript(path)


def test_a_file_that_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 1_000_000)
    path = tmp_path / "bomb.json.gz"
    path.write_bytes(gzip.compress(b" " * 5_000_000))

    with pytest.raises(InputUnusable, match="unpacked: split the file"):
        files.read_transcript(path)


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(InputUnusable, match=r"cannot read none\.json"):
        files.read_chat(tmp_path / "none.json")


@pytest.mark.parametrize("duration_s", [0.0, -1.0, float("nan"), float("inf"), 1e9])
def test_a_duration_that_cannot_be_is_refused(duration_s):
    with pytest.raises(InputUnusable, match="cannot use a duration"):
        files.checked_duration_s(duration_s)


def test_no_moments_are_printed_with_their_reason():
    assert files.moments_document([], reason="no speech was heard") == {
        "moments": [],
        "reason": "no speech was heard",
    }


def test_moments_are_printed_with_their_evidence():
    document = files.moments_document([moment(1, 9, 0.5)])

    keys = {"start_s", "end_s", "peak_s", "score", "kind", "level", "evidence"}
    assert keys == set(document["moments"][0])
    assert document["moments"][0]["evidence"] == [{"lane": "words", "weight": 1.0, "note": "said 'goal'"}]
