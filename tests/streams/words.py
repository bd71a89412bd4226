"""What is said: ordinary talk by genre, lines of moments and decoys, and what a speech recogniser makes of them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

import numpy as np

from tests.streams.voice import Line

_OPENERS = (
    "so|okay so|yeah|I mean|and|but|um|alright|honestly|you know|anyway|like|well|right so|wait|oh".split("|")
)
_TAILS = "you know|I think|or something|to be fair|so yeah|which is fine|I guess|for real|at the end of the day".split(
    "|"
)

# Ordinary talk; {a} is filled from the second half of each entry.
_TALK: dict[str, tuple[list[str], list[str]]] = {
    "any": (
        [
            "let me check {a} real quick", "I was thinking about {a} yesterday", "somebody in chat asked about {a}",
            "I don't really know what to do with {a}", "we'll get to {a} in a bit", "how's everybody doing today",
            "what was I saying", "I slept like four hours", "I need more water", "give me one second here",
            "hello to everyone who just came in", "my brother told me about {a} last week", "is the audio okay",
            "I might go till ten tonight", "that reminds me of {a}", "no I haven't tried that yet",
            "the new update changed {a} a little bit", "it is what it is", "I'm reading your message one sec",
            "I'm not gonna lie {a} is kind of overrated", "the weather's been terrible here", "who asked that",
            "we have about twenty minutes left of this", "I should clean my desk at some point",
            "thanks for the follow", "I'll answer that later", "where did I put my phone",
        ],
        ["the schedule", "the new mouse", "that show", "the sale", "my sleep", "the old computer", "the trip", "lunch"],
    ),
    "shooter": (
        [
            "one more over by {a}", "I'm rotating to {a}", "careful they might push {a}", "I'll hold {a}", "reloading",
            "I need ammo", "let's take {a} this round", "he's probably camping {a}", "save your money this round",
            "nice one", "I hear steps", "okay I got the bomb", "drop me a rifle", "smoke {a} for me please",
        ],
        ["the left side", "the stairs", "long", "the roof", "mid", "the back door", "the bridge", "the red building"],
    ),
    "moba": (
        [
            "we should contest {a}", "they have no vision at {a}", "I'll farm {a} for a bit", "my ultimate's up in ten",
            "he's missing", "push {a} with me", "I need two more items", "don't fight without me", "ward {a} please",
            "nobody is at {a}", "he used his flash", "this wave is huge",
        ],
        ["top", "the dragon", "bottom lane", "the river", "their jungle", "the second tower", "mid"],
    ),
    "racing": (
        [
            "brake a little earlier into {a}", "tyres are going off", "we're gaining two tenths through {a}",
            "he's quick out of {a}", "one lap of fuel spare", "track limits at {a} again", "hold the inside",
            "pit window's open", "I lost the rear at {a}", "nice tow down the straight",
        ],
        ["turn one", "the hairpin", "the chicane", "sector two", "the last corner", "the fast left"],
    ),
    "horror": (
        [
            "I don't like {a}", "did you hear that behind {a}", "okay I need the key for {a}", "it's so dark in here",
            "why would anybody go into {a}", "I'm out of batteries", "let's read this note", "there's blood on {a}",
            "just walk slowly", "I swear that moved",
        ],
        ["the basement", "the doll", "the hallway", "that closet", "the attic", "the mirror"],
    ),
    "chatting": (
        [
            "so my landlord calls me about {a}", "people always ask me about {a}", "hot take {a} is fine",
            "I watched a video about {a}", "the thing with {a} is nobody tells you",
            "my mom would say {a} builds character",
            "okay next clip", "let's read some messages", "that's a good question about {a}", "I used to work with {a}",
        ],
        ["airports", "cold pizza", "dating apps", "the gym", "moving house", "group projects", "parking", "cats"],
    ),
    "irl": (
        [
            "so this is {a} everybody", "it's a bit windy hope you can hear me", "let's go down here towards {a}",
            "excuse me thank you", "it's so crowded near {a}", "how much is this one", "look at {a} over there",
            "my battery's at forty percent", "I think we turn left at {a}", "it smells amazing here",
        ],
        ["the market", "the old station", "the river", "the temple", "the main square", "that little shop"],
    ),
    "cooking": (
        [
            "so we chop {a} nice and thin", "now {a} goes in the pan", "medium heat for {a}", "a little salt",
            "keep stirring so {a} doesn't stick", "you want {a} golden brown", "let that rest", "taste as you go",
            "this knife needs sharpening", "I got {a} from the farmer down the road",
        ],
        ["the onions", "the garlic", "the dough", "the peppers", "the sauce", "the butter", "the chicken"],
    ),
    "music": (
        [
            "this next one is in {a}", "let me tune the low string", "I wrote {a} two years ago", "any requests",
            "the bridge of {a} is tricky", "I'll play {a} later", "one two three", "turn the reverb down a bit",
        ],
        ["D minor", "that song", "the new one", "an old cover", "the lullaby", "E flat"],
    ),
}  # fmt: skip

# What belongs to a part of a moment or to a decoy.
_SAID_TEXTS = {
    "hype_lead": (
        "okay okay watch this|wait is that|hold on|he's right there|this could be it|chat look at this|"
        "come on come on|it's loading|are you seeing this|no way this works"
    ),
    "hype_peak": "let's go|oh my god|no way|yes|what|let's gooo|are you serious|oh my days|what is that",
    "hype_after": (
        "did you see that|that was insane|I can't believe it|oh my god chat|how did that work|I'm shaking|"
        "that's the best thing I've seen all week|clip that somebody clip that|first try|that is unreal"
    ),
    "funny_lead": (
        "so he looks at me and he goes|and I'm standing there with the bag|what does this button do|"
        "no no listen|so I walk in and everyone's wearing suits|he thinks I'm the waiter right|"
        "read that again|why is it walking like that|and my grandma picks up the phone"
    ),
    "funny_peak": (
        "and it was my own car|I thought that was the mayor|he ate the whole candle|it's a cardboard cutout|"
        "that's not even my dog|he said your other left|it's been on mute for an hour|why does it have feet"
    ),
    "funny_after": (
        "I can't breathe|oh no|stop it|I'm crying|why would you do that|that's so stupid|okay okay I'm good|"
        "no no no I can't|what is wrong with you"
    ),
    "deadpan_after": "anyway|so that happened|moving on|cool|good talk|great|and we're all adults here",
    "clutch_lead": (
        "it's just me|one v three|okay quiet|he's one shot|listen listen|don't peek|ten seconds|last lap|"
        "no heals left|I have one life"
    ),
    "clutch_peak": "yes|oh my god|I got him|let's go|that's it|no shot|how",
    "clutch_after": (
        "three of them|I had two health|my hands are sweating|I thought we were dead|that was so close|"
        "how am I alive|don't ever doubt me|by a tenth|all alone"
    ),
    "fail_lead": (
        "this is easy|watch and learn|I never miss this jump|I've done this a hundred times|"
        "nothing can go wrong|trust me|just flip it like that|I got this|full send"
    ),
    "fail_peak": "no|oh no|no no no no|what|oh come on|wait no",
    "fail_after": (
        "are you kidding me|I didn't save|why did I do that|that did not just happen|I'm uninstalling|"
        "it's all on the floor|well that's the run|don't clip that|I pressed the wrong button"
    ),
    "score_lead": (
        "this is the one|two hundred more|almost there|he's so low|last corner|one percent|keep it clean|"
        "come on baby"
    ),
    "score_peak": "yes|we did it|that's a win|personal best|got it|finally|goal|number one",
    "score_after": (
        "good game everybody|that took six hours|new record|we're on the board|what a finish|well played|"
        "give me that trophy|I told you we'd get it"
    ),
    "rage_lead": (
        "again with this|every single time|he's not even moving|where is my team|I clicked that|"
        "it didn't register|I swear if he does that again"
    ),
    "rage_peak": "are you kidding me|what is this|come on|how is that fair|that is garbage|I hit him|stop",
    "rage_after": (
        "I'm done|this game is broken|who designed this|I'm so tired of it|no I'm not calm|unbelievable|"
        "every single round|I want a refund"
    ),
    "sung": "oh the river and the rain|hold me through the night|I was walking home alone|and the lights go down",
    "wholesome_lead": (
        "so I got a letter from one of you|hey before we go on|I want to say something|she wrote me back|"
        "it's been three years since we started|my dad's watching tonight"
    ),
    "wholesome_peak": (
        "thank you so much|that really means a lot|you have no idea what that did for me|"
        "I love this community|we paid for the whole surgery|she's going to be okay|I'm so proud of you"
    ),
    "wholesome_after": (
        "I'm not crying|sorry give me a second|you're all so kind|thank you really|that's beautiful|"
        "I wouldn't be here without you"
    ),
    "alert_after": (
        "thank you for the sub|thanks for the five months|appreciate you|thank you for the ten bits|"
        "welcome in"
    ),
    "raid_after": (
        "oh a raid|welcome raiders|thank you so much for the raid|how was your stream|"
        "hello everyone coming in"
    ),
    "raffle": (
        "type join in chat if you want in|the raffle ends in one minute|good luck everybody|one entry each"
    ),
    "poll": "ones in chat if you want another round|left or right chat|who's from europe type your country",
    "pet": "get off the table|hey hey no|stop that|bad dog|down|leave the cable alone|Milo no|come here you",
    "old_win": (
        "so last year at the final we were down two|and I clutched the one versus four|"
        "it was insane the crowd went crazy|everybody was screaming let's go|best moment of my life honestly|"
        "we won the whole thing|oh my god that play|I still have the clip somewhere|chat exploded"
    ),
    "lobby": "finding a match|queue's a bit long|let me change my loadout|anyone want to join|just waiting",
    "pause_before": "I'll be right back|quick break|getting a drink brb|two minutes",
    "pause_after": "okay I'm back|can you hear me|alright where were we",
    "excuse": "excuse me|sorry|bless me|allergies man",
    "advert": (
        "are you tired of slow internet|switch today and save fifty percent|terms and conditions apply|"
        "the all new family car|available in stores now|download the app for free|taste the difference|"
        "order before sunday"
    ),
    "cutscene": (
        "you should not have come here|the kingdom has fallen|then we ride at dawn|he was my brother|"
        "there is no turning back now|bring me the stone"
    ),
    "tts": (
        "hey love the stream greetings from the night shift|play the song again please|my dog says hi|"
        "first time donating keep it up|can you say happy birthday to my roommate|lol lol lol lol lol lol"
    ),
    "friend": (
        "nice|behind you|I'm coming|wait for me|bro|what are you doing|good one|I'm down|he's weak|haha what"
    ),
}  # fmt: skip
SAID: dict[str, list[str]] = {name: text.split("|") for name, text in _SAID_TEXTS.items()}

_CONFUSED = {
    "clip": "click", "chat": "chad", "raid": "rate", "sub": "sup", "bits": "beats", "gonna": "going to", "god": "guard",
    "one": "won", "he's": "his", "queue": "cue", "brb": "BRB", "health": "help", "clutched": "clutch", "their": "there",
    "peek": "peak", "pan": "pen", "loadout": "load out", "insane": "in same", "shot": "shop", "ward": "word",
}  # fmt: skip
_INVENTED = ("Thank you.", "you", "Thanks for watching!", "Okay.", "Bye.", ".")


def ordinary(rng: np.random.Generator, genre: str) -> str:
    """One remark of ordinary talk."""
    templates, fillings = _TALK[genre if rng.random() < 0.6 else "any"]
    text = str(rng.choice(templates)).replace("{a}", str(rng.choice(fillings)))
    if rng.random() < 0.4:
        text = f"{rng.choice(_OPENERS)} {text}"
    if rng.random() < 0.2:
        text = f"{text} {rng.choice(_TAILS)}"
    return text + ("?" if text.startswith(("how", "what", "who", "where", "is the")) else "")


def said(rng: np.random.Generator, name: str) -> str:
    """One line of a named part."""
    return str(rng.choice(SAID[name]))


def shuffled(rng: np.random.Generator, name: str) -> list[str]:
    """All lines of a named part in random order."""
    return [str(text) for text in rng.permutation(SAID[name])]


def _misheard(text: str, share: float, rng: np.random.Generator) -> str:
    kept: list[str] = []
    for word in text.split():
        roll = rng.random()
        if roll < share * 0.4:
            continue
        if roll < share:
            plain = re.sub(r"[^a-z']", "", word.lower())
            kept.append(
                _CONFUSED.get(
                    plain, plain[:-1] if len(plain) > 4 else str(rng.choice(["the", "it", "and", "a"]))
                )
            )
        else:
            kept.append(word)
    return " ".join(kept)


def _heard(line: Line, share: float, rng: np.random.Generator) -> str:
    """What a recogniser writes for one utterance; often nothing for a scream or a laugh."""
    if line.style == "laugh":
        return str(rng.choice(["", "", "", "Haha.", "Hahaha"]))
    if line.style == "scream":
        return str(rng.choice(["", "", "Oh!", "Whoa!", line.text]))
    if not line.text:
        return ""
    harder = share * (1 + 1.5 * max(0.0, line.effort - 0.6) + (2 if line.style in ("whisper", "sing") else 0))
    return "" if rng.random() < harder * 0.35 else _misheard(line.text, harder, rng)


def transcript(
    lines: Sequence[Line], error: float, duration_s: float, rng: np.random.Generator
) -> list[list[float | str]]:
    """Segments [start_s, end_s, text] as a recogniser gives them: phrases of up to some 7 s, loosely timed."""
    out: list[list[float | str]] = []
    start = end = None
    words: list[str] = []

    def close() -> None:
        nonlocal start, end, words
        if start is not None and end is not None and words:
            text = " ".join(words)
            text = (
                text[0].upper()
                + text[1:]
                + ("" if text[-1] in ".!?" else str(rng.choice([".", ".", "", "!"], p=[0.5, 0.2, 0.2, 0.1])))
            )
            out.append([round(float(max(0.0, start)), 2), round(float(min(duration_s, end)), 2), text])
        start, end, words = None, None, []

    longest_s = 7.0
    for line in sorted(lines, key=lambda item: item.start_s):
        text = _heard(line, error, rng)
        if (
            end is not None
            and start is not None
            and (line.start_s - end > 0.7 or line.end_s - start > longest_s)
        ):
            if line.start_s - end > 9 and rng.random() < error * 1.5:
                close_at = end
                close()
                at = close_at + float(rng.uniform(2, 5))
                out.append(
                    [round(at, 2), round(at + float(rng.uniform(0.5, 2)), 2), str(rng.choice(_INVENTED))]
                )
            close()
            longest_s = float(rng.uniform(4, 9))
        if text:
            start = line.start_s + float(rng.normal(0, 0.12)) if start is None else start
            end = line.end_s + float(abs(rng.normal(0, 0.15)))
            words.append(text)
    close()
    out.sort(key=lambda seg: (seg[0], seg[1]))
    for first, second in itertools.pairwise(out):
        first[1] = min(float(first[1]), max(float(second[0]), float(first[0]) + 0.1))
    return out
