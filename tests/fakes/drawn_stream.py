"""Pictures of a made-up stream: a game that scrolls and turns, things that stay on top of it, and a camera, or none.

Drawn from a seed, with the truth about where the camera is. Nothing here knows how cameras are looked for.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from coordinator.model.framing import Rectangle

WIDTH_PX, HEIGHT_PX = 640, 360


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DrawnStream:
    """Grey pictures (rows, columns) and the camera that is in them; None: there is none."""

    pictures: list[npt.NDArray[np.uint8]]
    camera: Rectangle | None


def drawn_stream(
    seed: int, *, has_camera: bool, num_pictures: int = 24, has_map: bool = False
) -> DrawnStream:
    """Draw one stream, a picture every second or so of it."""
    rng = np.random.default_rng(seed)
    world = _world(rng)
    room = _room(rng)
    box = _camera_box(rng)
    rim_px = int(rng.choice([0, 0, 2, 4]))
    pictures = []
    view = np.array([700.0, 500.0])
    for _ in range(num_pictures):
        view = np.clip(view + rng.normal(0, 120, 2), 0, (1400 - 1, 1000 - 1))
        if rng.random() < 0.1:
            view = rng.uniform(0, 1, 2) * (1400, 1000)
        x, y = (int(v) for v in view)
        picture = world.crop((x, y, x + WIDTH_PX, y + HEIGHT_PX))
        if rng.random() < 0.3:
            picture = picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(1, 4))))
        _draw_panel(picture, rng, has_map=has_map, world=world)
        if has_camera:
            _draw_camera(picture, room, box, rim_px, rng)
        noise = rng.normal(0, 2, (HEIGHT_PX, WIDTH_PX))
        pictures.append(np.clip(np.asarray(picture, np.float32) + noise, 0, 255).astype(np.uint8))
    left, top, right, bottom = box
    camera = Rectangle(
        x=left / WIDTH_PX,
        y=top / HEIGHT_PX,
        width=(right - left) / WIDTH_PX,
        height=(bottom - top) / HEIGHT_PX,
    )
    return DrawnStream(pictures=pictures, camera=camera if has_camera else None)


def _world(rng: np.random.Generator) -> Image.Image:
    """A map with ground, walls, trees and boxes, larger than the picture."""
    ground = rng.normal(0, 1, (140, 210))
    ground = np.kron(ground, np.ones((10, 10)))[:1360, :2040] * 12 + rng.uniform(60, 140)
    image = Image.fromarray(np.clip(ground, 0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(4))
    draw = ImageDraw.Draw(image)
    for _ in range(160):
        x, y = int(rng.uniform(0, 2040)), int(rng.uniform(0, 1360))
        size, shade = int(rng.uniform(10, 140)), int(rng.uniform(10, 240))
        box = (x, y, x + size, y + int(size * rng.uniform(0.3, 2)))
        (draw.rectangle if rng.random() < 0.5 else draw.ellipse)(box, fill=shade)
    return image


def _room(rng: np.random.Generator) -> Image.Image:
    """What stays behind a person: a wall with a shelf, a door, a lamp."""
    image = Image.new("L", (320, 320), int(rng.uniform(30, 120)))
    draw = ImageDraw.Draw(image)
    for _ in range(8):
        x, y = int(rng.uniform(0, 300)), int(rng.uniform(0, 300))
        draw.rectangle(
            (x, y, x + int(rng.uniform(15, 90)), y + int(rng.uniform(10, 120))),
            fill=int(rng.uniform(20, 220)),
        )
    return image.filter(ImageFilter.GaussianBlur(1.5))


def _camera_box(rng: np.random.Generator) -> tuple[int, int, int, int]:
    width = int(rng.uniform(0.15, 0.32) * WIDTH_PX)
    height = int(width / rng.choice([16 / 9, 4 / 3, 1.0]))
    margin = int(rng.choice([0, 0, 8, 16]))
    x = margin if rng.random() < 0.5 else WIDTH_PX - margin - width
    y = int(rng.choice([margin, HEIGHT_PX - margin - height, (HEIGHT_PX - height) // 2]))
    return x, y, x + width, y + height


def _draw_panel(picture: Image.Image, rng: np.random.Generator, *, has_map: bool, world: Image.Image) -> None:
    draw = ImageDraw.Draw(picture)
    draw.rectangle((250, 340, 250 + int(rng.uniform(20, 140)), 350), fill=220)
    draw.rectangle((248, 338, 392, 352), outline=20, width=2)
    draw.text((300, 8), f"{int(rng.uniform(0, 99)):02d} : 14", fill=240)
    draw.line((310, 180, 330, 180), fill=250)
    draw.line((320, 170, 320, 190), fill=250)
    if has_map:
        part = world.resize((110, 90)).crop((0, 0, 90, 80))
        picture.paste(part, (10, 10))
        x, y = int(rng.uniform(12, 94)), int(rng.uniform(12, 84))
        draw.ellipse((x, y, x + 4, y + 4), fill=255)
        draw.rectangle((9, 9, 100, 90), outline=0, width=1)


def _draw_camera(
    picture: Image.Image,
    room: Image.Image,
    box: tuple[int, int, int, int],
    rim_px: int,
    rng: np.random.Generator,
) -> None:
    width, height = box[2] - box[0], box[3] - box[1]
    shot = room.resize((width, height))
    draw = ImageDraw.Draw(shot)
    x, y = width * (0.5 + rng.normal(0, 0.05)), height * (0.45 + rng.normal(0, 0.04))
    draw.ellipse((x - height * 0.45, y + height * 0.25, x + height * 0.45, y + height * 1.4), fill=45)
    draw.ellipse((x - height * 0.2, y - height * 0.28, x + height * 0.2, y + height * 0.28), fill=185)
    draw.ellipse((x - 3, y + height * 0.1, x + 3, y + height * (0.12 + 0.06 * rng.random())), fill=60)
    if rim_px:
        draw.rectangle((0, 0, width - 1, height - 1), outline=230, width=rim_px)
    picture.paste(shot, box[:2])
