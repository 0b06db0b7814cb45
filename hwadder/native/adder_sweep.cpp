#include "adder_sweep.h"

#include <algorithm>

#include "capability.h"

namespace {

// Sums are kept in parts between runs (adder_tile.inc), so a run is no longer than this.
constexpr int64_t LONGEST_RUN = 256;

// A band of source rows is to stay in the first-level cache beside a panel of weights, unless that leaves too few
// positions to read the panel for.
constexpr int64_t BAND_FLOATS = 8192, LEAST_POSITIONS = 48;

int64_t divided_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

const TileVariant *variant_for(int64_t capability) {
#ifdef HAS_X86_TILES
    if (capability == AVX512) return &avx512_tiles;
    if (capability == AVX2) return &avx2_tiles;
#endif
    (void)capability;
    return &portable_tiles;
}

Axis forward_axis(int64_t count, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation) {
    Axis axis{0, 1, count, -padding, stride, {}, {}};
    for (int64_t tap = 0; tap < kernel; ++tap) {
        axis.taps.push_back(tap);
        axis.shifts.push_back(tap * dilation);
    }
    return axis;
}

// Pixel p of x was read by output o through tap k where o * stride = p + padding - k * dilation: so the pixels with the
// same remainder of (p + padding) / stride share their taps, and o moves by one from one of them to the next.
Axis gradient_axis(int64_t phase, int64_t size, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation) {
    const int64_t first = (phase + (padding / stride + 1) * stride - padding) % stride;
    const int64_t count = first < size ? divided_up(size - first, stride) : 0;
    Axis axis{first, stride, count, (first + padding) / stride, 1, {}, {}};
    for (int64_t tap = kernel - 1; tap >= 0; --tap)
        if (tap * dilation % stride == phase) {
            axis.taps.push_back(tap);
            axis.shifts.push_back(-(tap * dilation / stride));
        }
    return axis;
}

// The source that positions [begin, end) of an axis read.
Interval reach(const Axis &axis, Interval positions) {
    if (axis.shifts.empty() || positions.begin >= positions.end) return {0, 0};
    return {axis.source_first + axis.source_step * positions.begin + axis.shifts.front(),
            axis.source_first + axis.source_step * (positions.end - 1) + axis.shifts.back() + 1};
}

Interval spanned(Interval a, Interval b) {
    if (a.begin >= a.end) return b;
    if (b.begin >= b.end) return a;
    return {std::min(a.begin, b.begin), std::max(a.end, b.end)};
}

void append(std::vector<Run> &runs, int64_t offset, int64_t length) {
    while (length > 0) {
        const bool extends = !runs.empty() && runs.back().offset + runs.back().length == offset;
        if (!extends || runs.back().length >= LONGEST_RUN) runs.push_back({offset, 0});
        const int64_t taken = std::min(length, LONGEST_RUN - runs.back().length);
        runs.back().length += taken;
        offset += taken;
        length -= taken;
    }
}

void lay_out(Sweep &sweep) {
    const Maps &source = sweep.source;
    Interval rows{0, 0};
    for (const Phase &phase : sweep.phases) {
        rows = spanned(rows, reach(phase.rows, {0, phase.rows.count}));
        sweep.columns = spanned(sweep.columns, reach(phase.columns, {0, phase.columns.count}));
    }
    // A depthwise tile loads whole vectors of channels, which may end behind the source's last.
    sweep.in_place = source.stride[1] == 1 && !sweep.depthwise() && rows.begin >= 0 && rows.end <= source.height &&
                     sweep.columns.begin >= 0 && sweep.columns.end <= source.width;
    sweep.pixel_pitch = sweep.in_place ? source.stride[3] : source.channels;
    sweep.row_pitch =
        sweep.in_place ? source.stride[2] : source.channels * (sweep.columns.end - sweep.columns.begin);

    for (Phase &phase : sweep.phases)
        for (size_t row = 0; row < phase.rows.taps.size(); ++row)
            for (size_t column = 0; column < phase.columns.taps.size(); ++column) {
                const int64_t shift =
                    phase.rows.shifts[row] * sweep.row_pitch + phase.columns.shifts[column] * sweep.pixel_pitch;
                append(phase.runs, shift, sweep.source_channels);
                phase.row_taps.push_back(phase.rows.taps[row]);
                phase.column_taps.push_back(phase.columns.taps[column]);
            }

    const int64_t height = std::max<int64_t>(sweep.result.height, 1), width = std::max<int64_t>(sweep.result.width, 1);
    const int64_t floats_of_a_row =
        divided_up((rows.end - rows.begin) * (sweep.columns.end - sweep.columns.begin) * source.channels, height);
    sweep.band_rows = std::max(BAND_FLOATS / std::max<int64_t>(floats_of_a_row, 1), divided_up(LEAST_POSITIONS, width));
}

Sweep common_sweep(const Layer &layer, const Maps &source, const Maps &result) {
    Sweep sweep{};
    sweep.variant = variant_for(layer.capability);
    sweep.images = layer.images;
    sweep.source = source;
    sweep.result = result;
    sweep.held = layer.x;
    const bool depthwise = layer.groups > 1 && layer.groups == layer.x.channels && layer.groups == layer.y.channels;
    sweep.groups = depthwise ? 1 : layer.groups;
    sweep.source_channels = source.channels / layer.groups;
    sweep.result_channels = result.channels / sweep.groups;
    std::copy(layer.weight_stride, layer.weight_stride + 4, sweep.weight_stride);
    sweep.weight_group_stride = layer.y.channels / layer.groups * layer.weight_stride[0];
    if (&source == &layer.x)
        sweep.formula = depthwise ? DEPTHWISE_DIFFERENCE : layer.exact ? DIFFERENCE : MINIMUM;
    else
        sweep.formula = depthwise ? DEPTHWISE_CLIPPED : CLIPPED;
    return sweep;
}

}  // namespace

