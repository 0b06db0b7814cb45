// One image through the network, the same text for every variant: included inside the variant's namespace, after its
// `tile` and `Channels`, which do nearly all the work.

static View view(const Network &network, uint8_t *arena, int64_t index, int64_t image) {
    const Tensor &tensor = network.tensors[index];
    View result;
    result.pixel = tensor.channels * (tensor.wide ? 8 : 1);
    result.row = result.pixel * (tensor.width + 2 * tensor.halo_x);
    result.origin = (tensor.batch ? tensor.batch + image * tensor.image_bytes : arena + tensor.offset) +
                    tensor.halo_y * result.row + tensor.halo_x * result.pixel;
    return result;
}

// What an operation reads and writes of one image.
struct Frame {
    const Operation *operation;
    const Tensor *from, *to;
    View source, shortcut, result;
    uint8_t *scratch;
};

// Output positions in row order, PIXELS at a time and the rest one by one.
template <class Form>
static void tiles(const Block &block, const Frame &frame, const View &codes) {
    const Operation &operation = *frame.operation;
    const int64_t width = frame.to->width, positions = frame.to->height * width;
    const View &to = frame.result, &shortcut = frame.shortcut;
    const uint8_t *x[PIXELS] = {}, *s[PIXELS] = {};
    uint8_t *y[PIXELS] = {};
    // The next position's window, shortcut and result; a row's end is a jump to the next row's beginning.
    const uint8_t *window = codes.origin - operation.padding_y * codes.row - operation.padding_x * codes.pixel;
    const uint8_t *addend = shortcut.origin;
    uint8_t *pixel = to.origin;
    const int64_t step = operation.stride_x * codes.pixel, jump = operation.stride_y * codes.row - width * step;
    const int64_t addend_jump = shortcut.row - width * shortcut.pixel, pixel_jump = to.row - width * to.pixel;
    int64_t left = width;
    int filled = 0;
    for (int64_t position = 0; position < positions; position++) {
        x[filled] = window;
        s[filled] = addend;
        y[filled] = pixel;
        window += step;
        addend += shortcut.pixel;
        pixel += to.pixel;
        if (--left == 0) {
            left = width;
            window += jump;
            addend += addend_jump;
            pixel += pixel_jump;
        }
        if (++filled < PIXELS && position + 1 < positions) continue;
        if (filled == PIXELS)
            tile<Form, PIXELS>(block, x, s, y);
        else
            for (int k = 0; k < filled; k++) tile<Form, 1>(block, x + k, s + k, y + k);
        filled = 0;
    }
}

// A tap layer, block of filters after block: what a block reads of the weights stays in the first-level cache.
template <class Form>
static void layer(const Frame &frame, const View &codes) {
    const Operation &operation = *frame.operation;
    const int64_t inputs = frame.from->channels / operation.groups, outputs = frame.to->channels / operation.groups;
    // The taps of a kernel row lie side by side in memory unless groups take only some of a pixel's channels.
    const bool whole_rows = operation.groups == 1;
    const int64_t run_codes = whole_rows ? operation.kernel_x * inputs : inputs;
    const int64_t run_count = whole_rows ? operation.kernel_y : operation.kernel_y * operation.kernel_x;
    Block block;
    block.operation = &operation;
    block.wide_result = frame.to->wide;
    block.row = codes.row;
    block.column = whole_rows ? 0 : codes.pixel;
    block.columns = whole_rows ? 1 : operation.kernel_x;
    block.rows = operation.kernel_y;
    block.chunks = run_codes / Form::CHUNK;
    block.tail = run_codes % Form::CHUNK;
    const int64_t block_bytes = run_count * (block.chunks + (block.tail > 0)) * Form::CHUNK * BLOCK * Form::WEIGHT_BYTES;
    const uint8_t *weights = static_cast<const uint8_t *>(operation.weights);
    int64_t index = 0;
    for (int64_t group = 0; group < operation.groups; group++) {
        for (int64_t first = 0; first < outputs; first += BLOCK, index++) {
            block.weights = weights + index * block_bytes;
            block.index = index;
            block.first = group * outputs + first;
            block.count = outputs - first < BLOCK ? outputs - first : BLOCK;
            View mine = codes;
            mine.origin += group * inputs * Form::CODE_BYTES;
            tiles<Form>(block, frame, mine);
        }
    }
}

