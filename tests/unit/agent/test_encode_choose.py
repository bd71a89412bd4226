"""Which encoder is opened: probed, remembered, given up. x264 stands in for hardware under other names."""

from __future__ import annotations

import platform as host

import pytest

from agent.encode.choose import Encoders
from agent.encode.options import candidates, encoder_options, known_encoders
from agent.encode.probe import probe_encoder
from agent.encode.probe_memory import MAX_AGE_MS, Finding, ProbeMemory, machine_facts
from agent.encode.quality import Shape
from agent.encode.video import VideoEncoder
from agent.errors import EncoderUnavailable, InputUnusable

SHAPE = Shape(width_px=320, height_px=180, frame_rate=30, preset="ultrafast")


class Hardware:
    """Opens x264 wherever one of `working` is asked for, and counts; anything else is not there."""

    def __init__(self, *working: str) -> None:
        self.working = set(working) | {"libx264"}
        self.opened: list[str] = []

    def __call__(self, *, encoder: str, **settings) -> VideoEncoder:
        self.opened.append(encoder)
        if encoder not in self.working:
            raise EncoderUnavailable(f"cannot open {encoder}: no such card")
        return VideoEncoder(encoder="libx264", **settings)


def encoders(hardware, **wish):
    return Encoders(**({"platform": "linux", "open_encoder": hardware} | wish))


@pytest.mark.parametrize(
    ("wish", "working", "expected", "reason"),
    [
        ({}, ["h264_nvenc", "h264_qsv"], "h264_nvenc", ""),
        ({}, ["h264_qsv"], "h264_qsv", ""),
        ({}, [], "libx264", "no hardware encoder works here (h264_nvenc: cannot open"),
        ({}, ["hevc_nvenc"], "libx264", "no hardware encoder works here"),  # HEVC only when asked for
        ({"codec": "h264"}, ["h264_amf"], "h264_amf", ""),
        ({"codec": "hevc"}, ["hevc_qsv", "h264_nvenc"], "hevc_qsv", ""),
        ({"codec": "hevc"}, ["h264_nvenc"], "h264_nvenc", "no hevc encoder works here"),
        ({"codec": "av1"}, [], "libx264", "no av1 encoder works here"),
        ({"codec": "av1", "platform": "darwin"}, [], "libx264", "no av1 encoder works here (there is none)"),
        ({"platform": "darwin"}, ["h264_videotoolbox"], "h264_videotoolbox", ""),
        ({"platform": "win32"}, ["h264_mf"], "h264_mf", ""),
        ({"encoder": "hevc_nvenc"}, ["hevc_nvenc"], "hevc_nvenc", ""),
        (
            {"encoder": "hevc_nvenc"},
            [],
            "libx264",
            "hevc_nvenc: cannot open hevc_nvenc: no such card; libx264 instead",
        ),
        ({"encoder": "libx264"}, ["h264_nvenc"], "libx264", ""),
    ],
)
def test_the_best_that_works_is_chosen_and_the_reason_told(wish, working, expected, reason):
    chosen = encoders(Hardware(*working), **wish)

    assert chosen.name == expected
    assert chosen.reason.startswith(reason) and bool(chosen.reason) == bool(reason)


@pytest.mark.parametrize("name", ["h264_nvnec", "libx265", "h264_videotoolbox"])
def test_a_name_that_cannot_be_used_here_is_refused(name):
    with pytest.raises(InputUnusable, match=r"encode\.encoder"):
        encoders(Hardware(), encoder=name)


def test_what_this_machine_has_is_found_out_with_a_reason_for_each_that_does_not_work():
    chosen = Encoders()

    assert chosen.name in known_encoders(host.system().lower())
    if chosen.name == "libx264":
        assert all(name in chosen.reason for name in candidates("h264", "linux"))


def test_a_finding_is_remembered_and_not_probed_again(tmp_path):
    for _ in range(2):
        hardware = Hardware("h264_qsv")
        chosen = encoders(hardware, memory=ProbeMemory(tmp_path / "encoders.json", machine="one"))
        assert chosen.name == "h264_qsv"

    assert hardware.opened == []


@pytest.mark.parametrize(("machine", "later_ms"), [("two", 0), ("one", MAX_AGE_MS + 1), ("one", -1)])
def test_another_driver_or_age_makes_it_forgotten(tmp_path, machine, later_ms):
    path = tmp_path / "encoders.json"
    encoders(Hardware("h264_qsv"), memory=ProbeMemory(path, machine="one"), now_unix_ms=lambda: 10**12)
    hardware = Hardware("h264_nvenc")

    chosen = encoders(
        hardware, memory=ProbeMemory(path, machine=machine), now_unix_ms=lambda: 10**12 + later_ms
    )

    assert (chosen.name, hardware.opened) == ("h264_nvenc", ["h264_nvenc"])


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"machine": 3}', b"\xff"])
def test_a_broken_file_is_an_empty_one(tmp_path, content):
    path = tmp_path / "encoders.json"
    path.write_bytes(content)

    memory = ProbeMemory(path, machine="one")
    memory.put("h264_qsv", Finding(at_unix_ms=5))

    assert ProbeMemory(path, machine="one").find("h264_qsv", now_unix_ms=6) == Finding(at_unix_ms=5)


