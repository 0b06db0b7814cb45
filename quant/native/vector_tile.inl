// Tiles in vectors of 256 bits, included inside the variant's namespace after its PIXELS, the pixels of a tile. The
// intrinsics are AVX2's; with 32 registers the same text holds the sums of more pixels.

struct Sad {
    // One lane is the 64-bit sum of one filter: vpsadbw adds up eight absolute differences exactly.
    static constexpr int CHUNK = SAD_CHUNK, CODE_BYTES = 1, WEIGHT_BYTES = 1, VECTORS = 4;
    static constexpr const int *LANES = SAD_LANES;
    using Lane = int64_t;

    static __m256i codes(const uint8_t *x) {
        int64_t eight;
        memcpy(&eight, x, 8);
        return _mm256_set1_epi64x(eight);
    }
    // The codes behind a run are not its own: they read 0, as the weights do there.
    static __m256i last_codes(const uint8_t *x, int64_t count) {
        int64_t eight;
        memcpy(&eight, x, 8);
        return _mm256_set1_epi64x(eight & ((int64_t(1) << 8 * count) - 1));
    }
    static __m256i add(__m256i sum, __m256i codes, __m256i weights) {
        return _mm256_add_epi64(sum, _mm256_sad_epu8(codes, weights));
    }
    // Two vectors of eight 32-bit sums in the order of NARROW_LANES; the sums fit 32 bits.
    static __m256i narrow(const __m256i *sums, int half) {
        return _mm256_or_si256(sums[2 * half], _mm256_slli_epi64(sums[2 * half + 1], 32));
    }
};

struct Dot {
    // One lane is the 32-bit sum of one filter: vpmaddwd adds two products of 16-bit numbers exactly.
    static constexpr int CHUNK = DOT_CHUNK, CODE_BYTES = 2, WEIGHT_BYTES = 2, VECTORS = 2;
    static constexpr const int *LANES = NARROW_LANES;
    using Lane = int32_t;

    static __m256i codes(const uint8_t *x) {
        int32_t two;
        memcpy(&two, x, 4);
        return _mm256_set1_epi32(two);
    }
    // What is read behind a run meets weights of 0.
    static __m256i last_codes(const uint8_t *x, int64_t) { return codes(x); }
    static __m256i add(__m256i sum, __m256i codes, __m256i weights) {
        return _mm256_add_epi32(sum, _mm256_madd_epi16(codes, weights));
    }
    static __m256i narrow(const __m256i *sums, int half) { return sums[half]; }
};

template <class Form, int P>
static inline __attribute__((always_inline)) void add_chunk(
    __m256i (&sums)[P][Form::VECTORS], const __m256i (&codes)[P], const uint8_t *w) {
#pragma GCC unroll 4
    for (int v = 0; v < Form::VECTORS; v++) {
        const __m256i weights = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(w) + v);
#pragma GCC unroll 8
        for (int p = 0; p < P; p++) sums[p][v] = Form::add(sums[p][v], codes[p], weights);
    }
}

// The affine step in 32-bit integers modulo 2^32, exact because its total is proven to fit.
struct NarrowStep {
    __m256i multiplier[2], constant[2], shortcut_multiplier, clamp_max;
    __m128i shift;

    explicit NarrowStep(const Block &block) {
        const Operation &operation = *block.operation;
        const int64_t at = block.index * BLOCK;
        for (int half = 0; half < 2; half++) {
            multiplier[half] = load(operation.narrow_multiplier + at + 8 * half);
            constant[half] = load(operation.narrow_constant + at + 8 * half);
        }
        shortcut_multiplier = _mm256_set1_epi32(static_cast<int>(operation.shortcut_multiplier));
        clamp_max = _mm256_set1_epi16(static_cast<int16_t>(operation.clamp_max));
        shift = _mm_cvtsi32_si128(static_cast<int>(operation.shift));
    }
    static __m256i load(const uint32_t *eight) { return _mm256_loadu_si256(reinterpret_cast<const __m256i *>(eight)); }

