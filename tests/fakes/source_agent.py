"""An agent that has one recording and gives it away on request: outbox, link and fulfiller, all real.

In the test's own process, or to be killed: `python -m tests.fakes.source_agent FOLDER SESSION PORT VIDEO`.
"""

from __future__ import annotations

import argparse
import shutil
import threading
from pathlib import Path

from agent.model.clips import ClipFile, SourceWish
from agent.uplink.channel import Coordinator
from agent.uplink.link import LinkClient
from agent.uplink.link_stream import LinkHooks
from agent.uplink.outbox import Outbox
from agent.uplink.source_fulfiller import SourceFulfiller, SourceHooks
from agent.uplink.wishes import WishBook
from tests.fakes.link_parts import QUICK, TOKEN


class SourceAgent:
    """Its folder holds `ca.pem`; the outbox and the files on their way are kept there from one life to the next."""

    def __init__(self, folder: Path, session_id: str, port: int, video: Path) -> None:
        self.uploads = folder / "uploads"
        self.uploads.mkdir(exist_ok=True)
        self.num_bytes = 0
        self.num_made = 0
        self._video = video
        self.outbox = Outbox(folder / "outbox.db")
        self.outbox.start_session(session_id, 1_700_000_000_000)
        self.book = WishBook(self.outbox)
        self.fulfiller = SourceFulfiller(
            self.book,
            SourceHooks(
                pin=lambda _wish: None, make_exact=self._make, release=_release, on_bytes=self._count
            ),
        )
        token = folder / "token"
        token.write_text(TOKEN)
        self.link = LinkClient(
            Coordinator(address=f"localhost:{port}", ca_path=folder / "ca.pem", token_path=token),
            self.outbox,
            agent_id="agent-1",
            agent_version="0",
            settings=QUICK,
            hooks=LinkHooks(on_source_request=self.fulfiller.submit),
        )

    def start(self) -> None:
        """Connect, and take up what a life before had begun."""
        self.fulfiller.start()
        self.link.start()

    def stop(self) -> None:
        """In order."""
        self.fulfiller.stop()
        self.link.stop()
        self.outbox.close()

    def _make(self, wish: SourceWish) -> ClipFile:
        self.num_made += 1
        path = self.uploads / f"{wish.request_id}.mp4"
        shutil.copyfile(self._video, path)
        return ClipFile(
            path=str(path),
            start_ns=wish.start_ns,
            end_ns=wish.end_ns,
            size_bytes=path.stat().st_size,
            is_exact=True,
        )

    def _count(self, num_bytes: int) -> None:
        self.num_bytes += num_bytes


def _release(_wish: SourceWish, clip: ClipFile | None) -> None:
    if clip is not None:
        Path(clip.path).unlink(missing_ok=True)


def main() -> None:
    """Live until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("session_id")
    parser.add_argument("port", type=int)
    parser.add_argument("video", type=Path)
    given = parser.parse_args()
    SourceAgent(given.folder, given.session_id, given.port, given.video).start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