def test_a_probe_that_takes_the_process_down_is_not_repeated_at_the_next_start(tmp_path):
    path = tmp_path / "encoders.json"

    class Crash(BaseException):
        """The process ends: nothing after it runs."""

    def crash(*, encoder, **_settings):
        if encoder == "h264_nvenc":
            (tmp_path / "as_it_was.json").write_bytes(path.read_bytes())
            raise Crash
        raise EncoderUnavailable("no such card")

    with pytest.raises(Crash):
        encoders(crash, memory=ProbeMemory(path, machine="one"))
    hardware = Hardware("h264_nvenc", "h264_qsv")
    chosen = encoders(hardware, memory=ProbeMemory(tmp_path / "as_it_was.json", machine="one"))

    assert (chosen.name, "h264_nvenc" in hardware.opened) == ("h264_qsv", False)


def test_an_interrupted_probe_says_nothing_of_the_encoder(tmp_path):
    path = tmp_path / "encoders.json"

    def interrupt(**_settings):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encoders(interrupt, memory=ProbeMemory(path, machine="one"))

    assert ProbeMemory(path, machine="one").find("h264_nvenc", now_unix_ms=2**50) is None


@pytest.mark.logs("encoder_given_up")
def test_a_remembered_encoder_that_no_longer_opens_gives_way_to_x264_and_is_forgotten(tmp_path):
    path = tmp_path / "encoders.json"
    encoders(Hardware("h264_qsv"), memory=ProbeMemory(path, machine="one"))
    hardware = Hardware()
    chosen = encoders(hardware, memory=ProbeMemory(path, machine="one"))

    opened = chosen.open(SHAPE, rate_bps=0)

    assert (opened.track.encoder, chosen.name) == ("libx264", "libx264")
    assert chosen.reason == "cannot open h264_qsv: no such card; libx264 instead"
    assert ProbeMemory(path, machine="one").find("h264_qsv", now_unix_ms=2**50) is None


def test_an_x264_that_does_not_open_is_the_end():
    def nothing(**_settings):
        raise EncoderUnavailable("no memory")

    with pytest.raises(EncoderUnavailable, match="no memory"):
        encoders(nothing, encoder="libx264").open(SHAPE, rate_bps=0)


def test_x264_passes_its_probe():
    probe_encoder("libx264")


def test_an_encoder_that_is_not_there_says_which():
    with pytest.raises(EncoderUnavailable, match="h264_of_mars"):
        probe_encoder("h264_of_mars")


class Faulty(VideoEncoder):
    """x264 with one fault of a driver's."""

    fault = ""

    def __init__(self, *, encoder: str, **settings) -> None:
        super().__init__(encoder="libx264", **settings)
        if self.fault == "no header":
            object.__setattr__(self.track, "extradata", b"")

    def force_key_frame(self):
        if self.fault != "deaf":
            super().force_key_frame()

    def encode(self, picture, time_ns):
        packets = super().encode(picture, time_ns)
        return [] if self.fault == "swallows" and time_ns else packets

    def flush(self):
        return [] if self.fault == "swallows" else super().flush()


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ("no header", "gives no codec header"),
        ("deaf", r"made pictures \[0\] key frames, not 0 and 2"),
        ("swallows", "gave 1 packets for 4 pictures"),
    ],
)
def test_an_encoder_that_opens_but_cannot_be_recorded_with_is_refused(fault, complaint):
    opener = type("Opener", (Faulty,), {"fault": fault})

    with pytest.raises(EncoderUnavailable, match=f"h264_nvenc {complaint}"):
        probe_encoder("h264_nvenc", open_encoder=opener)


def test_facts_of_a_machine_are_the_same_when_asked_again():
    assert machine_facts() == machine_facts()


@pytest.mark.parametrize("name", [*known_encoders("win32"), *known_encoders("darwin")])
def test_every_encoder_is_told_one_rate_no_b_frames_and_a_header(name):
    options = dict(encoder_options(name, frame_rate=30, rate_bps=8_000_000))

    assert options["b"] == options["maxrate"] == options["bufsize"] == "8000000"
    assert (options["bf"], options["flags"]) == ("0", "+global_header")
