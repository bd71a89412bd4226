"""Pairing this PC with a coordinator, and giving that up: for a running engine and for the command line without one.

Port `PairingDesk`. The secret goes to the store before the record is written: killed in between, nothing points at it.
"""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any, cast, get_args

import structlog

from agent import __version__
from agent.config import Config
from agent.engine.agent_id import read_agent_id
from agent.engine.sending import Sending
from agent.engine.way import client_certificate, paired_way
from agent.errors import AgentError, InputUnusable, LinkProblem, SecretsUnavailable
from agent.paths import AgentPaths
from agent.secrets.choose import ChosenStore, StoreChoice, choose_store, open_store
from agent.uplink.identity_calls import IdentityCalls
from agent.uplink.outbox import Outbox
from agent.uplink.outbox_leaving import drop_waiting
from agent.uplink.pairing import CodeShown, FoundCoordinator, find_coordinator, prove
from agent.uplink.pairing_record import PairingRecord, load_record, save_record
from agent.uplink.trust import parse_address, parse_fingerprint
from agent.uplink_ports import SecretStore
from protos.clippy.v1 import control_pb2, identity_pb2

log = structlog.get_logger()
_MAX_NAME = 60
_GIVEN_UP_S = 3.0


class Pairings:
    """Pairs and unpairs. Any thread; one at a time.

    Args:
        sending: of the running engine; None: there is none, and what is paired counts from its next start.
    """

    def __init__(self, paths: AgentPaths, config: Config, sending: Sending | None = None) -> None:
        self._paths = paths
        self._config = config
        self._sending = sending
        self._busy = threading.Lock()
        # Of a pairing that lives as long as we do.
        self._memory: SecretStore | None = None

    def pair(
        self, request: control_pb2.PairCoordinatorRequest, *, is_wanted: Callable[[], bool]
    ) -> Iterator[control_pb2.PairingProgress]:
        """As the port says."""
        if self._config.uplink.token_file:
            raise InputUnusable(
                "uplink.token_file is set and comes before any pairing; take it and uplink.ca_file out of "
                f"{self._paths.config_file}"
            )
        fingerprint = parse_fingerprint(request.fingerprint)
        chosen = self._choose(request.store or self._config.uplink.secret_store)
        # One that was given up ends within a second.
        if not self._busy.acquire(timeout=_GIVEN_UP_S):
            raise InputUnusable("this PC is being paired already; finish or end that first")
        try:
            found = find_coordinator(parse_address(request.address), client_certificate(self._config))
            if not found.check(fingerprint):
                yield control_pb2.PairingProgress(
                    step="confirm", coordinator_name=found.name, fingerprint=found.fingerprint
                )
                return
            device = identity_pb2.AgentDevice(
                agent_id=read_agent_id(self._paths.agent_id_file),
                name=(request.device_name.strip() or socket.gethostname())[:_MAX_NAME],
                version=__version__,
            )
            for step in prove(found, device, request.code, is_wanted=is_wanted):
                if isinstance(step, CodeShown):
                    yield control_pb2.PairingProgress(
                        step="waiting",
                        coordinator_name=found.name,
                        user_code=step.user_code,
                        expires_in_s=step.expires_in_s,
                    )
                else:
                    record = self._keep(found, device, step, chosen)
                    yield control_pb2.PairingProgress(
                        step="paired",
                        coordinator_name=found.name,
                        pairing=record.shown(chosen.note),
                    )
        finally:
            self._busy.release()

    def unpair(self) -> control_pb2.UnpairCoordinatorResponse:
        """As the port says."""
        record = load_record(self._paths)
        if record is None or not record.is_active:
            raise InputUnusable("this PC is not paired")
        answer = control_pb2.UnpairCoordinatorResponse(pairing=record.shown())
        # First here: from now on nothing leaves, whatever the coordinator answers.
        save_record(self._paths, record.ended())
        answer.num_dropped = self._give_up()
        answer.problem = self._forget_secret(record, is_told=True)
        log.info("unpaired", num_dropped=answer.num_dropped, problem=answer.problem)
        return answer

    def _choose(self, choice: str) -> ChosenStore:
        if choice not in get_args(StoreChoice):
            raise InputUnusable(f"no secret store {choice!r}; there are {', '.join(get_args(StoreChoice))}")
        chosen = choose_store(cast(Any, choice), self._paths.secrets)
        if chosen.store.kind == "memory" and self._sending is None:
            raise SecretsUnavailable(
                f"{chosen.why}, and no engine runs that could hold the pairing in memory; `--store file` keeps it in a "
                "file that only you may read, or start the engine first"
            )
        return chosen

    def _keep(
        self,
        found: FoundCoordinator,
        device: identity_pb2.AgentDevice,
        reply: identity_pb2.PairReply,
        chosen: ChosenStore,
    ) -> PairingRecord:
        before = load_record(self._paths)
        record = PairingRecord(
            address=str(found.address),
            server_name=found.server_name,
            coordinator_name=found.name,
            ca_pem=found.ca_pem,
            fingerprint=found.fingerprint,
            user_id=reply.user_id,
            user_name=reply.user_name,
            tier=reply.tier,
            device_id=reply.device_id,
            device_name=device.name,
            store=chosen.store.kind,
            secret_name=f"pairing-{uuid.uuid4().hex}",
        )
        if before is None or not before.is_same_account(record):
            has_leftovers = self._sending is None or self._sending.has_leftovers
            record = record.with_empty_outbox() if has_leftovers else record
        elif before.starts_empty:
            record = record.with_empty_outbox()
        chosen.store.set(record.secret_name, reply.tokens.refresh_token)
        save_record(self._paths, record)
        if before is not None and before.is_active:
            problem = self._forget_secret(before, is_told=False)
            if problem:
                log.info("old_secret_left", problem=problem)
        if chosen.store.kind == "memory":
            self._memory = chosen.store
        if self._sending is not None:
            way = paired_way(
                self._paths, self._config, record, chosen.store, note=chosen.note, tokens=reply.tokens
            )
            self._sending.take_up(way)
        log.info("paired", tier=reply.tier, store=chosen.store.kind)
        return record

    def _give_up(self) -> int:
        if self._sending is not None:
            return self._sending.give_up("unpaired")
        outbox = Outbox(self._paths.outbox)
        try:
            return drop_waiting(outbox, "unpaired")
        finally:
            outbox.close()

    def _forget_secret(self, record: PairingRecord, *, is_told: bool) -> str:
        """Tell the coordinator, where that is wanted, and delete the secret; returns what could not be done."""
        store = self._memory if record.store == "memory" else open_store(record.store, self._paths.secrets)
        if store is None:
            return (
                "the secret was in memory and is gone; revoke this device at the coordinator"
                if is_told
                else ""
            )
        problem = ""
        try:
            secret = store.get(record.secret_name)
            if secret and is_told:
                try:
                    way = paired_way(self._paths, self._config, record, store)
                    IdentityCalls(way.coordinator).unpair(secret)
                except LinkProblem as exc:
                    problem = f"the coordinator could not be told ({exc}); revoke this device there"
            store.delete(record.secret_name)
        except AgentError as exc:
            problem = str(exc)
        return problem
