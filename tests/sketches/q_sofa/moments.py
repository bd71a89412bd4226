"""How moments are laid: a build-up in some, the thing itself, the reaction, how it dies down."""

from __future__ import annotations

import dataclasses

import numpy as np

from tests.sketches.q_sofa import lines
from tests.sketches.q_sofa.people import Streamer
from tests.sketches.q_sofa.signs import Event, Sign, pick, speak

REACTION_MAX_S = 35.0


@dataclasses.dataclass(frozen=True, slots=True)
class Recipe:
    """A kind of moment on one kind of evening; names with lengths in seconds as "name:1.5".

    `build` is what builds up before it, with its least and most seconds. `laugh` is the share of the reaction
    that is laughter. `other` is how the friend or the guest takes it.
    """

    build: str
    strike: str
    pics: str
    styles: str
    laugh: float
    other: str


RECIPES: dict[tuple[str, str], Recipe] = {
    ("shooter", "clutch"): Recipe(
        "fight:7:16", "kill:0.7 win:3", "flash:0.4 banner:3", "shout scream loud", 0.1, ""
    ),
    ("shooter", "score"): Recipe(
        "fight:3:8", "kill:0.7 kill:0.7 kill:0.7", "flash:0.3 kills:2.5", "shout loud", 0.1, ""
    ),
    ("shooter", "hype"): Recipe("", "fanfare:4.5", "banner:4 glow:5", "scream shout loud", 0.1, ""),
    ("shooter", "fail"): Recipe("", "boom:1.6 lose:2", "shake:1 dead:4", "groan loud soft", 0.25, ""),
    ("shooter", "rage"): Recipe("fight:2:6", "lose:2", "dead:4", "rage rage groan", 0.0, ""),
    ("shooter", "funny"): Recipe("", "boing:1.2", "spin:3", "loud lively", 0.6, ""),
    ("shooter", "wholesome"): Recipe("", "chime:2", "glow:4", "soft soft", 0.1, ""),
    ("coop", "clutch"): Recipe(
        "alarm:6:14", "door:0.8 win:2.5", "shake:2 flash:0.4", "shout loud", 0.25, "shout"
    ),
    ("coop", "score"): Recipe(
        "fight:5:12", "boom:1.8 win:3", "shake:1.2 banner:3", "shout loud", 0.15, "shout"
    ),
    ("coop", "hype"): Recipe("", "fanfare:3.5", "glow:5", "scream shout", 0.15, "scream"),
    ("coop", "fail"): Recipe("", "boom:1.5 splash:1.4", "fall:1.8 dead:3", "groan shout loud", 0.3, "laugh"),
    ("coop", "rage"): Recipe("", "lose:2 boing:1", "dead:3", "rage loud groan", 0.0, "laugh"),
    ("coop", "funny"): Recipe("", "boing:1.2 splash:1", "spin:2.5 fall:1", "loud lively", 0.65, "laugh"),
    ("coop", "wholesome"): Recipe("", "chime:2.5", "glow:6", "soft soft", 0.15, "soft"),
    ("sofa", "clutch"): Recipe("timer:6:14", "buzzer:1.2", "lean:4 zoom:3", "shout loud", 0.25, "shout"),
    ("sofa", "score"): Recipe("hush:3:6", "tock:0.5 cheer:3", "lean:5 zoom:2", "shout loud", 0.1, "shout"),
    ("sofa", "hype"): Recipe("", "horn:1.5 cheer:4", "lean:7 flash:0.5", "scream shout", 0.15, "scream"),
    ("sofa", "fail"): Recipe("", "crash:1.5", "lean:6 smoke:5", "groan shout loud", 0.25, "laugh"),
    ("sofa", "rage"): Recipe("", "slam:0.6 slam:0.6", "lean:6 shake:0.6", "rage rage", 0.0, "laugh"),
    ("sofa", "funny"): Recipe("", "", "lean:9", "loud lively", 0.7, "laugh"),
    ("sofa", "wholesome"): Recipe("", "ring:2", "zoom:5 lean:4", "soft soft", 0.15, "soft"),
    ("quiz", "clutch"): Recipe(
        "drum:4:10", "right:1.5 win:2.5", "reveal:3 flash:0.5", "shout scream loud", 0.15, ""
    ),
    ("quiz", "score"): Recipe("", "right:1.5 coins:2.5", "reveal:3 banner:2.5", "loud shout", 0.15, ""),
    ("quiz", "hype"): Recipe("hush:3:6", "fanfare:4", "banner:4 glow:4", "scream shout", 0.1, ""),
    ("quiz", "fail"): Recipe("hush:2:5", "wrong:1.5 lose:2", "reveal:3 dead:3", "groan loud", 0.3, ""),
    ("quiz", "rage"): Recipe("", "wrong:1.5", "reveal:3 dead:2", "rage groan rage", 0.0, ""),
    ("quiz", "funny"): Recipe("", "boing:1", "reveal:2.5 lean:5", "loud lively", 0.7, ""),
    ("quiz", "wholesome"): Recipe("", "chime:2.5", "glow:4 lean:4", "soft soft", 0.15, ""),
}

