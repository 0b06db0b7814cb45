// The variant for CPUs with AVX2 and FMA.
#include "capability.h"

#ifdef X86_VARIANTS
#pragma GCC target("avx2,fma")

#include <immintrin.h>

#include <cstring>

#include "integer_network.h"

namespace avx2 {
// 16 registers: 12 sums, 3 broadcast codes, and the weights as operands in memory.
constexpr int PIXELS = 3;
#include "affine_step.inl"
#include "vector_tile.inl"
#include "run_image.inl"
}
#endif
