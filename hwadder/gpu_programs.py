"""Triton programs of the adder layer: sums of |x - w| over floats or over packed 8-bit codes, and the input's gradient.

Each is a matrix product's block scheme with another inner operation. A block of threads owns positions x filters of the
output in registers and walks over the taps: the taps of its positions and the weights of its filters are copied ahead
into shared memory, where each thread reads its own. The taps' addresses are worked out where they are copied (implicit
im2col), so nothing of the size filters x taps x positions exists. No atomics: each output has one owner, which adds its
taps in one order.

The inner loop is short because the shape of the sums says where they live. Triton spreads the last axes of a tensor
over the lanes and keeps the first ones inside a thread, so sums of the shape (THREAD_M, THREAD_N, LANES_M, LANES_N)
give every lane a rectangle of THREAD_M x THREAD_N neighbours, whose taps it reads from shared memory four at a time.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _block(index, LANES: tl.constexpr, THREAD: tl.constexpr):
    """Indices of a block, in the order of memory (LANES * THREAD,)."""
    return index * (LANES * THREAD) + tl.arange(0, LANES * THREAD)


@triton.jit
def _owned(index, LANES: tl.constexpr, THREAD: tl.constexpr):
    """The same indices as the lanes own them, (THREAD, LANES): neighbours belong to one lane."""
    return _hand_out(_block(index, LANES, THREAD), LANES, THREAD)


@triton.jit
def _hand_out(values, LANES: tl.constexpr, THREAD: tl.constexpr):
    """(LANES * THREAD,) in the order of memory to (THREAD, LANES)."""
    return values.reshape(LANES, THREAD).permute(1, 0)


@triton.jit
def _place(index, height, width):
    """Image, row and column of a flat position; the image in 64 bits, since it is multiplied by whole images."""
    return (index // (height * width)).to(tl.int64), index // width % height, index % width


@triton.jit
def _code_differences(x, w, sums, ASSEMBLY: tl.constexpr):
    """`sums` plus the differences of the four bytes in each word of `x` and `w`."""
    if ASSEMBLY:
        sums = tl.inline_asm_elementwise(
            "vabsdiff4.u32.u32.u32.add $0, $1, $2, $3;", "=r,r,r,r", [x, w, sums], tl.int32, is_pure=True, pack=1
        )
    else:
        for byte in tl.static_range(4):
            sums += tl.abs(((x >> (8 * byte)) & 255) - ((w >> (8 * byte)) & 255))
    return sums


@triton.jit
def adder_program(
    x,
    weight,
    y,
    positions,
    out_height,
    out_width,
    filters,
    height,
    width,
    y_image,
    y_channel,
    y_row,
    y_column,
    stride_h,
    stride_w,
    top,
    left,
    step_h,
    step_w,
    KERNEL_H: tl.constexpr,
    KERNEL_W: tl.constexpr,
    CHANNELS: tl.constexpr,
    LANES_M: tl.constexpr,
    LANES_N: tl.constexpr,
    THREAD_M: tl.constexpr,
    THREAD_N: tl.constexpr,
    STEP: tl.constexpr,
    STAGES: tl.constexpr,
    CODES: tl.constexpr,
    ASSEMBLY: tl.constexpr,
):
    """`y[n, f, i, j] = -sum |x[n, c, top + i * stride_h + a * step_h, ...] - weight[a, b, c, f]|`; outside, x is 0.

    `x` is (images, groups * CHANNELS, height, width), `weight` (groups, KERNEL_H, KERNEL_W, CHANNELS, filters), both
    contiguous; `y` has any strides. With CODES their elements are words of four codes and the sums are integers.
    """
    group = tl.program_id(2)
    # Lanes beyond the edge repeat the last position or filter: cheaper than a mask in the loop, and they store nothing.
    m = tl.minimum(_block(tl.program_id(0), LANES_M, THREAD_M), positions - 1)
    n = tl.minimum(_block(tl.program_id(1), LANES_N, THREAD_N), filters - 1)
    image, row, column = _place(m, out_height, out_width)
    rows = row * stride_h + top
    columns = column * stride_w + left
    plane = height * width
    x_windows = x + (image * tl.num_programs(2) + group) * (CHANNELS * plane) + rows * width + columns
    weights = weight + group * (KERNEL_H * KERNEL_W * CHANNELS) * filters + n
    sums = tl.zeros((THREAD_M, THREAD_N, LANES_M, LANES_N), tl.int32 if CODES else tl.float32)
    STEPS: tl.constexpr = (CHANNELS + STEP - 1) // STEP
    for step in tl.range(0, KERNEL_H * KERNEL_W * STEPS, num_stages=STAGES):
        tap = step // STEPS
        first = step % STEPS * STEP
        down = tap // KERNEL_W * step_h
        right = tap % KERNEL_W * step_w
        inside = (rows + down >= 0) & (rows + down < height) & (columns + right >= 0) & (columns + right < width)
        x_taps = x_windows + (down * width + right + first * plane)
        w_taps = weights + (tap * CHANNELS + first) * filters
        for c in tl.static_range(STEP):
            if CHANNELS % STEP == 0:
                x_m = tl.load(x_taps, mask=inside, other=0)
                w_n = tl.load(w_taps)
            else:
                known = tl.full((1,), first + c, tl.int32) < CHANNELS
                x_m = tl.load(x_taps, mask=inside & known, other=0)
                w_n = tl.load(w_taps, mask=known, other=0)
            x_taps += plane
            w_taps += filters
            x_m = _hand_out(x_m, LANES_M, THREAD_M)[:, None, :, None]
            w_n = _hand_out(w_n, LANES_N, THREAD_N)[None, :, None, :]
            if CODES:
                sums = _code_differences(x_m, w_n, sums, ASSEMBLY)
            else:
                sums += tl.abs(x_m.to(tl.float32) - w_n)
    m = _owned(tl.program_id(0), LANES_M, THREAD_M)[:, None, :, None]
    n = _owned(tl.program_id(1), LANES_N, THREAD_N)[None, :, None, :]
    image, row, column = _place(m, out_height, out_width)
    y += image * y_image + row * y_row + column * y_column + (group * filters + n) * y_channel
    tl.store(y, (-sums).to(y.dtype.element_ty), mask=(m < positions) & (n < filters))


@triton.jit
def input_gradient_program(
    grad,
    x,
    half_weight,
    grad_x,
    positions,
    out_height,
    out_width,
    channels,
    height,
    width,
    x_image,
    x_channel,
    x_row,
    x_column,
    top,
    left,
    step_h,
    step_w,
    KERNEL_H: tl.constexpr,
    KERNEL_W: tl.constexpr,
    FILTERS: tl.constexpr,
    LANES_M: tl.constexpr,
    LANES_N: tl.constexpr,
    THREAD_M: tl.constexpr,
    THREAD_N: tl.constexpr,
    STEP: tl.constexpr,
    STAGES: tl.constexpr,
):
    """`grad_x[n, c, i, j] = sum grad[n, f, top + i + a * step_h, ...] * clamp(w[a, b, f, c] - x[n, c, i, j], -1, 1)`.

    `grad` is (images, groups * FILTERS, height, width) and `half_weight`, w / 2, (groups, KERNEL_H, KERNEL_W, FILTERS,
    channels), both contiguous; `x` and `grad_x` share any strides. The clamp is worked out as twice the distance of
    `w / 2 + (1 / 2 - x / 2)`, saturated to [0, 1], from one half: an addition that saturates and one
    multiply-add for every tap, less the sum of `grad` at the end.
    """
    group = tl.program_id(2)
    m = _owned(tl.program_id(0), LANES_M, THREAD_M)[:, None, :, None]
    n = _owned(tl.program_id(1), LANES_N, THREAD_N)[None, :, None, :]
    image, row, column = _place(m, out_height, out_width)
    own = image * x_image + row * x_row + column * x_column + (group * channels + n) * x_channel
    owned = (m < positions) & (n < channels)
    half_x = 0.5 - 0.5 * tl.load(x + own, mask=owned, other=0.0).to(tl.float32)

    m = tl.minimum(_block(tl.program_id(0), LANES_M, THREAD_M), positions - 1)
    n = tl.minimum(_block(tl.program_id(1), LANES_N, THREAD_N), channels - 1)
    image, row, column = _place(m, out_height, out_width)
    rows = row + top
    columns = column + left
    plane = height * width
    g_windows = grad + (image * tl.num_programs(2) + group) * (FILTERS * plane) + rows * width + columns
    weights = half_weight + group * (KERNEL_H * KERNEL_W * FILTERS) * channels + n
    sums = tl.zeros((THREAD_M, THREAD_N, LANES_M, LANES_N), tl.float32)
    totals = tl.zeros((THREAD_M, 1, LANES_M, 1), tl.float32)
    STEPS: tl.constexpr = (FILTERS + STEP - 1) // STEP
    for step in tl.range(0, KERNEL_H * KERNEL_W * STEPS, num_stages=STAGES):
        tap = step // STEPS
        first = step % STEPS * STEP
        down = tap // KERNEL_W * step_h
        right = tap % KERNEL_W * step_w
        inside = (rows + down >= 0) & (rows + down < height) & (columns + right >= 0) & (columns + right < width)
        g_taps = g_windows + (down * width + right + first * plane)
        w_taps = weights + (tap * FILTERS + first) * channels
        for f in tl.static_range(STEP):
            if FILTERS % STEP == 0:
                g_m = tl.load(g_taps, mask=inside, other=0)
                w_n = tl.load(w_taps)
            else:
                known = tl.full((1,), first + f, tl.int32) < FILTERS
                g_m = tl.load(g_taps, mask=inside & known, other=0)
                w_n = tl.load(w_taps, mask=known, other=0)
            g_taps += plane
            w_taps += channels
            g_m = _hand_out(g_m.to(tl.float32), LANES_M, THREAD_M)[:, None, :, None]
            w_n = _hand_out(w_n, LANES_N, THREAD_N)[None, :, None, :]
            sums += g_m * tl.clamp(w_n + half_x, 0.0, 1.0)
            totals += g_m
    tl.store(grad_x + own, (2.0 * sums - totals).to(grad_x.dtype.element_ty), mask=owned)
