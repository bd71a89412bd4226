"""Bench `ingest --part faults`: what is acknowledged is stored, once, whatever dies, lies or fills up meanwhile.

Three nodes on one embedded PostgreSQL, each with a spool of its own; agents with their real outboxes in processes of
their own, through a network that fails. n1 and n2 are killed all the time; n3 is left alone until it is drained under
load; then n1 is killed for good and its spool deleted. At the end everybody finishes, and every byte is compared.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import signal
import time
from collections.abc import Callable, Sequence

from tests.bench.ingest_faults_check import Verdict, check
from tests.bench.ingest_faults_harm import Harm
from tests.bench.ingest_faults_proxy import Proxy
from tests.bench.ingest_faults_silent import measure_silent
from tests.bench.ingest_faults_site import Agents, Key, Node, Site
from tests.bench.ingest_faults_twins import Twins
from tests.bench.measure import CannotMeasure, Result, quiet_log, say

FIGURES = (
    *("kills", "acked", "missing", "corrupt", "duplicated", "refused_wrong_hash", "torn_bytes_cut"),
    *("silent_dropped_s", "drain_s", "drain_lost", "node_lost_acked_missing"),
)
_CHAOS_S = 420.0
_KILLS = 108
_FINISH_S = 90.0
_SEED = 41


def run_faults(result: Result, scale: float = 1.0) -> None:
    """Measure; `scale` shortens it. Takes under 10 minutes at 1.

    Raises:
        CannotMeasure: The database or a node does not start.
    """
    with result.promising(*FIGURES), quiet_log():
        asyncio.run(_run(result, scale))


class _Run:
    """One run's parts. Owned by the loop."""

    def __init__(self, site: Site, scale: float) -> None:
        self.site = site
        self.scale = scale
        self.nodes = {name: Node(site, name) for name in ("n1", "n2", "n3")}
        self.rough = Proxy(lambda: self._route("n1", "n2"), seed=_SEED)
        self.calm = Proxy(lambda: self._route("n3", "n1", "n2"), seed=_SEED)
        self.dice = random.Random(_SEED)
        num_agents = max(4, min(20, round(80 * scale)))
        self.agents = [
            Agents(site, first=number, period_s=1.0, port=lambda: self.rough.port)
            for number in range(num_agents)
        ]
        per_process = max(3, min(50, round(200 * scale)))
        self.num_crowd = 4 * per_process
        self.crowd = [
            Agents(
                site, first=1000 + 100 * number, count=per_process, period_s=6.0, port=lambda: self.calm.port
            )
            for number in range(4)
        ]
        self.twins = Twins(site.folder, lambda: self.rough.port, site.promises, seed=_SEED)
        self.harm = Harm(site, [self.nodes["n1"], self.nodes["n2"]], self.agents, seed=_SEED)
        # What n1 died with, and how much had been taken back from agents before.
        self.lost = (0, 0)
        self._tasks: list[asyncio.Task[None]] = []

    def background(self, work: object) -> asyncio.Task[None]:
        """A task that ends with the run."""
        task: asyncio.Task[None] = asyncio.create_task(work)  # type: ignore[arg-type]
        self._tasks.append(task)
        return task

    async def start(self) -> None:
        """Database, nodes, proxies, agents; not yet the crowd."""
        self.harm.is_disk_small = await asyncio.to_thread(self.site.mount_small_disk, "n2")
        await asyncio.gather(*(node.start() for node in self.nodes.values()))
        await asyncio.gather(*(node.up() for node in self.nodes.values()))
        await asyncio.gather(self.rough.start(), self.calm.start())
        for node in self.nodes.values():
            self.background(self._watch(node))
        await wait_for(lambda: all(node.is_serving for node in self.nodes.values()), 20, "all nodes serve")
        for agent in self.agents:
            await agent.start()

    async def stop(self) -> None:
        """End everything that is ours."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(self.rough.stop(), self.calm.stop())
        for child in (*self.agents, *self.crowd, *self.site.left_behind, *self.nodes.values()):
            await child.kill()

    def _route(self, *names: str) -> Sequence[tuple[str, int]]:
        nodes = [self.nodes[name] for name in names if self.nodes[name].is_serving]
        if names[0] != "n3":
            self.dice.shuffle(nodes)
        return [(node.name, node.port) for node in nodes]

    async def _watch(self, node: Node) -> None:
        """As a balancer does: ask, and send nobody to a node that does not say it serves."""
        while True:
            node.is_serving = node.is_up and await self.site.ask_health(node)
            await asyncio.sleep(0.3)


async def wait_for(is_true: Callable[[], bool], within_s: float, what: str) -> float:
    """Poll; returns how long it took.

    Raises:
        CannotMeasure: Not within the time.
    """
    began_s = time.monotonic()
    while not is_true():
        if time.monotonic() - began_s > within_s:
            raise CannotMeasure(f"{what}: not within {within_s:.0f} s")
        await asyncio.sleep(0.05)
    return time.monotonic() - began_s


async def _run(result: Result, scale: float) -> None:
    site = Site()
    run = _Run(site, scale)
    try:
        say("faults: starting the database, three nodes and the agents")
        await site.open()
        await run.start()
        await _chaos(run, result)
        await _drain(run, result)
        lost = await _lose_node(run, result)
        await _finish(run, result)
        verdict = await check(site, site.promises.put | site.promises.acked)
        _report(run, result, verdict, lost)
    finally:
        await run.stop()
        await site.close()


async def _chaos(run: _Run, result: Result) -> None:
    """Kills, network, torn tails, full disk, clocks, twins, and meanwhile a silent client of the node left alone."""
    chaos_s = max(5.0, _CHAOS_S * run.scale)
    num_kills = max(3, round(_KILLS * run.scale))
    say(f"faults: {num_kills} kills in {chaos_s:.0f} s")
    run.background(run.twins.run())
    silent = run.background(_silent(run, result))
    storms = [
        asyncio.create_task(work)
        for work in (
            run.rough.weather(1.0 if run.scale > 0.1 else 0.4),
            run.harm.full_disks(chaos_s),
            run.harm.jump_clocks(),
        )
    ]
    crowd_at_s = time.monotonic() + chaos_s * 0.85
    try:
        killing = asyncio.create_task(run.harm.kill(num_kills, chaos_s))
        await silent
        await asyncio.sleep(max(0.0, crowd_at_s - time.monotonic()))
        for agents in run.crowd:
            await agents.start()
        await killing
    finally:
        for storm in storms:
            storm.cancel()
        await asyncio.gather(*storms, return_exceptions=True)
        run.harm.calm()
    await run.harm.all_up()
    result.figures["kills"] = run.harm.num_kills


async def _silent(run: _Run, result: Result) -> None:
    if run.scale >= 0.1:
        await measure_silent(result, run.site, run.nodes["n3"], is_long=run.scale >= 0.5)
    else:
        result.notes.append("silent_dropped_s: not measured: it takes half a minute")


async def _drain(run: _Run, result: Result) -> None:
    """SIGTERM to a node with all of the crowd on it."""
    node = run.nodes["n3"]
    await wait_for(
        lambda: _num_connected(run) == run.num_crowd == node.num_streams, 90, f"{run.num_crowd} streams on n3"
    )
    say(f"faults: draining a node with {node.num_streams} streams")
    began_s = time.monotonic()
    node.signal(signal.SIGTERM)
    leaving = asyncio.create_task(node.wait())
    with contextlib.suppress(CannotMeasure):
        await wait_for(lambda: _num_elsewhere(run) == run.num_crowd, 60, "all agents elsewhere")
        result.figures["drain_s"] = round(time.monotonic() - began_s, 1)
    code = await asyncio.wait_for(leaving, 60)
    result.notes.append(
        f"drain: {run.num_crowd} streams, exit status {code}, {_num_elsewhere(run)} of them elsewhere"
    )
    if code != 0:
        result.figures["drain_s"] = None
        result.notes.append("drain_s: not measured: the drained node did not end with exit status 0")
    # What it still had in its spool it moves when it is back, as after an update.
    await node.start()
    await node.up()


def _num_connected(run: _Run) -> int:
    return sum(agents.num_connected for agents in run.crowd)


def _num_elsewhere(run: _Run) -> int:
    """How many of the crowd have a stream that another node has welcomed."""
    lines = [connection.node for connection in run.calm.connections]
    return 0 if "n3" in lines else min(len(lines), _num_connected(run))


async def _lose_node(run: _Run, result: Result) -> set[Key]:
    """Kill n1 for good and delete its spool; returns what had been acknowledged by then."""
    node = run.nodes["n1"]
    site = run.site
    await asyncio.sleep(max(1.0, 5.0 * run.scale))
    site_before = set(site.promises.acked)
    assert site.pool is not None
    again_before = site.promises.counts["again"]
    await node.kill()
    node.is_serving = False
    num_lost = await site.pool.fetchval("select count(*) from chunks where place like 'spool:n1/%'")
    await asyncio.to_thread(shutil.rmtree, node.spool)
    say(f"faults: n1 is gone with its spool, and with it {num_lost} chunks")
    # The registry counts it as gone after 15 s; agents on other nodes are then asked to connect again.
    await asyncio.sleep(max(2.0, 20.0 * run.scale))
    run.lost = (num_lost, again_before)
    return site_before


async def _finish(run: _Run, result: Result) -> None:
    """Everybody ends its session and uploads what is left."""
    say("faults: waiting for all agents to finish")
    for agents in run.site.left_behind:
        agents.port = lambda: run.calm.port
        await agents.start()
    everybody = [*run.agents, *run.crowd, *run.site.left_behind]
    run.twins.finish()
    for agents in everybody:
        agents.finish()
    try:
        took_s = await wait_for(
            lambda: all(agents.is_finished for agents in everybody) and not run.twins.num_kept,
            _FINISH_S,
            "all agents are done",
        )
        result.notes.append(f"all agents were done {took_s:.0f} s after they were asked to")
    except CannotMeasure:
        late = [agents.name for agents in everybody if not agents.is_finished]
        result.notes.append(
            f"not done after {_FINISH_S:.0f} s: {', '.join(late)}; twins keep {run.twins.num_kept}"
        )


def _report(run: _Run, result: Result, verdict: Verdict, acked_before_loss: set[Key]) -> None:
    promises = run.site.promises
    bad = {*verdict.missing, *verdict.corrupt}
    nodes = list(run.nodes.values())
    crowd_sessions = {key[0] for key in promises.put} & _sessions_of(run.crowd)
    result.figures |= {
        "acked": len(promises.acked),
        "missing": len(verdict.missing) + len(verdict.jobs_missing),
        "corrupt": len(verdict.corrupt),
        "duplicated": len(verdict.duplicated),
        "refused_wrong_hash": run.twins.refused_wrong_hash,
        "torn_bytes_cut": sum(node.torn_bytes for node in nodes),
        "drain_lost": sum(key[0] in crowd_sessions for key in bad),
        "node_lost_acked_missing": len(bad & acked_before_loss),
    }
    num_lost, again_before = run.lost
    result.notes += [
        f"n1 died with {num_lost} chunks that were in no store; "
        f"{promises.counts['again'] - again_before} were found to be held no more and sent again",
        f"{len(promises.put)} chunks were promised by a disk, {verdict.num_rows} rows; "
        f"kills: {dict(run.harm.kills)}; network: {dict(run.rough.faults)}; others: {dict(run.harm.others)}",
        f"{run.twins.num_sent_twice} chunks sent twice and out of order; forgeries accepted: "
        f"{run.twins.accepted_wrong_hash}; right ones refused: "
        f"{run.twins.refused_right + promises.counts['refused']}",
        f"torn tails: {run.harm.planted_bytes} bytes planted, {run.harm.cut_bytes} cut away; rows added again at a "
        f"start: {sum(node.readded for node in nodes)}, lost: {sum(node.lost_rows for node in nodes)}",
        f"objects that nothing uses: {verdict.num_unused_objects}; chunks still in a spool: {verdict.num_spooled}",
    ]
    if not run.harm.is_disk_small:
        result.notes.append("no disk was filled: a small one (tmpfs) can be mounted by root only")
    for name in ("missing", "corrupt", "duplicated", "jobs_missing", "gaps"):
        if found := getattr(verdict, name):
            result.notes.append(f"{name}: {found[:5]}")


def _sessions_of(crowd: Sequence[Agents]) -> set[str]:
    return {session_id for agents in crowd for session_id in agents.sessions}
