"""`chat`: the chats that are read, and where bots and bridges feed one."""

from __future__ import annotations

import argparse

from agent.cli.answers import answer, with_numbers
from agent.paths import AgentPaths


def chat(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    """How each chat is read now; of the local endpoint its address, and which file holds its token."""
    from agent.config import load_config
    from agent.control.client import ControlClient
    from agent.control.words import chat_line, status_value

    port = load_config(paths.config_file).chat.local_port
    status = ControlClient(paths.control_socket).status()
    endpoint = {"url": f"http://127.0.0.1:{port}", "token_file": str(paths.chat_token)} if port else None
    lines = [chat_line(one) for one in status.chats]
    if endpoint is not None:
        lines.append(
            f"chat: send lines to {endpoint['url']}/v1/chat with the token in {endpoint['token_file']}"
        )
    value = {"chats": with_numbers(status_value(status)["chats"]), "endpoint": endpoint}
    answer(value, is_json=arguments.json, text="\n".join(lines) or "no chat is set; see [chat] in agent.toml")
    return 0
