"""The part of libpulse's C interface that we call, declared for ctypes. PipeWire's server speaks it as well.

Names, layouts and constants are those of <pulse/pulseaudio.h>, stable since version 1.
"""

from __future__ import annotations

import ctypes
import functools
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p
from typing import Any

from agent.errors import SoundUnavailable

CONTEXT_READY = 4
CONTEXT_FAILED = 5
CONTEXT_NOAUTOSPAWN = 1
STREAM_READY = 2
STREAM_FAILED = 3
STREAM_INTERPOLATE_TIMING = 0x0002
STREAM_AUTO_TIMING_UPDATE = 0x0008
STREAM_DONT_MOVE = 0x0200
STREAM_ADJUST_LATENCY = 0x2000
SAMPLE_FLOAT32LE = 5
DEFAULT_BYTES = 0xFFFF_FFFF
INVALID_INDEX = 0xFFFF_FFFF
SUBSCRIBE_SINK_INPUTS = 0x0004
SUBSCRIBE_DEVICES = 0x0001 | 0x0002 | 0x0080  # sinks, sources, the server
EVENT_FACILITY_MASK = 0x000F
EVENT_TYPE_MASK = 0x0030
EVENT_SERVER = 0x0007
EVENT_NEW = 0x0000
_MAX_CHANNELS = 32


class SampleSpec(ctypes.Structure):
    """pa_sample_spec."""

    _fields_ = (("format", c_int), ("rate", c_uint32), ("channels", c_uint8))


class BufferAttr(ctypes.Structure):
    """pa_buffer_attr, all in bytes."""

    _fields_ = tuple((name, c_uint32) for name in ("maxlength", "tlength", "prebuf", "minreq", "fragsize"))


class ServerInfo(ctypes.Structure):
    """The head of pa_server_info."""

    _fields_ = (
        ("user_name", c_char_p),
        ("host_name", c_char_p),
        ("server_version", c_char_p),
        ("server_name", c_char_p),
        ("sample_spec", SampleSpec),
        ("default_sink_name", c_char_p),
        ("default_source_name", c_char_p),
    )


class _ChannelMap(ctypes.Structure):
    _fields_ = (("channels", c_uint8), ("map", c_int * _MAX_CHANNELS))


class _Volume(ctypes.Structure):
    _fields_ = (("channels", c_uint8), ("values", c_uint32 * _MAX_CHANNELS))


class SourceInfo(ctypes.Structure):
    """The head of pa_source_info."""

    _fields_ = (
        ("name", c_char_p),
        ("index", c_uint32),
        ("description", c_char_p),
        ("sample_spec", SampleSpec),
        ("channel_map", _ChannelMap),
        ("owner_module", c_uint32),
        ("volume", _Volume),
        ("mute", c_int),
        ("monitor_of_sink", c_uint32),
    )


class SinkInputInfo(ctypes.Structure):
    """The head of pa_sink_input_info."""

    _fields_ = (
        ("index", c_uint32),
        ("name", c_char_p),
        ("owner_module", c_uint32),
        ("client", c_uint32),
        ("sink", c_uint32),
        ("sample_spec", SampleSpec),
        ("channel_map", _ChannelMap),
        ("volume", _Volume),
        ("buffer_usec", c_uint64),
        ("sink_usec", c_uint64),
        ("resample_method", c_char_p),
        ("driver", c_char_p),
        ("mute", c_int),
        ("proplist", c_void_p),
    )


