"""The pairing page in words. Pure."""

from __future__ import annotations

from agent.ui.texts import sentence, size_words
from protos.clippy.v1 import control_pb2

_LINK_WORDS = {
    "off": "nothing is sent",
    "connecting": "connecting",
    "connected": "connected",
    "waiting": "not connected",
}


def pairing_title(uplink: control_pb2.Uplink) -> str:
    """Whom this PC is paired with, in one line."""
    if uplink.HasField("pairing"):
        pairing = uplink.pairing
        return f"Paired with {pairing.coordinator_name or pairing.coordinator}"
    return "Sends by a token file" if uplink.coordinator else "Not paired"


def pairing_facts(uplink: control_pb2.Uplink) -> list[str]:
    """What there is to know of it, the most important first."""
    if not uplink.coordinator:
        return [
            "Nothing leaves this PC. Clips are saved here all the same; moments are found by a coordinator."
        ]
    lines = []
    if uplink.HasField("pairing"):
        pairing = uplink.pairing
        who = f"{pairing.user_name} ({pairing.tier})" if pairing.tier else pairing.user_name
        lines.append(f"This PC is {pairing.device_name} of {who}, at {pairing.coordinator}.")
    state = _LINK_WORDS.get(uplink.state, uplink.state)
    lines.append(f"{sentence(state)}: {uplink.problem}" if uplink.problem else f"{sentence(state)}.")
    lines += [f"{sentence(line)}." for line in uplink.held_back]
    lines.append(
        f"{size_words(uplink.bytes_sent_today)} left this PC today; {uplink.chunks_waiting} chunks wait."
    )
    if uplink.pairing.note:
        lines.append(f"{sentence(uplink.pairing.note)}.")
    return lines


def shown_fingerprint(digits: str) -> str:
    """As the coordinator shows it (`AB:CD:...`), in two lines."""
    pairs = [digits[index : index + 2].upper() for index in range(0, len(digits), 2)]
    half = len(pairs) // 2
    return ":".join(pairs[:half]) + ":\n" + ":".join(pairs[half:])