FAVOURITES: dict[str, str] = {
    "shooter": "score clutch rage score fail hype funny wholesome",
    "coop": "funny fail clutch funny score hype rage wholesome",
    "sofa": "funny fail wholesome funny hype score clutch rage",
    "quiz": "score fail clutch funny rage hype wholesome score",
}

# Where a sound of the thing itself is heard: by the microphone and not on the desktop.
IN_ROOM = ("crash", "slam", "tock", "cheer", "horn", "ring", "buzzer")


def _items(text: str) -> list[tuple[str, float]]:
    return [(part.split(":")[0], float(part.split(":")[1])) for part in text.split()]


def _build(rng: np.random.Generator, who: Streamer, evening: str, recipe: Recipe, power: float) -> list[Sign]:
    """The build-up, from 0 on: the game goes harder or all fall silent, with short words under the breath."""
    if not recipe.build:
        return []
    name, low, high = recipe.build.split(":")
    length = float(rng.uniform(float(low), float(high)))
    strength = max(0.45, power)
    if name == "fight":
        out = [Sign(at_s=0.0, end_s=length, where="play", name="fight", power=strength)]
    elif name == "hush":
        out = [Sign(at_s=0.0, end_s=length, where="duck", name="hush"), _hold(0.0, length)]
    else:
        out = [Sign(at_s=0.0, end_s=length, where="desk", name=name, power=strength)]
        if name == "alarm":
            out.append(Sign(at_s=0.0, end_s=length, where="play", name="fight", power=strength * 0.9))
    t = 0.0 if name == "hush" else float(rng.uniform(0.6, 2.0))
    while t < length - 0.8:
        rising = who.temper > 0.8 and t > length * 0.6 and name != "hush"
        word = speak(
            rng, who, t, pick(rng, who, lines.TENSE[evening]), "loud" if rising else "tense", power=power
        )
        if word.end_s > length:
            break
        out.append(word)
        t = word.end_s + float(rng.uniform(0.5, 3.0))
    return out


def _hold(start_s: float, end_s: float) -> Sign:
    """Nobody speaks of ordinary things for that long; nothing that is heard by itself."""
    return Sign(at_s=start_s, end_s=end_s, where="hold", name="hold", counts=False)


def _strike(
    rng: np.random.Generator, recipe: Recipe, at_s: float, sound: float, picture: float
) -> list[Sign]:
    """The thing itself: its sounds one after another and what the picture does."""
    out, t = [], at_s
    for name, length in _items(recipe.strike):
        where = "room" if name in IN_ROOM else "desk"
        out.append(Sign(at_s=t, end_s=t + length, where=where, name=name, power=sound))
        t += length * (rng.uniform(0.9, 2.0) if name == "kill" else 0.5)
    for name, length in _items(recipe.pics):
        stretch = length * rng.uniform(0.8, 1.3)
        out.append(Sign(at_s=at_s, end_s=at_s + stretch, where="pic", name=name, power=picture))
    return out


