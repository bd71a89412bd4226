"""Where on an X screen what is to be recorded lies: monitors by RandR, windows by EWMH, both watched for change.

Every call raises ScreenUnavailable when the X server is gone. Used by one thread at a time: each object has its own
connection.
Source: RandR 1.5 (monitors), Extended Window Manager Hints 1.5, Composite 0.4.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import select
import socket
from collections.abc import Iterator
from typing import Any

from agent.errors import ScreenUnavailable
from agent.model.screen import Rectangle, ScreenArea

_KNOCK_S = 2.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """One monitor of a desktop; `number` counts from 1."""

    number: int
    name: str
    place: Rectangle


class X11Desktop:
    """One connection to an X server.

    Args:
        display_name: as DISPLAY has it; None is DISPLAY.

    Raises:
        ScreenUnavailable: No display is named, or none answers.
    """

    def __init__(self, display_name: str | None = None) -> None:
        name = display_name or os.environ.get("DISPLAY", "")
        if not name:
            raise ScreenUnavailable("DISPLAY is not set; log in to an X11 session")
        _check_listening(name)
        try:
            from Xlib import display, error
        except ImportError as exc:
            raise ScreenUnavailable(f"python-xlib is missing: {exc}; install clippy's extra `agent`") from exc
        try:
            self._display: Any = display.Display(name)
        except (error.DisplayError, error.XauthError, error.ConnectionClosedError, OSError) as exc:
            raise ScreenUnavailable(
                f"cannot connect to X11 display {name}: {exc}; is it running, and may this user see it?"
            ) from exc
        self.name = name
        self._root = self._display.screen().root
        self._has_asked = True
        self._poll = select.poll()
        self._poll.register(self._display.fileno(), select.POLLIN | select.POLLHUP)

    @property
    def is_xwayland(self) -> bool:
        """Does this server only show X programs inside a Wayland desktop? Its own picture is black then."""
        with _heard():
            if self._display.has_extension("XWAYLAND"):
                return True
            return any(monitor.name.upper().startswith("XWAYLAND") for monitor in self.monitors())

    def whole(self) -> Rectangle:
        """All monitors together."""
        self._has_asked = True
        with _heard():
            size = self._root.get_geometry()
            return Rectangle(left_px=0, top_px=0, width_px=size.width, height_px=size.height)

    def monitors(self) -> list[Monitor]:
        """Every monitor, in the server's order; without RandR 1.5 the whole screen is the only one."""
        from Xlib.ext import randr

        self._has_asked = True
        with _heard():
            if not self._display.has_extension("RANDR"):
                return [Monitor(number=1, name="screen", place=self.whole())]
            return [
                Monitor(
                    number=number,
                    name=self._display.get_atom_name(found.name),
                    place=Rectangle(
                        left_px=found.x,
                        top_px=found.y,
                        width_px=found.width_in_pixels,
                        height_px=found.height_in_pixels,
                    ),
                )
                for number, found in enumerate(randr.get_monitors(self._root).monitors, start=1)
            ]

    def find_window(self, wanted: str) -> Any:
        """The topmost visible window whose title or class holds `wanted`.

        Raises:
            ScreenUnavailable: There is none, or it is minimised.
        """
        with _heard():
            found = [window for window in self._windows() if _is_called(self._names(window), wanted)]
            visible = [window for window in found if self._is_viewable(window)]
        if visible:
            return visible[0]
        if found:
            raise ScreenUnavailable(
                f"the window {wanted!r} is minimised; it is recorded again when it is shown"
            )
        raise ScreenUnavailable(
            f"no window's title or class holds {wanted!r}; open it, or set capture.window to another"
        )

    def window_place(self, window: Any) -> Rectangle | None:
        """Where a window is on the desktop, without its frame; None when it is gone or not shown."""
        self._has_asked = True
        with _heard():
            try:
                if not self._is_viewable(window):
                    return None
                size = window.get_geometry()
                corner = self._root.translate_coords(window, 0, 0)
            except _window_gone():
                return None
            return Rectangle(left_px=corner.x, top_px=corner.y, width_px=size.width, height_px=size.height)

    def keep_whole(self, window: Any) -> None:
        """Give a window a picture of its own for as long as we are connected, also of what others cover.

        Without Composite on the server, what is covered stays black in its picture.
        """
        from Xlib import error
        from Xlib.ext import composite

        with _heard():
            if not self._display.has_extension("Composite"):
                return
            # A client that has not asked for a version is refused everything else.
            self._display.composite_query_version()
            composite.redirect_window(window, composite.RedirectAutomatic, onerror=error.CatchError())
            self._display.sync()

    def watch(self, window: Any = None) -> None:
        """From now on tell by `has_changed` when the desktop's monitors, or this window, change."""
        from Xlib import X, error
        from Xlib.ext import randr

        with _heard():
            self._root.change_attributes(event_mask=X.StructureNotifyMask)
            if window is not None:
                window.change_attributes(onerror=error.CatchError(), event_mask=X.StructureNotifyMask)
            elif self._display.has_extension("RANDR"):
                self._root.xrandr_select_input(randr.RRScreenChangeNotifyMask | randr.RRCrtcChangeNotifyMask)
            self._display.sync()

    def has_changed(self) -> bool:
        """Has anything changed of what is watched? Reads what has arrived and asks nothing."""
        with _heard():
            # python-xlib takes 0.08 ms to find that nothing came, a poll some microseconds; but events that came in
            # front of an answer are no longer on the wire.
            if not self._has_asked and not self._poll.poll(0):
                return False
            self._has_asked = False
            num_events = self._display.pending_events()
            for _ in range(num_events):
                self._display.next_event()
            return bool(num_events)

    def close(self) -> None:
        """Disconnect. Twice is once."""
        connection, self._display = self._display, None
        if connection is not None:
            # A connection that the server has closed says so once more.
            with contextlib.suppress(Exception):
                connection.close()

    def _windows(self) -> list[Any]:
        """Every window of a program, the topmost first."""
        for name in ("_NET_CLIENT_LIST_STACKING", "_NET_CLIENT_LIST"):
            atom = self._display.intern_atom(name)
            listed = self._root.get_full_property(atom, 0)
            if listed is not None and len(listed.value):
                return [self._display.create_resource_object("window", int(id_)) for id_ in listed.value][
                    ::-1
                ]
        # No window manager tells: the desktop's own children, which are stacked bottom to top.
        return list(self._root.query_tree().children)[::-1]

    def _names(self, window: Any) -> list[str]:
        names: list[str] = []
        with contextlib.suppress(*_window_gone()):
            atom = self._display.intern_atom("_NET_WM_NAME")
            title = window.get_full_property(atom, 0)
            if title is not None and isinstance(title.value, bytes):
                names.append(title.value.decode(errors="replace"))
            plain = window.get_wm_name()
            names += [plain] if isinstance(plain, str) else []
            names += list(window.get_wm_class() or ())
        return names

    def _is_viewable(self, window: Any) -> bool:
        from Xlib import X

        try:
            return bool(window.get_attributes().map_state == X.IsViewable)
        except _window_gone():
            return False


