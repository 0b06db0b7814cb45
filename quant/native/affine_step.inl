// The affine step of docs/integer-network.md in 64-bit integers, and what tiles are made of: included inside the
// variant's namespace.

// Where one image of a tensor lies: `origin` is its first code within the halo, the pitches are in bytes.
struct View {
    uint8_t *origin;
    int64_t row, pixel;
};

static inline uint8_t *at(const View &view, int64_t row, int64_t column) {
    return view.origin ? view.origin + row * view.row + column * view.pixel : nullptr;
}

// Up to 16 filters that share a tile's codes. The taps are runs of codes that lie side by side, `rows` x `columns` of
// them, each of `chunks` whole chunks and a last one of `tail` codes.
struct Block {
    const Operation *operation;
    const uint8_t *weights;  // [run][chunk][lane][code]
    int64_t rows, columns, row, column, chunks, tail;
    int64_t index;           // of the block in the layer
    int64_t first, count;    // output channels
    int64_t wide_result;
};

// Sums of the output channels `first` onwards of one position, stored at `y` as the operation says; `s` is the
// shortcut's pixel. Any affine step of a valid network fits 64 bits.
static void finish(const Operation &operation, bool wide_result, const int64_t *sums, int64_t first, int64_t count,
                   const uint8_t *s, uint8_t *y) {
    for (int64_t k = 0; k < count; k++) {
        int64_t value = sums[k];
        if (operation.multiplier) {
            value = value * operation.multiplier[first + k] + operation.constant[first + k];
            if (s) value += s[first + k] * operation.shortcut_multiplier;
            value >>= operation.shift;
            if (operation.clamp_max >= 0)
                value = value < 0 ? 0 : value > operation.clamp_max ? operation.clamp_max : value;
        }
        if (wide_result)
            reinterpret_cast<int64_t *>(y)[first + k] = value;
        else
            y[first + k] = static_cast<uint8_t>(value);
    }
}
