"""Chat, and what a recogniser makes of the microphone."""

from __future__ import annotations

import numpy as np

from tests.sketches.q_sofa import lines
from tests.sketches.q_sofa.plan import Plan
from tests.sketches.q_sofa.signs import Event

IDLE = """
    hello everyone | first time here, what game is this | how long is the stream tonight | good evening | lol
    what are you drinking | is {pal} here today | song name? | can you turn the game down a bit | brb tea
    the lighting is nice | when is the next one | @{fan} hi | I had pasta | same | no way | yes | no | hm | ok
    what rank is that | this recipe again | my cat is watching too | tall lamp | vibing | catJam | comfyLamp
    B | it is C | mods are asleep | did you see the patch | hiii | o/ | good luck today"""
BOTS = """
    !uptime | !rank | The stream has been live for 2 hours and 14 minutes. | !recipe | !commands
    Remember to drink some water! | Follow the rules and be kind.
    c h e a p v i e w e r s at my page | !points"""
ANSWERS: dict[str, str] = {
    "hype": "LETS GOOO | POG | PogSoup | HYPE HYPE | WOOO | poggers | !!! | LETSGO LETSGO | W | insane night",
    "funny": "LUL | lol | hahaha | KEKlamp | LMAO | I'm dead | im crying | xD | LULW LULW | clip that pls",
    "clutch": "HOW | CLUTCH | omg | that was close | PogSoup | NO WAY | my heart | W | clip it | insane",
    "fail": "F | rip | LUL | oof | NOOO | L | monkaSoup | F F F | pain | how do you even | SadLamp",
    "score": "nice | GG | ez | clean | POG | W | whaaat | nice one | 5Head | ACE",
    "rage": "LUL mad | calm down | tilted | RageSoup | unlucky | L | he is so mad | keyboard F | oof",
    "wholesome": "<3 | awww | so sweet | <3 <3 <3 | SoupLove | im not crying | wholesome | bless",
    "raid": "RAID | hello from the raid | raid hype | welcome raiders | <3 raid <3 | RAID RAID",
    "alert": "<3 | congrats | W sub | pog | thank you for the gift",
    "advert": "ads | 7 ads in a row | adblock anyone | bye | ads again SadLamp | is it over",
    "vote": "1 | 2 | 1 | 2 | 1 1 1 | 2222 | 1 please | two",
    "dog": "DOG | doggo | show the dog | woof | <3 dog",
    "old_story": "I was there | clip? | LUL | good times | true",
    "cutscene": "no spoilers | nice graphics | shh",
    "sneeze": "bless you | gesundheit | health",
    "polite": "lol | haha | ok",
}


def _fill(plan: Plan, rng: np.random.Generator, block: str) -> str:
    options = lines.split(block)
    fan = plan.who.fans[int(rng.integers(0, len(plan.who.fans)))]
    return options[int(rng.integers(0, len(options)))].format(pal=plan.who.pal, fan=fan)


def _share(rng: np.random.Generator, event: Event) -> float:
    """What an event draws, in seconds of ordinary chat."""
    if event.is_moment:
        return 45.0 * event.power * float(rng.lognormal(0.0, 0.5))
    return {"raid": 60.0, "vote": 45.0, "alert": 12.0, "advert": 15.0, "dog": 14.0}.get(event.kind, 4.0)


def make_chat(plan: Plan) -> tuple[tuple[float, str], ...]:
    """Ordinary messages, bots, and answers that come 2 to 10 s after what they answer."""
    who = plan.who
    if not who.chatty:
        return ()
    rng = np.random.default_rng([plan.seed, 40])
    rate = min(3.0, who.chatty * 0.02 * who.viewers**0.5)
    out: list[tuple[float, str]] = []
    for at_s in rng.uniform(0, plan.duration_s, int(rng.poisson(rate * plan.duration_s))):
        out.append((float(at_s), _fill(plan, rng, BOTS if rng.random() < 0.08 else IDLE)))
    for event in plan.events:
        block = ANSWERS.get(event.kind, IDLE)
        words = [s for s in event.signs if s.counts and s.where in ("voice", "pic", "desk", "room")]
        loud = [s.at_s for s in words if s.where != "voice"] or [s.at_s for s in words] or [event.span_s[0]]
        peak = min(max(loud), event.span_s[1]) if event.is_moment else event.span_s[0]
        for _ in range(int(rng.poisson(rate * _share(rng, event)))):
            late = 2.0 + 8.0 * float(rng.beta(1.3, 2.5))
            spread = float(rng.uniform(0, max(0.5, event.span_s[1] - peak)))
            text = _fill(plan, rng, block)
            out.append((peak + spread * 0.7 + late, text.upper() if rng.random() < 0.08 else text))
    return tuple(sorted(m for m in out if m[0] < plan.duration_s))


def _heard(rng: np.random.Generator, text: str) -> str:
    """The sentence as recognised: small letters, some words lost, some wrong."""
    wrong = "the and uh it right there tree can so well a for".split()
    out = []
    for word in text.split():
        luck = rng.random()
        if luck < 0.05:
            continue
        out.append(wrong[int(rng.integers(0, len(wrong)))] if luck < 0.125 else word)
    return " ".join(out).lower().capitalize()


def make_segs(plan: Plan) -> tuple[tuple[float, float, str], ...]:
    """The streamer's sentences; laughter leaves words now and then only."""
    rng = np.random.default_rng([plan.seed, 41])
    out: list[tuple[float, float, str]] = []
    for sign in plan.signs:
        if sign.where != "voice":
            continue
        start = max(0.0, sign.at_s + float(rng.uniform(-0.15, 0.2)), out[-1][1] if out else 0.0)
        end = min(plan.duration_s, sign.end_s + float(rng.uniform(-0.15, 0.2)))
        if sign.name == "laugh":
            text = "Ha ha ha." if rng.random() < 0.3 else ""
        else:
            lost = 0.06 + 0.1 * (sign.name in ("scream", "tense", "groan"))
            text = "" if rng.random() < lost else _heard(rng, sign.text)
        if text and end - start > 0.1:
            out.append((start, end, text))
    return tuple(out)
