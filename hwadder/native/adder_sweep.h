// One pass over the result maps of an adder layer, forward or input gradient, in terms that both share: result positions
// in phases, and for each phase the runs of source values that a position reads.
#pragma once

#include <cstdint>
#include <vector>

#include "adder_tile.h"

// One tensor of maps; strides of (N, C, H, W) in elements.
struct Maps {
    int64_t channels, height, width;
    int64_t stride[4];
};

// One layer and how to run it. The order of the fields is that of hwadder/cpu_kernels.py.
struct Layer {
    int64_t images, groups;
    int64_t kernel[2], stride[2], padding[2], dilation[2];
    int64_t weight_stride[4];  // of (F, C / groups, kernel height, kernel width), in elements
    Maps x, y, dx;             // dx, of x's size, only for the input gradient
    int64_t exact, capability, threads;
};

// One axis of a phase. Position i is the result's pixel `first + step * i` and reads the source at
// `source_first + source_step * i + shift` for each of its taps.
struct Axis {
    int64_t first, step, count;
    int64_t source_first, source_step;
    std::vector<int64_t> taps, shifts;  // index in the kernel, shift in the source; shifts ascend
};

struct Interval {
    int64_t begin, end;
};

struct Phase {
    Axis rows, columns;
    std::vector<Run> runs;
    std::vector<int64_t> row_taps, column_taps;  // index in the kernel of each tap, in the runs' order
};

struct Sweep {
    const TileVariant *variant;
    Formula formula;
    Maps source, result, held;
    int64_t images, groups, source_channels, result_channels;  // channels of a group
    int64_t weight_stride[4];      // of (result, source channel of a group, kernel row, column)
    int64_t weight_group_stride;
    std::vector<Phase> phases;
    Interval columns;              // of the source that is read, padding included
    bool in_place;                 // nothing outside the source is read, and a pixel's channels are neighbours
    int64_t row_pitch, pixel_pitch;  // of the source as the tiles read it
    int64_t band_rows;             // result rows of one task

    bool depthwise() const { return formula == DEPTHWISE_DIFFERENCE || formula == DEPTHWISE_CLIPPED; }
    Interval positions(const Axis &rows, Interval result_rows) const;
    Interval source_rows(Interval result_rows) const;
};

Sweep forward_sweep(const Layer &layer);
Sweep input_gradient_sweep(const Layer &layer);
