// Tiles for AVX2 and FMA: sixteen vectors of eight floats.
#include "adder_tile.h"

#ifdef HAS_X86_TILES
#pragma GCC target("avx2,fma")
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

// The clamp on the bits as integers, which takes pipes that sums leave free. Of signed integers 1.0f is the least among
// those of floats above 1, and every negative float is below it; of unsigned ones -1.0f is the least among floats below -1,
// and every positive float is below it.
inline Vector clipped_step(Vector sum, Vector gradient, Vector weight, Vector held, int) {
    const __m256i one = _mm256_castps_si256(_mm256_set1_ps(1)), minus_one = _mm256_castps_si256(_mm256_set1_ps(-1));
    const __m256i difference = _mm256_castps_si256(_mm256_sub_ps(weight, held));
    const __m256i clamped = _mm256_min_epu32(_mm256_min_epi32(difference, one), minus_one);
    return _mm256_fmadd_ps(gradient, _mm256_castsi256_ps(clamped), sum);
}

enum { SUM_ROWS = 5, CLIP_ROWS = 4 };

}  // namespace

#include "adder_tile.inc"

extern const TileVariant avx2_tiles = TILE_VARIANT;
#endif
