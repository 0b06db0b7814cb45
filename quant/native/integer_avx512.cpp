// The variant for CPUs with AVX512.
#include "capability.h"

#ifdef X86_VARIANTS
#pragma GCC target("arch=x86-64-v4,prefer-vector-width=256")

#include <immintrin.h>

#include <cstring>

#include "integer_network.h"

namespace avx512 {
// 32 registers.
constexpr int PIXELS = 6;
#include "affine_step.inl"
#include "vector_tile.inl"
#include "run_image.inl"
}
#endif
