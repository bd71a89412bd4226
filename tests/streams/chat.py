"""What viewers write: a base rate that follows the audience, reactions that come late, and what is mere noise.

A cue is something that viewers react to; a viewer sees it `latency_s` later and then needs time to type.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tests.streams.streamer import Streamer

_SHORT_TEXTS = {
    "hype": (
        "POG|PogChamp|POGGERS|LETS GOOO|LETSGO|OMG|WHAT|no way|insane|HOLY|🔥🔥🔥|W|WWWWW|PogU|clip it|sheesh|"
        "WOOOO|crazy"
    ),
    "funny": "LUL|KEKW|LMAO|lmaooo|OMEGALUL|😂😂😂|💀|💀💀|HAHAHA|im crying|ICANT|lol|xd|KEKW KEKW KEKW|dead|bro 😭",
    "clutch": (
        "HOW|WHAT|1v4???|CLUTCH|INSANE|he's him|GIGACHAD|PogChamp|nahhh|no shot|clip|CLIP THAT|EZ|monkaS|"
        "cracked|omg"
    ),
    "fail": (
        "F|FFFF|OMEGALUL|LUL|L|rip|oof|NotLikeThis|Sadge|skill issue|pepeLaugh|💀|and its gone|NOOO|KEKW|"
        "unlucky|PAIN"
    ),
    "score": (
        "GG|gg|ggwp|W|EZ Clap|congrats|🎉🎉|LETS GO|PB!!|Clap|finally|👏👏👏|winner|POGGERS|lets goooo|well played"
    ),
    "rage": (
        "malding|uh oh|ANGRY|calm down lol|breathe|monkaW|KEKW|here we go|LULW|he mad|tilted|😡|"
        "mods hide the keyboard|SWEARJAR"
    ),
    "wholesome": (
        "<3|❤️|aww|awww|🥺|FeelsStrongMan|bleedPurple|so happy for you|love you|wholesome|peepoHappy|🫶|😭❤️|"
        "youre the best"
    ),
    "ads": "ads|ad|ResidentSleeper|adge|what did i miss|get sub no ads|still ads",
    "raid": "raid|RAID HYPE|we are here|<3 RAID <3|🚀🚀 RAID|hello from the raid|TombRaid TombRaid",
    "join": "!join|!join|!join|!enter|!join pls|!JOIN",
    "subs": "subHype|gg|PogChamp|hype train|HypeTrain|thanks for the gift|❤️|💜💜💜|lvl 3 lets go|Kreygasm",
    "answers": "1|1|1|11111|2|2|yes|no|left|right|both|germany|france|brazil",
    "pet": "dog cam|doggo|awww|let him cook|cat > streamer|😂|hi kitty",
    "bless": "bless you|bless|🤧|salute|gesundheit",
}  # fmt: skip
_SHORT: dict[str, list[str]] = {name: text.split("|") for name, text in _SHORT_TEXTS.items()}

_PLAIN = (
    "hi|hello everyone|hey|good evening|what game is this|is this ranked|how long have you been live|lol|true|yeah|nah|"
    "whats your sens|what mic is that|first time here|what song is this|you should try the other one|same|"
    "did you watch it|i agree|idk|when is the next stream|brb food|wait what|nice|good one|gn all|lurking|ok|"
    "how are you today|i have work tomorrow|cooking pasta rn|🤔|why not go left|haha|W stream|kekw|my cat says hi|"
    "ping looks bad|sound is fine|can you turn up the music|greetings from work|@mod hi|5head|thats cap|?"
).split("|")
_BOTS = (
    "Follow the channel to support the stream!|Join our Discord, link in the panels below|!socials for all my links|"
    "Remember to drink some water!|New video every friday"
).split("|")
_PASTA = (
    "I used to be a casual viewer like you, then the algorithm took me here and now I live in this chat",
    "⣿⣿⣿⣿⠟⠋⠄⠄⠄⠄⠄⠄⢁⠈⢻⢿⣿⣿⣿ dear streamer please pay the rent of my emotes",
    "Hello I am the mother of this streamer, he will do his homework now",
    "buy cheap followers at best-viewers dot example, promo code BOT",
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """Something viewers react to at `at_s`: about `strength` times the base rate for `spread_s` more."""

    at_s: float
    mood: str
    strength: float
    spread_s: float = 6.0

    def moved(self, by_s: float) -> Cue:
        """The same, later."""
        return dataclasses.replace(self, at_s=self.at_s + by_s)


def base_rate(streamer: Streamer) -> float:
    """Messages a second in quiet times: some 0.5 a minute with 3 viewers, 45 with 1,000, 550 with 30,000."""
    return 0.25 * streamer.viewers**0.75 / 60


def _reaction(mood: str, streamer: Streamer, rng: np.random.Generator) -> str:
    text = str(rng.choice(_SHORT[mood]))
    if rng.random() < 0.12:
        text = str(rng.choice(_PLAIN))
    elif rng.random() < 0.2:
        text = " ".join([text] * int(rng.integers(2, 5)))
    if streamer.platform == "youtube":
        text = (
            text.replace("KEKW", "😂")
            .replace("PogChamp", "😮")
            .replace("OMEGALUL", "🤣")
            .replace("LUL", "😂")
        )
    return text.upper() if rng.random() < 0.1 else text


def write(
    streamer: Streamer, cues: Sequence[Cue], duration_s: float, rng: np.random.Generator
) -> list[list[float | str]]:
    """All messages [t_s, text], in order of time."""
    rate = base_rate(streamer) * float(np.exp(rng.normal(0, 0.4)))
    found: list[tuple[float, str]] = []
    # Talk among viewers swells and dies down without the streamer's doing.
    swell = np.exp(
        0.35
        * np.interp(
            np.arange(duration_s),
            np.arange(0, duration_s + 40, 40),
            rng.normal(0, 1, int(duration_s // 40) + 2)[: len(np.arange(0, duration_s + 40, 40))],
        )
    )
    for second, expected in enumerate(rate * swell):
        for _ in range(rng.poisson(expected)):
            found.append((second + rng.random(), str(rng.choice(_PLAIN))))
    # Now and then a joke among viewers, or a welcome, runs through the chat by itself.
    own = [
        Cue(
            at_s=float(at),
            mood=str(rng.choice(["funny", "hype", "wholesome", "subs"])),
            strength=float(rng.uniform(1, 4)),
        )
        for at in rng.uniform(0, duration_s, rng.poisson(duration_s / 150))
    ]
    for cue in [*cues, *own]:
        num = rng.poisson(rate * cue.strength * cue.spread_s)
        if cue.mood == "pasta":
            text = str(rng.choice(_PASTA))
            num = max(num, int(rng.integers(4, 14)))
            found += [(cue.at_s + float(rng.uniform(0, cue.spread_s)), text) for _ in range(num)]
            continue
        # Broadcast delay, then reading and typing: few within a second, most within five, a tail.
        typing = rng.gamma(2.0, cue.spread_s / 4, num)
        late = streamer.latency_s + rng.normal(0, 0.8, num)
        found += [
            (cue.at_s + float(a + b), _reaction(cue.mood, streamer, rng))
            for a, b in zip(typing, late, strict=True)
        ]
    if streamer.viewers > 60:
        found += [
            (float(at), str(rng.choice(_BOTS)))
            for at in np.arange(rng.uniform(20, 200), duration_s, rng.uniform(150, 400))
        ]
    return [[round(at, 2), text] for at, text in sorted(found) if 0 <= at < duration_s]
