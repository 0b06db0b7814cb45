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

// The affine step on `count` sums, in 64-bit integers, which any step of a valid network fits; `totals` has room for them.
template <class Sum>
static void step(const Operation &operation, const Sum *__restrict sums, int64_t first, int64_t count,
                 const uint8_t *__restrict shortcut, int64_t *__restrict totals) {
    const int64_t *__restrict multiplier = operation.multiplier + first;
    const int64_t *__restrict constant = operation.constant + first;
    const int64_t by = operation.shortcut_multiplier, shift = operation.shift;
    const bool clamps = operation.clamp_max >= 0;
    const int64_t low = clamps ? 0 : INT64_MIN, high = clamps ? operation.clamp_max : INT64_MAX;
    for (int64_t k = 0; k < count; k++) totals[k] = sums[k] * multiplier[k] + constant[k];
    if (shortcut)
        for (int64_t k = 0; k < count; k++) totals[k] += shortcut[k] * by;
    for (int64_t k = 0; k < count; k++) {
        const int64_t result = totals[k] >> shift;
        totals[k] = result < low ? low : result > high ? high : result;
    }
}

// Sums of the output channels `first` onwards of one position, stored at `y` as the operation says; `s` is the
// shortcut's pixel. The results wait in a buffer: a byte written may lie anywhere, for all the compiler knows, and would
// keep it from taking several channels at once.
template <class Sum>
static void finish(const Operation &operation, bool wide_result, const Sum *sums, int64_t first, int64_t count,
                   const uint8_t *s, uint8_t *y) {
    constexpr int64_t AT_ONCE = 64;
    for (int64_t end = first + count; first < end; first += AT_ONCE, sums += AT_ONCE) {
        const int64_t some = end - first < AT_ONCE ? end - first : AT_ONCE;
        int64_t totals[AT_ONCE];
        if (operation.multiplier)
            step(operation, sums, first, some, s ? s + first : nullptr, totals);
        else
            for (int64_t k = 0; k < some; k++) totals[k] = sums[k];
        if (wide_result)
            for (int64_t k = 0; k < some; k++) reinterpret_cast<int64_t *>(y)[first + k] = totals[k];
        else
            for (int64_t k = 0; k < some; k++) y[first + k] = static_cast<uint8_t>(totals[k]);
    }
}
