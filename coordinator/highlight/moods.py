"""How people sound when they fail, rage or are kind: families beside the lexicon's, and their forms in a chat.

They name a moment's kind, and say a little that there is one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

MOOD_STRENGTH: Final[dict[str, float]] = {"fail": 0.35, "rage": 0.4, "wholesome": 0.3}


def _any(*phrases: str) -> re.Pattern[str]:
    return re.compile(r"(?<![\w'])(?:" + "|".join(phrases) + r")(?![\w'])")


MOODS: Final[dict[str, re.Pattern[str]]] = {
    "fail": _any(
        r"i(?:'m| am)? (?:just )?(?:died|dead|fell|missed|choked|messed up|blew it|broke it|dropped it)",
        r"we (?:just )?(?:lost|died|wiped|threw)",
        r"(?:my|what an?) (?:bad|fail|idiot)",
        r"why did i (?:do|say|press|jump|touch) (?:that|this|it)",
        r"that(?:'s| was) (?:so )?embarrassing",
        r"(?:it|that) (?:all )?(?:fell|broke|burnt|burned|spilled|exploded)",
        r"i (?:ruined|dropped|burnt|burned|spilled|missed) (?:it|that|everything)",
        r"oh no+",
        r"oops+",
        r"game over",
        r"i blew (?:it|that)",
    ),
    "rage": _any(
        r"are you (?:kidding|serious|joking)(?: me)?",
        r"i hate (?:this|that|it|him|them|you)",
        r"this (?:game|thing|team|guy) is (?:so )?(?:trash|garbage|broken|rigged|stupid|terrible|unfair)",
        r"(?:so|that(?:'s| is)(?: so)?) (?:unfair|stupid|annoying|broken)",
        r"i(?:'m| am) (?:so )?(?:mad|angry|furious|tilted|done with this)",
        r"(?:this|that) makes me (?:so )?(?:mad|angry)",
        r"i quit",
        r"shut up",
        r"what (?:is|was) (?:this|that) (?:garbage|trash|nonsense)",
        r"come on+ man",
    ),
    "wholesome": _any(
        r"thank you (?:so|very) much",
        r"(?:i|we) love you(?: (?:all|guys|so much))?",
        r"(?:so|really) proud of (?:you|him|her|them|us)",
        r"happy birthday",
        r"congratulations",
        r"(?:so|really|very) (?:sweet|kind|wholesome|adorable|cute)",
        r"means (?:so much|the world|a lot)(?: to me)?",
        r"i(?:'m| am) (?:going to|gonna) cry",
        r"(?:you|that) made my (?:day|week|year)",
        r"best (?:community|chat|friends?) (?:ever|in the world)",
        r"aw+",
    ),
}
_CHAT: Final = (
    (
        "fail",
        re.compile(r"^\W*f+\W*$|\b(?:rip|oo+f|unlucky|sadge|monkas|fail(?:ed)?|throw(?:ing)?|threw)\b", re.I),
    ),
    ("rage", re.compile(r"\b(?:rage|mald(?:ing)?|salty|tilted|angry|madge)\b", re.I)),
    (
        "wholesome",
        re.compile(
            r"<3|\b(?:aw+|wholesome|cute|proud|congrat\w*|love (?:you|this))\b|[\u2764\U0001F49C]", re.I
        ),
    ),
    ("clutch", re.compile(r"\b(?:clutch\w*|ace|1v[2-5]|cracked|goat(?:ed)?)\b", re.I)),
    ("score", re.compile(r"\b(?:goa+l+|go+l+|gg+)\b", re.I)),
)
_LEAST_SHARE: Final = 0.4


def of_chat(texts: Sequence[str]) -> str:
    """The kind that most of the messages name; `hype` where they name none."""
    for kind, pattern in _CHAT:
        if texts and sum(pattern.search(text) is not None for text in texts) >= _LEAST_SHARE * len(texts):
            return kind
    return "hype"
