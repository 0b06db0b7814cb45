// The variant for CPUs with AVX-512 F, BW, CD, DQ and VL.
#include "capability.h"

#ifdef X86_VARIANTS
#pragma GCC target("avx2,fma,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,prefer-vector-width=256")

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
