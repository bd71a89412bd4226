"""The script of a stream: what goes on when, what happens, and how ordinary time is filled."""

from __future__ import annotations

import numpy as np

from tests.sketches.guide import kept_apart
from tests.sketches.m_reacts.people import Burst, Cue, Line, Persona, Phase, Rng, Script
from tests.sketches.m_reacts.recipes import OCCUPATIONS, Recipe, recipes
from tests.sketches.m_reacts.truth import SPARE_S, find_span
from tests.sketches.m_reacts.voice import count
from tests.sketches.m_reacts.words import Teller, lists
from tests.sketches.sketch import Span

Pick = tuple[Recipe, float, bool]  # with its length, and whether it is a moment
_LOOKS = ("vlog", "sport", "show", "gaming", "trailer", "essay")
_LOOK_FOR = {"goal": "sport", "replay": "sport", "guess": "show", "reveal": "trailer"}
_MOODS = {"letter": "cry", "kind": "cry", "sings": "sing"}
_APART_S = 8.0
_SCATTER_S = 1.2  # how far a decoy's span lies from what was played, at most


class Director:
    """Fills a script from its beginning to its end; `now` is how far it has come."""

    def __init__(self, rng: Rng, who: Persona, teller: Teller, script: Script) -> None:
        self.rng, self.who, self.teller, self.script = rng, who, teller, script
        self.now = float(rng.uniform(0.1, 1.0))

    def chance(self, p: float) -> bool:
        """True with probability p."""
        return bool(self.rng.random() < p)

    def add(self, text: str, at: float, energy: float, mood: str = "", who: str = "me") -> float:
        """Have words said from `at` on; gives when they end."""
        slow = 1.9 if mood in ("sing", "crack") else 1 + 0.3 * max(energy, 0) + 0.25 * (mood == "cry")
        length = count(text) / self.who.pace * slow * self.rng.uniform(0.92, 1.1) + 0.12
        self.script.lines.append(Line(at, at + length, text, energy, mood, who))
        return float(at + length)

    def run(
        self, until: float, section: str, heats: tuple[float, float], mood: str = "", then: str = ""
    ) -> None:
        """Talk from a section, from one energy to another; in order if there is a `then`."""
        begin, misses = self.now, 0
        queue = self.teller.in_order(section) if then else []
        while self.now < until - 0.5 and misses < 4:
            text = queue.pop(0) if queue else self.teller.say(then or section)
            if self.now + count(text) / self.who.pace * 1.35 > until:
                misses += 1
                continue
            part = (self.now - begin) / max(until - begin, 0.1)
            heat = heats[0] + (heats[1] - heats[0]) * part + self.rng.normal(0, 0.05)
            end = self.add(text, self.now, heat, mood)
            if text.endswith("chat?") and self.chance(0.5):
                self.script.bursts.append(Burst(end + self.who.lag_s, 1.0, 5.0, "answer", 0.1))
            self.now = end + self.rng.exponential(0.28) + 0.08

    def laugh(self, length: float, size: float, kind: str = "laugh") -> None:
        """A noise of the throat or the nose, in its turn with the words."""
        self.script.mic.append(Cue(self.now, length, kind, size))
        self.now += length + 0.1

    def others(self, section: str, t: float, until: float, heat: float, who: str) -> float:
        """Somebody in the desktop speaks on."""
        while t < until:
            mood = "tts" if who == "tts" else ""
            t = self.add(
                self.teller.say(section), t, heat + self.rng.normal(0, 0.1), mood, who
            ) + self.rng.uniform(0.1, 0.5)
        return t

    def ordinary(self, until: float, what: str) -> None:
        """Most of a stream: talk, silences, small noises, the video or the guest going on."""
        rng, temper, on_call = self.rng, self.who.temper, what in ("debate", "guest")
        share = self.who.talk * {"watch": 0.55, "debate": 0.55, "guest": 0.6}.get(what, 1.0)
        while self.now < until - 1.0:
            begin = self.now
            heat = float(np.clip(rng.normal(0.03, 0.08) + 0.2 * self.chance(0.1) * temper, -0.2, 0.5))
            if self.chance(0.06):  # now and then a word is thrown out loud, for nothing
                self.run(min(begin + 2.5, until), "outcry", (0.7 * temper, 0.4 * temper))
            self.run(min(until, begin + rng.gamma(2.0, 4.0) + 1.5), what, (heat, heat * 0.5))
            if self.chance(0.09):
                self.laugh(
                    rng.uniform(0.4, 1.3),
                    rng.uniform(0.25, 0.6),
                    str(rng.choice(["laugh", "huff", "giggle"])),
                )
            talked = self.now - begin
            if what == "watch" and talked > 4 and self.chance(0.4):
                self.script.pauses.append((begin - 0.4, self.now + 0.2))
            gap = min(rng.exponential(max(talked, 2) * (1 - share) / share), 14.0)
            if on_call:
                self.now = self.others(
                    "guest_talk", self.now + 0.3, min(self.now + gap, until - 3), 0.05, "guest"
                )
            else:
                self.small_noise(self.now, gap, what)
                self.now = min(self.now + gap, until)

    def small_noise(self, at: float, gap: float, what: str) -> None:
        """What the pauses hold: typing, a mug, a chime, a sniff, a shout in the video."""
        rng, desk = self.rng, self.script.desk
        if gap > 1 and self.chance(0.4):
            kind = str(rng.choice(["keys", "keys", "clink", "sniff", "cough", "bumps"]))
            self.script.mic.append(
                Cue(at + 0.2, min(gap, 2.5) if kind == "keys" else 0.6, kind, rng.uniform(0.08, 0.4))
            )
        if self.chance(0.3 if what == "dono" else 0.06):
            desk.append(Cue(at + rng.uniform(0, gap), 1.5, "alert", rng.uniform(0.3, 0.9)))
        if what == "watch" and self.chance(0.35):
            kind = str(rng.choice(["roar", "laughter", "bonk", "gong", "riser"]))
            desk.append(Cue(at + rng.uniform(0, gap), rng.uniform(1, 3), kind, rng.uniform(0.4, 1.2)))

    def perform(self, r: Recipe, start: float, end: float, what: str, is_moment: bool) -> float:
        """Play one recipe between two times; gives when its event is."""
        rng, s = self.rng, self.script
        signs = self.signs(r) if is_moment else {"voice", "desk", "pic", "words", "chat"}
        self.now = max(self.now, start)
        lead = rng.uniform(r.lead_low, r.lead_high) * (end - start)
        told = is_moment and "words" in signs
        if told:  # the build-up lasts no longer than there is something to say
            lead = min(lead, 2.0 * len(lists()[f"{r.name}_build"]) + 1)
        event, rest = start + lead, end - start - lead
        heat = r.heat * rng.uniform(0.7, 1.1) * (self.who.temper if r.heat > 0 and not r.flat else 1.0)
        heat = min(heat, 1.35) if "voice" in signs else min(heat, 0.08)
        mine = event - 2.5 if what in ("debate", "guest") and lead > 6 else event
        opening = "crack" if r.name == "crack" and told else ""
        self.run(
            mine,
            f"{r.name}_build" if told else what,
            (0.03, max(0.25 * heat, 0.03)),
            opening,
            what if told else "",
        )
        if mine < event:
            self.now = self.others("guest_talk", self.now + 0.2, event - 1.5, 0.05, "guest")
        self.now = max(self.now + 0.1, event)
        if r.bang and self.chance(0.85):
            s.mic.append(Cue(event, rng.uniform(0.8, 2.0), r.bang, rng.uniform(0.5, 1.6)))
        if r.desk and "desk" in signs:
            self.in_desktop(r.desk, lead, event, end)
        if r.pic and "pic" in signs:
            size = rng.uniform(0.7, 1.2) * (0.45 + 0.55 * self.who.temper)
            s.pics.append(Cue(event, rest * rng.uniform(0.5, 0.9), r.pic, size))
        if "chat" in signs:
            at = event + self.who.lag_s * rng.uniform(0.7, 1.4) + rng.uniform(0.3, 1.5)
            copied = 0.9 if r.topic in ("pasta", "join", "votes") else 0.35
            s.bursts.append(
                Burst(
                    at,
                    r.run * np.exp(rng.normal(0.3 * is_moment, 0.35)),
                    rng.uniform(3, 6) + 0.25 * rest,
                    r.topic,
                    copied,
                )
            )
        self.react(r, heat, event, end, told, "voice" in signs)
        if not told:
            self.run(end + 0.2, r.name if not is_moment else what, (heat, 0.04), _MOODS.get(r.name, ""), what)
        return event

    def react(self, r: Recipe, heat: float, event: float, end: float, told: bool, loud: bool) -> None:
        """First the breath or the laugh, then the words, then the way back."""
        rng, rest = self.rng, end - event
        self.now += rng.uniform(0.1, 0.6)
        lasts = {
            "gasp": 0.5,
            "shout": 1.0,
            "laugh": rest * 0.33,
            "sneeze": 1.2,
            "cough": rest * 0.6,
            "giggle": 1.2,
        }
        if r.vocal and loud:
            size = max(heat, 0.1) + (0.35 if r.vocal in ("laugh", "sneeze") else 0.0)
            self.laugh(lasts.get(r.vocal, 0.7) * rng.uniform(0.6, 1.4), size, r.vocal)
        if r.name == "visitor":
            for _ in range(int(rng.integers(1, 4))):
                self.now = self.add(self.teller.say("visitor_says"), self.now, 0.1, who="room") + 0.3
        if told:
            mood = "cry" if _MOODS.get(r.name) == "cry" else ""
            self.run(event + rest * 0.62, f"{r.name}_hit", (heat, heat * 0.7), mood)
            if r.vocal in ("laugh", "giggle") and loud and self.now < end - 2.5:
                self.laugh((end - self.now) * 0.5, heat * 0.7, "laugh")
            self.run(end + 0.2, f"after_{r.kind}", (heat * 0.55, 0.04), mood)

    def signs(self, r: Recipe) -> set[str]:
        """Which of the five tell of this moment: most of them mostly, at times two, seldom one."""
        has = ["voice", "words", "chat"] + ["desk"] * bool(r.desk) + ["pic"] * bool(r.pic)
        most = int(self.rng.choice([5, 4, 3, 2, 1], p=[0.3, 0.28, 0.22, 0.14, 0.06]))
        told = 1.3 if r.desk or r.bang else 6.0  # where nothing is to be heard, it is in the words
        weight = np.array([{"voice": 1.6, "words": told, "chat": 1.2}.get(h, 1.0) for h in has])
        pick = self.rng.choice(len(has), min(most, len(has)), replace=False, p=weight / weight.sum())
        return {has[k] for k in pick}

    def in_desktop(self, kind: str, lead: float, event: float, end: float) -> None:
        """The desktop's part in an event: sounds after one another, and who speaks there."""
        rest, cues, size = end - event, self.script.desk, self.rng.uniform(0.8, 1.8)
        if kind == "halt":
            self.script.pauses.append((event, end - 0.5))
        if kind == "gifts":
            for t in np.arange(event, end - 2, self.rng.uniform(0.8, 2.6)):
                cues.append(Cue(t, 1.5, "alert", size))
                self.script.pics.append(Cue(t, 1.0, "alert", 1.0))
        for row in lists()["staged"]:
            name, sound, *numbers = row.split()
            after, leads, long, of_lead, of_rest = (float(x) for x in numbers)
            if name == kind:
                cues.append(
                    Cue(event + after - leads * lead, long + of_lead * lead + of_rest * rest, sound, size)
                )
        for row in lists()["speakers"]:
            name, who, begin, part, until, heat = row.split()
            if name == kind:
                stop = event + float(part) * rest + float(until)
                self.others(f"{kind}_line", event + float(begin), stop, float(heat), who)