Interval Sweep::positions(const Axis &axis, Interval result_rows) const {
    const int64_t begin = std::max<int64_t>(result_rows.begin - axis.first + axis.step - 1, 0) / axis.step;
    const int64_t end = std::max<int64_t>(result_rows.end - axis.first + axis.step - 1, 0) / axis.step;
    return {std::min(begin, axis.count), std::min(end, axis.count)};
}

Interval Sweep::source_rows(Interval result_rows) const {
    Interval rows{0, 0};
    for (const Phase &phase : phases) rows = spanned(rows, reach(phase.rows, positions(phase.rows, result_rows)));
    return rows;
}

Sweep forward_sweep(const Layer &layer) {
    Sweep sweep = common_sweep(layer, layer.x, layer.y);
    Phase phase;
    phase.rows =
        forward_axis(layer.y.height, layer.kernel[0], layer.stride[0], layer.padding[0], layer.dilation[0]);
    phase.columns =
        forward_axis(layer.y.width, layer.kernel[1], layer.stride[1], layer.padding[1], layer.dilation[1]);
    sweep.phases.push_back(phase);
    lay_out(sweep);
    return sweep;
}

Sweep input_gradient_sweep(const Layer &layer) {
    Sweep sweep = common_sweep(layer, layer.y, layer.dx);
    // A weight's filter is now the source channel, except where each channel has its own.
    if (!sweep.depthwise()) std::swap(sweep.weight_stride[0], sweep.weight_stride[1]);
    for (int64_t row = 0; row < layer.stride[0]; ++row)
        for (int64_t column = 0; column < layer.stride[1]; ++column) {
            Phase phase;
            phase.rows = gradient_axis(row, layer.x.height, layer.kernel[0], layer.stride[0], layer.padding[0],
                                       layer.dilation[0]);
            phase.columns = gradient_axis(column, layer.x.width, layer.kernel[1], layer.stride[1], layer.padding[1],
                                          layer.dilation[1]);
            if (phase.rows.count > 0 && phase.columns.count > 0) sweep.phases.push_back(phase);
        }
    lay_out(sweep);
    return sweep;
}
