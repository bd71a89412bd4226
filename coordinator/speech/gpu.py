"""How many windows the memory of a GPU holds at once. Asked of the CUDA driver itself: no program, no package."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

# What the keys and values of a window's sound need, as a share of a float16 model: large-v2 is 3.1 GB and takes 0.22 GB
# a window (its README: 4,525 MB for one, 6,090 for eight), tiny's shape gives an eighth. Beams come on top.
_WINDOW_SHARE = 0.125
_WINDOW_BYTES = 32 * 1024**2
# Left free for what others start on it, and for what CTranslate2 caches.
_RESERVE_BYTES = 512 * 1024**2


def batch_that_fits(model: Path, asked: int) -> int:
    """How many of `asked` windows fit beside the loaded model; all of them where nobody can tell."""
    free_bytes = free_gpu_bytes()
    if free_bytes is None:
        return asked
    return min(asked, num_windows(free_bytes, (model / "model.bin").stat().st_size))


def num_windows(free_bytes: int, model_bytes: int) -> int:
    """How many windows so much memory holds; one at least: it is tried, and its failure is told."""
    each_bytes = _WINDOW_SHARE * model_bytes + _WINDOW_BYTES
    return max(1, int((free_bytes - _RESERVE_BYTES) / each_bytes))


def free_gpu_bytes() -> int | None:
    """Free memory of the first GPU that this process may use; None where there is none, or it cannot be asked."""
    try:
        cuda = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return None
    device, context = ctypes.c_int(), ctypes.c_void_p()
    free_bytes, total_bytes = ctypes.c_size_t(), ctypes.c_size_t()
    if cuda.cuInit(0) or cuda.cuDeviceGet(ctypes.byref(device), 0):
        return None
    # The primary context: CTranslate2 works in it, so none is made beside it.
    if cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), device):
        return None
    try:
        if cuda.cuCtxPushCurrent_v2(context):
            return None
        is_told = cuda.cuMemGetInfo_v2(ctypes.byref(free_bytes), ctypes.byref(total_bytes)) == 0
        cuda.cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p()))
        return free_bytes.value if is_told else None
    finally:
        cuda.cuDevicePrimaryCtxRelease_v2(device)
