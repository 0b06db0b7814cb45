// Tiles for any CPU: vectors of four floats, which every 64-bit machine has.
#include "adder_tile.h"

namespace {

typedef float Vector __attribute__((vector_size(16)));

inline Vector broadcast(float value) { return Vector{value, value, value, value}; }

inline Vector load(const float *from) {
    Vector value;
    __builtin_memcpy(&value, from, sizeof value);
    return value;
}

inline void store(float *to, Vector value) { __builtin_memcpy(to, &value, sizeof value); }

inline Vector minimum(Vector a, Vector b) { return a < b ? a : b; }
inline Vector maximum(Vector a, Vector b) { return a > b ? a : b; }
inline Vector magnitude(Vector a) { return maximum(a, -a); }
inline Vector accumulate(Vector sum, Vector term) { return sum + term; }

inline Vector clipped_step(Vector sum, Vector gradient, Vector weight, Vector held, int) {
    return sum + gradient * minimum(maximum(weight - held, broadcast(-1)), broadcast(1));
}

enum { SUM_ROWS = 4, CLIP_ROWS = 4 };

}  // namespace

#include "adder_tile.inc"

extern const TileVariant portable_tiles = TILE_VARIANT;