def _fit(rng: Rng, duration: float) -> list[Pick]:
    """Choose what happens, so that it fits into the stream: recipe, length, whether it is a moment."""
    share = duration / 600
    wanted = rng.integers(3, 11) * share
    num = max(round(wanted), 1) if duration >= 60 else int(rng.random() < wanted)
    rest = num + int(rng.integers(0, 5) * share + 0.5) + (num == 0)
    picks = []
    for name, many in (("moments", num), ("decoys", rest)):
        table = recipes(name)
        deck = rng.permutation(len(table))
        picks += [(table[deck[k % len(deck)]], name == "moments") for k in range(many)]
    out = []
    for r, is_moment in picks:
        draw = r.shortest + (r.longest - r.shortest) * rng.beta(1.2, 2.2)
        out.append((r, float(min(draw, max(duration * 0.3, 6.0))), is_moment))
    gap = _APART_S + 2 * _SCATTER_S + 0.1
    while out and sum(length for _, length, _ in out) + gap * (len(out) - 1) + 6 > duration:
        at = max(range(len(out)), key=lambda k: out[k][1])
        if out[at][1] > 8:
            out[at] = (out[at][0], out[at][1] * 0.85, out[at][2])
        elif sum(not m for _, _, m in out) > sum(m for _, _, m in out):
            out.pop()
        else:
            out = out[1:]
    return out


