"""Which coordinator this engine sends to, and by what token: as it is paired, or as the settings say."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import structlog

from agent.config import Config
from agent.errors import DiskFull, InputUnusable
from agent.paths import AgentPaths
from agent.secrets.choose import open_store
from agent.uplink.channel import ClientCertificate, Coordinator
from agent.uplink.identity_calls import IdentityCalls
from agent.uplink.pairing_record import PairingRecord, ca_file, load_record, save_record
from agent.uplink.tokens import PairedTokens
from agent.uplink.trust import parse_address
from agent.uplink_ports import SecretStore
from protos.clippy.v1 import identity_pb2

log = structlog.get_logger()


class KeptRecord:
    """A pairing's record, here and in its file. Any thread."""

    def __init__(self, paths: AgentPaths, record: PairingRecord) -> None:
        self.record = record
        self._paths = paths

    def begin(self) -> None:
        """The outbox is its own from now on. Raises DiskFull."""
        self.record = self.record.begun()
        save_record(self._paths, self.record)

    def take_tier(self, tier: str) -> None:
        """The account's tier, as the coordinator says it now; empty: it does not say."""
        if tier and tier != self.record.tier:
            self.record = self.record.with_tier(tier)
            try:
                save_record(self._paths, self.record)
            except DiskFull as exc:
                # It is told again at the next renewal.
                log.info("tier_not_kept", problem=str(exc))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """The way to a coordinator. `kept` None: by uplink.token_file."""

    coordinator: Coordinator
    kept: KeptRecord | None = None
    note: str = ""

    @property
    def record(self) -> PairingRecord | None:
        """Whom this PC is paired with; None: with nobody."""
        return None if self.kept is None else self.kept.record


def client_certificate(config: Config) -> ClientCertificate | None:
    """Our own certificate, where one is set."""
    uplink = config.uplink
    if not uplink.client_cert_file:
        return None
    return ClientCertificate(
        certificate_path=Path(uplink.client_cert_file).expanduser(),
        key_path=Path(uplink.client_key_file).expanduser(),
    )


def find_way(paths: AgentPaths, config: Config) -> Way | None:
    """The way that the settings name, else that of the pairing; None: nothing is sent.

    Raises:
        InputUnusable: There is an address, and nothing to prove who we are; or the pairing is damaged.
    """
    uplink = config.uplink
    if uplink.address and uplink.ca_file and uplink.token_file:
        return Way(
            coordinator=Coordinator(
                address=uplink.address,
                ca_path=Path(uplink.ca_file),
                token_path=Path(uplink.token_file),
                client=client_certificate(config),
            )
        )
    record = load_record(paths)
    if record is not None and record.is_active:
        return paired_way(paths, config, record, open_store(record.store, paths.secrets))
    if uplink.address:
        raise InputUnusable(
            f"uplink.address is {uplink.address}, but this PC is not paired, and uplink.ca_file or uplink.token_file "
            f"is not set; run `clippy pair {uplink.address}`, or set both to what the coordinator wrote into its data "
            "directory"
        )
    return None


def paired_way(
    paths: AgentPaths,
    config: Config,
    record: PairingRecord,
    store: SecretStore,
    *,
    note: str = "",
    tokens: identity_pb2.Tokens | None = None,
) -> Way:
    """The way of a pairing, from now on.

    Args:
        tokens: what pairing gave; None: the first token is asked for when it is needed.

    Raises:
        DiskFull: The authority's file cannot be written.
    """
    address = str(parse_address(config.uplink.address)) if config.uplink.address else record.address
    coordinator = Coordinator(
        address=address,
        ca_path=ca_file(paths, record),
        server_name=record.server_name,
        is_public=record.is_public,
        client=client_certificate(config),
    )

    kept = KeptRecord(paths, record)
    paired = PairedTokens(
        IdentityCalls(coordinator).refresh, store, record.secret_name, on_tier=kept.take_tier
    )
    if tokens is not None:
        paired.take(tokens)
    return Way(coordinator=dataclasses.replace(coordinator, tokens=paired), kept=kept, note=note)
