"""Everything that may hold part of a session, on disk, filled by a test: a real outbox, a real library, media files."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from agent.engine.forget_receipts import ForgottenPart, MediaSpan
from agent.engine.forgetting import Forgetter, ForgettingParts, ForgottenSpans
from agent.library.forgetting import LibraryForgetting
from agent.library.library import Library
from agent.model.clips import SavedClip
from agent.model.media import LaneChunk
from agent.uplink.outbox import Outbox
from agent.uplink.outbox_forgetting import OutboxForgetting
from protos.clippy.v1 import clips_pb2, media_pb2
from protos.timebase import SECOND_NS

SESSION = "a" * 32
NOW_NS = 60 * SECOND_NS


class MediaFiles:
    """A file a second, as `MediaForgetting`: what the ring does is the ring's own test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def fill(self, num_seconds: int) -> None:
        for second in range(num_seconds):
            (self.folder / f"{second:04}.gop").write_bytes(b"picture and sound")

    def seconds(self) -> list[int]:
        return sorted(int(path.stem) for path in self.folder.iterdir())

    def __call__(self, session_id: str, start_ns: int, end_ns: int, *, is_preview: bool) -> MediaSpan:
        assert session_id == SESSION
        hit = [s for s in self.seconds() if s * SECOND_NS < end_ns and (s + 1) * SECOND_NS > start_ns]
        for second in hit:
            if not is_preview:
                (self.folder / f"{second:04}.gop").unlink()
        if not hit:
            return MediaSpan(start_ns=start_ns, end_ns=end_ns)
        return MediaSpan(
            start_ns=hit[0] * SECOND_NS,
            end_ns=(hit[-1] + 1) * SECOND_NS,
            parts=(ForgottenPart(what="ring", count=len(hit), size_bytes=17 * len(hit)),),
        )


@dataclasses.dataclass
class Forgettable:
    """One data directory. `fill` puts a minute of a session into it."""

    data: Path

    def __post_init__(self) -> None:
        self.media = MediaFiles(self.data / "ring")
        self.outbox = Outbox(self.data / "outbox.db")
        self.library = Library(self.data / "library.db")
        self.uploads = self.data / "uploads"
        self.spans = ForgottenSpans()
        self.num_requests = 0
        self.parts = ForgettingParts(
            media=self.media,
            library=LibraryForgetting(self.library),
            outbox=OutboxForgetting(self.outbox),
            end_requests=lambda *_span: self.num_requests,
            uploads=self.uploads,
            shared=self.data / "shared",
        )
        self.forgetter = Forgetter(self.parts, self.data / "forgetting.json", self.spans)

    def fill(self) -> None:
        """60 s of media, six chunks of sound, clips of 0-10, 25-35 and 50-60 s, moments at 5, 30 and 55 s."""
        self.media.fill(60)
        self.uploads.mkdir(exist_ok=True)
        (self.uploads / "request.mp4").write_bytes(b"full quality")
        self.outbox.start_session(SESSION, 1)
        for number in range(6):
            self.outbox.put(
                SESSION,
                LaneChunk(
                    lane="mic",
                    start_ns=10 * number * SECOND_NS,
                    end_ns=10 * (number + 1) * SECOND_NS,
                    content_type="audio/ogg",
                    payload=b"OggS" + bytes([number]) * 40,
                ),
            )
        for name, start_s in (("first", 0), ("middle", 25), ("last", 50)):
            self.add_clip(name, start_s)
            self.library.upsert_moment(
                clips_pb2.Moment(
                    moment_id=name,
                    session_id=SESSION,
                    start_ns=(start_s + 5) * SECOND_NS,
                    end_ns=(start_s + 6) * SECOND_NS,
                )
            )

    def add_clip(self, clip_id: str, start_s: int) -> SavedClip:
        """Ten seconds, with a file and a thumbnail."""
        path, thumbnail = self.data / f"{clip_id}.mp4", self.data / f"{clip_id}.jpg"
        path.write_bytes(b"a clip")
        thumbnail.write_bytes(b"its picture")
        clip = SavedClip(
            clip_id=clip_id,
            session_id=SESSION,
            path=str(path),
            start_ns=start_s * SECOND_NS,
            end_ns=(start_s + 10) * SECOND_NS,
            latency_ms=1,
            trigger="command",
            size_bytes=6,
            created_unix_ms=1,
            thumbnail_path=str(thumbnail),
        )
        self.library.add_clip(clip)
        return clip

    def holds(self, start_s: int, end_s: int, clip_ids: tuple[str, ...] = ()) -> list[str]:
        """What of the span is still anywhere; of the saved clips only those of `clip_ids` count."""
        session, start_ns, end_ns = SESSION, start_s * SECOND_NS, end_s * SECOND_NS
        found = [f"media {second}" for second in self.media.seconds() if start_s <= second < end_s]
        waiting = self.outbox.unacked(session, media_pb2.LANE_MIC)
        found += [f"chunk {seq}" for seq in waiting if 10 * seq < end_s and 10 * (seq + 1) > start_s]
        library = LibraryForgetting(self.library)
        found += [f"moment {moment}" for moment in library.moments(session, start_ns, end_ns)]
        for clip_id in clip_ids:
            if self.library.clip(clip_id) is not None:
                found.append(f"row {clip_id}")
            found += [name for name in (f"{clip_id}.mp4", f"{clip_id}.jpg") if (self.data / name).exists()]
        return found

    def tombstones(self) -> list[tuple[int, int]]:
        """Chunks that the coordinator is told to forget."""
        events = self.outbox.events_after(0, limit=100)
        gaps = [event.message.gap for event in events if event.message.HasField("gap")]
        return [(gap.first, gap.last) for gap in gaps if gap.reason == "forgotten"]

    def close(self) -> None:
        self.outbox.close()
        self.library.close()
