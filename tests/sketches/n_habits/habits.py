"""Who streams and what comes to pass: a streamer's habits; moments, decoys and ordinary time; the busyness."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.sketches.sketch import FRAMES_PER_S, Span

Rng = np.random.Generator
Track = npt.NDArray[np.float64]
Traits = dict[str, float]
GAP_S = 8.3
# the states of a stream are calm play, busy play, menus, talk before the camera, films
FORCED = {"cutscene": 4, "lobby_music": 2, "rant": 3, "replay": 4, "routine_fight": 1}
Draft = tuple[
    str, bool, Track
]  # kind, whether a moment; seconds of build-up, reaction, room before and after
SIGNS = ("voice", "game", "picture", "words", "chat")


@functools.cache
def texts() -> dict[str, tuple[str, ...]]:
    """The sections of the text file: phrases, and the rows of tables."""
    pools: dict[str, list[str]] = {}
    pool: list[str] = []
    for line in Path(__file__).with_name("words.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            pool = pools.setdefault(line.strip("[] "), [])
        elif line and not line.startswith("#"):
            pool += [part.strip() for part in line.split(" | ") if part.strip()]
    return {name: tuple(parts) for name, parts in pools.items()}


@functools.cache
def table(name: str) -> dict[str, list[str]]:
    rows = [[cell.strip() for cell in row.split(";")] for row in texts()[name]]
    return {row[0]: row[1:] for row in rows}


def nums(cell: str) -> list[float]:
    return [float(word) for word in cell.split()]


def tick(at_s: float) -> int:
    return int(FRAMES_PER_S * at_s)


def spread(rng: Rng, low: float, high: float) -> float:
    """A number between two, even on a scale of logarithms."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def draw(rng: Rng, name: str) -> Traits:
    """A number for each trait of a table; some are wanting (0) with some likelihood."""
    traits = {}
    for row in texts()[name]:
        trait, scale, *ends = row.split()
        low, high, wanting, *_ = (float(end) for end in [*ends, "0"])
        drawn = spread(rng, low, high) if scale == "log" else float(rng.uniform(low, high))
        traits[trait] = 0.0 if rng.random() < wanting else drawn
    return traits


def some(rng: Rng, names: str, most: int) -> tuple[str, ...]:
    """One to `most` of the names, in a random order."""
    return tuple(str(w) for w in rng.permutation(names.split())[: int(rng.integers(1, most + 1))])


@dataclasses.dataclass(frozen=True, slots=True)
class Way:
    """How a kind unfolds with this one streamer; each happening scatters about it."""

    build_s: float
    react_s: float
    effort: float
    modes: tuple[str, ...]
    sfx: tuple[str, ...]
    looks: tuple[str, ...]
    signs: Track
    lags_s: Track
    traits: Traits


@dataclasses.dataclass(frozen=True, slots=True)
class Streamer:
    """All that stays the same over one stream."""

    voice: Traits
    traits: Traits
    game: str
    view: str
    sfx: tuple[str, ...]
    sfx_hz: float
    bed: str
    chat_hz: float
    num_viewers: int
    ways: dict[str, Way]
    num_signs: Track


@dataclasses.dataclass(frozen=True, slots=True)
class Deed:
    """One moment or decoy: the room it is given, and what goes on in truth about the event."""

    span: Span
    is_moment: bool
    begin_s: float
    event_s: float
    over_s: float
    effort: float
    signs: Traits
    lags_s: Traits
    way: Way

    @property
    def ticks(self) -> tuple[int, int, int]:
        return tick(self.begin_s), tick(self.event_s), tick(self.over_s)


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """The deeds in order, and tracks at 10 Hz: which state, how busy the game, how much talk."""

    duration_s: float
    deeds: tuple[Deed, ...]
    state: npt.NDArray[np.int64]
    busy: Track
    chatty: Track


def draw_way(rng: Rng, row: list[str]) -> Way:
    signs = np.array(nums(row[6]))
    # some give voice before the blow falls (they see it coming), most at once, some are slow
    voice_lag = rng.uniform([-0.8, 0, 0.6], [0, 0.6, 2.5])[rng.choice(3, p=[0.15, 0.65, 0.2])]
    lags = np.array([voice_lag, *rng.uniform([-0.3, -0.3, 0], [0.6, 0.8, 2.5]), rng.exponential(1.5)])
    (short, long), (brief, lasting), efforts = (nums(cell) for cell in row[:3])
    scale = spread(rng, short, long), spread(rng, brief, lasting), float(rng.uniform(efforts[0], efforts[1]))
    kinds = some(rng, row[3], 3), some(rng, row[4], 2), some(rng, row[5], 2)
    signs = np.clip(signs + rng.normal(0, 0.2, 5) * (signs > 0), 0, 1.15)
    return Way(*scale, *kinds, signs, lags, draw(rng, "draw.way"))


