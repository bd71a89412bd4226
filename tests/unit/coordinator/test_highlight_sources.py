"""Each source by itself: chats, games, languages, kinds and levels, on short made-up curves."""

from __future__ import annotations

import numpy as np
import pytest

from coordinator.highlight.chat import LAG_S
from coordinator.highlight.chats import learned_lag_s, spoken_by_people, trust_of
from coordinator.highlight.detect import detect
from coordinator.highlight.game import event_curve
from coordinator.highlight.language import are_english
from coordinator.highlight.segment import Pauses, as_cut, pauses_of
from coordinator.highlight.text import read_cues
from coordinator.model.highlight import (
    Audience,
    ChatLine,
    Evidence,
    GameEvent,
    Moment,
    SessionSignals,
    Track,
    Utterance,
    level_of,
)

DURATION_S = 400
DEEDS_S = (80.0, 190.0, 300.0)


def motion(*at_s: float) -> Track:
    values = np.abs(np.random.default_rng(4).normal(1.0, 0.1, DURATION_S * 2))
    for one_s in at_s:
        values[int(one_s * 2) : int(one_s * 2) + 16] += 6.0
    return Track(name="motion", values=values, present=np.ones(values.size, dtype=bool))


def calm(chat: str = "") -> list[ChatLine]:
    return [
        ChatLine(at_s=at_s, text=f"so which map is next {at_s}", author=f"a{at_s % 12}", chat=chat)
        for at_s in range(1, DURATION_S, 3)
    ]


def cries(lag_s: float, chat: str = "") -> list[ChatLine]:
    return [
        ChatLine(at_s=at_s + lag_s + index * 0.3, text="LUL", author=f"a{index % 12}", chat=chat)
        for at_s in DEEDS_S
        for index in range(16)
    ]


def test_a_game_event_is_as_much_of_a_moment_as_its_game_says():
    heavy, light = (
        detect(
            SessionSignals(
                duration_s=DURATION_S,
                tracks=[motion()],
                events=[GameEvent(at_s=100.0, kind="ace", weight=weight, text="five kills")],
            ),
            top_k=3,
        )
        for weight in (0.9, 0.2)
    )

    assert light == []
    assert heavy[0].start_s <= 100.0 <= heavy[0].end_s
    assert (heavy[0].kind, heavy[0].evidence[0].lane) == ("clutch", "events")
    assert "five kills" in heavy[0].evidence[0].note


@pytest.mark.parametrize(
    "event",
    [
        GameEvent(at_s=float("nan"), kind="goal", weight=1.0),
        GameEvent(at_s=5.0, kind="goal", weight=float("nan")),
        GameEvent(at_s=-4.0, kind="goal", weight=1.0),
        GameEvent(at_s=1e300, kind="goal", weight=1.0),
        GameEvent(at_s=5.0, kind="goal", weight=-3.0),
    ],
)
def test_what_no_game_says_is_left_out(event):
    assert not event_curve([event], 100).any()


def test_a_weight_beyond_one_counts_as_one():
    assert event_curve([GameEvent(at_s=20.0, kind="goal", weight=50.0)], 100).max() == 1.0


@pytest.mark.parametrize("lag_s", [2.0, 9.0, 12.0])
def test_the_lag_of_a_chat_is_learned_from_the_picture(lag_s):
    excitement = np.zeros(DURATION_S * 2)
    for at_s in DEEDS_S:
        excitement[int(at_s * 2) : int(at_s * 2) + 10] = 1.0

    learned_s = learned_lag_s(cries(lag_s) + calm(), excitement)

    assert abs(learned_s - lag_s) <= 1.5


def test_a_chat_that_fits_nothing_keeps_the_usual_lag():
    assert learned_lag_s(calm(), np.random.default_rng(1).random(DURATION_S * 2)) == LAG_S
    assert learned_lag_s(cries(9.0), np.zeros(DURATION_S * 2)) == LAG_S


def test_each_of_several_chats_has_its_own_lag():
    chat = [*cries(3.0, "one"), *calm("one"), *cries(12.0, "two"), *calm("two")]

    moments = detect(SessionSignals(duration_s=DURATION_S, tracks=[motion(*DEEDS_S)], chat=chat), top_k=3)

    assert all(any(one.start_s <= at_s + 4.0 <= one.end_s for one in moments) for at_s in DEEDS_S)
    assert all("chat" in {one.lane for one in moment.evidence} for moment in moments)


def test_commands_bots_and_clockwork_are_not_people():
    clock = [ChatLine(at_s=60.0 * index, text="follow me on all sites", author="z") for index in range(1, 6)]
    odd = [
        ChatLine(at_s=4.0, text="!uptime"),
        ChatLine(at_s=5.0, text="hype", kind="bot"),
        ChatLine(at_s=6.0, text="roll", kind="command"),
        ChatLine(at_s=7.0, text="LUL"),
    ]

    assert [line.text for line in spoken_by_people([*clock, *odd])] == ["LUL"]


@pytest.mark.parametrize("is_announced", [True, False])
def test_who_came_with_a_raid_does_not_make_a_moment(is_announced):
    raid = [ChatLine(at_s=200.0 + index * 0.1, text="POGGERS", author=f"new{index}") for index in range(80)]
    if is_announced:
        raid.append(ChatLine(at_s=199.0, text="80 came", kind="raid", count=80))

    kept = spoken_by_people([*calm(), *raid])

    assert sum(line.author.startswith("new") for line in kept) <= (0 if is_announced else 12)