class X11Area:
    """What an area is on an X desktop, fixed when made, and watched until it is closed.

    Args:
        desktop: a connection of its own, which it closes.
        is_own_picture: a window is grabbed by its number, not by its place: it gets a picture of its own.

    Attributes:
        place: where it is, even; for a window, when it was last looked at.
        screen: the whole desktop.
        window_id: of a window; 0 for all else.

    Raises:
        ScreenUnavailable: There is no such monitor or window, or the region is not on the screen.
    """

    def __init__(self, desktop: X11Desktop, area: ScreenArea, *, is_own_picture: bool = False) -> None:
        self._desktop = desktop
        self._area = area
        self._window: Any = None
        try:
            self._window = desktop.find_window(area.window) if area.kind == "window" else None
            desktop.watch(self._window)
            self._whole = self._look()
            self.screen = desktop.whole()
            if self._window is not None and is_own_picture:
                desktop.keep_whole(self._window)
        except ScreenUnavailable:
            desktop.close()
            raise
        self.place = self._whole.even()
        self.window_id = int(self._window.id) if self._window is not None else 0

    def check(self) -> None:
        """Cheap enough for each frame.

        Raises:
            ScreenUnavailable: It changed its size, went away, or the server did.
        """
        if self._desktop.has_changed():
            self._look_again()

    def locate(self) -> Rectangle:
        """Where it is now, even; a window moves. One question to the server for a window, none for the rest."""
        self.check()
        if self._window is not None:
            self._look_again()
        return self.place

    def close(self) -> None:
        """Disconnect. Twice is once."""
        self._desktop.close()

    def _look_again(self) -> None:
        place = self._look()
        is_window = self._window is not None
        if place.size != self._whole.size or (place != self._whole and not is_window):
            what = f"the window {self._area.window!r}" if is_window else "the X11 screen"
            raise ScreenUnavailable(f"{what} changed its size to {place.size}; it is opened again")
        self._whole, self.place = place, place.even()

    def _look(self) -> Rectangle:
        area, desktop = self._area, self._desktop
        if self._window is not None:
            place = desktop.window_place(self._window)
            if place is None:
                raise ScreenUnavailable(
                    f"the window {area.window!r} is gone; it is recorded again when it is back"
                )
            if place.width_px < 2 or place.height_px < 2:
                raise ScreenUnavailable(f"the window {area.window!r} is {place.size}: too small to record")
            return place
        if area.kind == "monitor":
            return find_monitor(desktop.monitors(), area.monitor).place
        whole = desktop.whole()
        if area.region is None:
            return whole
        if area.region.within(whole) != area.region:
            raise ScreenUnavailable(
                f"the region {area.region.size} at {area.region.left_px},{area.region.top_px} is not on the screen, "
                f"which has {whole.size}; set capture.region"
            )
        return area.region