def _arrange(rng: Rng, picks: list[Pick], duration: float) -> tuple[list[str], list[list[Pick]]]:
    """Choose the occupations of the stream and put each event under one that allows it."""
    num = max(int(rng.integers(2, 7) * min(duration / 600, 2) + 0.5), 1)
    kinds = [str(k) for k in rng.choice(list("csdwbg"), num, p=[0.2, 0.18, 0.15, 0.33, 0.06, 0.08])]
    kinds = [k for n, k in enumerate(kinds) if n == 0 or kinds[n - 1] != k]
    groups: list[list[Pick]] = [[] for _ in kinds]
    used = {r.kind + r.name for r, _, _ in picks}
    for planned, length, is_moment in picks:
        r = planned
        fits = [n for n, k in enumerate(kinds) if k in r.where]
        if not fits:  # another event in its stead, one not yet chosen if there is any
            table = [x for x in recipes("moments" if is_moment else "decoys") if set(x.where) & set(kinds)]
            table = [x for x in table if x.kind + x.name not in used] or table
            r = table[int(rng.integers(len(table)))]
            used.add(r.kind + r.name)
            fits = [n for n, k in enumerate(kinds) if k in r.where]
        groups[int(rng.choice(fits))].append((r, min(length, r.longest), is_moment))
    return [OCCUPATIONS[k] for k in kinds], [[g[int(k)] for k in rng.permutation(len(g))] for g in groups]


