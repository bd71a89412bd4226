"""How soon a client is dropped that says nothing any more: one whose process is stopped, and one whose network swallows
everything both ways without a word. Beside them, for the notes, a TCP peer that never begins.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time

from tests.bench.ingest_faults_proxy import Proxy
from tests.bench.ingest_faults_site import Agents, Node, Site
from tests.bench.measure import Result, say, spread

_PATIENCE_S = 45.0
_MUTE_S = 130.0


async def measure_silent(result: Result, site: Site, node: Node, *, is_long: bool) -> None:
    """Fill in `silent_dropped_s`, the slower of the two. The node must have no other client meanwhile.

    Args:
        is_long: also wait for the peer that never begins, which gRPC may keep for two minutes.
    """
    is_open = True
    proxy = Proxy(lambda: [(node.name, node.port)] if is_open else [], seed=0)
    await proxy.start()
    clients = [
        Agents(site, first=number, period_s=period_s, port=lambda: proxy.port)
        # A busy one, and one that has nothing to send but its heartbeats.
        for number, period_s in ((900, 0.5), (901, 3600.0))
    ]
    site.left_behind += clients
    try:
        mute = asyncio.create_task(_mute(node.port)) if is_long else None
        await clients[0].start()
        if not await _streams(node, 1):
            result.notes.append("silent_dropped_s: the client did not connect")
            return
        (first,) = proxy.connections
        await clients[1].start()
        await _streams(node, 2)
        await asyncio.sleep(2.0)
        # Who notices that the line is dead finds no other one: what ends is ended by the node.
        is_open = False
        say("faults: one client is stopped, the network of another swallows everything")
        first.stall()
        clients[1].signal(signal.SIGSTOP)
        times = await asyncio.gather(_fallen(node, 1), _fallen(node, 0))
        if mute is not None:
            took_s = await mute
            result.notes.append(
                "a peer that connects and says nothing, not even TLS's first word, is dropped after "
                + (f"over {_MUTE_S:.0f} s" if took_s is None else f"{took_s} s")
            )
    finally:
        for agents in clients:
            await agents.kill()
        await proxy.stop()
    known = [took_s for took_s in times if took_s is not None]
    result.notes.append(f"silent clients were dropped after {spread(known, 1)} s")
    if len(known) == len(times):
        result.figures["silent_dropped_s"] = max(known)
    else:
        result.notes.append(f"silent_dropped_s: not measured: one was still there after {_PATIENCE_S:.0f} s")


async def _streams(node: Node, wanted: int) -> bool:
    ends_s = time.monotonic() + _PATIENCE_S
    while node.num_streams != wanted:
        if time.monotonic() > ends_s:
            return False
        await asyncio.sleep(0.05)
    return True


async def _fallen(node: Node, left: int) -> float | None:
    began_s = time.monotonic()
    while node.num_streams > left:
        if time.monotonic() - began_s > _PATIENCE_S:
            return None
        await asyncio.sleep(0.05)
    return round(time.monotonic() - began_s, 1)


async def _mute(port: int) -> float | None:
    """Connect and say nothing, not even TLS's first word."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began_s = time.monotonic()
    try:
        async with asyncio.timeout(_MUTE_S):
            with contextlib.suppress(ConnectionError):
                while await reader.read(1024):
                    pass
        return round(time.monotonic() - began_s, 1)
    except TimeoutError:
        return None
    finally:
        writer.transport.abort()