def _react(
    rng: np.random.Generator,
    who: Streamer,
    event: tuple[str, str],
    recipe: Recipe,
    at_s: float,
    power: float,
) -> list[Sign]:
    """Words and laughter in turns, each weaker than the one before; `event` is what is on and the kind."""
    evening, kind = event
    own = lines.OWN_MOMENT[evening].get(kind, "")
    styles = recipe.styles.split()
    count = int(rng.integers(2, 5 if power < 0.6 else 10))
    out: list[Sign] = []
    t, used = at_s, set[str]()
    for i in range(count):
        strength = power * (1.0 - 0.35 * i / count)
        if rng.random() < recipe.laugh and (i > 0 or kind == "funny"):
            length = float(rng.uniform(1.2, 2.0 + 3.5 * power))
            piece = Sign(at_s=t, end_s=t + length, where="voice", name="laugh", power=strength)
        else:
            text = pick(rng, who, own if own and rng.random() < 0.4 else lines.MOMENT[kind])
            if text in used:
                continue
            used.add(text)
            piece = speak(rng, who, t, text, styles[min(i, len(styles) - 1)], power=strength)
        if piece.end_s - at_s > 18.0:
            break
        out.append(piece)
        t = piece.end_s + float(rng.uniform(0.15, 0.8))
    return out


def _others(
    rng: np.random.Generator,
    who: Streamer,
    evening: str,
    recipe: Recipe,
    at_s: float,
    end_s: float,
    power: float,
) -> list[Sign]:
    """What the friend on the desktop or the guest in the room does meanwhile."""
    if not recipe.other or (evening == "sofa" and not who.guest):
        return []
    out, t = [], at_s + float(rng.uniform(0.0, 1.0))
    while t < end_s:
        length = float(rng.uniform(1.0, 3.0))
        style = recipe.other if rng.random() < 0.7 else "laugh"
        out.append(Sign(at_s=t, end_s=t + length, where="other", name=style, power=power))
        t += length + float(rng.uniform(0.3, 2.5))
    return out


def moment(rng: np.random.Generator, who: Streamer, kind: str, evening: str) -> Event:
    """A moment that begins at 0, or earlier where calm words or a fight that does not count come first."""
    recipe = RECIPES[(evening, kind)]
    power = float(rng.uniform(0.42, 0.58) if rng.random() < 0.2 else rng.uniform(0.6, 1.0))
    # Sound, picture and voice differ in strength; one may be weak where the others are not, never two.
    loads = np.maximum(power * rng.uniform(0.75, 1.2, 3), 0.45)
    if power > 0.6 and recipe.strike and rng.random() < 0.45:
        # Laughter and kind words are the thing itself there, and stay.
        loads[int(rng.integers(0, 2 if kind in ("funny", "wholesome") else 3))] *= 0.4
    signs = _build(rng, who, evening, recipe, float(loads[0]))
    t = max((s.end_s for s in signs), default=0.0)
    signs += _strike(rng, recipe, t, float(loads[0]), float(loads[1]))
    delay = float(rng.uniform(0.15, 1.1)) if recipe.strike else 0.0
    reaction = _react(rng, who, (evening, kind), recipe, t + delay, float(loads[2]))
    signs += reaction
    end = max((s.end_s for s in reaction), default=t + 2.0)
    signs += _others(rng, who, evening, recipe, t + delay, min(end, REACTION_MAX_S), float(loads[2]))
    end = max(s.end_s for s in signs)
    if rng.random() < 0.35:
        signs.insert(
            0, speak(rng, who, -3.0, pick(rng, who, lines.ANNOUNCE), "calm", counts=False).later(-1.5)
        )
    if rng.random() < 0.15 and evening in ("shooter", "coop"):
        early = float(rng.uniform(4.5, 7.0))
        fight = Sign(at_s=-early - 5, end_s=-early, where="play", name="fight", power=0.8, counts=False)
        signs.insert(0, fight)
    if rng.random() < 0.6:
        signs.append(speak(rng, who, end + 0.6, pick(rng, who, lines.AFTER), "calm", counts=False))
    signs.append(_hold(-0.4, end + 0.4))
    return Event(kind=kind, is_moment=True, evening=evening, power=power, signs=tuple(signs))
