// The variant for any CPU.
#include <cstring>

#include "integer_network.h"

namespace portable {
#include "affine_step.inl"
#include "portable_tile.inl"
#include "run_image.inl"
}
