"""Which screen source records, by probing them all and measuring those that could.

`auto` takes the cheapest of those that grab directly; Qt, which brings an event loop, a thread and 60 MB, where none of
them works. What was measured is remembered, and measured again when the machine has changed or it fails.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from agent.capture.device import CaptureDevice
from agent.capture.screen_cost import SELF_TEST_S, ScreenCost, measure, rank
from agent.capture.screen_memory import CostMemory, machine_facts
from agent.errors import InputUnusable, ScreenUnavailable
from agent.model.screen import WHOLE_DESKTOP, ScreenArea
from agent.ports import ScreenSource

log = structlog.get_logger()
AUTO = "auto"
# Groups of sources, the first with one that works is taken; within a group the cheapest, on a tie the first.
_GROUPS: dict[str, tuple[tuple[str, ...], ...]] = {
    "win32": (("ddagrab",), ("qt",), ("mss",)),
    "darwin": (("avfoundation",), ("qt",), ("mss",)),
}
_GROUPS_X11 = (("x11grab", "mss"), ("qt",))
# Loads Qt into this process, and on Wayland asks the user: never measured unless it is wanted.
_HEAVY = {"qt"}


def groups(platform: str = sys.platform) -> tuple[tuple[str, ...], ...]:
    """The sources that could work on a platform, in groups, the one to prefer first. Pure."""
    return _GROUPS.get(platform, _GROUPS_X11)


def open_screen(
    prefer: str | None = None,
    *,
    is_cursor_shown: bool = True,
    area: ScreenArea = WHOLE_DESKTOP,
    memory_file: Path | None = None,
) -> ScreenSource:
    """The screen source that records here at the least cost, proven by a grab, and closed again.

    Args:
        prefer: a source's name (`x11grab`, `mss`, `generated` ...); None or `auto` chooses.
        is_cursor_shown: draw the mouse pointer into the picture.
        area: what of the screen.
        memory_file: where measured costs are remembered; None measures each time there is a choice.

    Raises:
        ScreenUnavailable: None gives a picture; names each that was tried, and why not.
        InputUnusable: No source is called `prefer`.
    """
    makers = _makers(area, is_cursor_shown)
    to_try = groups()
    if prefer not in (None, "", AUTO):
        if prefer not in makers:
            raise InputUnusable(f"no screen source is called {prefer!r}; there are auto, {', '.join(makers)}")
        to_try = ((prefer,),)
    memory = CostMemory(memory_file, machine_facts(area, is_cursor_shown=is_cursor_shown))
    reasons: dict[str, str] = {}
    for group in to_try:
        sources = _probe({name: makers[name] for name in group}, reasons)
        chosen = _best(sources, group, memory, reasons)
        if chosen is not None:
            log.info("screen_chosen", source=chosen.name, area=area.kind)
            return chosen
    tried = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    raise ScreenUnavailable(
        f"no screen can be recorded ({tried}); `clippy engine --generated` does without one"
    )


def list_screens(
    wanted: str = AUTO,
    *,
    is_cursor_shown: bool = True,
    area: ScreenArea = WHOLE_DESKTOP,
    memory_file: Path | None = None,
) -> list[CaptureDevice]:
    """Every screen source of this platform, with what it costs or why it cannot be used.

    What is not remembered is measured, in about a second for all together; Qt only where it is `wanted`.
    """
    makers = _makers(area, is_cursor_shown)
    names = [name for group in groups() for name in group]
    memory = CostMemory(memory_file, machine_facts(area, is_cursor_shown=is_cursor_shown))
    reasons: dict[str, str] = {}
    sources = _probe({name: makers[name] for name in names}, reasons)
    costs = _costs(
        {name: source for name, source in sources.items() if name not in _HEAVY or name == wanted},
        memory,
        reasons,
    )
    default = _default_of(sources, costs, reasons)
    return [
        CaptureDevice(
            kind="screen",
            name=name,
            detail=_in_words(costs.get(name)) if name not in reasons else "",
            is_default=name == default,
            problem=reasons.get(name, ""),
            cost_ms=costs[name].ms_per_frame if name in costs else 0.0,
        )
        for name in names
    ]


def _costs(
    sources: dict[str, ScreenSource], memory: CostMemory, reasons: dict[str, str]
) -> dict[str, ScreenCost]:
    """What each costs: as remembered, if it still gives a picture, else measured, and then remembered."""
    remembered = memory.recall()
    known = {
        name: remembered[name]
        for name, source in sources.items()
        if name in remembered and _first_proven([name], {name: source}, reasons)
    }
    missing = {name: source for name, source in sources.items() if name not in remembered}
    if not missing:
        return known
    measured = _measure_all(missing, reasons)
    memory.remember(remembered | measured)
    return known | measured


def _default_of(
    sources: dict[str, ScreenSource], costs: dict[str, ScreenCost], reasons: dict[str, str]
) -> str:
    """What `auto` takes, as `open_screen` chooses; empty where nothing works."""
    for group in groups():
        usable = [name for name in group if name in sources and name not in reasons]
        ranked = rank({name: costs[name] for name in usable if name in costs}, group)
        if usable:
            return (ranked or usable)[0]
    return ""


def _in_words(cost: ScreenCost | None) -> str:
    if cost is None:
        return "not measured: it loads Qt; capture.screen chooses it"
    return (
        f"{cost.size}; {cost.ms_per_frame:.1f} ms of CPU a frame; {cost.num_frames} of {cost.num_expected} frames, "
        f"{cost.num_unique} unique"
    )


def _probe(makers: dict[str, Callable[[], ScreenSource]], reasons: dict[str, str]) -> dict[str, ScreenSource]:
    """Those that may work; `reasons` gets why the others do not."""
    sources = {}
    for name, make in makers.items():
        try:
            source = make()
            problem = source.probe()
        except (ImportError, OSError) as exc:
            problem = f"it cannot be loaded: {exc}"
        if problem:
            reasons[name] = problem
        else:
            sources[name] = source
    return sources


def _best(
    sources: dict[str, ScreenSource], group: Sequence[str], memory: CostMemory, reasons: dict[str, str]
) -> ScreenSource | None:
    """The cheapest that gives a picture: as remembered, else measured where there is a choice."""
    if len(sources) < 2:
        return _first_proven(list(sources), sources, reasons)
    remembered = memory.recall()
    if remembered.keys() >= sources.keys():
        order = rank({name: remembered[name] for name in sources}, group)
        # The best alone: if it fails now, what is remembered of the rest is not to be trusted either.
        if (source := _first_proven(order[:1], sources, reasons)) is not None:
            return source
    costs = _measure_all(sources, reasons)
    if not costs:
        return None
    memory.remember(remembered | costs)
    order = rank(costs, group)
    log.info("screens_measured", **{name: costs[name].ms_per_frame for name in order})
    return sources[order[0]]


def _first_proven(
    order: Sequence[str], sources: dict[str, ScreenSource], reasons: dict[str, str]
) -> ScreenSource | None:
    for name in order:
        source = sources[name]
        try:
            source.open()
            source.grab()
        except ScreenUnavailable as exc:
            reasons[name] = str(exc)
            continue
        finally:
            source.close()
        return source
    return None


def _measure_all(sources: dict[str, ScreenSource], reasons: dict[str, str]) -> dict[str, ScreenCost]:
    costs = {}
    for name, source in sources.items():
        try:
            costs[name] = measure(source, duration_s=SELF_TEST_S / len(sources))
        except ScreenUnavailable as exc:
            reasons[name] = str(exc)
    return costs


def _makers(area: ScreenArea, is_cursor_shown: bool) -> dict[str, Callable[[], ScreenSource]]:
    """How each source is made; importing one is part of making it."""

    def x11grab() -> ScreenSource:
        from agent.capture.x11grab import X11GrabScreen

        return X11GrabScreen(area=area, is_cursor_shown=is_cursor_shown)

    def mss() -> ScreenSource:
        from agent.capture.mss_screen import MssScreen

        return MssScreen(area=area, is_cursor_shown=is_cursor_shown)

    def qt() -> ScreenSource:
        from agent.capture.qt_screen import QtScreen

        return QtScreen(area=area)

    def ddagrab() -> ScreenSource:
        from agent.capture.ddagrab import DdagrabScreen

        return DdagrabScreen(area=area, is_cursor_shown=is_cursor_shown)

    def avfoundation() -> ScreenSource:
        from agent.capture.avfoundation import AvfoundationScreen

        return AvfoundationScreen(area=area, is_cursor_shown=is_cursor_shown)

    def generated() -> ScreenSource:
        from agent.capture.generated import GeneratedScreen

        return GeneratedScreen()

    makers = (x11grab, mss, qt, ddagrab, avfoundation, generated)
    return {make.__name__: make for make in makers}
