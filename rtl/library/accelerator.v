`default_nettype none
// accelerator: executes a table of layer descriptors on images that arrive by AXI4-Stream.
//
// How it works. image_loader writes images into the two halves of the image memory, one ahead of the network. The sequencer takes one
// descriptor after the other, fetched while the layer before runs. window_walker issues a word of IN_LANES codes of a window each
// clock, of whatever lines, columns and channels they are: an activation buffer has a bank for each lane, bank_rows finds each bank's
// row, code_rotator brings the codes into order and operand_gate masks what lies outside the map. The codes meet a word of weights in
// lane_array, or go to pool_unit. A sweep's sums move to drain_register at once and leave it DRAIN_LANES at a time while the lanes go
// on: requantizers turn them into codes, with codes of a shortcut where the layer has one; code_writer writes them back, or
// stream_output sends them out.
// There are two tensor buffers A and B, so that a layer reads windows from one and its shortcut from the other in the same clock; where
// both lie in one buffer the layer is `serial`: it drains a sweep before it begins the next.
// descriptor_check refuses what it was not made for. Between two images memory_loader may fill a memory from the input stream.
// layer_counters keeps what each layer took.
//
// Pipeline of one word (clock): 0 walk, 1 bank rows, buffer and weight read, 2 turn and gate, 3 lanes and tree, 4 accumulate, 5 capture
// if it was the sweep's last; then of its sums: 6 drain, affine and shortcut read, 7 to 12 requantize, 13 accept, 14 write. TREE_STAGES
// clocks more lie between 3 and 4 in the lanes, none in the pool unit.
//
// Latency: an image takes what the descriptors make of it; see docs/hardware.md.
//
// The descriptor's words are named below; rtl/descriptor.py writes them in the same order.
module accelerator #(
    // lanes
    parameter IN_LANES = 4,     // codes of a window in a word, >= 1
    parameter OUT_LANES = 2,    // output channels a word feeds, >= 1
    parameter DRAIN_LANES = 2,  // results a clock, 1 to the smaller of the two
    parameter CROSSINGS = 1,    // further lines of a window that may begin inside a word, >= 0
    parameter CODE_BITS = 8,    // bits of a code, 2 to 8
    parameter MIN_FORM = 1,     // 1: minimum lanes, 0: one's complement lanes
    parameter DOT_SPLIT = 0,    // weight bits of the lower half of the lanes in split dot products, 0 for none
    parameter TREE_STAGES = 0,  // register levels among those of the lanes' trees, 0 to 2
    // widths, derived from the network by rtl/parameters.py
    parameter ACC_BITS = 24,     // bits of a sum
    parameter DIGITS = 3,        // signed digits of a multiplier, 1 to 9
    parameter CONST_BITS = 32,   // bits of an affine constant
    parameter AFFINE_BITS = 36,  // bits of the affine step's sum
    parameter OUT_BITS = 24,     // bits of a requantised value, > INPUT_BITS
    parameter INPUT_BITS = 8,    // bits of the input stream, a multiple of 8
    parameter OUTPUT_BITS = 32,  // bits of the output stream, a multiple of 8
    // memories
    parameter IMAGE_DEPTH = 64,        // rows of each half of the image memory
    parameter BUFFER_A_DEPTH = 1024,   // rows
    parameter BUFFER_B_DEPTH = 1024,
    parameter ACTIVATION_ADDRESS_BITS = 10,
    parameter WEIGHT_DEPTH = 1024,
    parameter WEIGHT_ADDRESS_BITS = 10,
    parameter WEIGHT_FILE = "",
    parameter AFFINE_DEPTH = 64,
    parameter AFFINE_ADDRESS_BITS = 6,
    parameter AFFINE_FILE = "",
    parameter DESCRIPTOR_DEPTH = 128,
    parameter DESCRIPTOR_ADDRESS_BITS = 7,
    parameter DESCRIPTOR_FILE = "",
    parameter WEIGHT_REGISTER = 0,     // 1: a register behind the weight memory
    parameter MEMORY_STYLE = 0,        // of every memory on an FPGA: 0 as synthesis decides, 1 block RAM, 2 distributed
    // counts
    parameter COUNT_BITS = 16,  // bits of every size and count in a descriptor
    parameter INDEX_BITS = 8,   // bits of a descriptor's index
    parameter COUNTERS = 2,     // 0: none, 1: all but effective taps, 2: all
    parameter [31:0] SIGNATURE = 32'd0  // of the parameters that descriptors are made for, see descriptor_check
) (
    input wire clk,
    input wire rst,
    // AXI4-Stream in: one code a beat, row by row, pixel by pixel, channel by channel
    input wire [INPUT_BITS-1:0] s_axis_tdata,
    input wire s_axis_tvalid,
    output wire s_axis_tready,
    input wire s_axis_tlast,
    // AXI4-Stream out: one value a beat, sign-extended, in the same order; TUSER is the index of the largest value so far
    output wire [OUTPUT_BITS-1:0] m_axis_tdata,
    output wire m_axis_tvalid,
    input wire m_axis_tready,
    output wire m_axis_tlast,
    output wire [COUNT_BITS-1:0] m_axis_tuser,
    // control
    input wire run,                 // 1: images are taken up as they come
    input wire load_start,          // the next packet is for a memory: 1 descriptors, 2 weights, 3 affine
    input wire [1:0] load_memory,
    input wire [31:0] load_address,
    output wire loading,
    output wire [31:0] loaded_words,
    output wire load_error,
    // status
    output wire busy,
    output wire image_waiting,
    output wire image_done,
    output wire tlast_error,
    output wire halted,
    // counters, see layer_counters
    input wire counter_read,
    input wire [INDEX_BITS-1:0] counter_row,
    output wire [8*48-1:0] counter_data,
    // trace: the values a layer produces, in the order of the stream, the first lowest, as they are stored or sent
    output wire trace_valid,
    output wire [INDEX_BITS-1:0] trace_layer,
    output wire [$clog2(DRAIN_LANES+1)-1:0] trace_count,
    output wire [DRAIN_LANES*OUT_BITS-1:0] trace_values
);
    localparam DESCRIPTOR_WORDS = 46;
    localparam MULTIPLIER_BITS = DIGITS * 7;
    localparam RECORD_BITS = MULTIPLIER_BITS + CONST_BITS;
    localparam AFFINE_WORD_BITS = DRAIN_LANES * RECORD_BITS;
    localparam X_BITS = IN_LANES * CODE_BITS;
    localparam W_BITS = OUT_LANES * IN_LANES * CODE_BITS;
    localparam POOL_LANES = IN_LANES < OUT_LANES ? IN_LANES : OUT_LANES;
    localparam BANK_BITS = IN_LANES > 1 ? $clog2(IN_LANES) : 1;
    localparam PLACE_BITS = ACTIVATION_ADDRESS_BITS + BANK_BITS;
    localparam ROWS_BITS = IN_LANES * ACTIVATION_ADDRESS_BITS;
    localparam LANE_COUNT_BITS = $clog2(IN_LANES + 1);
    localparam DRAIN_COUNT_BITS = $clog2(DRAIN_LANES + 1);
    localparam CHANNEL_COUNT_BITS = $clog2(OUT_LANES + 1);
    localparam CROSSING_COUNT = CROSSINGS > 0 ? CROSSINGS : 1;

    // Words of a descriptor.
    localparam FLAGS = 0;
    localparam SOURCE_ORIGIN = 1;
    localparam SOURCE_HEIGHT = 2;
    localparam LINE_CODES = 3;
    localparam SOURCE_PLANES = 4;
    localparam PLANE_ROWS = 5;
    localparam LINE_STEP = 6;
    localparam PAD_VALUE = 7;
    localparam KERNEL_HEIGHT = 8;
    localparam KERNEL_CODES = 9;
    localparam SEGMENTS = 10;
    localparam SEGMENT_CODES = 11;
    localparam SEGMENT_STEP = 12;
    localparam SEGMENT_STEP_CODES = 13;
    localparam FIRST_CODE = 14;
    localparam CROSSING_ROWS = 15;
    localparam STRIDE_Y = 16;
    localparam PAD_Y = 17;
    localparam COLUMN_CODES = 18;
    localparam PAD_CODES = 19;
    localparam WINDOW_COLUMN_STEP = 20;
    localparam WINDOW_LINE_STEP = 21;
    localparam OUT_HEIGHT = 22;
    localparam OUT_WIDTH = 23;
    localparam OUT_CHANNELS = 24;
    localparam WEIGHT_BASE = 25;
    localparam DIGIT_WORDS = 26;
    localparam TOP_BIT = 27;
    localparam AFFINE_BASE = 28;
    localparam SHIFT = 29;
    localparam CLAMP_MAX = 30;
    localparam TARGET_ORIGIN = 31;
    localparam TARGET_PIXEL_STEP = 32;
    localparam TARGET_LINE_STEP = 33;
    localparam TARGET_PLANES = 34;
    localparam TARGET_PLANE_ROWS = 35;
    localparam LENGTH = 36;
    localparam SHORTCUT_ORIGIN = 37;
    localparam SHORTCUT_PIXEL_STEP = 38;
    localparam SHORTCUT_LINE_STEP = 39;
    localparam SHORTCUT_DIGITS_LOW = 40;
    localparam SHORTCUT_DIGITS_HIGH = 41;
    localparam DRAIN_CLOCKS = 42;
    localparam BUFFERS = 43;
    localparam LOAD_LENGTH = 44;
    // Word 45 makes the sum of all words the signature.

    generate
        if (OUT_BITS <= INPUT_BITS) begin : gen_check_out_bits
            OUT_BITS_must_be_larger_than_INPUT_BITS u_error ();
        end
        if (DIGITS < 1 || DIGITS > 9) begin : gen_check_digits
            DIGITS_must_be_1_to_9 u_error ();
        end
        if (DRAIN_LANES < 1 || DRAIN_LANES > IN_LANES || DRAIN_LANES > OUT_LANES) begin : gen_check_drain_lanes
            DRAIN_LANES_must_be_1_to_IN_LANES_and_OUT_LANES u_error ();
        end
    endgenerate

    genvar index;

    // ---- memories from the stream ----------------------------------------------------------------------------------------
    wire packet_waits;
    wire hold;
    wire packet_ready;
    wire mid_image;
    wire no_image;
    wire between_images;
    wire image_stream_ready;
    wire load_descriptor;
    wire [31:0] load_descriptor_data;
    wire [OUT_LANES-1:0] load_weights;
    wire [X_BITS-1:0] load_weights_data;
    wire [DRAIN_LANES-1:0] load_affine;
    wire [RECORD_BITS-1:0] load_affine_data;
    // Each memory takes as many bits of it as it has addresses.
    /* verilator lint_off UNUSEDSIGNAL */
    wire [31:0] load_word;
    /* verilator lint_on UNUSEDSIGNAL */

    // A packet that waits stops the stream behind the image that is arriving.
    assign between_images = packet_waits && !mid_image;
    assign s_axis_tready = hold ? packet_ready : image_stream_ready && !between_images;

    memory_loader #(
        .DATA_BITS (INPUT_BITS),
        .WIDTH_1   (32),
        .SLICES_1  (1),
        .DEPTH_1   (DESCRIPTOR_DEPTH),
        .WIDTH_2   (X_BITS),
        .SLICES_2  (OUT_LANES),
        .DEPTH_2   (WEIGHT_DEPTH),
        .WIDTH_3   (RECORD_BITS),
        .SLICES_3  (DRAIN_LANES),
        .DEPTH_3   (AFFINE_DEPTH)
    ) u_packets (
        .clk            (clk),
        .rst            (rst),
        .start          (load_start),
        .memory         (load_memory),
        .address        (load_address),
        .busy           (loading),
        .words          (loaded_words),
        .error          (load_error),
        .waiting        (packet_waits),
        .idle           (no_image && !busy),
        .hold           (hold),
        .s_axis_tdata   (s_axis_tdata),
        .s_axis_tvalid  (s_axis_tvalid && hold),
        .s_axis_tready  (packet_ready),
        .s_axis_tlast   (s_axis_tlast),
        .write_address  (load_word),
        .write_enable_1 (load_descriptor),
        .write_data_1   (load_descriptor_data),
        .write_enable_2 (load_weights),
        .write_data_2   (load_weights_data),
        .write_enable_3 (load_affine),
        .write_data_3   (load_affine_data)
    );

    // ---- descriptor ------------------------------------------------------------------------------------------------------
    wire fetch;
    wire fetch_rewind;
    wire fetched;
    wire take;
    wire configure;
    wire descriptor_read;
    wire [DESCRIPTOR_ADDRESS_BITS-1:0] descriptor_address;
    wire [31:0] descriptor_word;
    wire [DESCRIPTOR_WORDS*32-1:0] next_fields;
    wire [31:0] next_sum;
    wire next_beyond;
    wire legal;
    wire configuring;
    reg [DESCRIPTOR_WORDS*32-1:0] fields_q;
    // Fields are 32 bits wide in memory; each is used at the width of what it counts.
    /* verilator lint_off UNUSEDSIGNAL */
    wire [31:0] field [0:DESCRIPTOR_WORDS-1];
    wire [31:0] next_field [0:DESCRIPTOR_WORDS-1];
    // Places are {row[23:0], bank[7:0]} in memory.
    wire [PLACE_BITS-1:0] place [0:DESCRIPTOR_WORDS-1];
    wire [PLACE_BITS-1:0] next_place [0:DESCRIPTOR_WORDS-1];
    /* verilator lint_on UNUSEDSIGNAL */

    generate
        for (index = 0; index < DESCRIPTOR_WORDS; index = index + 1) begin : gen_field
            assign field[index] = fields_q[(index+1)*32-1:index*32];
            assign next_field[index] = next_fields[(index+1)*32-1:index*32];
            assign place[index] = {field[index][8+ACTIVATION_ADDRESS_BITS-1:8], field[index][BANK_BITS-1:0]};
            assign next_place[index] = {next_field[index][8+ACTIVATION_ADDRESS_BITS-1:8], next_field[index][BANK_BITS-1:0]};
        end
    endgenerate

    always @(posedge clk) begin
        if (take) begin
            fields_q <= next_fields;
        end
    end

    wire layer_dot;
    wire layer_pool;
    wire layer_pool_sum;
    wire layer_shortcut;
    wire layer_to_stream;
    wire layer_clamp;
    wire layer_last;
    wire layer_span;
    wire layer_serial;
    wire layer_split;
    assign layer_dot = field[FLAGS][0];
    assign layer_pool = field[FLAGS][1];
    assign layer_pool_sum = field[FLAGS][2];
    assign layer_shortcut = field[FLAGS][3];
    assign layer_to_stream = field[FLAGS][4];
    assign layer_clamp = field[FLAGS][5];
    assign layer_last = field[FLAGS][6];
    assign layer_span = field[FLAGS][7];
    assign layer_serial = field[FLAGS][8];
    assign layer_split = field[FLAGS][9];

    // Which memory: 0 the image, 2 buffer A, 3 buffer B.
    wire [1:0] source_buffer;
    wire [1:0] shortcut_buffer;
    wire target_in_b;
    assign source_buffer = field[BUFFERS][1:0];
    assign shortcut_buffer = field[BUFFERS][3:2];
    assign target_in_b = field[BUFFERS][4];

    // Two fields hold up to nine digits; DIGITS of them are used.
    /* verilator lint_off UNUSEDSIGNAL */
    wire [63:0] shortcut_digits;
    /* verilator lint_on UNUSEDSIGNAL */
    assign shortcut_digits = {field[SHORTCUT_DIGITS_HIGH], field[SHORTCUT_DIGITS_LOW]};

    ram #(
        .WIDTH        (32),
        .DEPTH        (DESCRIPTOR_DEPTH),
        .ADDRESS_BITS (DESCRIPTOR_ADDRESS_BITS),
        .INIT_FILE    (DESCRIPTOR_FILE),
        .STYLE        (MEMORY_STYLE)
    ) u_descriptors (
        .clk           (clk),
        .write_enable  (load_descriptor),
        .write_address (load_word[DESCRIPTOR_ADDRESS_BITS-1:0]),
        .write_data    (load_descriptor_data),
        .read_enable   (descriptor_read),
        .read_address  (descriptor_address),
        .read_data     (descriptor_word)
    );

    descriptor_reader #(
        .WORDS        (DESCRIPTOR_WORDS),
        .DEPTH        (DESCRIPTOR_DEPTH),
        .ADDRESS_BITS (DESCRIPTOR_ADDRESS_BITS)
    ) u_reader (
        .clk          (clk),
        .rst          (rst || hold),
        .start        (fetch),
        .rewind       (fetch_rewind),
        .done         (fetched),
        .read_enable  (descriptor_read),
        .read_address (descriptor_address),
        .read_data    (descriptor_word),
        .fields       (next_fields),
        .sum          (next_sum),
        .beyond       (next_beyond)
    );

    descriptor_check #(
        .SIGNATURE  (SIGNATURE),
        .COUNT_BITS (COUNT_BITS)
    ) u_check (
        .first           (configuring),
        .beyond          (next_beyond),
        .sum             (next_sum),
        .source_planes   (next_field[SOURCE_PLANES][COUNT_BITS-1:0]),
        .kernel_height   (next_field[KERNEL_HEIGHT][COUNT_BITS-1:0]),
        .segments        (next_field[SEGMENTS][COUNT_BITS-1:0]),
        .segment_codes   (next_field[SEGMENT_CODES][COUNT_BITS-1:0]),
        .layer_pool      (next_field[FLAGS][1]),
        .out_height      (next_field[OUT_HEIGHT][COUNT_BITS-1:0]),
        .out_width       (next_field[OUT_WIDTH][COUNT_BITS-1:0]),
        .digit_words     (next_field[DIGIT_WORDS][COUNT_BITS-1:0]),
        .source_buffer   (next_field[BUFFERS][1:0]),
        .shortcut_buffer (next_field[BUFFERS][3:2]),
        .load_length     (next_field[LOAD_LENGTH]),
        .out_channels    (next_field[OUT_CHANNELS][COUNT_BITS-1:0]),
        .target_planes   (next_field[TARGET_PLANES][COUNT_BITS-1:0]),
        .legal           (legal)
    );

    // ---- control ---------------------------------------------------------------------------------------------------------
    wire begin_layer;
    wire layer_done;
    wire end_layer;
    wire image_ready;
    assign image_waiting = image_ready;
    wire release_image;

    sequencer #(
        .INDEX_BITS (INDEX_BITS)
    ) u_sequencer (
        .clk           (clk),
        .rst           (rst || hold),
        .run           (run),
        .fetch         (fetch),
        .fetch_rewind  (fetch_rewind),
        .fetched       (fetched),
        .legal         (legal),
        .layer_last    (layer_last),
        .configuring   (configuring),
        .configure     (configure),
        .image_ready   (image_ready),
        .release_image (release_image),
        .take          (take),
        .begin_layer   (begin_layer),
        .layer_done    (layer_done),
        .end_layer     (end_layer),
        .layer_index   (trace_layer),
        .image_done    (image_done),
        .busy          (busy),
        .halted        (halted)
    );

    // ---- images ----------------------------------------------------------------------------------------------------------
    wire read_half;
    wire write_half;
    wire [IN_LANES-1:0] image_write_enable;
    wire [ROWS_BITS-1:0] image_write_rows;
    wire [X_BITS-1:0] image_write_data;

    image_loader #(
        .LANES        (IN_LANES),
        .CODE_BITS    (CODE_BITS),
        .DATA_BITS    (INPUT_BITS),
        .ADDRESS_BITS (ACTIVATION_ADDRESS_BITS),
        .COUNT_BITS   (COUNT_BITS)
    ) u_loader (
        .clk           (clk),
        .rst           (rst || hold),
        .s_axis_tdata  (s_axis_tdata),
        .s_axis_tvalid (s_axis_tvalid && !hold && !between_images),
        .s_axis_tready (image_stream_ready),
        .s_axis_tlast  (s_axis_tlast),
        .tlast_error   (tlast_error),
        .mid_image     (mid_image),
        .empty         (no_image),
        .configure     (configure),
        .length        (next_field[LOAD_LENGTH]),
        .line_step     (next_place[TARGET_LINE_STEP]),
        .line_codes    (next_field[OUT_CHANNELS][COUNT_BITS-1:0]),
        .planes        (next_field[TARGET_PLANES][3:0]),
        .plane_rows    (next_field[TARGET_PLANE_ROWS][ACTIVATION_ADDRESS_BITS-1:0]),
        .ready         (image_ready),
        .read_half     (read_half),
        .release_image (release_image),
        .write_half    (write_half),
        .write_enable  (image_write_enable),
        .write_rows    (image_write_rows),
        .write_data    (image_write_data)
    );

    // ---- windows ---------------------------------------------------------------------------------------------------------
    wire walking;
    wire sweep_done;
    wire [COUNT_BITS-1:0] sweep_channels;
    wire sweep_starts_pixel;
    wire drained;
    wire word_valid;
    wire [BANK_BITS-1:0] word_bank;
    wire [(CROSSINGS+1)*ACTIVATION_ADDRESS_BITS-1:0] word_rows;
    wire [CROSSING_COUNT*LANE_COUNT_BITS-1:0] word_crossings;
    wire [(CROSSINGS+1)*LANE_COUNT_BITS-1:0] word_inside_from;
    wire [(CROSSINGS+1)*LANE_COUNT_BITS-1:0] word_inside_to;
    wire [LANE_COUNT_BITS-1:0] word_codes;
    wire [CODE_BITS-1:0] word_pad_code;
    wire [WEIGHT_ADDRESS_BITS-1:0] word_weight_address;
    wire word_first;
    wire word_double;
    wire word_subtract;
    wire [2:0] word_bit;

    window_walker #(
        .LANES               (IN_LANES),
        .GROUP               (OUT_LANES),
        .POOL_GROUP          (POOL_LANES),
        .CROSSINGS           (CROSSINGS),
        .CODE_BITS           (CODE_BITS),
        .ADDRESS_BITS        (ACTIVATION_ADDRESS_BITS),
        .WEIGHT_ADDRESS_BITS (WEIGHT_ADDRESS_BITS),
        .COUNT_BITS          (COUNT_BITS)
    ) u_walker (
        .clk                 (clk),
        .rst                 (rst),
        .start               (begin_layer),
        .busy                (walking),
        .layer_dot           (layer_dot),
        .layer_pool          (layer_pool),
        .span                (layer_span),
        .serial              (layer_serial),
        .source_origin       (place[SOURCE_ORIGIN]),
        .source_height       (field[SOURCE_HEIGHT][COUNT_BITS-1:0]),
        .line_codes          (field[LINE_CODES][COUNT_BITS-1:0]),
        .source_planes       (field[SOURCE_PLANES][COUNT_BITS-1:0]),
        .plane_rows          (field[PLANE_ROWS][ACTIVATION_ADDRESS_BITS-1:0]),
        .line_step           (place[LINE_STEP]),
        .pad_value           (field[PAD_VALUE]),
        .kernel_height       (field[KERNEL_HEIGHT][COUNT_BITS-1:0]),
        .kernel_codes        (field[KERNEL_CODES][COUNT_BITS-1:0]),
        .segments            (field[SEGMENTS][COUNT_BITS-1:0]),
        .segment_codes       (field[SEGMENT_CODES][COUNT_BITS-1:0]),
        .segment_step        (place[SEGMENT_STEP]),
        .segment_step_codes  (field[SEGMENT_STEP_CODES][COUNT_BITS-1:0]),
        .first_code          (field[FIRST_CODE][COUNT_BITS-1:0]),
        .crossing_rows       (field[CROSSING_ROWS][ACTIVATION_ADDRESS_BITS-1:0]),
        .stride_y            (field[STRIDE_Y][COUNT_BITS-1:0]),
        .pad_y               (field[PAD_Y][COUNT_BITS-1:0]),
        .column_codes        (field[COLUMN_CODES][COUNT_BITS-1:0]),
        .pad_codes           (field[PAD_CODES][COUNT_BITS-1:0]),
        .window_column_step  (place[WINDOW_COLUMN_STEP]),
        .window_line_step    (place[WINDOW_LINE_STEP]),
        .out_height          (field[OUT_HEIGHT][COUNT_BITS-1:0]),
        .out_width           (field[OUT_WIDTH][COUNT_BITS-1:0]),
        .out_channels        (field[OUT_CHANNELS][COUNT_BITS-1:0]),
        .weight_base         (field[WEIGHT_BASE][WEIGHT_ADDRESS_BITS-1:0]),
        .digit_words         (field[DIGIT_WORDS][COUNT_BITS-1:0]),
        .top_bit             (field[TOP_BIT][2:0]),
        .drain_clocks        (field[DRAIN_CLOCKS][COUNT_BITS-1:0]),
        .drained             (drained),
        .sweep_done          (sweep_done),
        .sweep_channels      (sweep_channels),
        .sweep_starts_pixel  (sweep_starts_pixel),
        .word_valid          (word_valid),
        .word_bank           (word_bank),
        .word_rows           (word_rows),
        .word_crossings      (word_crossings),
        .word_inside_from    (word_inside_from),
        .word_inside_to      (word_inside_to),
        .word_codes          (word_codes),
        .word_pad_code       (word_pad_code),
        .word_weight_address (word_weight_address),
        .word_first          (word_first),
        .word_double         (word_double),
        .word_subtract       (word_subtract),
        .word_bit            (word_bit)
    );

    // A sweep's end travels beside its last word until its sums are complete: four clocks behind the walker's outputs in the pool unit,
    // TREE_STAGES more in the lanes. A pool layer's end that travels on is gone long before the next layer begins.
    localparam END_BITS = COUNT_BITS + 1;
    localparam POOL_END_CLOCKS = 5;
    localparam END_CLOCKS = POOL_END_CLOCKS + TREE_STAGES;
    reg [END_CLOCKS-1:0] ended_q;
    reg [END_CLOCKS*END_BITS-1:0] ends_q;
    wire capture;
    wire [COUNT_BITS-1:0] captured_channels;
    wire captured_starts_pixel;
    assign capture = layer_pool ? ended_q[POOL_END_CLOCKS-1] : ended_q[END_CLOCKS-1];
    assign {captured_starts_pixel, captured_channels} = layer_pool
        ? ends_q[POOL_END_CLOCKS*END_BITS-1:(POOL_END_CLOCKS-1)*END_BITS] : ends_q[END_CLOCKS*END_BITS-1:(END_CLOCKS-1)*END_BITS];

    always @(posedge clk) begin
        ended_q <= rst ? {END_CLOCKS{1'b0}} : {ended_q[END_CLOCKS-2:0], sweep_done};
        ends_q <= {ends_q[(END_CLOCKS-1)*END_BITS-1:0], sweep_starts_pixel, sweep_channels};
    end

    // ---- activations -----------------------------------------------------------------------------------------------------
    wire issue;
    wire advance;
    wire [DRAIN_COUNT_BITS-1:0] issue_count;
    wire [PLACE_BITS-1:0] shortcut_place;
    wire [ROWS_BITS-1:0] tap_rows;
    wire [ROWS_BITS-1:0] shortcut_rows;
    wire [IN_LANES-1:0] result_write_enable;
    wire [ROWS_BITS-1:0] result_write_rows;
    wire [X_BITS-1:0] result_write_data;
    wire [X_BITS-1:0] buffer_data [0:3];
    wire shortcut_read;
    assign shortcut_read = issue && advance && layer_shortcut;

    bank_rows #(
        .LANES        (IN_LANES),
        .CROSSINGS    (CROSSINGS),
        .ADDRESS_BITS (ACTIVATION_ADDRESS_BITS)
    ) u_tap_rows (
        .bank      (word_bank),
        .line_rows (word_rows),
        .crossings (word_crossings),
        .rows      (tap_rows)
    );

    bank_rows #(
        .LANES        (IN_LANES),
        .CROSSINGS    (0),
        .ADDRESS_BITS (ACTIVATION_ADDRESS_BITS)
    ) u_shortcut_rows (
        .bank      (shortcut_place[BANK_BITS-1:0]),
        .line_rows (shortcut_place[PLACE_BITS-1:BANK_BITS]),
        .crossings ({LANE_COUNT_BITS{1'b0}}),
        .rows      (shortcut_rows)
    );

    generate
        for (index = 0; index < 4; index = index + 1) begin : gen_buffer
            localparam IS_IMAGE = index < 2;
            localparam IS_SECOND = index == 1 || index == 3;
            localparam [1:0] NUMBER = IS_IMAGE ? 0 : index;
            localparam DEPTH = IS_IMAGE ? IMAGE_DEPTH : index == 2 ? BUFFER_A_DEPTH : BUFFER_B_DEPTH;
            wire chosen_half;
            wire tap_read;
            wire own_shortcut_read;
            wire own_write;
            assign chosen_half = !IS_IMAGE || read_half == IS_SECOND;
            assign tap_read = word_valid && source_buffer == NUMBER && chosen_half;
            assign own_shortcut_read = shortcut_read && shortcut_buffer == NUMBER && chosen_half;
            assign own_write = (IS_IMAGE ? write_half : target_in_b) == IS_SECOND;

            activation_buffer #(
                .LANES        (IN_LANES),
                .CODE_BITS    (CODE_BITS),
                .DEPTH        (DEPTH),
                .ADDRESS_BITS (ACTIVATION_ADDRESS_BITS),
                .STYLE        (MEMORY_STYLE)
            ) u_buffer (
                .clk          (clk),
                .write_enable (own_write ? (IS_IMAGE ? image_write_enable : result_write_enable) : {IN_LANES{1'b0}}),
                .write_rows   (IS_IMAGE ? image_write_rows : result_write_rows),
                .write_data   (IS_IMAGE ? image_write_data : result_write_data),
                .read_enable  (tap_read || own_shortcut_read),
                .read_rows    (tap_read ? tap_rows : shortcut_rows),
                .read_data    (buffer_data[index])
            );
        end
    endgenerate

    // What a word is travels beside its reads.
    reg [1:0] tap_buffer_q;
    reg [BANK_BITS-1:0] tap_bank_q;
    reg valid_q;
    reg first_q;
    reg double_q;
    reg subtract_q;
    reg [2:0] bit_q;
    reg valid_qq;
    reg first_qq;
    reg double_qq;
    reg subtract_qq;
    reg [CODE_BITS-1:0] bit_select_qq;
    reg [X_BITS-1:0] operands_qq;
    wire [X_BITS-1:0] tap_codes;
    wire [X_BITS-1:0] operands;
    wire [X_BITS-1:0] doubled_operands;

    always @(posedge clk) begin
        valid_q <= word_valid && !rst;
        valid_qq <= valid_q && !rst;
        if (word_valid) begin
            tap_buffer_q <= source_buffer == 2'd0 ? {1'b0, read_half} : source_buffer;
            tap_bank_q <= word_bank;
            first_q <= word_first;
            double_q <= word_double;
            subtract_q <= word_subtract;
            bit_q <= word_bit;
        end
        if (valid_q) begin
            first_qq <= first_q;
            double_qq <= double_q;
            subtract_qq <= subtract_q;
            // No bit in layers without dot products, so that the dot lanes stay at 0.
            bit_select_qq <= {{(CODE_BITS-1){1'b0}}, layer_dot} << bit_q;
            operands_qq <= doubled_operands;
        end
    end

    code_rotator #(
        .LANES     (IN_LANES),
        .CODE_BITS (CODE_BITS),
        .TO_BANKS  (0)
    ) u_order (
        .in_data  (buffer_data[tap_buffer_q]),
        .amount   (tap_bank_q),
        .out_data (tap_codes)
    );

    operand_gate #(
        .LANES     (IN_LANES),
        .CROSSINGS (CROSSINGS),
        .CODE_BITS (CODE_BITS)
    ) u_gate (
        .clk            (clk),
        .in_valid       (word_valid),
        .in_inside_from (word_inside_from),
        .in_inside_to   (word_inside_to),
        .in_codes       (word_codes),
        .in_pad_code    (word_pad_code),
        .in_data        (tap_codes),
        .out_data       (operands)
    );

    // A split dot product reads a window of at most half the lanes, whose codes the upper half carries again.
    localparam LOW_LANES = IN_LANES > 1 ? IN_LANES / 2 : 1;
    generate
        for (index = 0; index < IN_LANES; index = index + 1) begin : gen_operand
            if (index < LOW_LANES || DOT_SPLIT == 0) begin : gen_once
                assign doubled_operands[(index+1)*CODE_BITS-1:index*CODE_BITS] = operands[(index+1)*CODE_BITS-1:index*CODE_BITS];
            end else begin : gen_again
                localparam SAME = index - LOW_LANES;
                assign doubled_operands[(index+1)*CODE_BITS-1:index*CODE_BITS] = layer_split
                    ? operands[(SAME+1)*CODE_BITS-1:SAME*CODE_BITS] : operands[(index+1)*CODE_BITS-1:index*CODE_BITS];
            end
        end
    endgenerate

    // ---- sums ------------------------------------------------------------------------------------------------------------
    wire [W_BITS-1:0] read_weights;
    wire [W_BITS-1:0] weights;
    wire weight_read;
    wire [WEIGHT_ADDRESS_BITS-1:0] weight_read_address;
    wire [OUT_LANES*ACC_BITS-1:0] lane_acc;
    wire [POOL_LANES*ACC_BITS-1:0] pool_acc;
    wire [OUT_LANES*ACC_BITS-1:0] wide_pool_acc;
    wire [ACC_BITS-1:0] sum_x;
    wire [DRAIN_LANES*ACC_BITS-1:0] acc;

    weight_buffer #(
        .IN_LANES     (IN_LANES),
        .OUT_LANES    (OUT_LANES),
        .CODE_BITS    (CODE_BITS),
        .DEPTH        (WEIGHT_DEPTH),
        .ADDRESS_BITS (WEIGHT_ADDRESS_BITS),
        .INIT_FILE    (WEIGHT_FILE),
        .STYLE        (MEMORY_STYLE)
    ) u_weights (
        .clk           (clk),
        .write_enable  (load_weights),
        .write_address (load_word[WEIGHT_ADDRESS_BITS-1:0]),
        .write_data    ({OUT_LANES{load_weights_data}}),
        .read_enable   (weight_read),
        .read_address  (weight_read_address),
        .read_data     (read_weights)
    );

    // The weights meet their codes, which are turned and gated meanwhile, in the clock after next. Either the address waits a clock, or
    // the word does: a block RAM takes a third of a clock to give its data, and has that register inside.
    generate
        if (WEIGHT_REGISTER) begin : gen_word_waits
            reg [W_BITS-1:0] weights_q;
            assign weight_read = word_valid && !layer_pool;
            assign weight_read_address = word_weight_address;
            assign weights = weights_q;

            always @(posedge clk) begin
                weights_q <= read_weights;
            end
        end else begin : gen_address_waits
            reg [WEIGHT_ADDRESS_BITS-1:0] weight_address_q;
            assign weight_read = valid_q && !layer_pool;
            assign weight_read_address = weight_address_q;
            assign weights = read_weights;

            always @(posedge clk) begin
                if (word_valid) begin
                    weight_address_q <= word_weight_address;
                end
            end
        end
    endgenerate

    lane_array #(
        .IN_LANES    (IN_LANES),
        .OUT_LANES   (OUT_LANES),
        .CODE_BITS   (CODE_BITS),
        .ACC_BITS    (ACC_BITS),
        .MIN_FORM    (MIN_FORM),
        .DOT_SPLIT   (DOT_SPLIT),
        .TREE_STAGES (TREE_STAGES)
    ) u_lanes (
        .clk           (clk),
        .rst           (rst),
        .in_valid      (valid_qq && !layer_pool),
        .in_dot        (layer_dot),
        .in_bit_select (bit_select_qq),
        .in_split      (layer_split),
        .in_first      (first_qq),
        .in_double     (double_qq),
        .in_subtract   (subtract_qq),
        .in_x          (operands_qq),
        .in_w          (weights),
        .acc           (lane_acc),
        .sum_x         (sum_x)
    );

    pool_unit #(
        .LANES     (POOL_LANES),
        .CODE_BITS (CODE_BITS),
        .ACC_BITS  (ACC_BITS)
    ) u_pool (
        .clk      (clk),
        .rst      (rst),
        .in_valid (valid_qq && layer_pool),
        .in_first (first_qq),
        .in_sum   (layer_pool_sum),
        .in_x     (operands_qq[POOL_LANES*CODE_BITS-1:0]),
        .acc      (pool_acc)
    );

    assign wide_pool_acc[POOL_LANES*ACC_BITS-1:0] = pool_acc;
    generate
        if (OUT_LANES > POOL_LANES) begin : gen_no_pool
            assign wide_pool_acc[OUT_LANES*ACC_BITS-1:POOL_LANES*ACC_BITS] = {((OUT_LANES-POOL_LANES)*ACC_BITS){1'b0}};
        end
    endgenerate

    drain_register #(
        .LANES    (OUT_LANES),
        .VALUES   (DRAIN_LANES),
        .ACC_BITS (ACC_BITS),
        .MIN_FORM (MIN_FORM)
    ) u_sums (
        .clk      (clk),
        .capture  (capture),
        .in_acc   (layer_pool ? wide_pool_acc : lane_acc),
        .in_sum_x (sum_x),
        .shift    (issue && advance),
        .single   (layer_to_stream),
        .plain    (layer_dot || layer_pool),
        .out_acc  (acc)
    );

    wire issue_last;
    wire [AFFINE_ADDRESS_BITS-1:0] issue_address;
    assign drained = issue && advance && issue_last;

    drain_sequencer #(
        .VALUES              (DRAIN_LANES),
        .AFFINE_ADDRESS_BITS (AFFINE_ADDRESS_BITS),
        .COUNT_BITS          (COUNT_BITS)
    ) u_drain (
        .clk           (clk),
        .rst           (rst),
        .enable        (advance),
        .capture       (capture),
        .channels      (captured_channels),
        .starts_pixel  (captured_starts_pixel),
        .affine_base   (field[AFFINE_BASE][AFFINE_ADDRESS_BITS-1:0]),
        .single        (layer_to_stream),
        .planes        (field[TARGET_PLANES][3:0]),
        .issue         (issue),
        .issue_count   (issue_count),
        .issue_last    (issue_last),
        .issue_address (issue_address)
    );

    // ---- affine step -----------------------------------------------------------------------------------------------------
    wire [AFFINE_WORD_BITS-1:0] affine_word;

    ram #(
        .WIDTH        (AFFINE_WORD_BITS),
        .DEPTH        (AFFINE_DEPTH),
        .ADDRESS_BITS (AFFINE_ADDRESS_BITS),
        .SLICES       (DRAIN_LANES),
        .INIT_FILE    (AFFINE_FILE),
        .STYLE        (MEMORY_STYLE)
    ) u_affine (
        .clk           (clk),
        .write_enable  (load_affine),
        .write_address (load_word[AFFINE_ADDRESS_BITS-1:0]),
        .write_data    ({DRAIN_LANES{load_affine_data}}),
        .read_enable   (issue && advance),
        .read_address  (issue_address),
        .read_data     (affine_word)
    );

    wire [LANE_COUNT_BITS-1:0] issue_codes;
    generate
        if (LANE_COUNT_BITS > DRAIN_COUNT_BITS) begin : gen_wide_count
            assign issue_codes = {{(LANE_COUNT_BITS-DRAIN_COUNT_BITS){1'b0}}, issue_count};
        end else begin : gen_same_count
            assign issue_codes = issue_count;
        end
    endgenerate

    place_cursor #(
        .LANES        (IN_LANES),
        .ADDRESS_BITS (ACTIVATION_ADDRESS_BITS),
        .COUNT_BITS   (COUNT_BITS),
        .STEP_BITS    (LANE_COUNT_BITS)
    ) u_shortcut_cursor (
        .clk        (clk),
        .load       (begin_layer),
        .origin     (place[SHORTCUT_ORIGIN]),
        .pixel_step (place[SHORTCUT_PIXEL_STEP]),
        .line_step  (place[SHORTCUT_LINE_STEP]),
        .channels   (field[OUT_CHANNELS][COUNT_BITS-1:0]),
        .width      (field[OUT_WIDTH][COUNT_BITS-1:0]),
        .step       (shortcut_read),
        .count      (issue_codes),
        .place      (shortcut_place)
    );

    // Beside the reads, then beside the six stages of the requantizers: how many values, and whether a sweep ends with them.
    localparam STAGES = 7;
    reg acc_valid_q;
    reg [1:0] shortcut_buffer_q;
    reg [BANK_BITS-1:0] shortcut_bank_q;
    reg [STAGES*DRAIN_COUNT_BITS-1:0] counts_q;
    reg [STAGES-1:0] lasts_q;
    wire [DRAIN_COUNT_BITS-1:0] result_count;
    wire result_last;
    assign result_count = counts_q[STAGES*DRAIN_COUNT_BITS-1:(STAGES-1)*DRAIN_COUNT_BITS];
    assign result_last = lasts_q[STAGES-1];

    always @(posedge clk) begin
        if (rst) begin
            acc_valid_q <= 1'b0;
        end else if (advance) begin
            acc_valid_q <= issue;
        end
        // The same through a layer. The image memory where there is no shortcut: it stands still unless the layer reads the image.
        shortcut_buffer_q <= shortcut_buffer == 2'd0 ? {1'b0, read_half} : shortcut_buffer;
        if (shortcut_read) begin
            shortcut_bank_q <= shortcut_place[BANK_BITS-1:0];
        end
        if (advance) begin
            counts_q <= {counts_q[(STAGES-1)*DRAIN_COUNT_BITS-1:0], issue_count};
            lasts_q <= {lasts_q[STAGES-2:0], issue_last};
        end
    end

    // The first DRAIN_LANES codes of it are wanted.
    /* verilator lint_off UNUSEDSIGNAL */
    wire [X_BITS-1:0] shortcut_word;
    /* verilator lint_on UNUSEDSIGNAL */
    wire [DRAIN_LANES*CODE_BITS-1:0] shortcut_codes;

    code_rotator #(
        .LANES     (IN_LANES),
        .CODE_BITS (CODE_BITS),
        .TO_BANKS  (0)
    ) u_shortcut_order (
        .in_data  (buffer_data[shortcut_buffer_q]),
        .amount   (shortcut_bank_q),
        .out_data (shortcut_word)
    );
    assign shortcut_codes = shortcut_word[DRAIN_LANES*CODE_BITS-1:0];

    // The next sweep's reads may replace the shortcut's word while its values wait here, so stalled values keep their own copy.
    reg stalled_q;
    reg [DRAIN_LANES*CODE_BITS-1:0] kept_codes_q;
    wire [DRAIN_LANES*CODE_BITS-1:0] in_shortcuts;
    assign in_shortcuts = stalled_q ? kept_codes_q : shortcut_codes;

    always @(posedge clk) begin
        stalled_q <= !rst && !advance;
        if (!stalled_q) begin
            kept_codes_q <= shortcut_codes;
        end
    end

    // A layer without a shortcut takes none of what was read, by digits of 0: the codes come late enough.
    wire [MULTIPLIER_BITS-1:0] used_digits;
    assign used_digits = layer_shortcut ? shortcut_digits[MULTIPLIER_BITS-1:0] : {MULTIPLIER_BITS{1'b0}};

    // The requantizers move together.
    /* verilator lint_off UNUSEDSIGNAL */
    wire [DRAIN_LANES-1:0] results_valid;
    /* verilator lint_on UNUSEDSIGNAL */
    wire [DRAIN_LANES*OUT_BITS-1:0] result_values;
    wire result_valid;
    assign result_valid = results_valid[0];

    generate
        for (index = 0; index < DRAIN_LANES; index = index + 1) begin : gen_result
            wire [RECORD_BITS-1:0] record;
            assign record = affine_word[(index+1)*RECORD_BITS-1:index*RECORD_BITS];

            requantizer #(
                .ACC_BITS    (ACC_BITS),
                .CODE_BITS   (CODE_BITS),
                .DIGITS      (DIGITS),
                .CONST_BITS  (CONST_BITS),
                .AFFINE_BITS (AFFINE_BITS),
                .OUT_BITS    (OUT_BITS)
            ) u_requantizer (
                .clk                    (clk),
                .rst                    (rst),
                .enable                 (advance),
                .in_valid               (acc_valid_q),
                .in_acc                 (acc[(index+1)*ACC_BITS-1:index*ACC_BITS]),
                .in_multiplier          (record[RECORD_BITS-1:CONST_BITS]),
                .in_shortcut            (in_shortcuts[(index+1)*CODE_BITS-1:index*CODE_BITS]),
                .in_shortcut_multiplier (used_digits),
                .in_constant            (record[CONST_BITS-1:0]),
                .in_shift               (field[SHIFT][4:0]),
                .in_clamp               (layer_clamp),
                .in_clamp_max           (field[CLAMP_MAX][OUT_BITS-1:0]),
                .out_valid              (results_valid[index]),
                .out_value              (result_values[(index+1)*OUT_BITS-1:index*OUT_BITS])
            );
        end
    endgenerate

    // ---- results ---------------------------------------------------------------------------------------------------------
    wire writer_ready;
    wire writer_busy;
    wire sender_ready;
    wire result_ready;
    wire [LANE_COUNT_BITS-1:0] result_codes;
    assign result_ready = layer_to_stream ? sender_ready : writer_ready;
    assign advance = !result_valid || result_ready;

    generate
        if (LANE_COUNT_BITS > DRAIN_COUNT_BITS) begin : gen_wide_result_count
            assign result_codes = {{(LANE_COUNT_BITS-DRAIN_COUNT_BITS){1'b0}}, result_count};
        end else begin : gen_same_result_count
            assign result_codes = result_count;
        end
    endgenerate

    code_writer #(
        .LANES        (IN_LANES),
        .VALUES       (DRAIN_LANES),
        .CODE_BITS    (CODE_BITS),
        .VALUE_BITS   (OUT_BITS),
        .ADDRESS_BITS (ACTIVATION_ADDRESS_BITS),
        .COUNT_BITS   (COUNT_BITS)
    ) u_writer (
        .clk          (clk),
        .rst          (rst),
        .load         (begin_layer),
        .origin       (place[TARGET_ORIGIN]),
        .pixel_step   (place[TARGET_PIXEL_STEP]),
        .line_step    (place[TARGET_LINE_STEP]),
        .channels     (field[OUT_CHANNELS][COUNT_BITS-1:0]),
        .width        (field[OUT_WIDTH][COUNT_BITS-1:0]),
        .planes       (field[TARGET_PLANES][3:0]),
        .plane_rows   (field[TARGET_PLANE_ROWS][ACTIVATION_ADDRESS_BITS-1:0]),
        .in_valid     (result_valid && !layer_to_stream),
        .in_ready     (writer_ready),
        .in_count     (result_codes),
        .in_values    (result_values),
        .write_enable (result_write_enable),
        .write_rows   (result_write_rows),
        .write_data   (result_write_data),
        .busy         (writer_busy)
    );

    stream_output #(
        .VALUE_BITS (OUT_BITS),
        .DATA_BITS  (OUTPUT_BITS),
        .COUNT_BITS (COUNT_BITS)
    ) u_output (
        .clk           (clk),
        .rst           (rst),
        .start         (begin_layer && layer_to_stream && field[LENGTH] != 0),
        .length        (field[LENGTH][COUNT_BITS-1:0]),
        .in_valid      (result_valid && layer_to_stream),
        .in_ready      (sender_ready),
        .in_value      (result_values[OUT_BITS-1:0]),
        .m_axis_tdata  (m_axis_tdata),
        .m_axis_tvalid (m_axis_tvalid),
        .m_axis_tready (m_axis_tready),
        .m_axis_tlast  (m_axis_tlast),
        .m_axis_tuser  (m_axis_tuser)
    );

    // Sweeps whose last value has not been accepted yet; one can end each clock, and each is on its way for 14 + TREE_STAGES clocks.
    reg [4:0] sweeps_q;
    wire accepted;
    wire sweep_accepted;
    assign accepted = result_valid && result_ready;
    assign sweep_accepted = accepted && result_last;
    assign layer_done = !walking && sweeps_q == 5'd0 && !writer_busy;

    always @(posedge clk) begin
        if (rst) begin
            sweeps_q <= 5'd0;
        end else if (sweep_done && !sweep_accepted) begin
            sweeps_q <= sweeps_q + 5'd1;
        end else if (sweep_accepted && !sweep_done) begin
            sweeps_q <= sweeps_q - 5'd1;
        end
    end

    // ---- counters --------------------------------------------------------------------------------------------------------
    generate
        if (COUNTERS > 0) begin : gen_counters
            localparam LANES_BITS = $clog2(IN_LANES * OUT_LANES + 1);
            reg [LANE_COUNT_BITS-1:0] codes_q;
            reg [LANE_COUNT_BITS-1:0] codes_qq;
            reg [CHANNEL_COUNT_BITS-1:0] channels_q;
            reg [CHANNEL_COUNT_BITS-1:0] channels_qq;
            reg [LANE_COUNT_BITS-1:0] writes;
            wire [LANES_BITS-1:0] busy_lanes;
            wire [LANES_BITS-1:0] effective_taps;
            integer bank;

            // Beside the word, whose sweep's channels stand in the first of `ends_q`.
            always @(posedge clk) begin
                if (word_valid) begin
                    codes_q <= word_codes;
                    channels_q <= ends_q[CHANNEL_COUNT_BITS-1:0];
                end
                if (valid_q) begin
                    codes_qq <= codes_q;
                    channels_qq <= channels_q;
                end
            end

            always @* begin
                writes = {LANE_COUNT_BITS{1'b0}};
                for (bank = 0; bank < IN_LANES; bank = bank + 1) begin
                    writes = writes + {{(LANE_COUNT_BITS-1){1'b0}}, result_write_enable[bank]};
                end
            end

            lane_counter #(
                .IN_LANES       (IN_LANES),
                .OUT_LANES      (OUT_LANES),
                .CODE_BITS      (CODE_BITS),
                .EFFECTIVE_TAPS (COUNTERS > 1)
            ) u_lane_counter (
                .clk            (clk),
                .rst            (rst),
                .in_valid       (valid_qq),
                .in_pool        (layer_pool),
                .in_dot         (layer_dot),
                .in_split       (layer_split),
                .in_bit_select  (bit_select_qq),
                .in_codes       (codes_qq),
                .in_channels    (channels_qq),
                .in_x           (operands_qq),
                .in_w           (weights),
                .busy_lanes     (busy_lanes),
                .effective_taps (effective_taps)
            );

            layer_counters #(
                .ROWS         (1 << INDEX_BITS),
                .ROW_BITS     (INDEX_BITS),
                .COUNTER_BITS (48),
                .WRITE_BITS   (LANE_COUNT_BITS),
                .LANE_BITS    (LANES_BITS),
                .STYLE        (MEMORY_STYLE)
            ) u_counters (
                .clk               (clk),
                .rst               (rst),
                .running           (busy),
                .end_layer         (end_layer),
                .layer             (trace_layer),
                .activation_read   (word_valid),
                .weight_read       (weight_read),
                .shortcut_read     (shortcut_read),
                .affine_read       (issue && advance),
                .activation_writes (writes),
                .busy_lanes        (busy_lanes),
                .effective_taps    (effective_taps),
                .read_enable       (counter_read),
                .read_row          (counter_row),
                .read_data         (counter_data)
            );
        end else begin : gen_no_counters
            assign counter_data = 384'd0;
        end
    endgenerate

    assign trace_valid = accepted;
    assign trace_count = result_count;
    assign trace_values = result_values;
endmodule
`default_nettype wire
