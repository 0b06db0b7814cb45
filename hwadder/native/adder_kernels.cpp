// The adder layer on float maps: packs weights, cuts the result into bands of rows, and computes each band tile by tile.
// Every result is computed alike wherever its band runs, so results do not depend on the number of threads.
#include <omp.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include "adder_sweep.h"
#include "capability.h"

namespace {

constexpr int64_t MOST_LANES = 8, ALIGNMENT = 64;

struct Release {
    void operator()(float *floats) const { ::operator delete[](floats, std::align_val_t(ALIGNMENT)); }
};
using Buffer = std::unique_ptr<float[], Release>;

Buffer allocated(int64_t floats) {
    return Buffer(static_cast<float *>(::operator new[](floats * sizeof(float), std::align_val_t(ALIGNMENT))));
}

// Result channels of a group in blocks of two vectors, the last of one where that holds the rest.
struct Block {
    int64_t first, channels, width;  // `width` is what the tile computes
};

std::vector<Block> blocks_of(const Sweep &sweep) {
    const int64_t lanes = sweep.variant->lanes;
    std::vector<Block> blocks;
    for (int64_t first = 0; first < sweep.result_channels; first += 2 * lanes) {
        const int64_t rest = sweep.result_channels - first;
        blocks.push_back({first, std::min(rest, 2 * lanes), rest > lanes ? 2 * lanes : lanes});
    }
    return blocks;
}

// Weights in the order in which tiles read them: (phase, group, block, tap, source channel, lane of the block).
class Panels {
  public:
    Panels(const Sweep &sweep, const std::vector<Block> &blocks, const float *weight) : sweep(sweep) {
        group_width = blocks.back().first + blocks.back().width;
        int64_t taps = 0;
        for (const Phase &phase : sweep.phases) {
            first_tap.push_back(taps);
            taps += phase.row_taps.size();
        }
        panels = allocated(std::max<int64_t>(taps * sweep.source_channels, 1) * sweep.groups * group_width);
        sums = allocated(sweep.groups * group_width);
        std::fill_n(sums.get(), sweep.groups * group_width, 0.0f);
        for (size_t phase = 0; phase < sweep.phases.size(); ++phase)
            for (int64_t group = 0; group < sweep.groups; ++group)
                for (const Block &block : blocks) pack(phase, group, block, weight);
    }

    float *panel(size_t phase, int64_t group, const Block &block) const {
        const int64_t before = first_tap[phase] * sweep.groups * group_width;
        const int64_t taps = sweep.phases[phase].row_taps.size();
        return panels.get() + (before + (group * group_width + block.first) * taps) * sweep.source_channels;
    }

    float *weight_sums(int64_t group, const Block &block) const {
        return sums.get() + group * group_width + block.first;
    }

  private:
    void pack(size_t phase_index, int64_t group, const Block &block, const float *weight) {
        const Phase &phase = sweep.phases[phase_index];
        const int64_t *stride = sweep.weight_stride, terms = phase.row_taps.size() * sweep.source_channels;
        float *to = panel(phase_index, group, block);
        for (int64_t lane = 0; lane < block.width; ++lane) {
            if (lane >= block.channels) {
                for (int64_t term = 0; term < terms; ++term) to[term * block.width + lane] = 0;
                continue;
            }
            const float *row = weight + group * sweep.weight_group_stride + (block.first + lane) * stride[0];
            float *out = to + lane;
            double sum = 0;
            for (size_t tap = 0; tap < phase.row_taps.size(); ++tap) {
                const float *from = row + phase.row_taps[tap] * stride[2] + phase.column_taps[tap] * stride[3];
                for (int64_t channel = 0; channel < sweep.source_channels; ++channel, out += block.width) {
                    *out = from[channel * stride[1]];
                    sum += *out;
                }
            }
            // Only the forward pass reads the sums, and it has one phase.
            weight_sums(group, block)[lane] = static_cast<float>(sum);
        }
    }

    const Sweep &sweep;
    int64_t group_width;
    std::vector<int64_t> first_tap;
    Buffer panels, sums;
};

float channel_sum(const float *pixel, int64_t channels) {
    float parts[4] = {0, 0, 0, 0};
    int64_t channel = 0;
    for (; channel + 4 <= channels; channel += 4)
        for (int part = 0; part < 4; ++part) parts[part] += pixel[channel + part];
    float sum = (parts[0] + parts[1]) + (parts[2] + parts[3]);
    for (; channel < channels; ++channel) sum += pixel[channel];
    return sum;
}

// One task's share of the work: a band of result rows of one image, with the buffers of the thread it runs on.
class Band {
  public:
    Band(const Sweep &sweep, const std::vector<Block> &blocks, const Panels &panels, float *buffer, int64_t most_rows)
        : sweep(sweep), blocks(blocks), panels(panels), columns(sweep.columns.end - sweep.columns.begin) {
        copy = buffer;
        pixel_sums = copy + copy_floats(sweep, most_rows);
        tap_sums = pixel_sums + most_rows * columns;
    }

