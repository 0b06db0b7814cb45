// An integer network as the kernels run it: tensors, and the operations that fill them, one image after another.
// quant/native_network.py builds these structures and has the same fields in the same order.
#pragma once

#include <cstdint>

// One image's tensor: [height][width][channels] with `halo` rows and columns of `fill` around, so that a window that
// reaches over the edge reads what docs/integer-network.md says it reads.
struct Tensor {
    int64_t height, width, channels;  // without the halo
    int64_t halo_y, halo_x;
    int64_t wide;         // 0: uint8 codes; 1: int64
    int64_t fill;
    int64_t image_bytes;  // room of one image, a few bytes more than it holds: chunks may be read past the end
    int64_t offset;       // in a thread's arena
    uint8_t *batch;       // where all images are kept; null: in the arena, for one image at a time
};

enum OperationKind {
    ENCODE = 0,        // pixels through the input table
    ADDER = 1,         // sums of absolute differences of uint8
    DOT = 2,           // uint8 codes times int16 weights in 32-bit sums
    WIDE_DOT = 3,      // any codes times any weights in 64-bit sums
    CHANNELWISE = 4,   // adder layer with one input and one output channel a group
    MAX_POOL = 5,
    SUM_POOL = 6,
    FLATTEN = 7,
    ARGMAX = 8,
};

struct Operation {
    int64_t kind;
    int64_t source, shortcut, result;  // indices of tensors; -1: none
    int64_t kernel_y, kernel_x, stride_y, stride_x, padding_y, padding_x, groups;
    const void *weights;               // laid out for the kind by native_network.py; ENCODE: the table, int64 [C][256]
    // The affine step, with the sign of an adder's sums in the multiplier and the rounding in the constant.
    const int64_t *multiplier;         // [channels]; null: the sums are stored whole
    const int64_t *constant;
    // The same modulo 2^32 in the order of NARROW_LANES; null where the step is not proven to fit 32 bits.
    const uint32_t *narrow_multiplier;
    const uint32_t *narrow_constant;
    int64_t shortcut_multiplier, shift;
    int64_t clamp_max;                 // -1: no clamp
};

struct Network {
    const Tensor *tensors;
    int64_t tensor_count;
    const Operation *operations;
    int64_t operation_count;
    int64_t arena_bytes;     // of one thread, tensors and scratch
    int64_t scratch_offset;  // of the room that an operation has for itself
    const uint8_t *pixels;   // [image][C][H][W], read by ENCODE
};

// Filters are computed in blocks of 16. The lanes of a block are ordered so that narrowing the sums to bytes brings the
// filters into their natural order: packing two vectors of eight 32-bit sums takes four from each, twice.
constexpr int BLOCK = 16;
constexpr int NARROW_LANES[BLOCK] = {0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15};
// 64-bit sums become 32-bit ones by interleaving two vectors of four, whose even and odd lanes they are.
constexpr int SAD_LANES[BLOCK] = {0, 2, 8, 10, 1, 3, 9, 11, 4, 6, 12, 14, 5, 7, 13, 15};

constexpr int SAD_CHUNK = 8;  // codes that one lane of a sum of absolute differences takes at once
constexpr int DOT_CHUNK = 2;  // codes that one lane of a dot product takes at once

using RunImage = void (*)(const Network &network, uint8_t *arena, int64_t image);

namespace portable { void run_image(const Network &network, uint8_t *arena, int64_t image); }
namespace avx2 { void run_image(const Network &network, uint8_t *arena, int64_t image); }
namespace avx512 { void run_image(const Network &network, uint8_t *arena, int64_t image); }
