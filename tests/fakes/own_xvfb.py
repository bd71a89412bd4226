"""An X server of a test's own whose whole screen is painted: the picture that is recorded."""

from __future__ import annotations

from tests.fakes.x_server import XServer


class OwnXvfb(XServer):
    """A context manager: nothing is left behind."""

    def paint(self, colour: str, *, from_stripe: int = 0) -> None:
        """Fill the screen, or what is right of a stripe (of eight): `black`, `white`, or `stripes`."""
        from Xlib import X, display

        connection = display.Display(self.display)
        screen = connection.screen()
        width, height = screen.width_in_pixels, screen.height_in_pixels
        for index in range(from_stripe, 8):
            is_white = colour == "white" or (colour == "stripes" and index % 2 == 1)
            context = screen.root.create_gc(
                foreground=screen.white_pixel if is_white else screen.black_pixel,
                subwindow_mode=X.IncludeInferiors,
            )
            screen.root.fill_rectangle(context, index * width // 8, 0, width // 8 + 1, height)
            context.free()
        connection.sync()
        connection.close()

    def __enter__(self) -> OwnXvfb:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()
