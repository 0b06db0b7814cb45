// The innermost loops of the adder layer: one tile of positions by one block of channels. Compiled once for each set of
// instructions from adder_tile.inc; everything around them is in adder_kernels.cpp, compiled once.
#pragma once

#include <cstdint>

// Consecutive values of a padded map that a position reads: `offset` from its own pixel, in elements.
struct Run {
    int64_t offset, length;
};

enum { MAX_ROWS = 12 };

// A tile: up to MAX_ROWS positions, each a row of the block of result channels.
struct Tile {
    const Run *runs;
    int64_t run_count;
    const float *panel;                // (sum of the runs' lengths, block) weights
    const float *source[MAX_ROWS];     // each row's pixel in the padded source map
    const float *held[MAX_ROWS];       // input gradient: each row's block of x
    float source_sums[MAX_ROWS];       // forward, min form: each row's sum over its taps
    const float *weight_sums;          // forward, min form: the block's sums over their weights
    float *result[MAX_ROWS];           // each row's block of results
};

// What a tile computes of source values s and weights w, k running over the taps.
enum Formula {
    MINIMUM,     // 2 sum_k min(s, w) - (sum_k s + sum_k w), which is -sum_k |s - w|
    DIFFERENCE,  // -sum_k |s - w|, as the definition says
    CLIPPED,     // sum_k s clamp(w - held, -1, 1)
    DEPTHWISE_DIFFERENCE,  // the last two with a source of as many channels as the block:
    DEPTHWISE_CLIPPED,     // a tap then takes one value for each lane instead of one for all
    FORMULAS
};

// One set of instructions. `tile[formula][vectors - 1]` computes `rows` positions of a block of one or two vectors.
struct TileVariant {
    int64_t lanes;                     // floats in a vector
    int64_t most_rows[FORMULAS];       // positions that the registers hold
    void (*tile[FORMULAS][2])(const Tile &, int64_t rows);
};

extern const TileVariant portable_tiles;
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define HAS_X86_TILES
extern const TileVariant avx2_tiles;
extern const TileVariant avx512_tiles;
#endif
