"""An account's brand kit: given by command or on the page, made our own, on its posts, and taken away again."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import httpx
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from coordinator.app.brand_kits import BrandKits
from coordinator.cli import main
from coordinator.errors import InputUnusable
from coordinator.model.exporting import Brand
from coordinator.model.posts import PostSettings
from coordinator.pipeline import steps
from coordinator.store.objects import LocalObjects
from coordinator.store.posts import PostgresPosts
from tests.fakes.flash_clip import write_clip
from tests.fakes.post_parts import CLIP, PostsHere, posts_here
from tests.fakes.running_site import RunningSite, running_site

pytestmark = pytest.mark.filterwarnings("error")
ALL = steps.exporting_all(CLIP, is_press=True)


def picture(path: Path, size: tuple[int, int] = (300, 100), **more: object) -> Path:
    """A red picture; by its name PNG, WebP or JPEG."""
    Image.fromarray(np.full((size[1], size[0], 3), (255, 0, 0), np.uint8)).save(path, **more)  # type: ignore[arg-type]
    return path


def film(path: Path, duration_s: float = 1.0) -> Path:
    """An MP4, whatever its name."""
    made = write_clip(path.with_suffix(".mp4"), duration_s=duration_s, size=(160, 90), fps=10)
    return made.rename(path)


def brand_objects(folder: Path) -> list[Path]:
    return sorted((folder / "objects" / "brands").rglob("*.*"))


@pytest.fixture
def posts(pool: asyncpg.Pool) -> PostgresPosts:
    return PostgresPosts(pool, PostSettings())


@pytest.fixture
def kits(posts: PostgresPosts, tmp_path: Path) -> BrandKits:
    (tmp_path / "kits").mkdir()
    objects = LocalObjects(tmp_path / "objects", base_url="http://127.0.0.1", secret=b"s")
    return BrandKits(posts, objects, tmp_path / "kits")


# -- what is kept


async def test_of_a_picture_its_pixels_alone_are_kept_and_the_one_before_goes(
    kits: BrandKits, posts: PostgresPosts, tmp_path: Path
):
    secret = PngInfo()
    secret.add_text("where", "at home")
    first = await kits.take("owner", "watermark", picture(tmp_path / "first.jpg"))
    given = picture(tmp_path / "second.png", (3000, 1500), pnginfo=secret)

    second = await kits.take("owner", "watermark", given)

    assert await posts.brand("owner") == [second]
    assert (second.width, second.height, second.duration_s) == (1024, 512, None)
    [kept] = brand_objects(tmp_path)
    assert second.object_key.endswith(kept.name)
    assert first.object_key != second.object_key
    assert b"at home" not in kept.read_bytes()
    with Image.open(kept) as image:
        assert (image.format, image.size, image.getpixel((0, 0))) == ("PNG", (1024, 512), (255, 0, 0, 255))
    assert list((tmp_path / "kits").iterdir()) == []


async def test_a_film_is_encoded_anew_and_no_other_account_has_it(
    kits: BrandKits, posts: PostgresPosts, pool: asyncpg.Pool, tmp_path: Path
):
    await pool.execute("insert into accounts (user_id, tier) values ('ann', 'free')")

    kept = await kits.take("ann", "intro", film(tmp_path / "intro"))

    assert (kept.width, kept.height) == (160, 90)
    assert kept.duration_s == pytest.approx(1.0, abs=0.1)
    assert await posts.brand("owner") == []
    assert (await kits.remove("owner", "intro"), await kits.remove("ann", "intro")) == (False, True)
    assert (await posts.brand("ann"), brand_objects(tmp_path)) == ([], [])


@pytest.mark.parametrize(
    ("part", "make", "reason"),
    [
        ("watermark", lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"?" * 99), "it is no PNG, WebP or JPEG"),
        ("watermark", film, "it is no PNG, WebP or JPEG"),
        ("watermark", lambda path: picture(path, (4100, 10), format="PNG"), "at most 4096 on a side"),
        ("watermark", lambda path: path.write_bytes(b"x" * (4 * 1024**2 + 1)), "at most 4 MiB are taken"),
        ("intro", lambda path: path.write_bytes(b"no film"), "no film|cannot|not"),
        ("outro", lambda path: film(path, 31.0), "31.0 s long; at most 30 s are taken"),
        ("outfit", film, "a brand kit has no 'outfit'; there are intro, outro, watermark"),
    ],
)  # fmt: skip
async def test_what_is_no_part_of_a_brand_kit_is_refused_and_nothing_is_kept(
    kits: BrandKits, posts: PostgresPosts, tmp_path: Path, part: str, make: object, reason: str
):
    path = tmp_path / "given"
    await asyncio.to_thread(make, path)  # type: ignore[arg-type]

    with pytest.raises(InputUnusable, match=reason):
        await kits.take("owner", part, path)

    assert (await posts.brand("owner"), brand_objects(tmp_path)) == ([], [])
    assert list((tmp_path / "kits").iterdir()) == []


async def test_who_reads_for_an_account_sees_no_other_brand_kit(
    kits: BrandKits, pool: asyncpg.Pool, tmp_path: Path
):
    await kits.take("owner", "watermark", picture(tmp_path / "mark.png"))

    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("select set_config('clippy.user_id', 'ann', true)")
        await connection.execute("set local role clippy_reader")
        assert await connection.fetch("select * from brand_parts") == []


# -- on posts


@pytest.fixture
async def here(pool: asyncpg.Pool, tmp_path: Path) -> PostsHere:
    return await posts_here(pool, tmp_path)


class SeenBrand:
    """What the renderer is given: which parts, and what lies in their files."""

    def __init__(self, here: PostsHere) -> None:
        self.parts: dict[str, str] = {}
        render = here.media.export_all

        async def export_all(src: Path, orders: object, recipe: object, **more: object) -> object:
            brand: Brand = recipe.brand  # type: ignore[attr-defined]
            for part in ("intro", "outro", "watermark"):
                path = getattr(brand, part)
                if path is not None:
                    self.parts[part] = await asyncio.to_thread(Path(path).read_text)
            return await render(src, orders, recipe, **more)  # type: ignore[arg-type]

        here.media.export_all = export_all  # type: ignore[assignment, method-assign]


async def keep(here: PostsHere, user_id: str, part: str, text: str) -> str:
    """A brand's part whose file says what it is."""
    key = f"brands/{user_id}/{text}.mp4"
    await here.objects.put(key, text.encode())
    await here.pool.execute(
        "insert into brand_parts (user_id, part, object_key, size_bytes, width, height, duration_s)"
        " values ($1, $2, $3, 1, 2, 2, 1.0) on conflict (user_id, part) do update set object_key = excluded.object_key",
        user_id, part, key,
    )  # fmt: skip
    return key


