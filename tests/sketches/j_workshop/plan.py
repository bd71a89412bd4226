"""What happens in a stream from a workshop and when: moments and decoys drawn from the plots of the list file."""

from typing import NamedTuple

from tests.sketches.j_workshop.words import LISTS, Rng
from tests.sketches.sketch import Span

_GAP_S, _EDGE_S = 8.5, 1.5
_MIN_S, _MAX_S = 6.0, 40.0
# How often ten minutes hold 3, 4, ... 10 moments.
_COUNTS = (0.1, 0.16, 0.2, 0.19, 0.14, 0.1, 0.06, 0.05)
_SIGNS = {"voice": 1.0, "words": 0.7, "chat": 0.8, "pic": 0.75, "sound": 0.6}
_NUM_SIGNS = {5: 0.36, 4: 0.26, 3: 0.16, 2: 0.14, 1: 0.08}
_NEEDS = dict(row.split(":") for row in LISTS["needs"])


class Beat(NamedTuple):
    """One thing that happens at_s from the event: channel says where, what says which."""

    at_s: float
    channel: str
    what: str


class Plot(NamedTuple):
    """A happening: its beats, and how long about it a good cut runs."""

    kind: str
    name: str
    crafts: str
    lead_s: float
    tail_s: float
    beats: tuple[Beat, ...]

    def suits(self, traits: set[str]) -> bool:
        """Whether it can happen to a streamer of these traits: the craft, who and what is about."""
        has = {"any", *traits}
        return bool(has & {*self.crafts.split(",")}) and _NEEDS.get(self.name, "any") in has


class Event(NamedTuple):
    """A plot that happens at at_s; signs are the channels that show it, strength how much.

    The cut is what an editor keeps of it, with some seconds of lead; that of a decoy is all that happens.
    """

    plot: Plot
    at_s: float
    cut: Span
    signs: frozenset[str]
    strength: float
    is_moment: bool


def _parse(row: str) -> Plot:
    head, _, tail = row.partition(" : ")
    *kind, name, crafts, lead, after = head.split()
    beats = [beat.split() for beat in tail.split("; ")]
    parsed = tuple(Beat(float(at), channel, what) for at, channel, what in beats)
    return Plot((kind or [name])[0], name, crafts, float(lead), float(after), parsed)


MOMENTS = tuple(_parse(row) for row in LISTS["moments"])
DECOYS = tuple(_parse(row) for row in LISTS["decoys"])


def _draw(rng: Rng, plots: list[Plot], count: int) -> list[Plot]:
    """count plots, each once before any comes again."""
    rounds = [rng.permutation(len(plots)) for _ in range(count // len(plots) + 1)]
    return [plots[k] for some in rounds for k in some][:count]


def _cut(rng: Rng, plot: Plot, generous: float) -> tuple[float, float]:
    """Lead and tail of the cut that one editor makes of a plot."""
    lead = plot.lead_s * generous * rng.lognormal(0.0, 0.28)
    tail = plot.tail_s * generous * rng.lognormal(0.0, 0.22)
    scale = min(max(lead + tail, _MIN_S + 0.3), _MAX_S - 0.5) / (lead + tail)
    return lead * scale, tail * scale


def _shown(rng: Rng, plot: Plot, traits: set[str]) -> frozenset[str]:
    """The signs of a moment: most of what its plot has, at times only two or one."""
    has = {"voice", "words"}
    for beat in plot.beats:
        has |= (
            {"sound"} if beat.channel in ("mic", "desk") else {beat.channel} & {"pic", *({"chat"} & traits)}
        )
    number = int(rng.choice(list(_NUM_SIGNS), p=list(_NUM_SIGNS.values())))
    # A noise alone that nobody turns to is no moment.
    pool = sorted(has - {"sound"} if number == 1 else has)
    share = [_SIGNS[sign] / sum(_SIGNS[other] for other in pool) for sign in pool]
    return frozenset(rng.choice(pool, min(number, len(pool)), replace=False, p=share).tolist())


def lay_out(rng: Rng, traits: set[str], duration_s: float) -> list[Event]:
    """Events in order, their cuts apart from one another and inside the stream."""
    per = duration_s / 600.0
    num_moments = max(int(duration_s >= 60.0), round(int(rng.choice(range(3, 11), p=_COUNTS)) * per))
    num_decoys = num_moments + round(rng.uniform(0.0, 4.0) * per)
    generous = rng.lognormal(0.0, 0.12)
    pools = ([p for p in DECOYS if p.suits(traits)], [p for p in MOMENTS if p.suits(traits)])
    while True:
        drawn = [(p, True) for p in _draw(rng, pools[1], num_moments)]
        drawn += [(p, False) for p in _draw(rng, pools[0], num_decoys)]
        cuts = [_cut(rng, plot, generous if is_moment else 1.0) for plot, is_moment in drawn]
        free = duration_s - 2 * _EDGE_S - sum(map(sum, cuts)) - _GAP_S * max(0, len(cuts) - 1)
        if free > 0.0:
            break
        if num_decoys > num_moments:
            num_decoys -= 1
        elif num_moments > 3:
            num_moments, num_decoys = num_moments - 1, num_decoys - 1
    order = rng.permutation(len(drawn))
    slack = rng.dirichlet([0.9] * (len(drawn) + 1)) * free
    events = []
    at = _EDGE_S
    for place, k in enumerate(order):
        (plot, is_moment), (lead, tail) = drawn[k], cuts[k]
        at += float(slack[place])
        cut = Span(start_s=round(at, 2), end_s=round(at + lead + tail, 2), kind=plot.kind)
        faint = is_moment and rng.random() < 0.25
        strength = float(rng.uniform(0.3, 0.55) if faint else rng.uniform(0.7, 1.3))
        signs = _shown(rng, plot, traits) if is_moment else frozenset(_SIGNS)
        events.append(Event(plot, at + lead, cut, signs, strength, is_moment))
        at += lead + tail + _GAP_S
    return events