def test_a_chat_that_few_read_counts_less_and_says_so():
    chat = [*calm(), *cries(5.0)]
    few, many = (
        detect(
            SessionSignals(
                duration_s=DURATION_S,
                tracks=[motion(*DEEDS_S)],
                chat=chat,
                audiences=[Audience(at_s=1.0, num_viewers=num_viewers)],
            ),
            top_k=1,
        )[0]
        for num_viewers in (9, 900)
    )
    notes = {
        name: next(one for one in moment.evidence if one.lane == "chat")
        for name, moment in (("few", few), ("many", many))
    }

    assert notes["few"].weight < notes["many"].weight
    assert "only 9 watch" in notes["few"].note
    assert "watch" not in notes["many"].note


def test_trust_in_a_chat_grows_up_to_fifty_viewers():
    assert trust_of(0) < trust_of(25) < trust_of(50) == trust_of(None) == trust_of(20_000) == 1.0


SPANISH = "vamos a ver que pasa con esta partida porque no tenemos ni idea de como va"


def said(*texts: str) -> list[Utterance]:
    return [Utterance(start_s=4.0 * at, end_s=4.0 * at + 3.0, text=text) for at, text in enumerate(texts)]


def test_words_of_another_language_are_not_read_but_their_form_is():
    cues = read_cues(said(SPANISH, SPANISH + " incredible", "la combo final", "jajajaja no no no!", SPANISH))

    assert [cue.is_read for cue in cues] == [False]
    assert cues[0].families == ("laugh",)


@pytest.mark.parametrize(
    ("text", "is_english"),
    [
        ("let's see what they do with the ball now and then we go on to the next one", True),
        (SPANISH, False),
        ("wir gehen jetzt nach links und dann schauen wir was da los ist mit dem team", False),
        ("мы сейчас идём налево и смотрим что там происходит с командой", False),
        ("no way", True),  # too little to tell
    ],
)
def test_english_is_told_from_other_languages(text, is_english):
    assert are_english(said(text)) == [is_english]


def test_evidence_says_that_words_were_not_read():
    talk = [
        Utterance(start_s=at_s, end_s=at_s + 3.0, text=SPANISH + str(at_s))
        for at_s in range(2, DURATION_S, 9)
    ]
    cry = Utterance(start_s=80.0, end_s=84.0, text="goooool goooool!!")

    best = detect(
        SessionSignals(duration_s=DURATION_S, tracks=[motion(80.0)], utterances=[*talk, cry]), top_k=1
    )[0]

    assert any("not English" in one.note for one in best.evidence)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("he scores what a goal", "score"),
        ("that's an ace what a clutch", "clutch"),
        ("oh no i just died that's so embarrassing", "fail"),
        ("this game is so broken i hate this", "rage"),
        ("thank you so much that means a lot i love you guys", "wholesome"),
        ("oh my god unbelievable", "hype"),
    ],
)
def test_the_kind_of_a_moment_is_what_is_said_of_it(text, kind):
    signals = SessionSignals(
        duration_s=DURATION_S,
        tracks=[motion(80.0)],
        utterances=[Utterance(start_s=81.0, end_s=84.0, text=text)],
    )

    assert detect(signals, top_k=1)[0].kind == kind


def test_levels_follow_the_score():
    assert [level_of(score) for score in (0.1, 0.4, 0.9)] == ["none", "standard", "featured"]


@pytest.mark.parametrize(
    ("kind", "start_s", "end_s", "cut"),
    [
        ("hype", 50.0, 60.0, (46.0, 61.5)),
        ("rage", 50.0, 60.0, (44.0, 61.5)),
        ("score", 1.0, 20.0, (0.0, 21.5)),
        ("hype", 50.0, 109.0, (50.0, 110.0)),  # a minute is the most
        ("hype", 110.0, 119.4, (106.0, 120.0)),  # and the session's end
        ("marker", 50.0, 60.0, (50.0, 60.0)),
    ],
)
def test_a_clip_has_what_led_to_the_moment_and_a_breath_after_it(kind, start_s, end_s, cut):
    found = Moment(
        start_s=start_s,
        end_s=end_s,
        peak_s=end_s,
        score=0.5,
        kind=kind,
        evidence=(Evidence(lane="crowd", weight=1.0, note="crowd"),),
    )

    shown = as_cut(found, Pauses(), 120.0)

    assert (shown.start_s, shown.end_s) == cut


@pytest.mark.parametrize(
    ("spoken", "cut"),
    [
        (((44.9, 47.0), (58.0, 62.3)), (44.65, 62.55)),  # a breath before the words, and one after them
        (((42.0, 44.8), (62.8, 66.0)), (46.0, 61.5)),  # nobody begins or ends near by
        (((49.0, 59.9),), (46.0, 60.15)),  # the end comes sooner, but not before the moment's
        (((49.0, 59.5),), (46.0, 61.5)),
    ],
)
def test_a_clip_is_cut_between_words(spoken, cut):
    found = Moment(
        start_s=50.0,
        end_s=60.0,
        peak_s=55.0,
        score=0.5,
        kind="hype",
        evidence=(Evidence(lane="crowd", weight=1.0, note="crowd"),),
    )
    talk = [Utterance(start_s=start_s, end_s=end_s, text="so it is") for start_s, end_s in spoken]

    shown = as_cut(found, pauses_of(talk), 120.0)

    assert (shown.start_s, shown.end_s) == pytest.approx(cut)
