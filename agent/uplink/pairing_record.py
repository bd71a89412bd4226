"""Which coordinator this PC is paired with: one file of the data directory, and no secret in it.

The file is the truth; the authority's own file is made from it.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from agent.errors import DiskFull, EnvironmentProblem, InputUnusable
from agent.paths import AgentPaths, write_private
from agent.uplink_ports import StoreKind
from protos.clippy.v1 import control_pb2


class PairingRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One pairing.

    Attributes:
        secret_name: where its refresh token is in the store; never used for another pairing.
        is_active: False: unpaired; kept to tell whether what is still in the outbox may go to the next account.
        starts_empty: what the outbox holds is another account's, and goes before the first start.
    """

    address: str
    server_name: str
    coordinator_name: str
    ca_pem: str
    fingerprint: str
    user_id: str
    user_name: str
    tier: str
    device_id: str
    device_name: str
    store: StoreKind
    secret_name: str
    is_active: bool = True
    starts_empty: bool = False

    @property
    def is_public(self) -> bool:
        """Is its certificate a public authority's?"""
        return not self.ca_pem

    def is_same_account(self, other: PairingRecord) -> bool:
        """May what was recorded for the one go to the other?"""
        return (self.ca_pem, self.user_id) == (other.ca_pem, other.user_id) and (
            not self.is_public or self.address == other.address
        )

    def with_tier(self, tier: str) -> PairingRecord:
        """The same on another tier."""
        return msgspec.structs.replace(self, tier=tier)

    def ended(self) -> PairingRecord:
        """The same once it is given up."""
        return msgspec.structs.replace(self, is_active=False)

    def with_empty_outbox(self) -> PairingRecord:
        """The same where the outbox holds another account's."""
        return msgspec.structs.replace(self, starts_empty=True)

    def begun(self) -> PairingRecord:
        """The same once the outbox is its own."""
        return msgspec.structs.replace(self, starts_empty=False)

    def shown(self, note: str = "") -> control_pb2.Pairing:
        """As the control API tells it."""
        return control_pb2.Pairing(
            coordinator=self.address,
            coordinator_name=self.coordinator_name,
            fingerprint=self.fingerprint,
            user_name=self.user_name,
            tier=self.tier,
            device_id=self.device_id,
            device_name=self.device_name,
            store=self.store,
            note=note,
        )


def load_record(paths: AgentPaths) -> PairingRecord | None:
    """The pairing; None: this PC is not paired.

    Raises:
        InputUnusable: The file is damaged.
        EnvironmentProblem: It cannot be read.
    """
    try:
        return msgspec.json.decode(paths.pairing.read_bytes(), type=PairingRecord)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as exc:
        raise InputUnusable(f"{paths.pairing} is damaged ({exc}); delete it and run `clippy pair`") from exc
    except OSError as exc:
        raise EnvironmentProblem(f"cannot read {paths.pairing}: {exc.strerror or exc}") from exc


def save_record(paths: AgentPaths, record: PairingRecord) -> None:
    """Keep it in place of an older one; durable when this returns.

    Raises:
        DiskFull: It cannot be written.
    """
    try:
        write_private(paths.pairing, msgspec.json.format(msgspec.json.encode(record)))
    except OSError as exc:
        raise DiskFull(f"cannot write {paths.pairing}: {exc.strerror or exc}; make room") from exc


def ca_file(paths: AgentPaths, record: PairingRecord) -> Path | None:
    """The authority's file, as the record has it; None: a public one.

    Raises:
        DiskFull: It cannot be written.
    """
    if record.is_public:
        return None
    try:
        if not paths.coordinator_ca.exists() or paths.coordinator_ca.read_text() != record.ca_pem:
            write_private(paths.coordinator_ca, record.ca_pem.encode())
    except OSError as exc:
        raise DiskFull(f"cannot write {paths.coordinator_ca}: {exc.strerror or exc}; make room") from exc
    return paths.coordinator_ca