# (stream, num_bytes, userdata), called in the thread of the main loop
StreamRequest = ctypes.CFUNCTYPE(None, c_void_p, c_size_t, c_void_p)
# (context, info, userdata)
ServerInfoAnswer = ctypes.CFUNCTYPE(None, c_void_p, POINTER(ServerInfo), c_void_p)
# (context, info, is_last, userdata)
SourceInfoAnswer = ctypes.CFUNCTYPE(None, c_void_p, POINTER(SourceInfo), c_int, c_void_p)
SinkInputInfoAnswer = ctypes.CFUNCTYPE(None, c_void_p, POINTER(SinkInputInfo), c_int, c_void_p)
# (context, event, index, userdata)
SubscribeEvent = ctypes.CFUNCTYPE(None, c_void_p, c_int, c_uint32, c_void_p)
# (context, is_success, userdata)
Success = ctypes.CFUNCTYPE(None, c_void_p, c_int, c_void_p)
NO_REQUEST = StreamRequest()
NO_SUCCESS = Success()

_POINTERS = {
    "pa_threaded_mainloop_new": (c_void_p, ()),
    "pa_threaded_mainloop_start": (c_int, (c_void_p,)),
    "pa_threaded_mainloop_stop": (None, (c_void_p,)),
    "pa_threaded_mainloop_free": (None, (c_void_p,)),
    "pa_threaded_mainloop_lock": (None, (c_void_p,)),
    "pa_threaded_mainloop_unlock": (None, (c_void_p,)),
    "pa_threaded_mainloop_get_api": (c_void_p, (c_void_p,)),
    "pa_context_new": (c_void_p, (c_void_p, c_char_p)),
    "pa_context_connect": (c_int, (c_void_p, c_char_p, c_int, c_void_p)),
    "pa_context_get_state": (c_int, (c_void_p,)),
    "pa_context_errno": (c_int, (c_void_p,)),
    "pa_context_disconnect": (None, (c_void_p,)),
    "pa_context_unref": (None, (c_void_p,)),
    "pa_context_get_server_info": (c_void_p, (c_void_p, ServerInfoAnswer, c_void_p)),
    "pa_context_get_source_info_list": (c_void_p, (c_void_p, SourceInfoAnswer, c_void_p)),
    "pa_context_get_sink_input_info_list": (c_void_p, (c_void_p, SinkInputInfoAnswer, c_void_p)),
    "pa_context_set_subscribe_callback": (None, (c_void_p, SubscribeEvent, c_void_p)),
    "pa_context_subscribe": (c_void_p, (c_void_p, c_int, Success, c_void_p)),
    "pa_proplist_gets": (c_char_p, (c_void_p, c_char_p)),
    "pa_operation_unref": (None, (c_void_p,)),
    "pa_stream_new": (c_void_p, (c_void_p, c_char_p, POINTER(SampleSpec), c_void_p)),
    "pa_stream_set_read_callback": (None, (c_void_p, StreamRequest, c_void_p)),
    "pa_stream_set_monitor_stream": (c_int, (c_void_p, c_uint32)),
    "pa_stream_connect_record": (c_int, (c_void_p, c_char_p, POINTER(BufferAttr), c_int)),
    "pa_stream_get_state": (c_int, (c_void_p,)),
    "pa_stream_get_device_name": (c_char_p, (c_void_p,)),
    "pa_stream_get_latency": (c_int, (c_void_p, POINTER(c_uint64), POINTER(c_int))),
    "pa_stream_readable_size": (c_size_t, (c_void_p,)),
    "pa_stream_peek": (c_int, (c_void_p, POINTER(c_void_p), POINTER(c_size_t))),
    "pa_stream_drop": (c_int, (c_void_p,)),
    "pa_stream_disconnect": (c_int, (c_void_p,)),
    "pa_stream_unref": (None, (c_void_p,)),
    "pa_strerror": (c_char_p, (c_int,)),
}


@functools.cache
def load() -> Any:
    """libpulse, with the types of every function that we call.

    Raises:
        SoundUnavailable: It is not installed.
    """
    try:
        library = ctypes.CDLL("libpulse.so.0")
    except OSError as exc:
        raise SoundUnavailable(f"cannot load libpulse: {exc}; install libpulse0") from exc
    for name, (result, arguments) in _POINTERS.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library