    static int64_t copy_floats(const Sweep &sweep, int64_t most_rows) {
        // A depthwise tile may read one block behind the last pixel.
        const int64_t columns = sweep.columns.end - sweep.columns.begin;
        return sweep.in_place ? 0 : most_rows * columns * sweep.source.channels + 2 * MOST_LANES;
    }

    static int64_t buffer_floats(const Sweep &sweep, int64_t most_rows) {
        const int64_t floats = copy_floats(sweep, most_rows) +
                               most_rows * (sweep.columns.end - sweep.columns.begin) +
                               sweep.band_rows * sweep.result.width;
        return (floats + 15) / 16 * 16;
    }

    void compute(int64_t image, Interval result_rows, const float *source, const float *held, float *result) {
        const Maps &maps = sweep.source;
        source_rows = sweep.source_rows(result_rows);
        if (sweep.in_place) {
            origin = source + image * maps.stride[0] + source_rows.begin * maps.stride[2] +
                     sweep.columns.begin * maps.stride[3];
        } else {
            copy_rows(source + image * maps.stride[0]);
            origin = copy;
        }
        for (int64_t group = 0; group < sweep.groups; ++group) {
            if (sweep.formula == MINIMUM) sum_taps(group, result_rows);
            const float *held_group = held + image * sweep.held.stride[0];
            float *result_group = result + image * sweep.result.stride[0];
            for (const Block &block : blocks)
                for (size_t phase = 0; phase < sweep.phases.size(); ++phase)
                    compute_block(phase, group, block, result_rows, held_group, result_group);
        }
    }

  private:
    // The band's source rows as (row, column, channel), zeros where there is padding.
    void copy_rows(const float *image) {
        const Maps &maps = sweep.source;
        const int64_t channels = maps.channels;
        const Interval inside = {std::max<int64_t>(sweep.columns.begin, 0), std::min(sweep.columns.end, maps.width)};
        float *to = copy;
        for (int64_t row = source_rows.begin; row < source_rows.end; ++row, to += columns * channels) {
            if (row < 0 || row >= maps.height || inside.begin >= inside.end) {
                std::memset(to, 0, columns * channels * sizeof(float));
                continue;
            }
            const int64_t left = (inside.begin - sweep.columns.begin) * channels;
            const int64_t width = inside.end - inside.begin;
            const float *from = image + row * maps.stride[2] + inside.begin * maps.stride[3];
            float *out = to + left;
            std::memset(to, 0, left * sizeof(float));
            if (maps.stride[1] == 1 && maps.stride[3] == channels) {
                std::memcpy(out, from, width * channels * sizeof(float));
            } else {
                for (int64_t channel = 0; channel < channels; ++channel)
                    for (int64_t column = 0; column < width; ++column)
                        out[column * channels + channel] = from[channel * maps.stride[1] + column * maps.stride[3]];
            }
            std::memset(out + width * channels, 0, ((sweep.columns.end - inside.end) * channels) * sizeof(float));
        }
    }

    // The sum of source values over each position's taps: channels first, then the window.
    void sum_taps(int64_t group, Interval result_rows) {
        const Phase &phase = sweep.phases.front();
        const int64_t rows = source_rows.end - source_rows.begin;
        for (int64_t row = 0; row < rows; ++row) {
            const float *pixel = origin + row * sweep.row_pitch + group * sweep.source_channels;
            for (int64_t column = 0; column < columns; ++column, pixel += sweep.pixel_pitch)
                pixel_sums[row * columns + column] = channel_sum(pixel, sweep.source_channels);
        }
        const int64_t width = sweep.result.width, step = phase.columns.source_step;
        for (int64_t row = result_rows.begin; row < result_rows.end; ++row) {
            float *sums = tap_sums + (row - result_rows.begin) * width;
            std::fill_n(sums, width, 0.0f);
            const int64_t first = phase.rows.source_first + phase.rows.source_step * row - source_rows.begin;
            for (int64_t row_shift : phase.rows.shifts)
                for (int64_t shift : phase.columns.shifts) {
                    const float *from = pixel_sums + (first + row_shift) * columns + shift;
                    if (step == 1)
                        for (int64_t column = 0; column < width; ++column) sums[column] += from[column];
                    else
                        for (int64_t column = 0; column < width; ++column) sums[column] += from[column * step];
                }
        }
    }