    // The 16 codes of a pixel, from its sums in the order of NARROW_LANES.
    __m128i codes(__m256i low, __m256i high) const {
        return packed(_mm256_add_epi32(_mm256_mullo_epi32(low, multiplier[0]), constant[0]),
                      _mm256_add_epi32(_mm256_mullo_epi32(high, multiplier[1]), constant[1]));
    }
    __m128i codes(__m256i low, __m256i high, __m128i shortcut) const {
        // Unpacking a vector of 16-bit codes with zeros brings them into the order of the lanes.
        const __m256i words = _mm256_cvtepu8_epi16(shortcut), zero = _mm256_setzero_si256();
        const __m256i first = _mm256_mullo_epi32(_mm256_unpacklo_epi16(words, zero), shortcut_multiplier);
        const __m256i second = _mm256_mullo_epi32(_mm256_unpackhi_epi16(words, zero), shortcut_multiplier);
        return packed(_mm256_add_epi32(_mm256_add_epi32(_mm256_mullo_epi32(low, multiplier[0]), constant[0]), first),
                      _mm256_add_epi32(_mm256_add_epi32(_mm256_mullo_epi32(high, multiplier[1]), constant[1]), second));
    }
    // Packing saturates below at 0 and above far beyond the clamp.
    __m128i packed(__m256i low, __m256i high) const {
        const __m256i words = _mm256_min_epu16(
            _mm256_packus_epi32(_mm256_sra_epi32(low, shift), _mm256_sra_epi32(high, shift)), clamp_max);
        return bytes(words);
    }
    // 16-bit words that fit a byte.
    static __m128i bytes(__m256i words) {
        return _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    }
};

// A pixel's codes of one block; `s` is the shortcut's pixel, `y` the result's.
template <bool WHOLE, bool SHORTCUT>
static inline __attribute__((always_inline)) void store_codes(
    const Block &block, const NarrowStep &step, __m256i low, __m256i high, const uint8_t *s, uint8_t *y) {
    alignas(16) uint8_t some[BLOCK];
    const uint8_t *shortcut = SHORTCUT ? s + block.first : nullptr;
    uint8_t *result = WHOLE ? y + block.first : some;
    if (SHORTCUT && !WHOLE) shortcut = static_cast<uint8_t *>(memcpy(some, shortcut, block.count));
    _mm_storeu_si128(reinterpret_cast<__m128i *>(result),
                     SHORTCUT ? step.codes(low, high, _mm_loadu_si128(reinterpret_cast<const __m128i *>(shortcut)))
                              : step.codes(low, high));
    if (!WHOLE) memcpy(y + block.first, some, block.count);
}

// Unrolled, so that the sums stay in registers.
template <class Form, int P, bool WHOLE, bool SHORTCUT>
static inline __attribute__((always_inline)) void store_narrow(
    const Block &block, const __m256i (&sums)[P][Form::VECTORS], const uint8_t *const *s, uint8_t *const *y) {
    const NarrowStep step(block);
#pragma GCC unroll 8
    for (int p = 0; p < P; p++)
        store_codes<WHOLE, SHORTCUT>(block, step, Form::narrow(sums[p], 0), Form::narrow(sums[p], 1), s[p], y[p]);
}

