// The variant for CPUs with AVX-512 (x86-64-v4).
#include "capability.h"

#ifdef X86_VARIANTS
#pragma GCC target("arch=x86-64-v4,prefer-vector-width=256")

#include <immintrin.h>

#include <cstring>

#include "integer_network.h"

namespace avx512 {
// 32 registers: 24 sums, 6 broadcast codes, the weights and a distance.
constexpr int PIXELS = 6;
#include "affine_step.inl"
#include "vector_tile.inl"
#include "run_image.inl"
}
#endif