    void compute_block(size_t phase_index, int64_t group, const Block &block, Interval result_rows,
                       const float *held, float *result) {
        const Phase &phase = sweep.phases[phase_index];
        const Interval rows = sweep.positions(phase.rows, result_rows);
        const int64_t width = phase.columns.count, positions = (rows.end - rows.begin) * width;
        const int64_t most = sweep.variant->most_rows[sweep.formula];
        const int64_t tiles = (positions + most - 1) / most;
        const auto compute_tile = sweep.variant->tile[sweep.formula][block.width / sweep.variant->lanes - 1];
        const bool holds = sweep.formula == CLIPPED || sweep.formula == DEPTHWISE_CLIPPED;
        const bool whole = block.channels == block.width;
        const bool direct_result = whole && sweep.result.stride[1] == 1;
        const bool direct_held = whole && sweep.held.stride[1] == 1;
        const int64_t channel = group * sweep.result_channels + block.first;
        const float *source = origin + (sweep.depthwise() ? block.first : group * sweep.source_channels);

        Tile tile;
        tile.runs = phase.runs.data();
        tile.run_count = phase.runs.size();
        tile.panel = panels.panel(phase_index, group, block);
        tile.weight_sums = panels.weight_sums(group, block);
        float held_block[MAX_ROWS][2 * MOST_LANES] = {}, result_block[MAX_ROWS][2 * MOST_LANES];
        float *to[MAX_ROWS];
        int64_t row = rows.begin, column = 0;
        for (int64_t index = 0; index < tiles; ++index) {
            // As even as can be: 64 positions are better two tiles of 11 and 4 of 10 than five of 12 and one of 4.
            const int64_t count = positions * (index + 1) / tiles - positions * index / tiles;
            for (int64_t at = 0; at < count; ++at) {
                tile.source[at] =
                    source +
                    (phase.rows.source_first + phase.rows.source_step * row - source_rows.begin) * sweep.row_pitch +
                    (phase.columns.source_first + phase.columns.source_step * column - sweep.columns.begin) *
                        sweep.pixel_pitch;
                const int64_t y = phase.rows.first + phase.rows.step * row;
                const int64_t x = phase.columns.first + phase.columns.step * column;
                to[at] = result + channel * sweep.result.stride[1] + y * sweep.result.stride[2] +
                         x * sweep.result.stride[3];
                tile.result[at] = direct_result ? to[at] : result_block[at];
                if (holds) {
                    const float *from = held + channel * sweep.held.stride[1] + y * sweep.held.stride[2] +
                                        x * sweep.held.stride[3];
                    if (!direct_held)
                        for (int64_t lane = 0; lane < block.channels; ++lane)
                            held_block[at][lane] = from[lane * sweep.held.stride[1]];
                    tile.held[at] = direct_held ? from : held_block[at];
                }
                if (sweep.formula == MINIMUM)
                    tile.source_sums[at] = tap_sums[(row - rows.begin) * width + column];
                if (++column == width) {
                    column = 0;
                    ++row;
                }
            }
            compute_tile(tile, count);
            if (!direct_result)
                for (int64_t lane = 0; lane < block.channels; ++lane)
                    for (int64_t at = 0; at < count; ++at) to[at][lane * sweep.result.stride[1]] = result_block[at][lane];
        }
    }

    const Sweep &sweep;
    const std::vector<Block> &blocks;
    const Panels &panels;
    const int64_t columns;
    float *copy, *pixel_sums, *tap_sums;
    Interval source_rows{0, 0};
    const float *origin = nullptr;
};

void run(const Sweep &sweep, int64_t threads, const float *source, const float *weight, const float *held,
         float *result) {
    const int64_t bands = (sweep.result.height + sweep.band_rows - 1) / sweep.band_rows;
    if (sweep.images * bands * sweep.result.width * sweep.result_channels == 0) return;
    const std::vector<Block> blocks = blocks_of(sweep);
    const Panels panels(sweep, blocks, weight);
    int64_t most_rows = 0;
    for (int64_t band = 0; band < bands; ++band) {
        const Interval rows = sweep.source_rows({band * sweep.band_rows, (band + 1) * sweep.band_rows});
        most_rows = std::max(most_rows, rows.end - rows.begin);
    }
    const int64_t floats = Band::buffer_floats(sweep, most_rows);
    const int64_t team = std::min(threads, sweep.images * bands);
    const Buffer buffers = allocated(team * floats);
#pragma omp parallel num_threads(team) if (team > 1)
    {
        Band band(sweep, blocks, panels, buffers.get() + omp_get_thread_num() * floats, most_rows);
#pragma omp for schedule(static)
        for (int64_t task = 0; task < sweep.images * bands; ++task) {
            const int64_t first = task % bands * sweep.band_rows;
            band.compute(task / bands, {first, std::min(first + sweep.band_rows, sweep.result.height)}, source, held,
                         result);
        }
    }
}

}  // namespace

extern "C" {

int hwadder_best_capability() { return best_capability(); }

// y of x and weight. Returns 0, or 1 when memory runs out.
int hwadder_adder_forward(const Layer *layer, const float *x, const float *weight, float *y) try {
    run(forward_sweep(*layer), layer->threads, x, weight, x, y);
    return 0;
} catch (const std::bad_alloc &) {
    return 1;
}

// dx of the gradient with respect to y. Returns 0, or 1 when memory runs out.
int hwadder_adder_input_gradient(const Layer *layer, const float *gradient, const float *x, const float *weight,
                                 float *dx) try {
    run(input_gradient_sweep(*layer), layer->threads, gradient, weight, x, dx);
    return 0;
} catch (const std::bad_alloc &) {
    return 1;
}
}