def write_script(rng: Rng, who: Persona, teller: Teller, duration: float) -> Script:
    """Write a whole stream."""
    names, groups = _arrange(rng, _fit(rng, duration), duration)
    gap = _APART_S + 2 * _SCATTER_S + 0.1
    num = sum(len(g) for g in groups)
    slack = duration - 6 - sum(length for g in groups for _, length, _ in g) - gap * max(num - 1, 0)
    spare = rng.dirichlet(np.full(num + len(groups), 0.9)) * max(slack, 0)
    script = Script()
    director = Director(rng, who, teller, script)
    told: tuple[list[Span], list[Span]] = ([], [])
    t, begin = 3.0, 0.0
    for k, (what, group) in enumerate(zip(names, groups, strict=True)):
        for r, length, is_moment in group:
            t += spare[0]
            spare = spare[1:]
            director.ordinary(t - 0.8, what)
            since = (len(script.lines), len(script.mic), len(script.desk), len(script.pics))
            event = director.perform(r, t, t + length, what, is_moment)
            low, high = np.clip(rng.normal((-0.4, 0.5), 0.6), -_SCATTER_S, _SCATTER_S)
            a, b = t + low, max(t + length + high, t + low + 2.0)
            span = Span(start_s=round(float(a), 2), end_s=round(float(min(b, a + 39.9)), 2), kind=r.kind)
            if is_moment:
                span = find_span(script, since, r.kind, event, duration)
            told[not is_moment].append(span)
            t += length + gap
        t += spare[0]
        spare = spare[1:]
        end = duration if k == len(names) - 1 else float(np.clip(t - gap / 2, begin, duration))
        director.ordinary(end - 0.6, what)
        looks = [_LOOK_FOR[r.name] for r, _, _ in group if r.name in _LOOK_FOR]
        script.phases.append(Phase(begin, end, what, looks[0] if looks else str(rng.choice(_LOOKS))))
        begin = end
    script.moments, script.decoys = kept_apart(*told, decoy_s=1.0, spare_s=SPARE_S)
    return script