// Codes as 16-bit numbers, halo and all, for the multiply-and-add of pairs.
static View widened(const Frame &frame) {
    const Tensor &from = *frame.from;
    const int64_t before = from.halo_y * frame.source.row + from.halo_x * frame.source.pixel;
    const int64_t size = (from.height + 2 * from.halo_y) * frame.source.row;
    const uint8_t *codes = frame.source.origin - before;
    int16_t *wide = reinterpret_cast<int16_t *>(frame.scratch);
    for (int64_t k = 0; k < size; k++) wide[k] = codes[k];
    return {frame.scratch + 2 * before, 2 * frame.source.row, 2 * frame.source.pixel};
}

// Dot products whose codes or sums leave 32 bits; weights int64 [filter][kernel row][kernel column][input].
template <class Code>
static void wide_dot(const Frame &frame) {
    const Operation &operation = *frame.operation;
    const int64_t inputs = frame.from->channels / operation.groups, outputs = frame.to->channels / operation.groups;
    const int64_t *weights = static_cast<const int64_t *>(operation.weights);
    int64_t *sums = reinterpret_cast<int64_t *>(frame.scratch);
    for (int64_t row = 0; row < frame.to->height; row++)
        for (int64_t column = 0; column < frame.to->width; column++) {
            const uint8_t *corner =
                frame.source.origin + (row * operation.stride_y - operation.padding_y) * frame.source.row +
                (column * operation.stride_x - operation.padding_x) * frame.source.pixel;
            const int64_t *w = weights;
            for (int64_t filter = 0; filter < frame.to->channels; filter++) {
                int64_t sum = 0;
                for (int64_t i = 0; i < operation.kernel_y; i++)
                    for (int64_t j = 0; j < operation.kernel_x; j++, w += inputs) {
                        const Code *x =
                            reinterpret_cast<const Code *>(corner + i * frame.source.row + j * frame.source.pixel) +
                            filter / outputs * inputs;
                        for (int64_t c = 0; c < inputs; c++) sum += static_cast<int64_t>(x[c]) * w[c];
                    }
                sums[filter] = sum;
            }
            finish(operation, frame.to->wide, sums, 0, frame.to->channels, at(frame.shortcut, row, column),
                   at(frame.result, row, column));
        }
}

// Windows that leave the channels apart, 16 channels at a time. Weights uint8 [kernel row][kernel column][channel].
// native_network.py proves that the sums fit 32 bits.
template <int KIND>
static void channelwise(const Frame &frame) {
    const Operation &operation = *frame.operation;
    const Tensor &from = *frame.from, &to = *frame.to;
    const uint8_t *weights = static_cast<const uint8_t *>(operation.weights);
    Block block = {};
    block.operation = &operation;
    block.wide_result = to.wide;
    for (block.first = 0; block.first < to.channels; block.first += BLOCK, block.index++) {
        block.count = to.channels - block.first < BLOCK ? to.channels - block.first : BLOCK;
        for (int64_t row = 0; row < to.height; row++)
            for (int64_t column = 0; column < to.width; column++) {
                const int64_t top = row * operation.stride_y - operation.padding_y;
                const int64_t left = column * operation.stride_x - operation.padding_x;
                Channels channels;
                for (int64_t i = 0; i < operation.kernel_y; i++)
                    for (int64_t j = 0; j < operation.kernel_x; j++) {
                        const int64_t y = top + i, x = left + j;
                        // The largest code is looked for inside the map only.
                        if (KIND == MAX_POOL && (y < 0 || y >= from.height || x < 0 || x >= from.width)) continue;
                        const Channels::Codes codes =
                            Channels::codes(at(frame.source, y, x) + block.first, block.count);
                        if (KIND == CHANNELWISE) {
                            const uint8_t *w = weights + (i * operation.kernel_x + j) * to.channels + block.first;
                            channels.add_distance(codes, Channels::codes(w, block.count));
                        } else if (KIND == SUM_POOL) {
                            channels.add(codes);
                        } else {
                            channels.raise(codes);
                        }
                    }
                channels.store(block, at(frame.shortcut, row, column), at(frame.result, row, column));
            }
    }
}

