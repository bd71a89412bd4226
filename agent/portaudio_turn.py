"""Whose turn it is with PortAudio, which is one for the whole process and not safe for threads.

Looking for new devices ends and starts PortAudio, which frees every stream: who plays through it, or opens or closes a
stream, holds the lock meanwhile.
"""

from __future__ import annotations

import threading

PORTAUDIO = threading.Lock()
