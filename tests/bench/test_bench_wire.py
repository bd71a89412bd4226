"""The load client of `bench ingest` speaks as the real agent does: each piece of it against somebody else's code."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import hpack
import pytest
from websockets.frames import Opcode
from websockets.server import ServerProtocol

from coordinator.ops.certificates import load_certificates
from protos.clippy.v1 import link_pb2, link_pb2_grpc, media_pb2
from protos.segment import check_chunk
from tests.bench import link_messages
from tests.bench.grpc_call import GrpcCall
from tests.bench.swarm import Swarm
from tests.bench.swarm_parts import Rhythm, client_context
from tests.bench.websocket_call import WebSocketCall

SESSION = "0123456789abcdef0123456789abcdef"
PATH = "/clippy.v1.Link/Connect"
PAYLOAD = random.Random(1).randbytes(40_000)
DATA, HEADERS, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 4, 6, 8
END_STREAM, END_HEADERS = 1, 4


def grpc_call(token: str = "secret") -> GrpcCall:
    return GrpcCall(authority="localhost:1", path=PATH, token=token)


def frame(kind: int, flags: int, stream: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + body


def grpc_message(body: bytes) -> bytes:
    return b"\0" + len(body).to_bytes(4, "big") + body


def take(call: GrpcCall, *, after_preface: bool = False) -> list[tuple[int, int, int, bytes]]:
    """What the call wants written, as frames: (kind, flags, stream, body)."""
    data = bytes(call.outgoing)
    call.outgoing.clear()
    if after_preface:
        data = data.removeprefix(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    frames = []
    while data:
        end = 9 + int.from_bytes(data[:3], "big")
        frames.append((data[3], data[4], int.from_bytes(data[5:9], "big"), data[9:end]))
        data = data[end:]
    return frames


# ---- messages


@pytest.mark.parametrize("seq", [0, 1, 127, 128, 2**40])
def test_a_chunk_put_together_by_hand_is_the_one_that_the_generated_class_reads(seq: int) -> None:
    maker = link_messages.ChunkMaker(PAYLOAD)

    head = maker.head(link_messages.session_part(SESSION), seq, seq * 10, seq * 10 + 10)

    message = link_pb2.AgentMessage.FromString(head + PAYLOAD)
    check_chunk(message.chunk)
    rebuilt = media_pb2.Chunk(
        session_id=SESSION,
        lane=media_pb2.LANE_MIC,
        seq=seq,
        start_ns=seq * 10,
        end_ns=seq * 10 + 10,
        content_type=message.chunk.content_type,
        sha256=message.chunk.sha256,
        payload=PAYLOAD,
    )
    assert message == link_pb2.AgentMessage(chunk=rebuilt)


# ---- gRPC


@pytest.mark.parametrize("num_characters", [6, 110, 119, 120, 700])
def test_request_headers_are_what_hpack_reads(num_characters: int) -> None:
    call = grpc_call("x" * num_characters)

    settings, headers = take(call, after_preface=True)

    assert settings == (SETTINGS, 0, 0, b"")
    assert headers[:3] == (HEADERS, END_HEADERS, 1)
    fields = dict(hpack.Decoder().decode(headers[3]))
    assert (fields[":method"], fields[":scheme"]) == ("POST", "https")
    assert (fields[":path"], fields["te"], fields["content-type"]) == (PATH, "trailers", "application/grpc")
    assert fields["authorization"] == "Bearer " + "x" * num_characters


@pytest.mark.parametrize("window", [1, 1000, 65_535, 100_000])
@pytest.mark.parametrize("max_frame", [16_384, 1_000_000])
def test_no_more_is_sent_than_the_peers_windows_and_frames_admit(window: int, max_frame: int) -> None:
    call = grpc_call()
    take(call, after_preface=True)
    settings = ((4, window), (5, max_frame))
    body = b"".join(name.to_bytes(2, "big") + value.to_bytes(4, "big") for name, value in settings)
    call.receive(frame(SETTINGS, 0, 0, body))
    messages = [(b"head-%d" % number, PAYLOAD) for number in range(3)]

    for head, payload in messages:
        call.send(head, payload)
    sent, room, room_of_all = b"", window, 65_535
    for _ in range(200_000 // min(window, 10_000) + 50):
        for kind, _, _, part in take(call):
            if kind == DATA:
                assert len(part) <= max_frame
                sent += part
        assert len(sent) <= min(room, room_of_all)
        room, room_of_all = room + 10_000, room_of_all + 20_000
        for stream, grant in ((1, 10_000), (0, 20_000)):
            call.receive(frame(WINDOW_UPDATE, 0, stream, grant.to_bytes(4, "big")))

    assert sent == b"".join(grpc_message(head + payload) for head, payload in messages)


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_messages_are_put_together_again_however_they_arrive(step: int) -> None:
    call = grpc_call()
    take(call, after_preface=True)
    bodies = [b"first", b"", b"x" * 300]
    stream = b"".join(grpc_message(body) for body in bodies)
    wire = frame(PING, 0, 0, b"12345678") + frame(DATA, 0, 1, stream[:9]) + frame(DATA, 0, 1, stream[9:])

    found = [message for at in range(0, len(wire), step) for message in call.receive(wire[at : at + step])]

    assert found == bodies
    assert take(call) == [(PING, 1, 0, b"12345678")]
    assert call.ended is None


def test_what_was_read_is_granted_anew_to_stream_and_connection() -> None:
    call = grpc_call()
    take(call, after_preface=True)

    for _ in range(8):
        call.receive(frame(DATA, 0, 1, grpc_message(b"x" * 10_000)))

    granted = {0: 0, 1: 0}
    for kind, _, stream, body in take(call):
        assert kind == WINDOW_UPDATE
        granted[stream] += int.from_bytes(body, "big")
    assert granted[0] == granted[1] > 80_000 - 32_768


def test_trailers_that_use_the_table_of_earlier_headers_say_why_the_call_ended() -> None:
    call = grpc_call()
    encoder = hpack.Encoder()
    first = encoder.encode([(":status", "200"), ("content-type", "application/grpc"), ("x-note", "first")])
    last = encoder.encode(
        [("x-note", "first"), ("grpc-status", "16"), ("grpc-message", "no valid token%3B pair")]
    )

    call.receive(frame(HEADERS, END_HEADERS, 1, first))
    call.receive(frame(HEADERS, END_HEADERS | END_STREAM, 1, last))

    assert call.ended == "UNAUTHENTICATED: no valid token; pair"


# ---- WebSocket


def test_a_websocket_client_is_understood_by_the_websockets_library() -> None:
    call = WebSocketCall(authority="localhost:1", path="/", token="secret")
    server = ServerProtocol()
    call.send(b"hello")
    server.receive_data(bytes(call.outgoing))
    call.outgoing.clear()
    (request,) = server.events_received()
    server.send_response(server.accept(request))
    server.send_ping(b"there?")
    server.send_binary(b"w" * 70_000)
    answer = b"".join(server.data_to_send())

    found = [message for at in range(0, len(answer), 999) for message in call.receive(answer[at : at + 999])]
    call.send(b"odd", PAYLOAD)
    call.send(b"even", PAYLOAD)
    server.receive_data(bytes(call.outgoing))

    assert request.headers["Authorization"] == "Bearer secret"
    assert found == [b"w" * 70_000]
    frames = [(one.opcode, one.data) for one in server.events_received()]
    assert sorted(frames, key=lambda one: one[0]) == [
        (Opcode.BINARY, b"hello"),
        (Opcode.BINARY, b"odd" + PAYLOAD),
        (Opcode.BINARY, b"even" + PAYLOAD),
        (Opcode.PONG, b"there?"),
    ]


def test_a_websocket_that_is_refused_or_closed_says_why() -> None:
    refused = WebSocketCall(authority="localhost:1", path="/", token="wrong")
    refused.receive(b"HTTP/1.1 403 Forbidden\r\n\r\n")

    assert refused.ended == "refused: HTTP/1.1 403 Forbidden"


# ---- the loop


def test_turns_are_spread_evenly_and_none_is_left_out_after_a_pause() -> None:
    rhythm = Rhythm(4, 2.0, 100.0)

    assert list(rhythm.turns(99.9)) == []
    assert list(rhythm.turns(100.6)) == [(0, 100.0), (1, 100.5)]
    assert list(rhythm.turns(102.1)) == [(2, 101.0), (3, 101.5), (0, 102.0)]


class Coordinator(link_pb2_grpc.LinkServicer):
    """Puts every agent off once, with a chunk under way: of some it says at the next Welcome that it holds it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.seen: dict[str, list[int]] = {}

    def Connect(  # noqa: N802  gRPC's name
        self, request_iterator: Iterator[link_pb2.AgentMessage], context: grpc.ServicerContext
    ) -> Iterator[link_pb2.CoordinatorMessage]:
        hello = next(request_iterator).hello
        session_id = hello.sessions[0].session_id
        with self.lock:
            is_first = session_id not in self.seen
            seen = self.seen.setdefault(session_id, [])
        holds = not is_first and int(hello.agent_id.removeprefix("bench-")) % 2 == 0
        yield link_pb2.CoordinatorMessage(
            welcome=link_pb2.Welcome(held=[held(session_id, 0)] if holds else [])
        )
        for message in request_iterator:
            if message.WhichOneof("kind") != "chunk":
                continue
            check_chunk(message.chunk)
            seen.append(message.chunk.seq)
            if is_first:
                yield link_pb2.CoordinatorMessage(retry_later=link_pb2.RetryLater(reason="once"))
                return
            yield link_pb2.CoordinatorMessage(ack=link_pb2.Ack(held=[held(session_id, message.chunk.seq)]))