async def test_posts_have_the_brand_kit_of_their_account(here: PostsHere):
    await here.pool.execute("insert into accounts (user_id, tier) values ('ann', 'free')")
    await keep(here, "ann", "outro", "anns")
    await keep(here, "owner", "intro", "before")
    await keep(here, "owner", "watermark", "mark")
    seen = SeenBrand(here)
    await here.want("vertical")

    await here.run(ALL)

    assert seen.parts == {"intro": "before", "watermark": "mark"}


async def test_a_part_that_is_changed_while_a_post_is_made_is_taken_as_it_is_then(here: PostsHere):
    stale = await keep(here, "owner", "intro", "old")
    gone = await keep(here, "owner", "outro", "gone")
    seen, fetch = SeenBrand(here), here.objects.get_file

    async def get_file(key: str, path: Path) -> None:
        if key == stale:
            await keep(here, "owner", "intro", "new")
            await here.pool.execute("delete from brand_parts where part = 'outro'")
            await here.objects.delete([stale, gone])
        await fetch(key, path)

    here.objects.get_file = get_file  # type: ignore[method-assign]
    await here.want("vertical")

    await here.run(ALL)

    assert seen.parts == {"intro": "new"}
    assert (await here.states())["vertical"] == ("ready", "")


# -- by command


@pytest.fixture
def data(database_url: str, tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "database.url").write_text(database_url)
    yield folder
    shutil.rmtree(folder)


def test_a_command_gives_parts_shows_them_and_takes_them_away(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    words = ["--data", str(data), "posts"]
    mark, intro = picture(tmp_path / "mark.webp"), film(tmp_path / "intro.mp4")

    assert main([*words, "brand", "--watermark", str(mark), "--intro", str(intro)]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == ["  intro      160x90, 1.0 s", "  watermark  300x100"]
    assert len(brand_objects(data)) == 2
    assert main([*words, "brand", "--remove", "intro", "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)["brand"]) == ["watermark"]
    assert len(brand_objects(data)) == 1
    for arguments, code in (
        (["--intro", str(tmp_path / "none.mp4")], "input_unusable"),
        (["--intro", str(mark), "--json"], "media_unusable"),
        ([], "input_unusable"),
    ):
        assert main([*words, "brand", *arguments, "--json"]) in (1, 2)
        assert json.loads(capsys.readouterr().out)["error"]["code"] == code


# -- on the page


@pytest.fixture
async def site(pool: asyncpg.Pool, tmp_path: Path) -> AsyncIterator[RunningSite]:
    async with running_site(pool, tmp_path) as running:
        yield running


async def test_the_page_takes_a_file_and_takes_it_away_again(
    site: RunningSite, posts: PostgresPosts, tmp_path: Path
):
    mark = picture(tmp_path / "mark.png").read_bytes()
    foreign = {"origin": "https://elsewhere.example"}
    async with httpx.AsyncClient(base_url=site.url, trust_env=False, timeout=60) as client:
        taken = await client.put("/brand/watermark", content=mark)
        shown = (await client.get("/posts")).text
        refused = [
            await client.put("/brand/watermark", content=mark, headers=foreign),
            await client.put("/brand/watermark", content=b"<svg/>"),
            await client.put("/brand/outfit", content=mark),
            await client.put("/brand/watermark", content=b"x" * (4 * 1024**2 + 1)),
            await client.put("/brand/watermark?user=nobody", content=mark),
            await client.post("/brand/watermark/remove", headers=foreign),
        ]
        twin = (await client.get("/api/posts")).json()["brand"]
        removed = await client.post("/brand/watermark/remove")

    assert (taken.status_code, taken.json()["width"]) == (201, 300)
    assert "300×100" in shown
    assert [answer.status_code for answer in refused] == [400, 400, 400, 413, 404, 400]
    assert twin["watermark"]["object_key"] == taken.json()["object_key"]
    assert (removed.status_code, removed.headers["location"]) == (303, "/posts")
    assert (await posts.brand("owner"), brand_objects(tmp_path)) == ([], [])
    assert [path.name for path in site.scratch.iterdir() if path.is_file()] == []