def draw_chat(rng: Rng) -> tuple[float, int]:
    """Messages a second in ordinary time, and viewers; no chat at all for one in seven."""
    if rng.random() < 1 / 7:
        return 0.0, int(rng.choice([0, 1, int(rng.integers(0, 400))]))
    viewers = spread(rng, 4, 45_000)
    per_min = 0.4 * viewers**0.62 * float(np.exp(rng.normal(0, 0.7)))
    return float(np.clip(per_min / 60, 0.008, 9)), int(viewers)


def draw_streamer(rng: Rng) -> Streamer:
    games = list(table("game"))
    game = str(rng.choice(games))
    views, sfx, rate, bed = table("game")[game]
    if rng.random() < 0.3:  # no two games of a sort sound alike: borrow the effects and the bed of another
        other = table("game")[str(rng.choice(games))]
        sfx, bed = f"{sfx} {other[1]}", other[3]
    low, high = nums(rate)
    chat_hz, viewers = draw_chat(rng)
    return Streamer(
        voice=draw(rng, "draw.voice"),
        traits=draw(rng, "draw.person"),
        game=game,
        view=str(rng.choice(views.split())),
        sfx=some(rng, sfx, 5),
        sfx_hz=spread(rng, low, high),
        bed=bed,
        chat_hz=chat_hz,
        num_viewers=viewers,
        ways={kind: draw_way(rng, row) for part in ("moment", "decoy") for kind, row in table(part).items()},
        num_signs=rng.dirichlet(np.array([0.6, 1.6, 2.8, 3, 2.4]) * 2),
    )


def _draft(rng: Rng, who: Streamer, kind: str, is_moment: bool, most_s: float) -> Draft:
    """Lengths of one happening; the room it is given scatters about what goes on."""
    goes_on = np.array([who.ways[kind].build_s, who.ways[kind].react_s]) * np.exp(rng.normal(0, 0.32, 2))
    cut = goes_on * np.exp(rng.normal(0, 0.18, 2)) + rng.uniform([0.2, 0.0], 2.0)
    want = np.clip(cut.sum(), 6.2 if is_moment else 4.5, most_s)
    return kind, is_moment, np.concatenate([goes_on * min(want / cut.sum(), 1), cut * want / cut.sum()])


