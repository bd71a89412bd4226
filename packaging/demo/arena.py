"""Where everybody is at any moment of the match: players, ball, camera. Pure, and a function of time alone.

A frame that is not drawn changes nothing of the next one. Places are in world units, one pixel of a window
720 high; the world is 2000 x 1000, x to the right, y down. Blue plays to the right.
"""

from __future__ import annotations

import bisect
import dataclasses
import math
import random

from match import Highlight, Timeline

WORLD = (2000, 1000)
PITCH = (180, 190, 1820, 850)  # left, top, right, bottom
VIEW = (1280, 720)
NUM_PLAYERS = 12  # 0-5 blue, 6-11 red; 0 and 6 keep goal

_FORMATION = ((0.03, 0.5), (0.2, 0.24), (0.2, 0.76), (0.4, 0.5), (0.56, 0.2), (0.56, 0.8))
_CENTRE = (1000.0, 520.0)
_FLIGHT_S = 0.55
_CELEBRATION = (560.0, 300.0)  # from the centre towards the goal, and up to the stand

Place = tuple[float, float]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Everything the scene draws at one moment, in world units.

    Attributes:
        camera: left and top of what the window shows, shaking included.
        players: places of the twelve.
        holder: who has the ball, or None while it flies.
        ball_height: above the ground.
        cheer: 0 to 1, how wild it is since a shot.
        flash: 0 to 1, whiteness of the picture just after a shot.
    """

    at_s: float
    camera: Place
    players: tuple[Place, ...]
    ball: Place
    ball_height: float
    holder: int | None
    cheer: float
    flash: float
    highlight: Highlight | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Possession:
    """From `start_s` on this player has the ball, or it lies at `place`."""

    start_s: float
    holder: int | None
    place: Place | None = None


class Arena:
    """The match as movement. Any thread; `at` may be called for any time in any order."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._chance = random.Random(f"arena {timeline.seed}")
        self._wander = [
            [(self._chance.uniform(0.11, 0.4), self._chance.uniform(0, math.tau)) for _ in range(4)]
            for _ in range(NUM_PLAYERS)
        ]
        self._focus_points = self._planned_focus()
        self._focus_times = [at_s for at_s, _ in self._focus_points]
        self._possessions = self._planned_possessions()
        self._possession_times = [possession.start_s for possession in self._possessions]

    def at(self, at_s: float) -> Moment:
        """The match at that time, in seconds from its start."""
        highlight = self._timeline.highlight_at(at_s)
        since_shot_s = -1.0 if highlight is None else at_s - highlight.shot_s
        cheer = flash = 0.0
        if highlight is not None and since_shot_s >= 0:
            calming = _ramp(at_s, highlight.end_s - 1.0, highlight.end_s)
            cheer = _ramp(since_shot_s, 0.0, 0.25) * (1 - calming)
            flash = max(0.0, 1.0 - since_shot_s / 0.45) ** 2
        ball, height, holder = self._ball(at_s)
        return Moment(
            at_s=at_s,
            camera=self._camera(at_s, since_shot_s, cheer),
            players=tuple(self._player(index, at_s) for index in range(NUM_PLAYERS)),
            ball=ball,
            ball_height=height,
            holder=holder,
            cheer=cheer,
            flash=flash,
            highlight=highlight,
        )

    def _planned_focus(self) -> list[tuple[float, Place]]:
        """Where the play is: waypoints some seconds apart, drawn to a goal before each shot."""
        points = [(-5.0, _CENTRE), (0.0, _CENTRE)]
        at_s = 0.0
        for highlight in (*self._timeline.highlights, None):
            until_s = highlight.start_s - 1.0 if highlight is not None else self._timeline.duration_s + 5.0
            at_s += self._chance.uniform(1.5, 3.0)
            while at_s < until_s:
                x = self._chance.uniform(PITCH[0] + 250, PITCH[2] - 250)
                points.append((at_s, (x, self._chance.uniform(PITCH[1] + 120, PITCH[3] - 120))))
                at_s += self._chance.uniform(2.4, 4.2)
            if highlight is not None:
                goal_x = _goal(highlight)[0]
                towards = 1 if goal_x > _CENTRE[0] else -1
                points.append((highlight.start_s, (goal_x - towards * 620, 420.0)))
                points.append((highlight.shot_s - 0.3, (goal_x - towards * 260, 500.0)))
                points.append((highlight.shot_s, _goal(highlight)))
                points.append(
                    (highlight.end_s - 0.8, (_CENTRE[0] + towards * _CELEBRATION[0], _CELEBRATION[1]))
                )
                points.append((highlight.end_s + 1.5, _CENTRE))
                at_s = highlight.end_s + 1.5
        return points

    def _planned_possessions(self) -> list[_Possession]:
        """Passes between players, and the flight into the goal or the keeper's arms at each shot."""
        plan = [_Possession(start_s=-5.0, holder=3)]
        at_s, holder = 1.0, 3
        for highlight in (*self._timeline.highlights, None):
            until_s = highlight.start_s if highlight is not None else self._timeline.duration_s + 5.0
            while at_s < until_s - 1.0:
                holder = self._receiver(holder, at_s)
                plan.append(_Possession(start_s=at_s, holder=holder))
                at_s += self._chance.uniform(1.3, 2.6)
            if highlight is not None:
                striker = 4 if highlight.team == "blue" else 10
                plan.append(_Possession(start_s=highlight.start_s, holder=striker))
                x, y = _goal(highlight)
                behind = 34 if highlight.kind == "goal" else -46
                place = (x + behind * (1 if x > _CENTRE[0] else -1), y + 40)
                plan.append(_Possession(start_s=highlight.shot_s, holder=None, place=place))
                plan.append(_Possession(start_s=highlight.end_s + 1.5, holder=None, place=_CENTRE))
                at_s, holder = highlight.end_s + 2.5, 3
        return plan

    def _receiver(self, holder: int, at_s: float) -> int:
        """One of the three nearest to the play, mostly a team mate; now and then the ball is lost."""
        team = holder // 6 if self._chance.random() < 0.75 else 1 - holder // 6
        play = self._focus(at_s)
        others = [player for player in range(team * 6 + 1, team * 6 + 6) if player != holder]
        others.sort(key=lambda player: math.dist(self._player(player, at_s), play))
        return self._chance.choice(others[:3])

    def _focus(self, at_s: float) -> Place:
        index = min(bisect.bisect_right(self._focus_times, at_s), len(self._focus_points) - 1)
        (from_s, (from_x, from_y)), (to_s, (to_x, to_y)) = self._focus_points[max(0, index - 1) : index + 1][
            -2:
        ]
        part = _ramp(at_s, from_s, to_s)
        return from_x + (to_x - from_x) * part, from_y + (to_y - from_y) * part

    def _player(self, index: int, at_s: float) -> Place:
        """Place in the formation, drawn towards the play, wandering; all of a team gather after its goal."""
        along, across = _FORMATION[index % 6]
        left, top, right, bottom = PITCH
        is_red = index >= 6
        x = left + (right - left) * (1 - along if is_red else along)
        y = top + (bottom - top) * (1 - across if is_red else across)
        focus_x, focus_y = self._focus(at_s)
        pull = 0.06 if index % 6 == 0 else 0.5
        x += (focus_x - _CENTRE[0]) * pull
        y += (focus_y - y) * pull * 0.45
        reach = 10 if index % 6 == 0 else 46
        (fx1, px1), (fx2, px2), (fy1, py1), (fy2, py2) = self._wander[index]
        x += reach * (math.sin(math.tau * fx1 * at_s + px1) + 0.6 * math.sin(math.tau * fx2 * at_s + px2))
        y += reach * (math.sin(math.tau * fy1 * at_s + py1) + 0.6 * math.sin(math.tau * fy2 * at_s + py2))
        highlight = self._timeline.highlight_at(at_s - 1.4) or self._timeline.highlight_at(at_s)
        if highlight is not None and is_red == _is_joy_of_red(highlight):
            joy = _ramp(at_s, highlight.shot_s + 0.2, highlight.shot_s + 1.6)
            joy *= 1 - _ramp(at_s, highlight.end_s, highlight.end_s + 1.4)
            turn = index * math.tau / 6 + at_s * 2.2
            towards = 1 if _goal(highlight)[0] > _CENTRE[0] else -1
            party_x = _CENTRE[0] + towards * _CELEBRATION[0] + 95 * math.cos(turn)
            party_y = _CELEBRATION[1] + 60 + 60 * math.sin(turn) - 26 * abs(math.sin(at_s * 9 + index))
            x, y = x + (party_x - x) * joy, y + (party_y - y) * joy
        return min(max(x, left + 15), right - 15), min(max(y, top + 15), bottom - 15)

    def _ball(self, at_s: float) -> tuple[Place, float, int | None]:
        """Ball, its height, its holder: flies for the last half second of each possession."""
        index = max(0, bisect.bisect_right(self._possession_times, at_s) - 1)
        here = self._possessions[index]
        there = self._possessions[min(index + 1, len(self._possessions) - 1)]
        flight_s = 0.3 if there.place is not None and here.holder is not None else _FLIGHT_S
        kicked_s = max(here.start_s, there.start_s - flight_s)
        if at_s < kicked_s or there is here:
            return self._ball_of(here, at_s), 0.0, here.holder
        part = min(1.0, (at_s - kicked_s) / max(0.01, there.start_s - kicked_s))
        from_x, from_y = self._ball_of(here, kicked_s)
        to_x, to_y = self._ball_of(there, there.start_s)
        height = 110.0 * part * (1 - part)
        return (from_x + (to_x - from_x) * part, from_y + (to_y - from_y) * part), height, None

    def _ball_of(self, possession: _Possession, at_s: float) -> Place:
        if possession.holder is None:
            return possession.place or _CENTRE
        x, y = self._player(possession.holder, at_s)
        step = 4 * math.sin(at_s * 14)
        return x + (20 + step if possession.holder < 6 else -20 - step), y + 12

    def _camera(self, at_s: float, since_shot_s: float, cheer: float) -> Place:
        """Follows the play a little late, as a person would, and shakes after a shot."""
        trail = [self._focus(at_s - late_s) for late_s in (0.0, 0.3, 0.6, 0.9)]
        x = sum(place[0] for place in trail) / 4 - VIEW[0] / 2
        y = sum(place[1] for place in trail) / 4 - VIEW[1] / 2
        shake = cheer * (5 + 20 * math.exp(-max(0.0, since_shot_s) / 0.8))
        x += shake * math.sin(at_s * 47.0) + cheer * 50 * math.sin(at_s * 5.1)
        y += shake * math.sin(at_s * 61.0 + 1) + cheer * 26 * math.sin(at_s * 6.7)
        return min(max(x, 0.0), WORLD[0] - VIEW[0]), min(max(y, 0.0), WORLD[1] - VIEW[1])


def _goal(highlight: Highlight) -> Place:
    """The middle of the goal that is shot at."""
    return (PITCH[2] if highlight.team == "blue" else PITCH[0], (PITCH[1] + PITCH[3]) / 2)


def _is_joy_of_red(highlight: Highlight) -> bool:
    """A goal is the shooting team's joy, a save the other's."""
    return (highlight.team == "red") == (highlight.kind == "goal")


def _ramp(at_s: float, from_s: float, to_s: float) -> float:
    """0 before, 1 after, smooth between."""
    part = min(1.0, max(0.0, (at_s - from_s) / max(0.001, to_s - from_s)))
    return part * part * (3 - 2 * part)
