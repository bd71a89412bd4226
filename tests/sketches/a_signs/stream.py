"""Live streams as the author of a benchmark draws them: every dial uniform, every sign of a moment one mechanism.

A moment is a lead-in, a peak and a reaction, and shows at least two of six signs, each as strong as chance has it. A
decoy runs the same mechanisms for nothing. Invariant: all lie at least 8 s apart, and a seed gives one stream.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tests.sketches.a_signs.truth import SHAPE, Event, Phrase, moment
from tests.sketches.guide import kept_apart
from tests.sketches.sketch import FRAMES_PER_S, HEIGHT, RATE_HZ, WIDTH, Sketch, Sound, Span

Grid = npt.NDArray[np.float64]  # one value for each picture
Dials = Mapping[str, float]  # what stays the same through one stream
Picture = npt.NDArray[np.uint8]
Rng = np.random.Generator
Events = Sequence[Event]

GAP_S = 8.0
HOP = 160  # the voice is steered 100 times a second
LOOP = 1 << 17  # beds of noise and music repeat after 8.2 s

# fmt: off
TALK = (
    "so anyway I was at the shop earlier|yeah I think that works|let me check the map real quick|what was I saying|we "
    "need a bit more wood|I'll just go round the back here|okay so the plan for tonight is simple|hm I don't know "
    "about that one|I've had this mouse for like four years|good evening to everyone who just came in|I still have to "
    "do the laundry|let's go over there I guess|this part is always a bit slow|no way I'm paying that much for a skin|"
    "oh my god I forgot to eat|we could try the other route|give me a second to sort the inventory|right so that's the"
    " third one done|is the sound okay for you|I'll read that in a moment|what do you think we should play|my back "
    "hurts from this chair|the graphics are nice in this area|oh nice there's a chest|we lost a bit of health there|"
    "and then he never wrote back|I'll explain it when we load in|let me drink something|I don't mind the old version|"
    "I keep pressing the wrong button|maybe two more rounds|I never finished that one").split("|")
LEAD = (
    "wait wait wait|hold on what is that|okay careful now|there's one left|I hear him|come on come on|watch this|no "
    "don't do that|is he going for it|one more just one more|oh this could be good|nobody move|let me try something|"
    "look at this|last chance|please please please|are you seeing this|something is coming").split("|")
LOUD = (
    "and now a word from our partner|use the code at the checkout|twenty percent off this week only|link in the "
    "description|this chair changed my life|try it free for thirty days|I said it's in the kitchen|can you close the "
    "door please|did you feed the cat|I can't hear you|leave it on the table|la la la the night is long|and we sing "
    "along|oh oh oh hold me now").split("|")
IDLE = (
    "hi|hello from the train|what game is this|lol|same|true|nice hat|volume is fine|is this ranked|good morning|I had"
    " soup|which headset is that|can you turn the music down|brb|back|ok|hm|no|yes|lag?|I like this map|what did he "
    "say|when is the next stream|try the left path|you missed a chest|haha|good night all|my cat says hi|not sure|"
    "cool|wait what|who won|I'm at work lol|is that new|any tips|oof|:)|?").split("|")
SAID = {
    "hype": "let's go|oh my god let's go|that is insane|are you kidding me right now|yes yes yes|this is it|I can't "
            "believe it|what a play|no way no way|we actually did it|holy that was crazy|did you see that|that's huge",
    "funny": "what was that|I can't breathe|why would you say that|stop it stop|oh no I'm crying|he just fell off|I'm "
             "not okay|did it just bark at me|who put that there|play it again|my stomach hurts",
    "clutch": "got him|that's the last one|one hit point|how am I alive|he never stood a chance|defused|one against "
              "four|clutch|with no time left|I had no bullets|and we take the round|nerves of steel",
    "fail": "oh no|no no no no|I missed it|I pressed the wrong one|that did not just happen|I fell|all of it gone|"
            "nobody saw that|I forgot to save|straight into the lava|back to the start|it slipped",
    "score": "goal|it's in|what a goal|top corner|he scores|new record|three points|that's the winner|in the last "
             "minute|across the line|first place|a perfect score|hat trick|and the net moves",
    "rage": "are you serious|this game is broken|I'm done|that is not fair|how is that a hit|every single time|I hate "
            "this level|I'm uninstalling|who designed this|get out of my way|that's it I quit|give me a break",
    "wholesome": "that's so kind of you|I'm going to cry|thank you so much|you made my day|look how small it is|happy "
                 "birthday|I'm so proud of you|we did it together|that means a lot to me|come here little one",
}
ANSWERED = {
    "hype": "LETS GO|POGGERS|no wayyy|INSANE|holy|W|WWWW|omg|hypeee|that was crazy|🔥🔥🔥|clip it",
    "funny": "LMAO|KEKW|hahahaha|lol lol|im dead|😂😂|crying|LUL|bro what|clip that|xD|not the bark",
    "clutch": "CLUTCH|insane aim|how|gg|he's cracked|no way he lived|ice cold|1v4 omg|W player|CLIP|sheesh|PogChamp",
    "fail": "F|FFFF|oof|RIP|LMAO|lol nice one|KEKW|skill issue|o7|pain|my eyes|again??",
    "score": "GOAL|GOOOAL|golazo|what a shot|record!|gg|WWW|finally|top bins|⚽⚽|gg wp|he did it",
    "rage": "KEKW|tilted|lol so mad|unlucky|robbed|that was bs|calm down lol|rip keyboard|F|deep breaths|LUL|hes gone",
    "wholesome": "aww|❤️❤️|so cute|im not crying|protect at all costs|<3|so sweet|onions|awwww|best chat|my heart|hugs",
    "raid": "raid!|welcome raiders|hi from the raid|🚀🚀🚀|hello hello|raid hype|hey all|new here|welcome in",
    "giveaway": "!join|!enter|!join pls|me|!ticket|pick me|1", "alert": "welcome|gz|<3|ty|new sub!|gg",
}
SIGNS = ("voice", "words", "laughter", "desktop", "picture", "chat")
KINDS = {  # how often each shows each sign, in their order, and by what sound
    "hype": ((0.85, 0.7, 0.2, 0.6, 0.6, 0.7), "crowd horn"), "funny": ((0.4, 0.5, 0.85, 0.2, 0.25, 0.7), "boom horn"),
    "clutch": ((0.7, 0.6, 0.15, 0.7, 0.75, 0.65), "boom"), "fail": ((0.6, 0.6, 0.5, 0.5, 0.5, 0.6), "boom crowd"),
    "score": ((0.7, 0.65, 0.1, 0.85, 0.6, 0.6), "crowd horn"), "rage": ((0.9, 0.7, 0.1, 0.35, 0.35, 0.6), "boom"),
    "wholesome": ((0.45, 0.75, 0.4, 0.3, 0.2, 0.75), "crowd horn"),
}
DECOYS = {  # what each sets going, and by what sound
    "fight": ("desktop picture", "boom"), "stadium": ("desktop picture", "crowd"), "music": ("desktop", "music"),
    "cutscene": ("desktop picture", "speech"), "advert": ("voice", "-"), "calling": ("voice", "-"),
    "singing": ("voice desktop", "music"), "alert": ("desktop chat", "horn"), "giveaway": ("chat", "-"),
    "coughing": ("knocks", "-"), "knocking": ("knocks picture", "-"), "scenes": ("picture", "-"), "raid": ("chat", "-"),
}
# Each is uniform in its range. Levels are in dB of full scale, RMS; gain_db is what full arousal adds; calm is a share
# of pauses, the long ones; a dial that can fall below 0 is off there.
DIALS = {
    "voice_db": (-32, -19), "noise_db": (-70, -48), "noise_slope": (0, 1), "dull": (0, 1), "echo": (0, 0.35),
    "leak": (-0.5, 0.15), "pitch_hz": (90, 230), "syllables_hz": (3.2, 5.5), "pause_s": (0.4, 2.5), "calm": (0, 0.2),
    "gain_db": (5, 13), "chuckles_hz": (0, 0.016), "keys_hz": (-2, 4), "others_on": (-3, 2), "chat_on": (-1, 4),
    "game_on": (-3, 7), "game_db": (-42, -24), "music_db": (-60, -25), "log_viewers": (1, 8), "errors": (0.06, 0.24),
}
VOWELS_HZ = np.array([(730, 1090, 2440), (530, 1840, 2480), (270, 2290, 3010), (570, 840, 2410), (300, 870, 2240)])
# fmt: on


def make(seed: int, duration_s: float = 600.0) -> Sketch:
    """Return the stream of this seed; 3 to 10 moments in ten minutes; from 60 s, in tenths of a second."""
    rng = np.random.default_rng((seed, 0xA))
    dials = {name: float(rng.uniform(*ends)) for name, ends in DIALS.items()}
    num = round(FRAMES_PER_S * duration_s)
    events = _draw_events(rng, dials, duration_s)
    phrases = _speak(rng, dials, events, num)
    desktop, blows = _desktop(rng, dials, events, num)
    mic = _mic(rng, dials, events, phrases, desktop)
    moments, decoys = kept_apart(
        [moment(event, phrases, blows, SAID[event.kind]) for event in events if event.kind in KINDS],
        [
            Span(start_s=event.times_s[0], end_s=event.times_s[-1], kind=event.kind)
            for event in events
            if event.kind not in KINDS
        ],
        decoy_s=1.0,
    )
    speed_px = 0.4 + 3 * _drift(rng, num, 6) ** 2 + 8 * _arc(events, "picture", num)
    cuts = rng.random(num) < 0.003 + 0.04 * _arc(events, "picture", num)
    return Sketch(
        duration_s=duration_s,
        mic=mic,
        desktop=desktop,
        frames=functools.partial(_draw_picture, seed, speed_px, cuts, has_game=dials["game_on"] > 0),
        segs=tuple(_recognise(rng, dials, phrases)),
        chat=tuple(_chat(rng, dials, events, num)) if dials["chat_on"] > 0 else (),
        num_viewers=int(np.exp(dials["log_viewers"])) if dials["chat_on"] > 0 else int(rng.integers(4)),
        moments=moments,
        decoys=decoys,
    )


def _draw_events(rng: Rng, dials: Dials, duration_s: float) -> list[Event]:
    """Moments first, then as many decoys as fit; what time is left is shared out among the gaps by chance."""
    num_moments = max(1, round(int(rng.integers(3, 11)) * duration_s / 600))
    parts = [rng.uniform(2, (12, 10, 18)) for _ in range(num_moments)]
    parts += [
        rng.uniform((0.5, 2, 0.5), (3, 18, 4))
        for _ in range(round(int(rng.integers(4, 13)) * duration_s / 600))
    ]
    while (left_s := duration_s - GAP_S * (len(parts) + 1) - np.sum(parts)) < 0:
        parts.pop()
    gaps_s = GAP_S + left_s * rng.dirichlet(np.ones(len(parts) + 1))
    events: list[Event] = []
    for index, gap_s in zip(rng.permutation(len(parts)), gaps_s, strict=False):
        start_s = gap_s + (events[-1].times_s[-1] if events else 0.0)
        times_s = tuple((start_s + np.cumsum([0.0, *parts[index]])).tolist())
        events.append(_draw_event(rng, dials, times_s, is_moment=bool(index < num_moments)))
    return events


def _draw_event(rng: Rng, dials: Dials, times_s: tuple[float, ...], *, is_moment: bool) -> Event:
    kind = str(rng.choice(list(KINDS if is_moment else DECOYS)))
    shown: list[str] = [] if is_moment else DECOYS[kind][0].split()
    while is_moment and len(shown) < 2:
        shown = [sign for sign, often in zip(SIGNS, KINDS[kind][0], strict=True) if rng.random() < often]
        shown = [sign for sign in shown if sign != "chat" or dials["chat_on"] > 0]
    signs = {sign: float(rng.uniform(0.4, 1)) for sign in shown}
    return Event(kind, times_s, signs, str(rng.choice((KINDS if is_moment else DECOYS)[kind][1].split())))


def _arc(events: Events, sign: str, num: int, sound: str = "") -> Grid:
    """The strength of a sign over time: it stirs in the lead-in, leaps at the peak, ebbs in the reaction."""
    arc = np.zeros(num)
    for event in (e for e in events if sign in e.signs and sound in ("", e.sound)):
        shape = np.interp(np.arange(num) / FRAMES_PER_S, event.knots_s(), SHAPE, left=0, right=0)
        arc = np.maximum(arc, event.signs[sign] * shape)
    return arc


def _drift(rng: Rng, num: int, period_s: float) -> Grid:
    """A value from 0 to 1 that wanders, with a new aim about every period."""
    knots = rng.uniform(size=int(num / FRAMES_PER_S / period_s) + 2)
    return np.interp(np.arange(num) / FRAMES_PER_S / period_s, np.arange(len(knots)), knots)


def _speak(rng: Rng, dials: Dials, events: Events, num: int) -> list[Phrase]:
    """Laughs where they fall, talk around them; who is struck by a peak breaks off and begins anew."""
    duration_s = num / FRAMES_PER_S
    starts_s = rng.uniform(0, duration_s, rng.poisson(dials["chuckles_hz"] * duration_s))
    laughs = [(start_s, rng.uniform(1, 1.8), 0.4) for start_s in starts_s]
    for merry in (e for e in events if "laughter" in e.signs):
        laughs.append((merry.times_s[1] + rng.uniform(0.3, 2), rng.uniform(1.5, 5), merry.signs["laughter"]))
    spoken = [Phrase(t, t + length_s, "", heat) for t, length_s, heat in sorted(laughs)]
    stops_s = [e.times_s[1] + 0.3 for e in events if "voice" in e.signs or "words" in e.signs]
    stops_s += [laugh.start_s for laugh in spoken]
    arousal, mood = _arc(events, "voice", num), 0.3 * _drift(rng, num, 25)
    now_s = rng.uniform(0.2, 3)
    while now_s < duration_s - 1.2:
        at = int(now_s * FRAMES_PER_S)
        event = next((e for e in events if e.times_s[0] <= now_s < e.times_s[3]), None)
        # One phrase in fourteen is said loudly for no reason at all.
        heat = max(arousal[at], mood[at] + (rng.uniform(0.2, 0.6) if rng.random() < 0.07 else 0.0))
        words = _choose_words(rng, event, now_s).split()
        length_s = float(np.clip(1.4 * len(words) / dials["syllables_hz"] / (1 + 0.35 * heat), 1, 6))
        end_s = min([now_s + length_s, duration_s, *(s for s in stops_s if s > now_s)])
        laugh = next((p for p in spoken if not p.text and p.start_s < now_s + 1 and now_s < p.end_s), None)
        if laugh:
            now_s = laugh.end_s + rng.uniform(0.1, 0.8)
        elif end_s - now_s < 1:
            now_s = end_s + 0.01
        else:
            said = " ".join(words[: max(1, round(len(words) * (end_s - now_s) / length_s))])
            spoken.append(Phrase(now_s, end_s, said, float(heat)))
            long_s = rng.uniform(4, 15) if rng.random() < dials["calm"] and not event else 0.0
            now_s = end_s + 0.1 + long_s + rng.exponential(dials["pause_s"] / (1 + 3 * heat + bool(event)))
    return sorted((p for p in spoken if p.end_s < duration_s), key=lambda p: p.start_s)


def _choose_words(rng: Rng, event: Event | None, now_s: float) -> str:
    pool: Sequence[str] = TALK
    if event and "words" in event.signs and rng.random() < 0.3 + 0.6 * event.signs["words"]:
        pool = LEAD if now_s < event.times_s[1] else SAID[event.kind].split("|")
    elif event and event.kind in ("advert", "calling", "singing"):
        pool = LOUD
    elif rng.random() < 0.06:  # strong words are said on a dull evening, too
        pool = LEAD + SAID["hype"].split("|") + SAID["fail"].split("|")
    return str(rng.choice(pool))


def _upsample(values: Grid | Sound, factor: int) -> Sound:
    """Straight lines between values; factor samples for each."""
    now = values.astype(np.float32)
    slope = np.diff(now, append=now[-1:]) / np.float32(factor)
    return np.ravel(now[:, None] + slope[:, None] * np.arange(factor, dtype=np.float32)).astype(
        np.float32, copy=False
    )


def _gain(level_db: float | Grid) -> Sound:
    return np.asarray(10 ** (np.asarray(level_db) / 20), np.float32)


def _voice(rng: Rng, dials: Dials, phrase: Phrase, pitch: float = 1.0) -> Sound:
    """Harmonics of a wandering pitch under the formants of a vowel for each syllable, hiss where one begins; RMS 1."""
    heat, is_laugh = phrase.arousal, not phrase.text
    num = int((phrase.end_s - phrase.start_s) * RATE_HZ / HOP)
    rate_hz = rng.uniform(4, 6) if is_laugh else dials["syllables_hz"] * (1 + 0.35 * heat)
    beat, place = np.divmod(np.arange(num) * HOP / RATE_HZ * rate_hz, 1.0)
    beat, last = beat.astype(int), int(beat[-1]) + 1
    loudness = (rng.uniform(0.4, 1, last) * (rng.random(last) > 0.1))[beat] * np.sin(np.pi * place) ** 0.7
    fall = 1.0 - (0.3 if is_laugh else 0.12) * np.linspace(0, 1, num)
    lift = (1.3 if is_laugh else 1.0) * (1 + 0.5 * heat)
    f0_hz = dials["pitch_hz"] * pitch * lift * fall * (1 + 0.1 * rng.standard_normal(last))[beat]
    formants_hz = VOWELS_HZ[rng.integers(5, size=last)][np.zeros_like(beat) if is_laugh else beat]
    theta = 2 * np.pi * np.cumsum(f0_hz.repeat(HOP)) / RATE_HZ
    before, now = np.zeros(num * HOP, np.float32), np.sin(theta).astype(np.float32)
    twice = (2 * np.cos(theta)).astype(np.float32)
    hiss = loudness if is_laugh else (place < 0.2) * loudness[np.maximum(np.arange(num) - 5, 0)]
    voice = _upsample(0.25 * hiss, HOP) * np.diff(rng.standard_normal(num * HOP + 1, dtype=np.float32))
    for harmonic in range(1, int(min(30, 3800 / f0_hz.max())) + 1):
        f_hz = harmonic * f0_hz
        peaks = (np.array((1, 0.6, 0.3)) / (1 + ((f_hz[:, None] - formants_hz) / 110) ** 2)).sum(axis=1)
        dull = 1 + dials["dull"] * (f_hz / 2000) ** 2
        voice += _upsample(loudness * (0.05 + peaks) * harmonic ** (0.6 * heat - 0.6) / dull, HOP) * now
        before, now = now, twice * now - before  # sin((k+1)t) = 2 cos(t) sin(kt) - sin((k-1)t): no more sines
    return np.asarray(voice / (np.sqrt(np.mean(voice**2)) + 1e-9), np.float32)


def _noise(rng: Rng, slope: float, centre_hz: float = 0.0) -> Sound:
    """A loop of noise, RMS 1: falling with frequency, or a band about two octaves wide."""
    f_hz = np.fft.rfftfreq(LOOP, 1 / RATE_HZ) + 20
    shape = np.exp(-(np.log2(f_hz / centre_hz) ** 2)) if centre_hz else f_hz**-slope
    loop = np.fft.irfft(shape * np.exp(2j * np.pi * rng.random(len(f_hz))), LOOP)
    return (loop / loop.std()).astype(np.float32)


def _add(track: Sound, at_s: float, sound: Sound) -> None:
    start = int(at_s * RATE_HZ)
    track[start : start + len(sound)] += sound[: max(0, len(track) - start)]


def _music(rng: Rng) -> Sound:
    """Four chords over a beat, RMS 1."""
    at_s = np.arange(LOOP) / RATE_HZ
    root_hz = rng.uniform(110, 220) * 2 ** (rng.permutation((0, 5, 7, 9)).repeat(LOOP // 4) / 12)
    tune = sum(np.sin(2 * np.pi * at_s * root_hz * r) / r for r in (1, 1.25, 1.5, 2, 3, 4))
    tune += 2 * np.exp(-12 * (at_s % 0.512)) * np.sin(2 * np.pi * 60 * at_s)
    return (tune / tune.std()).astype(np.float32)


def _desktop(rng: Rng, dials: Dials, events: Events, num: int) -> tuple[Sound, list[int]]:
    """Beds under slow gates (game, music, crowd), blows strewn by rate, what peaks bring; and when blows fall."""
    base_db = dials["game_db"]
    action = np.clip(1.6 * _drift(rng, num, 20) - 0.5, 0, 1) * (1 if dials["game_on"] > 0 else 0.4)
    crowd = _arc(events, "desktop", num, "crowd") * (0.6 + 0.4 * _drift(rng, num, 0.5))
    gates = (
        (_noise(rng, 0.8), _gain(base_db - 12 + 10 * action) * (action > 0)),
        (_music(rng), _gain(dials["music_db"]) * np.clip(2 * _drift(rng, num, 40) - 0.5, 0, 1)),
        (_music(rng), _gain(base_db + 8) * _arc(events, "desktop", num, "music") ** 0.5),
        (_noise(rng, 0, 900), _gain(base_db + 10) * crowd),
    )
    track = np.zeros(num * RATE_HZ // FRAMES_PER_S, np.float32)
    for loop, gate in gates:
        track += np.resize(loop, len(track)) * _upsample(gate, RATE_HZ // FRAMES_PER_S)
    din = _arc(events, "desktop", num, "boom")
    fade = np.exp(-np.arange(RATE_HZ) / RATE_HZ / 0.15).astype(np.float32)
    blows = [_noise(rng, slope)[:RATE_HZ] * fade for slope in (0.1, 0.4, 0.8, 1.2)]
    blows_at = np.flatnonzero(rng.random(num) < 0.08 * action + 0.25 * din)
    for now in blows_at:
        level_db = base_db + rng.uniform(-6, 11) + 7 * din[now]
        _add(track, now / FRAMES_PER_S, blows[rng.integers(4)] * _gain(level_db))
    tone_hz = rng.uniform(180, 320) * np.array(((1.0,), (1.26,)))
    tone = np.sign(np.sin(2 * np.pi * tone_hz * np.arange(RATE_HZ * 3 // 2) / RATE_HZ)).sum(axis=0) / 1.4
    for event in (e for e in events if "desktop" in e.signs and e.sound == "horn"):
        _add(track, event.times_s[1], tone.astype(np.float32) * _gain(base_db + 10 * event.signs["desktop"]))
    others = _drift(rng, num, 30) * (dials["others_on"] > 0)
    likely = 0.6 * (others > 0.4) + 2 * _arc(events, "desktop", num, "speech")
    for at in range(10, num - 60, 50):
        if rng.random() < likely[at]:
            phrase = Phrase(0.0, rng.uniform(1, 4), "?", rng.uniform(0, 0.6))
            speech = _voice(rng, dials, phrase, pitch=rng.uniform(0.7, 1.5))
            _add(track, at / FRAMES_PER_S, speech * _gain(base_db + 2))
    return np.tanh(track), blows_at.tolist()


def _mic(rng: Rng, dials: Dials, events: Events, phrases: Sequence[Phrase], desktop: Sound) -> Sound:
    """Voice, room and its echo, keys, knocks and coughs, and what the loudspeakers leak."""
    mic = np.float32(max(0.0, dials["leak"])) * desktop
    for phrase in phrases:
        level_db = dials["voice_db"] + dials["gain_db"] * phrase.arousal + rng.uniform(-2, 2)
        _add(mic, phrase.start_s, _voice(rng, dials, phrase) * _gain(level_db))
    blow = _noise(rng, 0.5)[: RATE_HZ // 4] * np.exp(-np.arange(RATE_HZ // 4) / 600).astype(np.float32)
    times_s = len(mic) / RATE_HZ * rng.random(rng.poisson(max(0.0, dials["keys_hz"]) * len(mic) / RATE_HZ))
    knocks = [(t, dials["voice_db"] - rng.uniform(6, 22)) for t in times_s]
    for event in (e for e in events if "knocks" in e.signs):
        times_s = rng.uniform(event.times_s[0], event.times_s[3], rng.integers(2, 9))
        knocks += [(t, dials["voice_db"] + 6 + 10 * event.signs["knocks"]) for t in times_s]
    for at_s, level_db in knocks:
        _add(mic, at_s, blow * _gain(level_db))
    late = int(rng.uniform(0.012, 0.05) * RATE_HZ)
    mic[late:] += np.float32(dials["echo"]) * mic[:-late].copy()
    return np.tanh(mic + np.resize(_noise(rng, dials["noise_slope"]), len(mic)) * _gain(dials["noise_db"]))


def _draw_picture(
    seed: int, speed_px: Grid, cuts: npt.NDArray[np.bool_], has_game: bool
) -> Iterator[Picture]:
    """A scene that pans (game) or a figure that sways before a wall (no game), cut now and then."""
    rng = np.random.default_rng((seed, 0xF))
    grain = rng.integers(-4, 5, (8, HEIGHT, WIDTH)).astype(np.int16)
    turn = 2 * np.pi * np.cumsum(rng.normal(0, 0.08, len(speed_px)))
    x, y = np.cumsum(speed_px * (np.cos(turn), np.sin(turn)), axis=1).astype(int)
    for now, is_new in enumerate(cuts):
        if is_new or now == 0:
            coarse = rng.integers(30, 220, (12, 20)).astype(np.int16)
            scene = np.tile(coarse.repeat(16, 0).repeat(16, 1), (2, 2))
        left, top = (x[now] % 320, y[now] % 192) if has_game else (0, 0)
        picture = scene[top : top + HEIGHT, left : left + WIDTH] + grain[rng.integers(8)]
        size, left, top = (20, 8, 62) if has_game else (44, 58 + x[now] % 24, 20 + y[now] % 16)
        picture[top : top + size, left : left + size] = 160 + grain[0, :size, :size] * 4
        yield np.clip(picture, 0, 255).astype(np.uint8)


def _recognise(rng: Rng, dials: Dials, phrases: Sequence[Phrase]) -> Iterator[tuple[float, float, str]]:
    """What was said, with words lost or taken for others; some laughs become syllables."""
    for phrase in phrases:
        heard = phrase.text.split() or ["ha"] * (3 * (rng.random() < 0.4))
        fates = rng.random(len(heard)) / dials["errors"]
        replaced = rng.choice(" ".join(TALK).split(), len(heard))
        words = [w if f > 1 else str(o) for w, f, o in zip(heard, fates, replaced, strict=True) if f > 0.5]
        if words:
            yield phrase.start_s, phrase.end_s, " ".join(words)


def _chat(rng: Rng, dials: Dials, events: Events, num: int) -> Iterator[tuple[float, str]]:
    """A trickle that swells and ebbs, a wave 2 to 12 s after each peak that has one."""
    rate_hz = 0.006 * np.exp(0.62 * dials["log_viewers"])
    counts = rng.poisson(2 * rate_hz * _drift(rng, num, 15) / FRAMES_PER_S)
    times_s = (np.arange(num).repeat(counts) + rng.random(counts.sum())) / FRAMES_PER_S
    posts = [(float(t), str(rng.choice(IDLE))) for t in times_s]
    for event in (e for e in events if "chat" in e.signs):
        answers = ANSWERED[event.kind].split("|")
        for delay in rng.beta(1.5, 3, rng.poisson(event.signs["chat"] * (3 + 25 * rate_hz))):
            text = str(rng.choice(answers if rng.random() < 0.75 else IDLE))
            posts.append((event.times_s[1] + 2 + 10 * delay, text.upper() if rng.random() < 0.15 else text))
    return iter(sorted(post for post in posts if post[0] < num / FRAMES_PER_S))