def find_monitor(monitors: list[Monitor], wanted: str) -> Monitor:
    """The monitor of that number or name.

    Raises:
        ScreenUnavailable: There is none; names those there are.
    """
    for monitor in monitors:
        if wanted == str(monitor.number) or wanted.casefold() == monitor.name.casefold():
            return monitor
    known = ", ".join(f"{monitor.number} ({monitor.name}, {monitor.place.size})" for monitor in monitors)
    raise ScreenUnavailable(f"no monitor is called {wanted!r}; there are {known}; set capture.monitor")


def probe_x11(display_name: str | None = None) -> str:
    """Why an X11 screen cannot be recorded here; empty when it may be."""
    try:
        desktop = X11Desktop(display_name)
    except ScreenUnavailable as exc:
        return str(exc)
    try:
        if desktop.is_xwayland:
            return f"X11 display {desktop.name} is XWayland, which does not see the Wayland desktop; qt does"
    except ScreenUnavailable as exc:
        return str(exc)
    finally:
        desktop.close()
    return ""


def _check_listening(display_name: str) -> None:
    """Knock at a display of this machine: python-xlib leaves its socket open where nobody answers."""
    match = re.fullmatch(r"(?:unix)?:(\d+)(?:\.\d+)?", display_name)
    if match is None:
        return
    path = f"/tmp/.X11-unix/X{match[1]}"
    problem: OSError | None = None
    for address in (path, f"\0{path}"):
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knock:
                knock.settimeout(_KNOCK_S)
                knock.connect(address)
            return
        except OSError as exc:
            problem = exc
    raise ScreenUnavailable(
        f"no X server answers at {display_name}: {problem}; log in to an X11 session"
    ) from problem


def _is_called(names: list[str], wanted: str) -> bool:
    return any(wanted.casefold() in name.casefold() for name in names)


@contextlib.contextmanager
def _heard() -> Iterator[None]:
    """Turn the end of the connection into our own error."""
    from Xlib import error

    try:
        yield
    except (error.ConnectionClosedError, OSError) as exc:
        raise ScreenUnavailable(
            f"the X11 screen went away: {exc}; it is opened again when it is back"
        ) from exc


def _window_gone() -> tuple[type[Exception], ...]:
    """What the server answers about a window that went between two questions."""
    from Xlib import error

    return error.BadWindow, error.BadDrawable, error.BadMatch
