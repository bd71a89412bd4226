"""Bench `ingest`, part `herd`: 10,000 agents that connect at once, and that all lose their server at once."""

from __future__ import annotations

import contextlib
import time

from tests.bench.ingest_load import PAYLOAD_BYTES, new_swarm, plan_of
from tests.bench.ingest_site import Server, Site, is_answering, open_site, raise_open_files
from tests.bench.measure import CannotMeasure, Result, last_words, quiet_log, say
from tests.bench.swarm import Swarm
from tests.bench.swarm_parts import collector_at_rest

_FIGURES = (
    *(
        "herd_streams",
        "herd_s",
        "herd_retries",
        "herd_restart_s",
        "herd_kill_restart_s",
        "herd_term_restart_s",
    ),
    *("herd_unacked", "herd_refused"),
)
# Beyond it an agent counts as refused for good.
_PATIENCE_S = 120.0
# Longer than 5 s: by then a stream counts as one that worked, and its agent's waits begin from the shortest.
_STAND_S = 7.0
_STOP_S = 60.0
_PROBE_S = 0.05


def run_herd(result: Result, scale: float) -> None:
    """All connect at once; the server is killed and started again, then stopped and started again."""
    plan = plan_of(scale)
    needed_bytes = round(PAYLOAD_BYTES * plan.num_streams / plan.period_s * 3 * _PATIENCE_S)
    with result.promising(*_FIGURES), quiet_log():
        raise_open_files(plan.num_streams)
        with open_site(needed_bytes=needed_bytes) as site, contextlib.ExitStack() as stack:
            first = stack.enter_context(site.serving())
            first.wait_ready()
            num_processes = first.wait_settled()
            swarm = new_swarm(site, plan.num_streams, kind="grpc")
            stack.callback(swarm.close)
            stack.enter_context(collector_at_rest())
            say(f"ingest herd: {plan.num_streams} connect at once to {num_processes} process(es)")
            Herd(result, site, stack, swarm).run(first, plan.period_s)


class Herd:
    """The three herds, one after the other."""

    def __init__(self, result: Result, site: Site, stack: contextlib.ExitStack, swarm: Swarm) -> None:
        self._result, self._site, self._stack, self._swarm = result, site, stack, swarm
        self._figures = result.figures
        self._figures["herd_streams"] = len(swarm.agents)
        # Before the server went; None while all connect for the first time.
        self._num_ends: int | None = None

    def run(self, server: Server, period_s: float) -> None:
        """All three; the chunks begin after the first."""
        swarm = self._swarm
        began_s = time.monotonic()
        swarm.connect_all()
        self._await_all("connected at once")
        self._figures["herd_s"] = round(time.monotonic() - began_s, 2)
        self._figures["herd_retries"] = swarm.counts.num_ends
        self._tell("connected at once")
        swarm.start_chunks(period_s=period_s)
        self._stand()

        say("ingest herd: kill -9, and start again")
        self._num_ends, began_s = swarm.counts.num_ends, time.monotonic()
        server.kill()
        server, restart_s = self._start_again("serve-2", began_s)
        self._figures["herd_kill_restart_s"] = restart_s
        self._tell("kill -9")
        self._stand()

        say("ingest herd: SIGTERM, and start again")
        self._num_ends, began_s = swarm.counts.num_ends, time.monotonic()
        server.child.terminate()
        if not swarm.run_until(lambda: server.child.poll() is not None, timeout_s=_STOP_S):
            raise CannotMeasure(f"the server did not end within {_STOP_S:.0f} s of SIGTERM")
        self._result.notes.append(
            f"SIGTERM under load: exit code {server.child.returncode} after {time.monotonic() - began_s:.1f} s"
        )
        server, restart_s = self._start_again("serve-3", began_s)
        self._figures["herd_term_restart_s"] = restart_s
        self._tell("SIGTERM")
        self._figures["herd_restart_s"] = max(restart_s, self._figures["herd_kill_restart_s"] or 0.0)

        swarm.stop_chunks()
        swarm.run_until(lambda: swarm.num_unacked == 0, timeout_s=_PATIENCE_S)
        self._figures["herd_unacked"] = swarm.num_unacked
        self._figures["herd_refused"] = swarm.counts.chunks_refused
        rows = self._site.fetch("select count(*) as num from chunks")[0]["num"]
        self._result.notes.append(
            f"{swarm.counts.chunks_acked} chunks acknowledged through both restarts, {rows} rows, "
            f"{swarm.counts.chunks_resent} sent again, {swarm.counts.acked_twice} acknowledged twice"
        )

    def _start_again(self, name: str, began_s: float) -> tuple[Server, float]:
        """The next server, and how long after its port answered all were streaming."""
        server = self._stack.enter_context(self._site.serving(name))
        probed_s = 0.0

        def answers() -> bool:
            nonlocal probed_s
            if (now_s := time.monotonic()) - probed_s < _PROBE_S:
                return False
            probed_s = now_s
            if server.child.poll() is not None:
                raise CannotMeasure(f"the server ended ({server.child.returncode}): {last_words(server.log)}")
            return is_answering(server.port)

        if not self._swarm.run_until(answers, timeout_s=_STOP_S):
            raise CannotMeasure(f"the server's port does not answer {_STOP_S:.0f} s after its start")
        ready_s = time.monotonic()
        self._await_all("came back")
        now_s = time.monotonic()
        self._result.notes.append(
            f"{name}: {ready_s - began_s:.1f} s from the signal until the port answered, "
            f"{now_s - ready_s:.1f} s until all were streaming"
        )
        return server, round(now_s - ready_s, 2)

    def _await_all(self, what: str) -> None:
        swarm = self._swarm
        # That its server is gone reaches an agent a moment later: until then its stream only seems to stand.
        num_ends = 0 if self._num_ends is None else self._num_ends + len(swarm.agents)
        if not swarm.run_until(
            lambda: swarm.are_all_streaming and swarm.counts.num_ends >= num_ends, timeout_s=_PATIENCE_S
        ):
            self._tell(what)
            raise CannotMeasure(
                f"only {swarm.counts.num_streaming} of {len(swarm.agents)} {what} within {_PATIENCE_S:.0f} s"
            )

    def _stand(self) -> None:
        self._swarm.run_until(lambda: False, timeout_s=_STAND_S)

    def _tell(self, what: str) -> None:
        """Why streams ended since the last time."""
        ends = self._swarm.counts.ends
        if ends:
            self._result.notes.append(
                f"{what}: {', '.join(f'{num} x {why}' for why, num in ends.most_common(8))}"
            )
        ends.clear()
