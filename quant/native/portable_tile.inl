// Tiles in standard C++, included inside the variant's namespace. The inner loops are over what a compiler can take
// together with any CPU's vectors: each code of a chunk has a sum of its own.

constexpr int PIXELS = 1;

struct Sad {
    using Code = uint8_t;
    using Sum = uint16_t;
    static constexpr int CHUNK = SAD_CHUNK, CODE_BYTES = 1, WEIGHT_BYTES = 1;
    static constexpr int CHUNKS_AT_ONCE = 257;  // of at most 255 each: 16 bits
    static constexpr const int *LANES = SAD_LANES;
    static Sum term(Code code, Code weight) { return code > weight ? code - weight : weight - code; }
    static int64_t value(Sum sum) { return sum; }
};

struct Dot {
    using Code = int16_t;
    using Sum = uint32_t;
    static constexpr int CHUNK = DOT_CHUNK, CODE_BYTES = 2, WEIGHT_BYTES = 2;
    static constexpr int CHUNKS_AT_ONCE = 128;  // of codes of 8 bits and weights of 16: 31 bits and a sign
    static constexpr const int *LANES = NARROW_LANES;
    static Sum term(Code code, Code weight) { return static_cast<Sum>(code * weight); }
    static int64_t value(Sum sum) { return static_cast<int32_t>(sum); }
};

// The sums of a pixel's block, gathered from those of its codes before these could overflow.
template <class Form>
struct Sums {
    static constexpr int CODES = BLOCK * Form::CHUNK;
    int64_t filters[BLOCK] = {};
    typename Form::Sum parts[CODES] = {};
    int chunks = 0;

    void add(const uint8_t *x, int64_t count, const uint8_t *w) {
        if (++chunks == Form::CHUNKS_AT_ONCE) gather();
        typename Form::Code codes[CODES] = {}, weights[CODES];
        for (int lane = 0; lane < BLOCK; lane++) memcpy(codes + lane * Form::CHUNK, x, count * Form::CODE_BYTES);
        memcpy(weights, w, sizeof weights);
        for (int k = 0; k < CODES; k++) parts[k] += Form::term(codes[k], weights[k]);
    }
    void gather() {
        for (int k = 0; k < CODES; k++) {
            filters[Form::LANES[k / Form::CHUNK]] += Form::value(parts[k]);
            parts[k] = 0;
        }
        chunks = 0;
    }
};

template <class Form, int P>
static void tile(const Block &block, const uint8_t *const *x, const uint8_t *const *s, uint8_t *const *y) {
    for (int p = 0; p < P; p++) {
        Sums<Form> sums;
        const uint8_t *w = block.weights;
        for (int64_t i = 0; i < block.rows; i++)
            for (int64_t j = 0; j < block.columns; j++) {
                const uint8_t *run = x[p] + i * block.row + j * block.column;
                for (int64_t c = 0; c < block.chunks; c++) {
                    sums.add(run, Form::CHUNK, w);
                    run += Form::CHUNK * Form::CODE_BYTES;
                    w += sums.CODES * Form::WEIGHT_BYTES;
                }
                if (block.tail) {
                    sums.add(run, block.tail, w);
                    w += sums.CODES * Form::WEIGHT_BYTES;
                }
            }
        sums.gather();
        finish(*block.operation, block.wide_result, sums.filters, block.first, block.count, s[p], y[p]);
    }
}

// Sums of 16 channels that stay apart.
struct Channels {
    struct Codes {
        uint8_t code[BLOCK];
    };
    int64_t sums[BLOCK] = {};

    static Codes codes(const uint8_t *x, int64_t count) {
        Codes result = {};
        memcpy(result.code, x, count);
        return result;
    }
    void add(const Codes &codes) {
        for (int c = 0; c < BLOCK; c++) sums[c] += codes.code[c];
    }
    void add_distance(const Codes &codes, const Codes &weights) {
        for (int c = 0; c < BLOCK; c++) sums[c] += Sad::term(codes.code[c], weights.code[c]);
    }
    void raise(const Codes &codes) {
        for (int c = 0; c < BLOCK; c++) sums[c] = codes.code[c] > sums[c] ? codes.code[c] : sums[c];
    }
    void store(const Block &block, const uint8_t *s, uint8_t *y) const {
        finish(*block.operation, block.wide_result, sums, block.first, block.count, s, y);
    }
};
