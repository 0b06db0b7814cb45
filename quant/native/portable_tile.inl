// Tiles in standard C++, for any CPU.

constexpr int PIXELS = 1;

struct Sad {
    using Code = uint8_t;
    using Weight = uint8_t;
    static constexpr int CHUNK = SAD_CHUNK, CODE_BYTES = 1, WEIGHT_BYTES = 1;
    static constexpr const int *LANES = SAD_LANES;
    static int64_t term(int32_t code, int32_t weight) { return code > weight ? code - weight : weight - code; }
};

struct Dot {
    using Code = int16_t;
    using Weight = int16_t;
    static constexpr int CHUNK = DOT_CHUNK, CODE_BYTES = 2, WEIGHT_BYTES = 2;
    static constexpr const int *LANES = NARROW_LANES;
    static int64_t term(int32_t code, int32_t weight) { return code * weight; }
};

template <class Form>
static const uint8_t *add_chunk(const uint8_t *x, const uint8_t *w, int64_t codes, int64_t *sums) {
    const auto *code = reinterpret_cast<const typename Form::Code *>(x);
    const auto *weight = reinterpret_cast<const typename Form::Weight *>(w);
    for (int lane = 0; lane < BLOCK; lane++)
        for (int64_t k = 0; k < codes; k++) sums[Form::LANES[lane]] += Form::term(code[k], weight[lane * Form::CHUNK + k]);
    return w + BLOCK * Form::CHUNK * Form::WEIGHT_BYTES;
}

template <class Form, int P>
static void tile(const Block &block, const uint8_t *const *x, const uint8_t *const *s, uint8_t *const *y) {
    for (int p = 0; p < P; p++) {
        int64_t sums[BLOCK] = {};
        const uint8_t *w = block.weights;
        for (int64_t i = 0; i < block.rows; i++)
            for (int64_t j = 0; j < block.columns; j++) {
                const uint8_t *run = x[p] + i * block.row + j * block.column;
                for (int64_t c = 0; c < block.chunks; c++, run += Form::CHUNK * Form::CODE_BYTES)
                    w = add_chunk<Form>(run, w, Form::CHUNK, sums);
                if (block.tail) w = add_chunk<Form>(run, w, block.tail, sums);
            }
        finish(*block.operation, block.wide_result, sums, block.first, block.count, s[p], y[p]);
    }
}
