"""The made-up streams are what they say: the same again, within bounds, in two families, with the signs they name."""

from __future__ import annotations

import dataclasses
import json
from itertools import pairwise

import numpy as np
import pytest

from coordinator.highlight.files import read_chat, read_transcript
from coordinator.media.intake.audio import decode_channels
from tests.synthetic.chat import write_chat
from tests.synthetic.family import DEV, DEV_SEEDS, HELD, HELD_SEEDS, THIRD, THIRD_SEEDS
from tests.synthetic.files import motion, write_stream
from tests.synthetic.model import DECOY_KINDS, KINDS, MORE_DECOY_KINDS, RATE_HZ, Stream
from tests.synthetic.plan import make_plan
from tests.synthetic.stream import make_stream

SEEDS = (*DEV_SEEDS[:40], *HELD_SEEDS[:40], *THIRD_SEEDS[:40])


@pytest.fixture(scope="module")
def stream() -> Stream:
    return make_stream(1001, duration_s=600, has_chat=True)


def test_the_same_seed_gives_the_same_stream(stream: Stream) -> None:
    again = make_stream(1001, duration_s=600, has_chat=True)

    assert again.plan == stream.plan
    assert np.array_equal(again.mic, stream.mic) and np.array_equal(again.desktop, stream.desktop)
    assert (again.heard, again.chat) == (stream.heard, stream.chat)
    assert motion(again) == motion(stream)


@pytest.mark.parametrize("seed", SEEDS)
def test_events_and_decoys_lie_within_the_stream_apart_from_one_another(seed: int) -> None:
    plan = make_plan(seed)
    spans = sorted((*plan.decoys, *(event.span for event in plan.events)), key=lambda span: span.start_s)

    assert all(second.start_s - first.end_s >= 7.5 for first, second in pairwise(spans))
    assert spans[0].start_s >= 40.0 and spans[-1].end_s <= plan.duration_s
    assert all(5.0 <= event.span.duration_s <= 30.01 for event in plan.events)
    assert 3.5 <= len(plan.events) / plan.duration_s * 600 <= 9.5
    assert {event.span.kind for event in plan.events} <= set(KINDS)
    more = MORE_DECOY_KINDS if seed in THIRD_SEEDS else ()
    assert {span.kind for span in plan.decoys} <= {*DECOY_KINDS, *more}


@pytest.mark.parametrize("seeds", [DEV_SEEDS, HELD_SEEDS, THIRD_SEEDS])
def test_the_truth_begins_with_the_first_sign_and_not_with_what_leads_up_to_it(seeds: range) -> None:
    for event in (event for seed in seeds for event in make_plan(seed).events):
        has_early = "motion" in event.signs or "desktop" in event.signs
        assert event.climax_s - (1.01 if has_early else 0.01) <= event.truth.start_s <= event.climax_s + 0.01
        assert event.truth.duration_s >= 5.99
        # Never longer than what was set aside, but for a second before it and where it must be lengthened.
        assert event.truth.end_s <= max(event.span.end_s, event.truth.start_s + 6.0) + 0.01
        if event.signs & {"voice", "words", "laughter", "desktop"} and event.truth.duration_s > 6.01:
            assert event.truth.end_s == pytest.approx(event.span.end_s, abs=0.01)


@pytest.mark.parametrize("seeds", [DEV_SEEDS, HELD_SEEDS, THIRD_SEEDS])
def test_no_sign_shows_in_every_event_and_every_event_has_two(seeds: range) -> None:
    events = [event for seed in seeds for event in make_plan(seed).events]

    assert all(len(event.signs) >= 2 for event in events)
    for sign in ("voice", "words", "laughter", "desktop", "motion", "chat"):
        assert 0.1 < np.mean([sign in event.signs for event in events]) < 0.85


@pytest.mark.parametrize("seeds", [DEV_SEEDS, HELD_SEEDS, THIRD_SEEDS])
def test_a_quarter_of_the_streams_have_no_chat(seeds: range) -> None:
    plans = [make_plan(seed) for seed in seeds]

    assert 0.12 < np.mean([not plan.has_chat for plan in plans]) < 0.38
    assert all("chat" not in event.signs for plan in plans if not plan.has_chat for event in plan.events)


def test_the_families_share_no_phrase() -> None:
    def said(family):
        phrases = family.phrases
        groups = (*phrases.neutral.values(), *phrases.react.values(), *phrases.react_in.values())
        more = (phrases.past, phrases.boring, phrases.advert, phrases.raid_welcome, phrases.pause)
        return {line for group in (*groups, *more) for line in group}

    assert said(DEV) & said(HELD) == said(DEV) & said(THIRD) == said(HELD) & said(THIRD) == set()
    assert all(set(family.genres) <= set(family.phrases.neutral) for family in (DEV, HELD, THIRD))


def test_a_voice_that_is_a_sign_is_louder_than_the_small_talk(stream: Stream) -> None:
    level = np.sqrt(np.square(stream.mic[: 600 * RATE_HZ].reshape(-1, RATE_HZ)).mean(axis=1))
    usual = float(np.percentile(level, 75))
    loudest = [
        float(level[int(event.climax_s) : int(event.span.end_s)].max())
        for event in stream.plan.events
        if "voice" in event.signs
    ]

    assert loudest and np.median(loudest) > 1.3 * usual


def test_a_chat_answers_late_and_only_where_it_is_a_sign() -> None:
    plan = make_plan(1007, duration_s=600, has_chat=True)
    event = next(event for event in plan.events if "chat" in event.signs)
    alone = dataclasses.replace(plan, events=[event], decoys=[])
    without = dataclasses.replace(plan, events=[], decoys=[])
    usual = {(line.at_s, line.text) for line in write_chat(without)}
    answers = [line.at_s for line in write_chat(alone) if (line.at_s, line.text) not in usual]

    assert answers
    assert event.climax_s + 2.0 < min(answers)
    assert max(answers) < event.span.end_s + 25.0


def test_words_are_lost_on_the_way(stream: Stream) -> None:
    known = {word for line in stream.heard for word in line.text.split()}

    assert len(known) > 40
    assert all(line.start_s < line.end_s <= 600 for line in stream.heard)


@pytest.mark.parametrize(
    ("seed", "options"),
    [
        (100, {}),
        (-1, {}),
        (1100, {}),
        (2100, {}),
        (1, {"duration_s": 30}),
        (1, {"duration_s": 7200}),
        (1, {"language": "xx"}),
    ],
)
def test_what_cannot_be_made_is_refused(seed: int, options: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        make_stream(seed, **options)


def test_the_files_are_what_the_detector_reads(stream: Stream, tmp_path) -> None:
    write_stream(stream, tmp_path)

    assert len(read_transcript(tmp_path / "transcript.json")) == len(stream.heard)
    assert len(read_chat(tmp_path / "chat.json")) == len(stream.chat)
    truth = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))
    assert len(truth["events"]) == len(stream.events) and len(truth["decoys"]) == len(stream.decoys)
    assert abs(decode_channels(tmp_path / "mixed.mp4").shape[1] / RATE_HZ - 600) < 0.5
    assert len(json.loads((tmp_path / "signals.json").read_text(encoding="utf-8"))["motion"]) == 1200
