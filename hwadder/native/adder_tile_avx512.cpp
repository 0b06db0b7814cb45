// Tiles for AVX-512 with VL and DQ: thirty-two vectors of eight floats. Vectors of sixteen are no faster where the core
// splits them in two, and a block of sixteen channels fits more layers than one of thirty-two.
#include "adder_tile.h"

#ifdef HAS_X86_TILES
#pragma GCC target("avx2,fma,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,prefer-vector-width=256")
#include <immintrin.h>

namespace {

typedef __m256 Vector;

inline Vector broadcast(float value) { return _mm256_set1_ps(value); }
inline Vector load(const float *from) { return _mm256_loadu_ps(from); }
inline void store(float *to, Vector value) { _mm256_storeu_ps(to, value); }
inline Vector minimum(Vector a, Vector b) { return _mm256_min_ps(a, b); }
inline Vector magnitude(Vector a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }

// A multiplication by one: the sum then runs on the multipliers' pipes, beside the minimum on the adders'.
inline Vector accumulate(Vector sum, Vector term) { return _mm256_fmadd_ps(term, _mm256_set1_ps(1), sum); }

// vrangeps with the immediate 2 takes the smaller magnitude under the sign of the first: the clamp in one instruction.
// Every other difference is a multiplication by one, so that adders' and multipliers' pipes have the same share.
inline Vector clipped_step(Vector sum, Vector gradient, Vector weight, Vector held, int index) {
    const Vector one = _mm256_set1_ps(1);
    const Vector difference = index % 2 ? _mm256_fnmadd_ps(held, one, weight) : _mm256_sub_ps(weight, held);
    return _mm256_fmadd_ps(gradient, _mm256_range_ps(difference, one, 2), sum);
}

enum { SUM_ROWS = 6, CLIP_ROWS = 6 };

}  // namespace

#include "adder_tile.inc"

extern const TileVariant avx512_tiles = TILE_VARIANT;
#endif