template <class Form, int P>
static void tile(const Block &block, const uint8_t *const *x, const uint8_t *const *s, uint8_t *const *y) {
    constexpr int STEP = Form::CHUNK * Form::CODE_BYTES, WEIGHTS = 32 * Form::VECTORS;
    __m256i sums[P][Form::VECTORS];
#pragma GCC unroll 8
    for (int p = 0; p < P; p++)
#pragma GCC unroll 4
        for (int v = 0; v < Form::VECTORS; v++) sums[p][v] = _mm256_setzero_si256();
    const uint8_t *w = block.weights;
    for (int64_t i = 0; i < block.rows; i++)
        for (int64_t j = 0; j < block.columns; j++) {
            const uint8_t *run[P];
            for (int p = 0; p < P; p++) run[p] = x[p] + i * block.row + j * block.column;
            __m256i codes[P];
            int64_t at = 0;
            for (const int64_t end = block.chunks * STEP; at < end; at += STEP, w += WEIGHTS) {
                for (int p = 0; p < P; p++) codes[p] = Form::codes(run[p] + at);
                add_chunk<Form, P>(sums, codes, w);
            }
            if (block.tail) {
                for (int p = 0; p < P; p++) codes[p] = Form::last_codes(run[p] + at, block.tail);
                add_chunk<Form, P>(sums, codes, w);
                w += WEIGHTS;
            }
        }
    if (block.operation->narrow_multiplier) {
        const bool whole = block.count == BLOCK, shortcut = block.operation->shortcut >= 0;
        if (whole) return shortcut ? store_narrow<Form, P, true, true>(block, sums, s, y)
                                   : store_narrow<Form, P, true, false>(block, sums, s, y);
        return shortcut ? store_narrow<Form, P, false, true>(block, sums, s, y)
                        : store_narrow<Form, P, false, false>(block, sums, s, y);
    }
#pragma GCC unroll 8
    for (int p = 0; p < P; p++) {
        typename Form::Lane lanes[BLOCK];
        memcpy(lanes, sums[p], sizeof lanes);
        int64_t natural[BLOCK];
        for (int lane = 0; lane < BLOCK; lane++) natural[Form::LANES[lane]] = lanes[lane];
        finish(*block.operation, block.wide_result, natural, block.first, block.count, s[p], y[p]);
    }
}

// 32-bit sums of 16 channels that stay apart, in the order of NARROW_LANES.
struct Channels {
    using Codes = __m128i;
    __m256i sums[2];

    Channels() : sums{_mm256_setzero_si256(), _mm256_setzero_si256()} {}

    static Codes codes(const uint8_t *x, int64_t count) {
        if (count == BLOCK) return _mm_loadu_si128(reinterpret_cast<const __m128i *>(x));
        alignas(16) uint8_t some[BLOCK] = {};
        memcpy(some, x, count);
        return _mm_load_si128(reinterpret_cast<const __m128i *>(some));
    }
    static __m256i half(Codes codes, int index) {
        const __m256i words = _mm256_cvtepu8_epi16(codes), zero = _mm256_setzero_si256();
        return index ? _mm256_unpackhi_epi16(words, zero) : _mm256_unpacklo_epi16(words, zero);
    }
    void add(Codes codes) {
        for (int k = 0; k < 2; k++) sums[k] = _mm256_add_epi32(sums[k], half(codes, k));
    }
    void add_distance(Codes codes, Codes weights) {
        add(_mm_or_si128(_mm_subs_epu8(codes, weights), _mm_subs_epu8(weights, codes)));
    }
    void raise(Codes codes) {
        for (int k = 0; k < 2; k++) sums[k] = _mm256_max_epi32(sums[k], half(codes, k));
    }
    void store(const Block &block, const uint8_t *s, uint8_t *y) const {
        const Operation &operation = *block.operation;
        if (block.count == BLOCK && operation.narrow_multiplier) {
            const NarrowStep step(block);
            return s ? store_codes<true, true>(block, step, sums[0], sums[1], s, y)
                     : store_codes<true, false>(block, step, sums[0], sums[1], s, y);
        }
        if (block.count == BLOCK && !operation.multiplier && !block.wide_result) {
            const __m128i codes = NarrowStep::bytes(_mm256_packus_epi32(sums[0], sums[1]));
            return _mm_storeu_si128(reinterpret_cast<__m128i *>(y + block.first), codes);
        }
        int32_t lanes[BLOCK];
        int64_t natural[BLOCK];
        memcpy(lanes, sums, sizeof lanes);
        for (int lane = 0; lane < BLOCK; lane++) natural[NARROW_LANES[lane]] = lanes[lane];
        finish(operation, block.wide_result, natural, block.first, block.count, s, y);
    }
};
