"""Which chats are read: the sources that the settings name, and how they are in the status."""

from __future__ import annotations

from pathlib import Path

from agent.chat.endpoint import LocalChat
from agent.chat.kick import KickChat
from agent.chat.twitch import JoinRate, TwitchChat
from agent.chat_ports import ChatSource
from agent.config import Chat
from agent.model.chat import ChatStatus
from agent.paths import AgentPaths
from protos.clippy.v1 import control_pb2


def open_sources(paths: AgentPaths, chat: Chat) -> list[ChatSource]:
    """One source for each chat that is set; none is connected yet."""
    rate = JoinRate()
    sources: list[ChatSource] = [TwitchChat(channel, rate=rate) for channel in chat.twitch]
    if chat.youtube:
        from agent.chat.youtube import YouTubeChat

        key_file = Path(chat.youtube_key_file).expanduser()
        sources.append(YouTubeChat(chat.youtube, key_file, poll_s=chat.youtube_poll_s))
    sources += [KickChat(channel) for channel in chat.kick]
    if chat.local_port:
        sources.append(LocalChat(chat.local_port, paths.chat_token))
    return sources


def chat_status(status: ChatStatus) -> control_pb2.ChatSource:
    """As the control API tells it."""
    return control_pb2.ChatSource(
        name=status.name,
        is_connected=status.is_connected,
        lines_per_min=status.lines_per_min,
        num_lines=status.num_lines,
        num_dropped=status.num_dropped,
        problem=status.problem,
        num_viewers=status.num_viewers,
    )
