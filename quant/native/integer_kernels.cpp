// The C interface: which variant runs, and the images shared out among threads.
#ifdef _OPENMP
#include <omp.h>
#endif

#include "capability.h"
#include "integer_network.h"

static RunImage variant(int capability) {
#ifdef X86_VARIANTS
    if (capability >= AVX512) return avx512::run_image;
    if (capability >= AVX2) return avx2::run_image;
#endif
    (void)capability;
    return portable::run_image;
}

// Halos keep their fill while the images come and go; nothing else of the arena has a meaning between two images.
static void fill_halos(const Network &network, uint8_t *arena) {
    for (int64_t t = 0; t < network.tensor_count; t++) {
        const Tensor &tensor = network.tensors[t];
        if (tensor.batch || !(tensor.halo_y || tensor.halo_x)) continue;
        uint8_t *at = arena + tensor.offset;
        const int64_t size =
            (tensor.height + 2 * tensor.halo_y) * (tensor.width + 2 * tensor.halo_x) * tensor.channels;
        for (int64_t k = 0; k < size; k++) {
            if (tensor.wide)
                reinterpret_cast<int64_t *>(at)[k] = tensor.fill;
            else
                at[k] = static_cast<uint8_t>(tensor.fill);
        }
    }
}

extern "C" int hwadder_best_capability() { return best_capability(); }

// Run `images` images. `arenas` has room for `threads` arenas, aligned to 64 bytes.
extern "C" void hwadder_run_network(
    const Network *network, int64_t images, uint8_t *arenas, int threads, int capability) {
    const RunImage run_image = variant(capability);
#pragma omp parallel num_threads(threads)
    {
        int thread = 0;
#ifdef _OPENMP
        thread = omp_get_thread_num();
#endif
        uint8_t *arena = arenas + thread * network->arena_bytes;
        fill_halos(*network, arena);
#pragma omp for schedule(dynamic)
        for (int64_t image = 0; image < images; image++) run_image(*network, arena, image);
    }
}
