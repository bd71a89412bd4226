"""What is special to the horror streams: cries louder than talk, a late chat or none, dark pictures."""

from __future__ import annotations

import numpy as np

from tests.sketches.h_scares.chat import converse
from tests.sketches.h_scares.lore import Cue, load
from tests.sketches.h_scares.plan import Plan, draw_persona, draw_plan
from tests.sketches.h_scares.stream import make
from tests.sketches.h_scares.talk import perform
from tests.sketches.h_scares.truth import spans_of
from tests.sketches.sketch import RATE_HZ, Sound


def level_db(sound: Sound) -> float:
    return float(10 * np.log10(np.mean(sound**2) + 1e-12))


def test_a_scream_is_louder_than_talk_and_talk_than_a_whisper() -> None:
    lore, levels = load(), {}
    persona = draw_persona(np.random.default_rng([1, 0]), lore) | {"react": 0.6, "talk": 0.8}
    plan = draw_plan(np.random.default_rng([4, 1]), lore, persona, 600.0)
    booth = perform(np.random.default_rng([1, 2]), persona, lore, plan, np.zeros(600 * RATE_HZ, np.float32))
    for mood in ("scream", "talk", "whisper"):
        parts = [
            booth.mic[int(a * RATE_HZ) : int(b * RATE_HZ)] for a, b, said, _ in booth.said if said == mood
        ]
        levels[mood] = level_db(np.concatenate(parts))
    assert levels["scream"] > levels["talk"] + 3 > levels["whisper"] + 6


def test_every_kind_occurs() -> None:
    lore, kinds = load(), set()
    for seed in range(40):
        persona = draw_persona(np.random.default_rng([seed, 0]), lore)
        plan = draw_plan(np.random.default_rng([seed, 1]), lore, persona, 600.0)
        kinds |= {span.kind for span in plan.moments + plan.decoys}
    assert kinds == {script.kind for script in lore.scripts}


def test_a_chase_is_of_its_moment_and_a_quiet_walk_before_a_scare_is_not() -> None:
    lore, chases, others = load(), 0, []
    for seed in (5, 6, 7):
        persona = draw_persona(np.random.default_rng([seed, 0]), lore)
        plan = draw_plan(np.random.default_rng([seed, 1]), lore, persona, 600.0)
        mic = np.zeros(600 * RATE_HZ, np.float32)
        booth = perform(np.random.default_rng([seed, 2]), persona, lore, plan, mic)
        moments, _ = spans_of(lore, plan, booth, 600.0)
        for moment, played in zip(moments, plan.played, strict=True):
            begun = [cue.at for cue in played.cues if cue.verb == "scene" and cue.what in ("chase", "boss")]
            if begun:
                chases += 1
                assert moment.start_s <= begun[0] or moment.end_s - moment.start_s == 40
            else:
                others.append(moment.start_s - played.event_s)
    assert chases > 1
    assert np.median(others) > -1


def test_some_have_no_chat_and_the_others_answer_late() -> None:
    lore, rng = load(), np.random.default_rng(0)
    personas = [draw_persona(np.random.default_rng([seed, 0]), lore) for seed in range(100)]
    silent = [persona for persona in personas if not persona["chat_per_s"]]
    scare = Plan((), (), ((0.0, lore.scenes["walk"]),), (Cue(60.0, "", "chat", "scare"),))
    answers = [np.array([at for at, _ in converse(rng, one, lore, scare, 90.0)]) for one in personas]
    before, after = (sum(int(np.sum((at > s) & (at < s + 15))) for at in answers) for s in (44, 62))

    assert 4 < len(silent) < 30
    assert not converse(rng, silent[0], lore, scare, 90.0)
    assert after > 1.5 * before > 0


def test_the_pictures_are_dark() -> None:
    assert 3 < np.median([float(picture.mean()) for picture in make(22, 60.0).frames()]) < 110