template <class Code>
static void encode(const Frame &frame, const uint8_t *pixels) {
    const int64_t *table = static_cast<const int64_t *>(frame.operation->weights);
    const int64_t channels = frame.to->channels, size = frame.to->height * frame.to->width;
    for (int64_t row = 0; row < frame.to->height; row++)
        for (int64_t column = 0; column < frame.to->width; column++) {
            Code *codes = reinterpret_cast<Code *>(at(frame.result, row, column));
            for (int64_t c = 0; c < channels; c++)
                codes[c] = static_cast<Code>(table[c * 256 + pixels[c * size + row * frame.to->width + column]]);
        }
}

template <class Code>
static void flatten(const Frame &frame) {
    Code *flat = reinterpret_cast<Code *>(frame.result.origin);
    const int64_t size = frame.from->height * frame.from->width;
    for (int64_t row = 0; row < frame.from->height; row++)
        for (int64_t column = 0; column < frame.from->width; column++) {
            const Code *codes = reinterpret_cast<const Code *>(at(frame.source, row, column));
            for (int64_t c = 0; c < frame.from->channels; c++)
                flat[c * size + row * frame.from->width + column] = codes[c];
        }
}

template <class Code>
static void argmax(const Frame &frame) {
    const Code *values = reinterpret_cast<const Code *>(frame.source.origin);
    int64_t best = 0;
    for (int64_t c = 1; c < frame.from->channels; c++)
        if (values[c] > values[best]) best = c;
    *reinterpret_cast<int64_t *>(frame.result.origin) = best;
}

static void run(const Frame &frame, const uint8_t *pixels) {
    const bool wide = frame.from && frame.from->wide;
    switch (frame.operation->kind) {
    case ENCODE: frame.to->wide ? encode<int64_t>(frame, pixels) : encode<uint8_t>(frame, pixels); break;
    case ADDER: layer<Sad>(frame, frame.source); break;
    case DOT: layer<Dot>(frame, widened(frame)); break;
    case WIDE_DOT: wide ? wide_dot<int64_t>(frame) : wide_dot<uint8_t>(frame); break;
    case CHANNELWISE: channelwise<CHANNELWISE>(frame); break;
    case MAX_POOL: channelwise<MAX_POOL>(frame); break;
    case SUM_POOL: channelwise<SUM_POOL>(frame); break;
    case FLATTEN: wide ? flatten<int64_t>(frame) : flatten<uint8_t>(frame); break;
    case ARGMAX: wide ? argmax<int64_t>(frame) : argmax<uint8_t>(frame); break;
    }
}

void run_image(const Network &network, uint8_t *arena, int64_t image) {
    for (int64_t k = 0; k < network.operation_count; k++) {
        const Operation &operation = network.operations[k];
        Frame frame = {};
        frame.operation = &operation;
        frame.scratch = arena + network.scratch_offset;
        frame.to = network.tensors + operation.result;
        frame.result = view(network, arena, operation.result, image);
        if (operation.source >= 0) {
            frame.from = network.tensors + operation.source;
            frame.source = view(network, arena, operation.source, image);
        }
        if (operation.shortcut >= 0) frame.shortcut = view(network, arena, operation.shortcut, image);
        // Only ENCODE has no source, and only it reads pixels.
        const int64_t pixels = frame.to->channels * frame.to->height * frame.to->width;
        run(frame, network.pixels ? network.pixels + image * pixels : nullptr);
    }
}
