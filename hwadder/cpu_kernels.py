"""The adder layer on a CPU in float32: the compiled kernels of `hwadder/native`, called through ctypes.

They take maps in any layout without copying them as a whole, and are fastest on channels_last ones. The work is shared
by torch's threads, and the results do not depend on how many there are.
"""

from __future__ import annotations

import ctypes
from functools import cache

import torch
from torch import Tensor

import hwadder
from hwadder.window import Window
from quant.native_library import Capability, capability, load_library


def kernel_capability() -> Capability | None:
    """The variant that runs here; None where the installation has no compiled kernels."""
    library = _library()
    return None if library is None else capability(library)


def adder2d_forward(x: Tensor, weight: Tensor, window: Window, exact: bool, y: Tensor) -> None:
    """Write `-sum |x - w|` into `y`, all of them float32 on the CPU, in any layout.

    Unless `exact`, and but for depthwise layers, the sum is computed as `2 sum min(x, w) - sum x - sum w`: one
    instruction less for each tap, with an error in proportion to `sum |x| + sum |w|` (see `adder_ops.adder2d`).
    """
    layer = _layer(x, weight, window, y, None, exact)
    _check(_loaded().hwadder_adder_forward(layer, x.data_ptr(), weight.data_ptr(), y.data_ptr()))


def adder2d_input_gradient(grad: Tensor, x: Tensor, weight: Tensor, window: Window, grad_x: Tensor) -> None:
    """Write `sum grad * clamp(w - x, -1, 1)` into `grad_x`, all of them float32 on the CPU, in any layout."""
    layer = _layer(x, weight, window, grad, grad_x, False)
    _check(
        _loaded().hwadder_adder_input_gradient(
            layer, grad.data_ptr(), x.data_ptr(), weight.data_ptr(), grad_x.data_ptr()
        )
    )


@cache
def _library() -> ctypes.CDLL | None:
    library = load_library(hwadder.__file__, "_adder_kernels")
    if library is not None:
        library.hwadder_adder_forward.argtypes = [ctypes.c_void_p] * 4
        library.hwadder_adder_input_gradient.argtypes = [ctypes.c_void_p] * 5
    return library


def _loaded() -> ctypes.CDLL:
    library = _library()
    assert library is not None, "callers ask kernel_capability first"
    return library


def _check(status: int) -> None:
    if status:
        raise MemoryError("the adder kernels found no memory for their buffers")


def _layer(
    x: Tensor, weight: Tensor, window: Window, y: Tensor, grad_x: Tensor | None, exact: bool
) -> ctypes.Array[ctypes.c_int64]:
    """The fields of `Layer` in hwadder/native/adder_sweep.h, in their order."""
    fields = (
        x.shape[0],
        window.groups,
        *weight.shape[2:],
        *window.stride,
        *window.padding,
        *window.dilation,
        *weight.stride(),
        *x.shape[1:],
        *x.stride(),
        *y.shape[1:],
        *y.stride(),
        *x.shape[1:],
        *(x if grad_x is None else grad_x).stride(),
        exact,
        capability(_loaded()),
        torch.get_num_threads(),
    )
    return (ctypes.c_int64 * len(fields))(*fields)
