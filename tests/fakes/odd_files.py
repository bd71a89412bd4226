"""Files that break naive media code, made here: each kind by its name, with what is true of it.

All but a few are the flashing and beeping clip of `flash_clip`, brought into another shape by ffmpeg's command line
or by changing bytes, so that what became of picture and sound can be seen and heard afterwards.
"""

from __future__ import annotations

import dataclasses
import struct
import subprocess
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.fakes.flash_clip import write_clip

LENGTH_S = 2.0
SIZE = (320, 180)
Maker = Callable[[Path, Path], None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Odd:
    """One kind.

    Attributes:
        suffix: of the file's name.
        make: writes it; gets the plain clip and where to write.
        size: of the normal file's picture; None: it has none.
        has_sound: whether the normal file has any.
        is_copied: whether its picture is plain already.
        is_marked: whether flashes and beeps can still be told in it.
        is_refused: whether nothing in it can be used.
    """

    suffix: str
    make: Maker
    size: tuple[int, int] | None = SIZE
    length_s: float = LENGTH_S
    has_sound: bool = True
    is_copied: bool = False
    is_marked: bool = True
    is_refused: bool = False


def ffmpeg(*arguments: str | Path) -> None:
    """Run ffmpeg's command line on one thread; it must do what it is told."""
    command = ["ffmpeg", "-v", "error", "-y", "-threads", "1", *map(str, arguments)]
    subprocess.run(command, check=True, timeout=60, stdin=subprocess.DEVNULL)


def by(*options: str, before: tuple[str, ...] = ()) -> Maker:
    """A maker: one run of ffmpeg from the plain clip."""
    return lambda plain, path: ffmpeg(*before, "-i", plain, *options, path)


def encoded(*options: str, sound: tuple[str, ...] = ("-c:a", "copy")) -> Maker:
    """A maker: the picture encoded anew."""
    return by("-c:v", "libx264", "-preset", "ultrafast", *options, *sound)


def turned(*matrix: float) -> Maker:
    """A maker: a display matrix (a, b, c, d) in the header, no pixel changed."""

    def make(plain: Path, path: Path) -> None:
        data = bytearray(plain.read_bytes())
        at = data.index(b"tkhd") + 4 + 40
        a, b, c, d = (round(value * 65536) for value in matrix)
        struct.pack_into(">5i", data, at, a, b, 0, c, d)
        path.write_bytes(data)

    return make


def renamed_codec(plain: Path, path: Path) -> None:
    """A picture of a codec that nobody knows; its sound is as before."""
    path.write_bytes(plain.read_bytes().replace(b"avc1", b"zzz1"))


def cut_short(share: float, *, container: str = "matroska") -> Maker:
    def make(plain: Path, path: Path) -> None:
        ffmpeg("-i", plain, "-c", "copy", "-f", container, path)
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])

    return make


