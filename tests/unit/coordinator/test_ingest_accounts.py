"""What one account may use: rates with bursts, streams, sessions, chunks that wait at the gate, turns at the writer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.ingest.accounts import Account, Accounts, PutOff
from coordinator.ingest.buckets import TokenBucket
from coordinator.ingest.chunk_rows import Outcome
from coordinator.ingest.fair_queue import FairQueue
from coordinator.ingest.gate import MAX_PARKED_BYTES, MAX_STILL_S, ChunkGate, ParkedBytes
from coordinator.model.accounts import Principal, Tier, WaitingWork
from coordinator.policy.admission import burst_bytes, chunk_cost_bytes, is_behind
from coordinator.settings import NO_LIMITS, Limits
from tests.fakes.link_parts import eventually

MIB = 1024**2


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Stream:
    """A stream as accounts see it."""

    def __init__(self) -> None:
        self.is_replaced = False

    def replaced(self) -> None:
        self.is_replaced = True


@pytest.fixture
def clock() -> Clock:
    return Clock()


def account_of(clock: Clock, tier: Tier = "free", limits: Limits | None = None) -> Account:
    principal = Principal(user_id="u", tier=tier)
    return Accounts(Limits() if limits is None else limits, clock=clock).of(principal)


def connected(account: Account, agent_id: str) -> Stream:
    stream = Stream()
    account.connect(stream)
    account.say_hello(stream, agent_id)
    return stream


@given(
    st.lists(st.tuples(st.floats(0, 5), st.floats(0, 300)), min_size=1, max_size=40),
    st.floats(1, 100),
    st.floats(1, 500),
)
def test_whoever_waits_off_each_debt_never_gets_more_than_burst_and_rate(steps, rate_per_s, burst):
    bucket = TokenBucket(rate_per_s=rate_per_s, burst=burst, now_s=0.0)
    now_s = spent = 0.0
    for pause_s, amount in steps:
        now_s += pause_s
        now_s += bucket.spend(amount, now_s)
        spent += amount

    assert spent <= burst + rate_per_s * now_s + 1e-3


def test_a_rate_of_zero_is_no_limit():
    bucket = TokenBucket(rate_per_s=0, burst=0, now_s=0.0)

    assert bucket.spend(1e12, 0.0) == 0
    assert bucket.has(1e12, 0.0)


@pytest.mark.parametrize(
    ("tier", "num_waiting", "num_live", "streams", "expected"),
    [
        ("free", 6, 1, 2, False),
        ("free", 7, 1, 2, True),
        ("free", 7, 0, 2, True),  # no session is live: as much as one may
        ("free", 12, 2, 2, False),
        ("free", 13, 1000, 2, True),  # sessions beyond the streams buy nothing
        ("business", 120, 2, 32, False),
        ("business", 10**6, 1, 0, False),  # no limit of streams
    ],
)
def test_an_account_is_behind_beyond_its_tiers_chunks_for_each_live_session(
    tier, num_waiting, num_live, streams, expected
):
    assert is_behind(tier, num_waiting=num_waiting, num_live=num_live, streams=streams) is expected


def test_a_burst_is_a_minutes_worth_and_at_least_32_mib():
    assert burst_bytes(100_000) == 32 * MIB
    assert burst_bytes(2_000_000) == 120_000_000


def test_tiny_chunks_cost_what_their_rows_cost():
    assert (chunk_cost_bytes(1), chunk_cost_bytes(40_000)) == (8192, 40_000)


def test_one_more_agent_than_the_tier_allows_is_put_off(clock: Clock):
    account = account_of(clock)
    connected(account, "a")
    second = connected(account, "b")

    with pytest.raises(PutOff, match="2 agents of this account") as put_off:
        connected(account, "c")
    account.leave(second)
    connected(account, "c")

    assert put_off.value.delay_ms > 0


def test_an_agent_that_comes_again_replaces_its_own_stream_and_needs_no_room(clock: Clock):
    account = account_of(clock)
    old, other = connected(account, "a"), connected(account, "b")

    new = connected(account, "a")
    account.leave(old)

    assert (old.is_replaced, other.is_replaced, new.is_replaced) == (True, False, False)
    with pytest.raises(PutOff):
        connected(account, "c")


def test_streams_that_never_say_hello_are_bounded(clock: Clock):
    account = account_of(clock)
    streams = [Stream() for _ in range(9)]
    for stream in streams[:8]:
        account.connect(stream)
        clock.now_s += 10

    with pytest.raises(PutOff, match="8 streams of this account have not said Hello"):
        account.connect(streams[8])
    account.leave(streams[0])
    account.connect(streams[8])


def test_connects_are_a_burst_and_then_one_a_second_and_a_flood_leaves_no_debt(clock: Clock):
    account = account_of(clock)
    num_taken = 0
    for _ in range(500):
        try:
            connected(account, "a")
            num_taken += 1
        except PutOff:
            continue
    clock.now_s += 1.0
    connected(account, "a")

    assert num_taken == 8


def test_new_sessions_of_a_day_are_bounded_and_known_ones_are_free(clock: Clock):
    account = account_of(clock)
    first = [f"{index:032x}" for index in range(1000)]
    account.name_sessions(first)

    account.name_sessions(first)
    account.name_sessions(["no session id"] * 5)
    with pytest.raises(PutOff, match="new sessions"):
        account.name_sessions(["f" * 32])
    clock.now_s += 86_400
    account.name_sessions(["f" * 32])


def test_small_messages_beyond_the_burst_slow_their_stream(clock: Clock):
    account = account_of(clock)

    waits = [account.message_wait_s() for _ in range(32)]

    assert waits[:30] == [0.0] * 30
    assert 0 < waits[30] < waits[31] < 0.5


def test_nothing_is_limited_where_the_limits_are_zero(clock: Clock):
    account = account_of(clock, limits=NO_LIMITS)
    for index in range(2000):
        connected(account, f"a{index}")

    assert account.message_wait_s(1e9) == 0
    account.name_sessions([f"{index:032x}" for index in range(5000)])
    assert account.gate.has_room(10**12)


async def test_an_account_whose_tier_changed_begins_anew_and_an_idle_one_is_forgotten(clock: Clock):
    accounts = Accounts(Limits(), clock=clock)
    free = accounts.of(Principal(user_id="u", tier="free"))
    pro = accounts.of(Principal(user_id="u", tier="pro"))
    stream = connected(pro, "a")
    clock.now_s += 100_000

    await accounts.forget_idle()
    kept = accounts.of(Principal(user_id="u", tier="pro"))
    pro.leave(stream)
    await accounts.forget_idle()

    assert pro is not free
    assert kept is pro
    assert accounts.of(Principal(user_id="u", tier="pro")) is not pro


class Passing:
    """Chunks at a gate, and what became of them."""

    def __init__(self, gate: ChunkGate) -> None:
        self.gate = gate
        self.opened: list[str] = []
        self.put_off: list[tuple[str, Outcome]] = []

    def offer(self, name: str, num_bytes: int, owner: object = None) -> None:
        self.gate.offer(
            owner,
            num_bytes,
            lambda: self.opened.append(name),
            lambda outcome: self.put_off.append((name, outcome)),
        )


def gate_of(clock: Clock, *, rate_bytes_per_s: int = 0, chunks_per_s: int = 0) -> ChunkGate:
    return ChunkGate(
        rate_bytes_per_s=rate_bytes_per_s, chunks_per_s=chunks_per_s, all_parked=ParkedBytes(), clock=clock
    )


async def test_a_chunk_over_the_rate_waits_and_passes_in_order(clock: Clock):
    passing = Passing(gate_of(clock, rate_bytes_per_s=1_000_000))
    passing.offer("burst", 60_000_000)
    passing.offer("first in debt", 1_000_000)
    passing.offer("second", 1_000_000)
    passing.offer("third", 1_000_000)
    before = list(passing.opened)

    clock.now_s += 1.01
    passing.gate.set_behind(False)  # looks again, as its timer would
    between = list(passing.opened)
    clock.now_s += 1.0
    passing.gate.set_behind(False)

    assert before == ["burst", "first in debt"]
    assert between == ["burst", "first in debt", "second"]
    assert passing.opened == ["burst", "first in debt", "second", "third"]
    assert passing.put_off == []


async def test_a_chunk_passes_by_the_gates_own_timer():
    gate = ChunkGate(rate_bytes_per_s=0, chunks_per_s=100, all_parked=ParkedBytes())
    passing = Passing(gate)
    for index in range(220):
        passing.offer(str(index), 1)
    await eventually(lambda: len(passing.opened) == 220, deadline_s=5)

    assert passing.opened == [str(index) for index in range(220)]


async def test_a_debt_of_more_than_half_a_minute_puts_off_with_its_length(clock: Clock):
    passing = Passing(gate_of(clock, rate_bytes_per_s=10_000))
    passing.offer("burst", 32 * MIB)
    passing.offer("debt", 1_000_000)
    passing.offer("too late", 1)

    [(name, outcome)] = passing.put_off

    assert (name, outcome.kind) == ("too late", "later")
    assert outcome.delay_ms is not None
    assert 90_000 < outcome.delay_ms < 110_000


async def test_an_account_that_is_behind_is_held_half_a_minute_and_then_put_off(clock: Clock):
    account = account_of(clock)
    passing = Passing(account.gate)
    account.set_waiting(WaitingWork(num_waiting=50, num_live_sessions=1))
    passing.offer("held", 1)
    clock.now_s += MAX_STILL_S - 1
    account.set_waiting(WaitingWork(num_waiting=40, num_live_sessions=1))
    still_held = (list(passing.opened), list(passing.put_off))
    account.set_waiting(None)
    opened = list(passing.opened)
    account.set_waiting(WaitingWork(num_waiting=50, num_live_sessions=1))
    passing.offer("too long", 1)
    clock.now_s += MAX_STILL_S + 1
    account.set_waiting(WaitingWork(num_waiting=50, num_live_sessions=1))

    assert still_held == ([], [])
    assert opened == ["held"]
    [(name, outcome)] = passing.put_off
    assert name == "too long"
    assert "wait to be heard" in outcome.reason


async def test_what_waits_of_a_stream_that_leaves_is_put_off_and_the_rest_stays(clock: Clock):
    passing = Passing(gate_of(clock, rate_bytes_per_s=1_000_000))
    leaving, staying = object(), object()
    passing.offer("burst", 61_000_000, staying)
    passing.offer("leaves", 1000, leaving)
    passing.offer("stays", 1000, staying)

    passing.gate.withdraw(leaving, "gone")
    clock.now_s += 5
    passing.gate.set_behind(False)

    assert [name for name, _ in passing.put_off] == ["leaves"]
    assert passing.opened == ["burst", "stays"]
    assert passing.gate.has_room(MAX_PARKED_BYTES), "what left counts no more"


async def test_there_is_room_for_8_mib_of_an_account_and_64_of_all(clock: Clock):
    shared = ParkedBytes()
    gates = [
        ChunkGate(rate_bytes_per_s=1_000_000, chunks_per_s=0, all_parked=shared, clock=clock)
        for _ in range(10)
    ]
    num_parked = 0
    for gate in gates:
        passing = Passing(gate)
        passing.offer("burst", 61_000_000)
        while gate.has_room(MIB):
            passing.offer("parked", MIB)
            num_parked += 1

    assert num_parked == 64
    assert shared.num_bytes == 64 * MIB


def test_accounts_take_turns():
    queue: FairQueue[str] = FairQueue()
    for index in range(4):
        queue.put("flood", f"f{index}")
    queue.put("quiet", "q")

    order = [item for _, item in iter(lambda: queue.take(set()), None)]

    assert order == ["f0", "q", "f1", "f2", "f3"]
    assert len(queue) == 0


def test_an_account_whose_share_is_used_up_is_passed_over():
    queue: FairQueue[str] = FairQueue()
    queue.put("flood", "f")
    queue.put("quiet", "q")

    taken = [queue.take({"flood"}), queue.take({"flood"})]

    assert taken == [("quiet", "q"), None]
    assert queue.take(set()) == ("flood", "f")


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=60))
def test_whatever_is_put_comes_out_once_and_in_its_accounts_order(steps):
    queue: FairQueue[tuple[str, int]] = FairQueue()
    put: list[tuple[str, int]] = []
    out: list[tuple[str, int]] = []
    for index, (owner, is_put) in enumerate(steps):
        if is_put:
            put.append((owner, index))
            queue.put(owner, put[-1])
        elif (taken := queue.take(set())) is not None:
            out.append(taken[1])
    while (taken := queue.take(set())) is not None:
        out.append(taken[1])

    assert sorted(out) == sorted(put)
    for name in "abc":
        mine = [item for item in out if item[0] == name]
        assert mine == sorted(mine)


def test_a_full_queue_makes_room_at_the_cost_of_the_longest():
    queue: FairQueue[str] = FairQueue()
    for index in range(3):
        queue.put("flood", f"f{index}")

    displaced = queue.pop_longest("quiet")
    own = queue.pop_longest("flood")

    assert displaced == "f2"
    assert own is None, "whoever has the longest queue displaces nobody"