def _drafts(rng: Rng, who: Streamer, duration_s: float) -> list[Draft]:
    low = int(np.ceil(3 * duration_s / 600)) if duration_s >= 60 else 0
    num = int(rng.integers(low, max(low, int(10 * duration_s / 600)) + 1)) if low else 0
    num_decoys = num + int(rng.integers(0, 2 + num // 2)) if num else int(duration_s >= 14)
    most = min(39.5, duration_s * 0.28)
    kinds = rng.choice(list(table("moment")), num, p=rng.dirichlet(np.full(len(table("moment")), 1.2)))
    can = [k for k in table("decoy") if who.chat_hz or k not in ("chat_spam", "giveaway", "question", "raid")]
    decoys = np.concatenate([rng.permutation(can) for _ in range(1 + num_decoys // len(can))])[:num_decoys]
    drafts = [_draft(rng, who, str(kind), True, most) for kind in kinds]
    drafts += [_draft(rng, who, str(kind), False, min(most, 26)) for kind in decoys]
    while True:
        total = sum(lens[2:].sum() for _, _, lens in drafts)
        if total < min(0.6 * duration_s, duration_s - 4 - GAP_S * (len(drafts) - 1)):
            return [drafts[int(i)] for i in rng.permutation(len(drafts))]
        if len(drafts) > 2 * num and drafts:  # too much for the time: fewer decoys, then shorter spans
            drafts.pop()
        else:
            long = max(drafts, key=lambda draft: float(draft[2][2:].sum()))[2]
            long *= max(0.85, 6.2 / long[2:].sum())


def _signs(rng: Rng, who: Streamer, way: Way, is_moment: bool) -> Traits:
    """How strongly each of the signs shows: of a moment at least one does, of a decoy as its recipe has it."""
    chance = way.signs * [0.35 + 0.65 * min(who.traits["temper"], 1), 1, 1, 1, who.chat_hz > 0]
    strength = chance * rng.uniform(0.5, 1.15, 5)
    if is_moment:
        num = min(1 + int(rng.choice(5, p=who.num_signs)), int((chance > 0).sum()))
        chosen = rng.choice(5, num, replace=False, p=chance / chance.sum())
        strength = chance * rng.uniform(0, 0.15, 5)
        strength[chosen] = rng.uniform(0.55, 1.1, num) * (0.6 + 0.4 * chance[chosen])
        strength *= 0.6 if num > 1 and rng.random() < 0.15 else 1.0
    return dict(zip(SIGNS, np.clip(strength, 0, 1.1).tolist(), strict=True))


def _deeds(rng: Rng, who: Streamer, duration_s: float) -> tuple[Deed, ...]:
    drafts = _drafts(rng, who, duration_s)
    spare = duration_s - 4 - sum(d[2][2:].sum() for d in drafts) - GAP_S * (len(drafts) - 1)
    gaps = spare * rng.dirichlet(np.full(len(drafts) + 1, rng.uniform(0.6, 3)))
    deeds, at = [], 2.0
    for (kind, is_moment, (build, react, before, after)), gap in zip(drafts, gaps, strict=False):
        way = who.ways[kind]
        start, event = at + gap, at + gap + before
        at = event + after + GAP_S
        effort = way.effort * np.exp(rng.normal(0, 0.2)) * (0.45 + 0.55 * who.traits["temper"])
        lags = dict(zip(SIGNS, (way.lags_s + rng.normal(0, 0.2, 5)).tolist(), strict=True))
        span = Span(start_s=round(float(start), 2), end_s=round(float(event + after), 2), kind=kind)
        times = max(float(event - build), 0.3), float(event), float(min(event + react, duration_s - 1))
        signs = _signs(rng, who, way, is_moment)
        deeds.append(Deed(span, is_moment, *times, float(effort), signs, lags, way))
    return tuple(deeds)


def _wander(rng: Rng, count: int, step: int, size: float) -> Track:
    """A slow random course about zero."""
    knots = np.arange(0, count + step, step)
    return np.interp(np.arange(count), knots, rng.normal(0, size, len(knots)))


def _busyness(rng: Rng, deeds: tuple[Deed, ...], state: npt.NDArray[np.int64]) -> Track:
    """How much happens in the game: by state, wandering, rising or stilling toward an event, and after it."""
    busy = np.array([0.35, 1.0, 0.06, 0.12, 0.3])[state] * np.exp(_wander(rng, len(state), 55, 0.55))
    for deed in deeds:
        begin, event, over = deed.ticks
        game = min(deed.signs["game"], 1.0)
        rise = deed.way.traits["ramp"] * game * np.linspace(0, 1, max(event - begin, 1))
        busy[begin:event] *= np.maximum(1 + rise[: event - begin], 0.1)
        busy[event:over] *= 1 + (deed.way.traits["after"] - 1) * game
    return busy


def make_plan(seed: int, who: Streamer, duration_s: float) -> Plan:
    rng = np.random.default_rng([seed, 2])
    deeds = _deeds(rng, who, duration_s)
    state = np.zeros(round(FRAMES_PER_S * duration_s), np.int64)
    weights, at = rng.dirichlet([4, 4, 1.2, 1.5, 0.4]), 0
    while at < len(state):  # play, menus, talk and films by turns
        kind = int(rng.choice(5, p=weights))
        length = int(FRAMES_PER_S * rng.uniform(8, 90) * (0.4 if kind in (2, 4) else 1))
        state[at : at + length] = kind
        at += length
    for deed in deeds:  # most things happen in play, so whatever state was drawn there gives way
        share = 1.0 if deed.span.kind in FORCED else 0.3 if deed.span.kind == "wholesome" else 0.75
        if rng.random() < share:
            lead = rng.uniform(0, 8)
            begin, over = max(deed.begin_s - lead, 0), deed.over_s + lead / 2
            state[tick(begin) : tick(over)] = FORCED.get(deed.span.kind, int(rng.integers(2)))
    chatty = np.array([0.8, 0.7, 1.1, 1.7, 0.35])[state] * np.exp(_wander(rng, len(state), 80, 0.4))
    return Plan(duration_s, deeds, state, _busyness(rng, deeds, state), chatty)