def scratched(plain: Path, path: Path) -> None:
    """Damaged in 20 places of its second half."""
    ffmpeg("-i", plain, "-c", "copy", path)
    data = bytearray(path.read_bytes())
    for offset in range(len(data) // 2, len(data) - 16, len(data) // 40):
        data[offset : offset + 8] = b"\xff\x5a" * 4
    path.write_bytes(data)


def joined(plain: Path, path: Path) -> None:
    """Two transport streams byte by byte: size, profile and clock change in the middle."""
    parts = [path.with_suffix(f".{n}.ts") for n in range(2)]
    ffmpeg("-i", plain, "-c", "copy", "-output_ts_offset", "500", parts[0])
    options = ("-vf", "scale=240:180", "-c:v", "libx264", "-preset", "ultrafast", "-ar", "44100", "-ac", "1")
    ffmpeg("-i", plain, *options, parts[1])
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    for part in parts:
        part.unlink()


def with_cover(plain: Path, path: Path) -> None:
    cover = path.with_suffix(".png")
    ffmpeg("-f", "lavfi", "-i", "color=red:64x64", "-frames:v", "1", cover)
    ffmpeg(
        "-i",
        cover,
        "-i",
        plain,
        "-map",
        "0",
        "-map",
        "1",
        "-c",
        "copy",
        "-disposition:v:0",
        "attached_pic",
        path,
    )
    cover.unlink()


def with_attachment(plain: Path, path: Path) -> None:
    font = path.with_suffix(".ttf")
    font.write_bytes(b"no font at all" * 50)
    ffmpeg("-i", plain, "-c", "copy", "-attach", font, "-metadata:s:t", "mimetype=font/ttf", path)
    font.unlink()


def picture_later(plain: Path, path: Path) -> None:
    """Its picture starts half a second after its sound."""
    options = ("-map", "1:v", "-map", "0:a", "-c", "copy")
    ffmpeg("-i", plain, "-itsoffset", "0.5", "-i", plain, *options, path)


def unseekable(plain: Path, path: Path) -> None:
    """As a recorder leaves it that was killed: no length, no index."""
    command = ["ffmpeg", "-v", "error", "-i", str(plain), "-c", "copy", "-f", "matroska", "-"]
    path.write_bytes(subprocess.run(command, check=True, timeout=60, capture_output=True).stdout)


def no_numbers(plain: Path, path: Path) -> None:
    """Its sound is float PCM, some of which is no number or far too loud."""
    samples = np.zeros(round(LENGTH_S * 48_000), "<f4")
    samples[10_000:20_000], samples[30_000:30_100], samples[50_000:50_100] = np.nan, np.inf, 1e30
    raw = path.with_suffix(".f32")
    raw.write_bytes(samples.tobytes())
    pcm = ("-f", "f32le", "-ar", "48000", "-ac", "1", "-i", raw)
    ffmpeg("-i", plain, *pcm, "-map", "0:v", "-map", "1:a", "-c", "copy", path)
    raw.unlink()


def mixing_desk(plain: Path, path: Path) -> None:
    """32 channels, as an audio interface writes them; nothing says what each is."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(32)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(bytes(round(LENGTH_S * 48_000) * 32 * 2))


def out_of_an_avi(plain: Path, path: Path) -> None:
    """Copied from an AVI with B pictures: its times of decoding have become times of showing."""
    avi = path.with_suffix(".avi")
    encoded("-bf", "3", "-x264-params", "b-adapt=0", sound=("-c:a", "mp3"))(plain, avi)
    ffmpeg("-fflags", "+genpts", "-i", avi, "-c", "copy", path)
    avi.unlink()


_KEY = "0123456789abcdef" * 2
_HDR = "colorprim=bt2020:colormatrix=bt2020nc:log-level=none:transfer="
_HEVC = (
    "-pix_fmt",
    "yuv420p10le",
    "-c:v",
    "libx265",
    "-preset",
    "ultrafast",
    "-tag:v",
    "hvc1",
    "-c:a",
    "copy",
)

KINDS: dict[str, Odd] = {
    "plain": Odd(suffix=".mp4", make=by("-c", "copy"), is_copied=True),
    "b_frames": Odd(suffix=".mp4", make=encoded("-bf", "3", "-x264-params", "b-adapt=0"), is_copied=True),
    "transport_stream": Odd(suffix=".ts", make=by("-c", "copy"), is_copied=True),
    "flash_video": Odd(suffix=".flv", make=by("-c", "copy"), is_copied=True),
    "fragmented": Odd(
        suffix=".mp4", make=by("-c", "copy", "-movflags", "frag_keyframe+delay_moov"), is_copied=True
    ),
    "late_clock": Odd(suffix=".mkv", make=by("-c", "copy", "-output_ts_offset", "43622"), is_copied=True),
    "late_picture": Odd(
        suffix=".mkv",
        make=picture_later,
        length_s=LENGTH_S + 0.5,
        is_marked=False,
    ),
    "edit_list": Odd(suffix=".mp4", make=by("-c", "copy", before=("-ss", "0.5")), length_s=1.5),
    "no_duration": Odd(suffix=".mkv", make=unseekable, is_copied=True),
    "long": Odd(
        suffix=".mp4",
        make=by("-c", "copy", "-an", before=("-stream_loop", "29")),
        length_s=60.0,
        has_sound=False,
        is_copied=True,
        is_marked=False,
    ),
    "on_its_side": Odd(suffix=".mp4", make=turned(0, 1, -1, 0), size=(180, 320)),
    "upside_down": Odd(suffix=".mp4", make=turned(-1, 0, 0, -1)),
    "on_its_other_side": Odd(suffix=".mp4", make=turned(0, -1, 1, 0), size=(180, 320)),
    "mirrored": Odd(suffix=".mp4", make=turned(-1, 0, 0, 1)),
    "uneven": Odd(suffix=".mkv", make=encoded("-vf", "select=mod(n\\,3)+not(mod(n\\,7))", "-vsync", "vfr")),
    "narrow_pixels": Odd(suffix=".mp4", make=encoded("-vf", "setsar=2/3"), size=(320, 270)),
    "cover": Odd(suffix=".mp4", make=with_cover, is_copied=True),
    "eleven_tracks": Odd(
        suffix=".mkv", make=by(*("-map", "0:v", *("-map", "0:a") * 10, "-c", "copy")), is_copied=True
    ),
    "attachment": Odd(suffix=".mkv", make=with_attachment, is_copied=True),
    "unknown_codec": Odd(suffix=".mp4", make=renamed_codec, size=None, is_marked=False),
    "encrypted": Odd(
        suffix=".mp4",
        make=by(
            "-c",
            "copy",
            "-encryption_scheme",
            "cenc-aes-ctr",
            "-encryption_key",
            _KEY,
            "-encryption_kid",
            _KEY,
        ),
        is_refused=True,
    ),
    "ten_bit": Odd(suffix=".mp4", make=encoded("-pix_fmt", "yuv420p10le")),
    "pq": Odd(suffix=".mp4", make=by(*_HEVC, "-x265-params", _HDR + "smpte2084")),
    "hlg": Odd(suffix=".mp4", make=by(*_HEVC, "-x265-params", _HDR + "arib-std-b67")),
    "interlaced": Odd(suffix=".ts", make=encoded("-flags", "+ilme+ildct", "-x264-params", "tff=1")),
    "odd_sides": Odd(
        suffix=".mp4", make=encoded("-vf", "scale=321:181", "-pix_fmt", "yuv444p"), size=(320, 180)
    ),
    "yuv422": Odd(suffix=".mp4", make=encoded("-pix_fmt", "yuv422p")),
    "full_range": Odd(suffix=".mp4", make=encoded("-pix_fmt", "yuvj420p")),
    "surround": Odd(suffix=".mp4", make=by("-c:v", "copy", "-c:a", "aac", "-ac", "6"), is_copied=True),
    "telephone": Odd(
        suffix=".mp4", make=by("-c:v", "copy", "-c:a", "aac", "-ac", "1", "-ar", "8000"), is_copied=True
    ),
    "no_numbers": Odd(suffix=".mov", make=no_numbers, is_copied=True, is_marked=False),
    "mixing_desk": Odd(suffix=".wav", make=mixing_desk, size=None, is_marked=False),
    "silent": Odd(
        suffix=".mp4", make=by("-c", "copy", "-an"), has_sound=False, is_copied=True, is_marked=False
    ),
    "only_sound": Odd(suffix=".m4a", make=by("-c", "copy", "-vn"), size=None, is_marked=False),
    "webm": Odd(
        suffix=".webm",
        make=by("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus", "-b:v", "1M"),
    ),
    "avi": Odd(suffix=".avi", make=by("-c:v", "mpeg4", "-q:v", "4", "-c:a", "mp3")),
    # Its B pictures have times of decoding only: shown by those, they come in a wrong order.
    "avi_b_frames": Odd(
        suffix=".avi",
        make=encoded("-bf", "3", "-x264-params", "b-adapt=0", sound=("-c:a", "mp3")),
    ),
    "out_of_an_avi": Odd(suffix=".mp4", make=out_of_an_avi),
    # Nothing in it says where its key frames are: it cannot be sought.
    "old_flash_video": Odd(suffix=".flv", make=by("-c:v", "flv", "-q:v", "4", "-c:a", "mp3", "-ar", "44100")),
    "camcorder": Odd(
        suffix=".mxf", make=by("-c:v", "mpeg2video", "-q:v", "4", "-vf", "fps=25", "-c:a", "pcm_s16le")
    ),
    "digital_video": Odd(suffix=".dv", make=by("-vf", "fps=25", "-target", "pal-dv"), size=(768, 576)),
    "animation": Odd(suffix=".gif", make=by("-an"), has_sound=False, is_marked=False),
    # Its last picture is shown for as long as the others.
    "slide_show": Odd(suffix=".gif", make=by("-an", "-vf", "fps=1"), has_sound=False, is_marked=False),
    "animated_png": Odd(
        suffix=".apng", make=by("-an", "-r", "10", "-plays", "0"), has_sound=False, is_marked=False
    ),
    "uncompressed": Odd(suffix=".y4m", make=by("-an"), has_sound=False, is_marked=False),
    "bare": Odd(suffix=".h264", make=by("-an", "-c", "copy"), has_sound=False, is_marked=False),
    "bare_hevc": Odd(
        suffix=".hevc",
        make=by("-an", "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none"),
        has_sound=False,
        is_marked=False,
    ),
    "still": Odd(suffix=".png", make=by("-an", "-frames:v", "1"), is_refused=True),
    "program_stream": Odd(suffix=".mpg", make=by("-c:v", "mpeg2video", "-q:v", "4", "-c:a", "mp2")),
    "cut_short": Odd(suffix=".mkv", make=cut_short(0.6), length_s=1.2, is_marked=False, is_copied=True),
    "cut_short_stream": Odd(
        suffix=".ts",
        make=cut_short(0.6, container="mpegts"),
        length_s=1.2,
        is_copied=True,
        is_marked=False,
    ),
    "without_its_index": Odd(suffix=".mp4", make=cut_short(0.9, container="mp4"), is_refused=True),
    "scratched": Odd(suffix=".ts", make=scratched, is_marked=False),
    "joined": Odd(suffix=".ts", make=joined, length_s=4.0, is_marked=False),
}


def write_plain(folder: Path) -> Path:
    """Write the clip that all kinds are made from."""
    return write_clip(folder / "plain-source.mp4", duration_s=LENGTH_S, size=SIZE)


def write_odd(kind: str, plain: Path, folder: Path) -> Path:
    """Write one kind into a folder and return its path."""
    odd = KINDS[kind]
    path = folder / f"{kind}{odd.suffix}"
    odd.make(plain, path)
    return path
