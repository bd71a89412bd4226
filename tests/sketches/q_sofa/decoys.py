"""How decoys are laid: each shows some of the signs of a moment, and nothing happened."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.sketches.q_sofa import lines
from tests.sketches.q_sofa.people import Streamer
from tests.sketches.q_sofa.signs import Event, Sign, pick, speak

Signs = list[Sign]


def _talk(
    rng: np.random.Generator,
    who: Streamer,
    block: str,
    style: str,
    until_s: float,
    *,
    at_s: float = 0.3,
    pause_s: tuple[float, float] = (0.2, 0.9),
    power: float = 1.0,
) -> Signs:
    """Sentences of a block, one after another, until about that time."""
    out: Signs = []
    t = at_s
    while t < until_s:
        text = pick(rng, who, block)
        if any(s.text == text for s in out[-3:]) and len(lines.split(block)) > 3:
            continue
        out.append(speak(rng, who, t, text, style, power=power))
        t = out[-1].end_s + float(rng.uniform(*pause_s))
    return out


def _sign(where: str, name: str, start_s: float, end_s: float, power: float = 1.0) -> Sign:
    return Sign(at_s=start_s, end_s=end_s, where=where, name=name, power=power)


def _hold(end_s: float) -> Sign:
    return Sign(at_s=-0.4, end_s=end_s + 0.4, where="hold", name="hold", counts=False)


def advert(rng: np.random.Generator, who: Streamer) -> Signs:
    """A loud advert with its own picture; at most a calm word over it."""
    length = float(rng.uniform(10, 20))
    out = [_sign("desk", "jingle", 0, length, 1.1), _sign("pic", "advert", 0, length)]
    return out + _talk(rng, who, lines.ADVERT, "calm", 2.0, at_s=1.0) + [_hold(length)]


def alert(rng: np.random.Generator, who: Streamer) -> Signs:
    """A paid alert with its chime and picture, and thanks as usual."""
    loud = float(rng.uniform(0.5, 1.2))
    sound = "fanfare" if rng.random() < 0.4 else "chime"
    out = [_sign("desk", sound, 0, 2.5, loud), _sign("pic", "popup", 0, 4.5)]
    return out + _talk(rng, who, lines.THANKS, "lively", 3.0, at_s=float(rng.uniform(1, 2.5)))


def loud_music(rng: np.random.Generator, who: Streamer) -> Signs:
    """The music comes up for a while."""
    return [_sign("desk", "drop", 0, float(rng.uniform(8, 16)), 1.0)]


def raid(rng: np.random.Generator, who: Streamer) -> Signs:
    """Somebody sends their viewers over: an alert, a bright welcome, a flood in chat."""
    length = float(rng.uniform(8, 15))
    out = [_sign("desk", "fanfare", 0, 3.0, 0.9), _sign("pic", "popup", 0, 6.0)]
    return out + _talk(rng, who, lines.RAID, "lively", length, at_s=1.5) + [_hold(length)]


def dog(rng: np.random.Generator, who: Streamer) -> Signs:
    """A dog barks in the room and is spoken to."""
    length = float(rng.uniform(3, 8))
    out = [_sign("room", "bark", 0, length, float(rng.uniform(0.5, 1.1)))]
    return (
        out + _talk(rng, who, lines.PET, "calm", length + 2, at_s=length * 0.6, pause_s=(1, 2)) + [_hold(9)]
    )


def rant(rng: np.random.Generator, who: Streamer) -> Signs:
    """A raised voice in ordinary talk."""
    out = _talk(rng, who, lines.RANT, "loud", float(rng.uniform(7, 14)), at_s=0.0)
    return [*out, _hold(out[-1].end_s)]


def loud_play(rng: np.random.Generator, who: Streamer) -> Signs:
    """A long usual fight with calls in a working voice, and nothing comes of it."""
    length = float(rng.uniform(9, 22))
    style = "lively" if who.temper > 0.7 else "calm"
    out = [_sign("play", "fight", 0, length, float(rng.uniform(0.75, 1.0)))]
    calls = _talk(rng, who, lines.CALLS, style, length - 2.5, pause_s=(0.6, 3.0))
    return out + calls + [_hold(length)]


def polite(rng: np.random.Generator, who: Streamer) -> Signs:
    """A joke from chat is read and laughed at politely."""
    laugh = _sign("voice", "laugh", 0, float(rng.uniform(0.9, 1.8)), float(rng.uniform(0.25, 0.5)))
    return [laugh, *_talk(rng, who, lines.POLITE, "calm", 1.0, at_s=laugh.end_s + 0.3), _hold(5)]


def old_story(rng: np.random.Generator, who: Streamer) -> Signs:
    """Great words about an old success, in the voice of a story."""
    style = "lively" if rng.random() < 0.4 else "calm"
    out = _talk(rng, who, lines.OLD, style, float(rng.uniform(6, 14)), at_s=0.0, pause_s=(0.4, 1.2))
    return [*out, _hold(out[-1].end_s)]


def cutscene(rng: np.random.Generator, who: Streamer) -> Signs:
    """The game shows a loud film with cuts; the streamer watches."""
    length = float(rng.uniform(9, 20))
    out = [_sign("desk", "film", 0, length, float(rng.uniform(0.6, 1.1))), _sign("pic", "film", 0, length)]
    return [*out, _hold(length)]


def pal_shouts(rng: np.random.Generator, who: Streamer) -> Signs:
    """The friend calls or sings for no reason; the streamer goes on in a calm voice."""
    style = str(rng.choice(["shout", "sing", "laugh"]))
    out = [_sign("other", style, 0, float(rng.uniform(2, 4)), 0.9)]
    out.append(_sign("other", style, 5, float(rng.uniform(6.5, 8)), 0.7))
    return out + _talk(rng, who, lines.WAFFLE, "calm", 4.0, at_s=3.0)


def machine(rng: np.random.Generator, who: Streamer) -> Signs:
    """A mixer, a drill next door: loud, long and dull."""
    length = float(rng.uniform(5, 13))
    out = [_sign("room", str(rng.choice(["mixer", "drill"])), 0, length, float(rng.uniform(0.5, 1.0)))]
    return (
        out
        + _talk(rng, who, lines.NOISE, "calm", length + 1, at_s=length - 0.5, pause_s=(1, 2))
        + [_hold(length)]
    )


def vote(rng: np.random.Generator, who: Streamer) -> Signs:
    """Chat is asked to type one or two, and floods."""
    return _talk(rng, who, lines.VOTE, "lively", 6.0, at_s=0.0, pause_s=(0.8, 2.0))


def sing_along(rng: np.random.Generator, who: Streamer) -> Signs:
    """The streamer sings along with the music."""
    out = _talk(rng, who, lines.SONG, "sing", float(rng.uniform(6, 10)), at_s=0.4, pause_s=(0.3, 1.0))
    return [_sign("desk", "drop", 0, out[-1].end_s + 0.5, 0.6), *out, _hold(out[-1].end_s)]


def usual_end(rng: np.random.Generator, who: Streamer) -> Signs:
    """A round, a pack or a dish is over as always: its sting, its banner, a calm word."""
    sting = str(rng.choice(["win", "lose"]))
    out = [_sign("desk", sting, 0, 3.0, float(rng.uniform(0.6, 1.0))), _sign("pic", "banner", 0, 3.5)]
    return out + _talk(rng, who, lines.AFTER, "calm", 2.0, at_s=1.2)


def screens(rng: np.random.Generator, who: Streamer) -> Signs:
    """The streamer looks for something and clicks through windows."""
    length = float(rng.uniform(6, 14))
    return [_sign("pic", "windows", 0, length), _sign("desk", "clicks", 0, length, 0.5)]


def sneeze(rng: np.random.Generator, who: Streamer) -> Signs:
    """A fit of sneezing or coughing, close to the microphone."""
    length = float(rng.uniform(1.5, 4.0))
    return [_sign("room", "sneeze", 0, length, 0.9), _sign("pic", "lean", 0, length, 0.5), _hold(length)]


ALL: tuple[Callable[[np.random.Generator, Streamer], Signs], ...] = (
    *(advert, alert, loud_music, raid, dog, rant, loud_play, polite, old_story, cutscene, pal_shouts),
    *(machine, vote, sing_along, usual_end, screens, sneeze),
)
DECOYS = {f.__name__: f for f in ALL}

COMMON = "advert alert raid dog rant polite old_story vote screens sneeze loud_music usual_end"
OWN: dict[str, str] = {
    "shooter": "loud_play loud_play usual_end cutscene alert",
    "coop": "pal_shouts pal_shouts loud_play cutscene sing_along",
    "sofa": "machine machine dog sing_along rant polite",
    "quiz": "usual_end usual_end vote loud_music polite",
}


def decoy(rng: np.random.Generator, who: Streamer, kind: str, evening: str) -> Event:
    """A decoy that begins at about 0."""
    signs = tuple(DECOYS[kind](rng, who))
    return Event(kind=kind, is_moment=False, evening=evening, power=0.6, signs=signs)