def held(session_id: str, seq: int) -> media_pb2.LaneRanges:
    span = media_pb2.SeqRange(first=seq, last=seq)
    return media_pb2.LaneRanges(session_id=session_id, lane=media_pb2.LANE_MIC, fsynced=[span])


@pytest.mark.timeout(60)
def test_agents_that_are_put_off_come_back_and_send_again_what_is_not_held(tmp_path: Path) -> None:
    certificates = load_certificates(tmp_path)
    coordinator = Coordinator()
    server = grpc.server(ThreadPoolExecutor(12))
    link_pb2_grpc.add_LinkServicer_to_server(coordinator, server)
    pair = (certificates.key, certificates.chain)
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    server.start()
    swarm = Swarm(
        ("127.0.0.1", port),
        client_context(str(certificates.ca_path), "h2"),
        ["secret"] * 4,
        new_call=lambda token: GrpcCall(authority=f"localhost:{port}", path=PATH, token=token),
        chunks=link_messages.ChunkMaker(PAYLOAD),
    )
    try:
        swarm.connect_all()
        assert swarm.run_until(lambda: swarm.are_all_streaming, timeout_s=20)
        swarm.start_chunks(period_s=0.1)
        swarm.run_until(lambda: swarm.counts.chunks_acked >= 20, timeout_s=20)
        swarm.stop_chunks()
        assert swarm.run_until(lambda: swarm.num_unacked == 0 and swarm.are_all_streaming, timeout_s=20)
    finally:
        swarm.close()
        server.stop(0).wait(10)

    counts = swarm.counts
    assert dict(counts.ends) == {"RetryLater: once": 4}
    assert (counts.chunks_acked, counts.acked_twice, counts.chunks_refused) == (counts.chunks_made, 0, 0)
    assert len(swarm.acked_ms) == counts.chunks_made
    for agent in swarm.agents:
        seen = coordinator.seen[agent.session_id]
        assert sorted(set(seen)) == list(range(agent.next_seq))
        assert seen.count(0) == (1 if agent.index % 2 == 0 else 2)
