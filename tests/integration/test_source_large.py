"""A source of 150 MB in parts of 64 MB: the agent is killed in the middle, over real HTTP into real files."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from tests.fakes.flash_clip import write_clip
from tests.fakes.link_parts import eventually, make_site, new_session_id
from tests.fakes.running_site import running_site
from tests.fakes.source_stages import KEY, LENGTH_S, is_in, prepare, wish

ROOT = Path(__file__).parents[2]
SIZE_BYTES = 150 * 1000**2


def large_video(path: Path) -> Path:
    """A film, and behind it a box that players skip: random bytes."""
    write_clip(path, duration_s=LENGTH_S, size=(320, 180))
    box_bytes = SIZE_BYTES - path.stat().st_size
    with path.open("ab") as file:
        file.write(box_bytes.to_bytes(4, "big") + b"free")
        file.write(os.urandom(box_bytes - 8))
    return path


def start_agent(folder: Path, session_id: str, port: int, video: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.source_agent", str(folder), session_id, str(port), str(video)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def sha256_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


@pytest.mark.slow
async def test_150_mb_survive_a_kill_and_no_part_is_sent_twice(tmp_path: Path, pool: asyncpg.Pool):
    video = await asyncio.to_thread(large_video, tmp_path / "exact.mp4")
    async with running_site(None, tmp_path) as web:
        site = await make_site(tmp_path, pool, web.objects)
        server = await site.start()
        session_id = new_session_id()
        folder = tmp_path / "objects" / "sources"

        def parts() -> dict[str, int]:
            return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.part-????")}

        process = start_agent(tmp_path, session_id, site.port, video)
        try:
            await wish(pool, session_id)
            await eventually(parts, deadline_s=60)
            process.kill()
            process.wait()
            before = parts()
            process = start_agent(tmp_path, session_id, site.port, video)
            await is_in(pool, "uploaded")
            after = parts()
        finally:
            process.kill()
            process.wait()
        await prepare(site)
        await server.stop()

    assert len(before) < len(after) == 3
    assert before.items() <= after.items()
    assert parts() == {}
    joined = tmp_path / "objects" / KEY
    assert await asyncio.to_thread(sha256_of, joined) == await asyncio.to_thread(sha256_of, video)
