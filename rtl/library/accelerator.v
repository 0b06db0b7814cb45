`default_nettype none
// accelerator: executes a table of layer descriptors on images that arrive by AXI4-Stream.
//
// How it works. The sequencer fetches one descriptor after the other. "load" writes an image's codes from the input stream into the
// activation buffer. A layer makes tap_sequencer issue one tap a clock: a word of activations (gated by operand_gate) and a word of
// weights meet in lane_array, or the activations alone in pool_unit. After each sweep drain_sequencer reads the sums one by one;
// requantizer turns each into a code, with a shortcut's code from the activation buffer where the layer has one; code_writer writes
// it back, or stream_output sends it out if it belongs to the network's output.
// Tensors lie in the buffer row by row, pixel by pixel; a pixel is a word for each IN_LANES channels (a tensor wider than CODE_BITS
// has as many such groups of words as it has planes of CODE_BITS bits, the low bits first).
//
// Latency: an image takes what the descriptors make of it; see docs/hardware.md.
//
// The descriptor's words are listed below, field by field; rtl/program.py writes them in the same order.
module accelerator #(
    // lanes
    parameter IN_LANES = 4,   // channels a tap reads, >= 1
    parameter OUT_LANES = 2,  // output channels a tap feeds, >= 1
    parameter CODE_BITS = 8,  // bits of a code, 2 to 8
    parameter MIN_FORM = 1,   // 1: minimum lanes, 0: one's complement lanes
    // widths, derived from the network by rtl/program.py
    parameter ACC_BITS = 24,     // bits of a sum
    parameter DIGITS = 3,        // signed digits of a multiplier, 1 to 9
    parameter CONST_BITS = 32,   // bits of an affine constant
    parameter AFFINE_BITS = 36,  // bits of the affine step's sum
    parameter OUT_BITS = 24,     // bits of a requantised value, > INPUT_BITS
    parameter INPUT_BITS = 8,    // bits of the input stream, a multiple of 8
    parameter OUTPUT_BITS = 32,  // bits of the output stream, a multiple of 8
    // memories
    parameter ACTIVATION_DEPTH = 1024,
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
    // counters
    parameter COUNT_BITS = 16,  // bits of every size and count in a descriptor
    parameter INDEX_BITS = 8    // bits of a descriptor's index
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
    // status
    output wire busy,
    output wire image_done,
    output wire tlast_error,
    // trace: every value a layer produces, in the order of the stream, as it is stored or sent
    output wire trace_valid,
    output wire [INDEX_BITS-1:0] trace_layer,
    output wire signed [OUT_BITS-1:0] trace_value
);
    localparam DESCRIPTOR_WORDS = 37;
    localparam MULTIPLIER_BITS = DIGITS * 7;
    localparam AFFINE_WORD_BITS = MULTIPLIER_BITS + CONST_BITS;
    localparam X_BITS = IN_LANES * CODE_BITS;
    localparam W_BITS = OUT_LANES * IN_LANES * CODE_BITS;
    localparam IN_LANE_BITS = IN_LANES > 1 ? $clog2(IN_LANES) : 1;
    localparam OUT_LANE_BITS = OUT_LANES > 1 ? $clog2(OUT_LANES) : 1;
    localparam LANES = IN_LANES > OUT_LANES ? IN_LANES : OUT_LANES;
    localparam LANE_BITS = LANES > 1 ? $clog2(LANES) : 1;

    generate
        if (OUT_BITS <= INPUT_BITS) begin : gen_check_out_bits
            OUT_BITS_must_be_larger_than_INPUT_BITS u_error ();
        end
        if (DIGITS < 1 || DIGITS > 9) begin : gen_check_digits
            DIGITS_must_be_1_to_9 u_error ();
        end
    endgenerate

    // ---- descriptor ------------------------------------------------------------------------------------------------------
    wire fetch;
    wire fetch_rewind;
    wire fetched;
    wire descriptor_read;
    wire [DESCRIPTOR_ADDRESS_BITS-1:0] descriptor_address;
    wire [31:0] descriptor_word;
    wire [DESCRIPTOR_WORDS*32-1:0] fields;
    // Fields are 32 bits wide in memory; each is used at the width of what it counts.
    /* verilator lint_off UNUSEDSIGNAL */
    wire [31:0] field [0:DESCRIPTOR_WORDS-1];
    /* verilator lint_on UNUSEDSIGNAL */

    genvar index;
    generate
        for (index = 0; index < DESCRIPTOR_WORDS; index = index + 1) begin : gen_field
            assign field[index] = fields[(index+1)*32-1:index*32];
        end
    endgenerate

    wire layer_dot;
    wire layer_pool;
    wire layer_pool_sum;
    wire layer_shortcut;
    wire layer_to_stream;
    wire layer_clamp;
    wire layer_last;
    wire layer_load;
    assign layer_dot = field[0][0];
    assign layer_pool = field[0][1];
    assign layer_pool_sum = field[0][2];
    assign layer_shortcut = field[0][3];
    assign layer_to_stream = field[0][4];
    assign layer_clamp = field[0][5];
    assign layer_last = field[0][6];
    assign layer_load = field[0][7];

    // Two fields hold up to nine digits; DIGITS of them are used.
    /* verilator lint_off UNUSEDSIGNAL */
    wire [63:0] shortcut_digits;
    /* verilator lint_on UNUSEDSIGNAL */
    assign shortcut_digits = {field[35], field[34]};

    ram #(
        .WIDTH        (32),
        .DEPTH        (DESCRIPTOR_DEPTH),
        .ADDRESS_BITS (DESCRIPTOR_ADDRESS_BITS),
        .INIT_FILE    (DESCRIPTOR_FILE)
    ) u_descriptors (
        .clk           (clk),
        .write_enable  (1'b0),
        .write_address ({DESCRIPTOR_ADDRESS_BITS{1'b0}}),
        .write_data    (32'd0),
        .read_enable   (descriptor_read),
        .read_address  (descriptor_address),
        .read_data     (descriptor_word)
    );

    descriptor_reader #(
        .WORDS        (DESCRIPTOR_WORDS),
        .ADDRESS_BITS (DESCRIPTOR_ADDRESS_BITS)
    ) u_reader (
        .clk          (clk),
        .rst          (rst),
        .start        (fetch),
        .rewind       (fetch_rewind),
        .done         (fetched),
        .read_enable  (descriptor_read),
        .read_address (descriptor_address),
        .read_data    (descriptor_word),
        .fields       (fields)
    );

    // ---- control ---------------------------------------------------------------------------------------------------------
    wire begin_load;
    wire begin_layer;
    wire taps_finished;
    wire load_finished;
    wire pipeline_idle;

    sequencer #(
        .INDEX_BITS (INDEX_BITS)
    ) u_sequencer (
        .clk           (clk),
        .rst           (rst),
        .fetch         (fetch),
        .fetch_rewind  (fetch_rewind),
        .fetched       (fetched),
        .layer_load    (layer_load),
        .layer_last    (layer_last),
        .begin_load    (begin_load),
        .begin_layer   (begin_layer),
        .taps_finished (taps_finished),
        .load_finished (load_finished),
        .pipeline_idle (pipeline_idle),
        .layer_index   (trace_layer),
        .image_done    (image_done),
        .busy          (busy)
    );

    // ---- taps ------------------------------------------------------------------------------------------------------------
    wire tap_valid;
    wire [ACTIVATION_ADDRESS_BITS-1:0] tap_address;
    wire [WEIGHT_ADDRESS_BITS-1:0] tap_weight_address;
    wire tap_padded;
    wire [CODE_BITS-1:0] tap_pad_code;
    wire tap_first_word;
    wire tap_last_word;
    wire tap_first;
    wire tap_double;
    wire tap_subtract;
    wire [2:0] tap_bit;
    wire sweep_done;
    wire [COUNT_BITS-1:0] sweep_channels;
    wire sweep_starts_pixel;
    wire drained;

    tap_sequencer #(
        .IN_LANES            (IN_LANES),
        .OUT_LANES           (OUT_LANES),
        .CODE_BITS           (CODE_BITS),
        .ADDRESS_BITS        (ACTIVATION_ADDRESS_BITS),
        .WEIGHT_ADDRESS_BITS (WEIGHT_ADDRESS_BITS),
        .COUNT_BITS          (COUNT_BITS)
    ) u_taps (
        .clk                (clk),
        .rst                (rst),
        .start              (begin_layer),
        .layer_dot          (layer_dot),
        .layer_pool         (layer_pool),
        .source_origin      (field[1][ACTIVATION_ADDRESS_BITS-1:0]),
        .source_height      (field[2][COUNT_BITS-1:0]),
        .source_width       (field[3][COUNT_BITS-1:0]),
        .source_words       (field[4][COUNT_BITS-1:0]),
        .source_planes      (field[5][COUNT_BITS-1:0]),
        .plane_step         (field[6][ACTIVATION_ADDRESS_BITS-1:0]),
        .pixel_step         (field[7][ACTIVATION_ADDRESS_BITS-1:0]),
        .row_step           (field[8][ACTIVATION_ADDRESS_BITS-1:0]),
        .pad_value          (field[9]),
        .kernel_height      (field[10][COUNT_BITS-1:0]),
        .kernel_width       (field[11][COUNT_BITS-1:0]),
        .stride_y           (field[12][COUNT_BITS-1:0]),
        .stride_x           (field[13][COUNT_BITS-1:0]),
        .pad_y              (field[14][COUNT_BITS-1:0]),
        .pad_x              (field[15][COUNT_BITS-1:0]),
        .window_row_step    (field[16][ACTIVATION_ADDRESS_BITS-1:0]),
        .window_column_step (field[17][ACTIVATION_ADDRESS_BITS-1:0]),
        .out_height         (field[18][COUNT_BITS-1:0]),
        .out_width          (field[19][COUNT_BITS-1:0]),
        .out_channels       (field[20][COUNT_BITS-1:0]),
        .weight_base        (field[22][WEIGHT_ADDRESS_BITS-1:0]),
        .digit_words        (field[23][COUNT_BITS-1:0]),
        .top_bit            (field[24][2:0]),
        .tap_valid          (tap_valid),
        .tap_address        (tap_address),
        .tap_weight_address (tap_weight_address),
        .tap_padded         (tap_padded),
        .tap_pad_code       (tap_pad_code),
        .tap_first_word     (tap_first_word),
        .tap_last_word      (tap_last_word),
        .tap_first          (tap_first),
        .tap_double         (tap_double),
        .tap_subtract       (tap_subtract),
        .tap_bit            (tap_bit),
        .sweep_done         (sweep_done),
        .sweep_channels     (sweep_channels),
        .sweep_starts_pixel (sweep_starts_pixel),
        .drained            (drained),
        .finished           (taps_finished)
    );

    // What a tap is travels beside its memory read.
    reg tap_valid_q;
    reg tap_padded_q;
    reg [CODE_BITS-1:0] tap_pad_code_q;
    reg tap_first_word_q;
    reg tap_last_word_q;
    reg tap_first_q;
    reg tap_double_q;
    reg tap_subtract_q;
    reg [CODE_BITS-1:0] tap_bit_select_q;

    always @(posedge clk) begin
        if (rst) begin
            tap_valid_q <= 1'b0;
        end else begin
            tap_valid_q <= tap_valid;
        end
        if (tap_valid) begin
            tap_padded_q <= tap_padded;
            tap_pad_code_q <= tap_pad_code;
            tap_first_word_q <= tap_first_word;
            tap_last_word_q <= tap_last_word;
            tap_first_q <= tap_first;
            tap_double_q <= tap_double;
            tap_subtract_q <= tap_subtract;
            tap_bit_select_q <= {{(CODE_BITS-1){1'b0}}, 1'b1} << tap_bit;
        end
    end

    // ---- activations and weights -----------------------------------------------------------------------------------------
    wire issue;
    wire [LANE_BITS-1:0] issue_lane;
    wire [AFFINE_ADDRESS_BITS-1:0] issue_address;
    wire advance;
    wire [ACTIVATION_ADDRESS_BITS-1:0] shortcut_word;
    wire [IN_LANE_BITS-1:0] shortcut_lane;
    wire write_enable;
    wire [ACTIVATION_ADDRESS_BITS-1:0] write_address;
    wire [IN_LANE_BITS-1:0] write_lane;
    wire [CODE_BITS-1:0] write_code;
    wire [X_BITS-1:0] activation_data;
    wire [X_BITS-1:0] operands;
    wire [W_BITS-1:0] weights;

    // Taps and shortcuts never read in the same clock: the next sweep waits until the last one is drained.
    activation_buffer #(
        .LANES        (IN_LANES),
        .CODE_BITS    (CODE_BITS),
        .DEPTH        (ACTIVATION_DEPTH),
        .ADDRESS_BITS (ACTIVATION_ADDRESS_BITS)
    ) u_activations (
        .clk           (clk),
        .write_enable  (write_enable),
        .write_address (write_address),
        .write_lane    (write_lane),
        .write_code    (write_code),
        .read_enable   (tap_valid || (issue && advance)),
        .read_address  (tap_valid ? tap_address : shortcut_word),
        .read_data     (activation_data)
    );

    weight_buffer #(
        .IN_LANES     (IN_LANES),
        .OUT_LANES    (OUT_LANES),
        .CODE_BITS    (CODE_BITS),
        .DEPTH        (WEIGHT_DEPTH),
        .ADDRESS_BITS (WEIGHT_ADDRESS_BITS),
        .INIT_FILE    (WEIGHT_FILE)
    ) u_weights (
        .clk           (clk),
        .write_enable  (1'b0),
        .write_address ({WEIGHT_ADDRESS_BITS{1'b0}}),
        .write_data    ({W_BITS{1'b0}}),
        .read_enable   (tap_valid && !layer_pool),
        .read_address  (tap_weight_address),
        .read_data     (weights)
    );

    operand_gate #(
        .LANES     (IN_LANES),
        .CODE_BITS (CODE_BITS)
    ) u_gate (
        .in_data       (activation_data),
        .in_padded     (tap_padded_q),
        .in_pad_code   (tap_pad_code_q),
        .in_first_word (tap_first_word_q),
        .in_last_word  (tap_last_word_q),
        .first_lane    (field[21][IN_LANE_BITS-1:0]),
        .last_lane     (field[21][16+IN_LANE_BITS-1:16]),
        .out_data      (operands)
    );

    // ---- sums ------------------------------------------------------------------------------------------------------------
    wire signed [ACC_BITS-1:0] lane_acc;
    wire signed [ACC_BITS-1:0] pool_acc;
    wire signed [ACC_BITS-1:0] acc;
    assign acc = layer_pool ? pool_acc : lane_acc;

    lane_array #(
        .IN_LANES  (IN_LANES),
        .OUT_LANES (OUT_LANES),
        .CODE_BITS (CODE_BITS),
        .ACC_BITS  (ACC_BITS),
        .MIN_FORM  (MIN_FORM)
    ) u_lanes (
        .clk           (clk),
        .rst           (rst),
        .in_valid      (tap_valid_q && !layer_pool),
        .in_dot        (layer_dot),
        .in_bit_select (tap_bit_select_q),
        .in_first      (tap_first_q),
        .in_double     (tap_double_q),
        .in_subtract   (tap_subtract_q),
        .in_x          (operands),
        .in_w          (weights),
        .drain_enable  (issue && advance),
        .drain_lane    (issue_lane[OUT_LANE_BITS-1:0]),
        .drain_dot     (layer_dot),
        .drain_acc     (lane_acc)
    );

    pool_unit #(
        .LANES     (IN_LANES),
        .CODE_BITS (CODE_BITS),
        .ACC_BITS  (ACC_BITS)
    ) u_pool (
        .clk          (clk),
        .rst          (rst),
        .in_valid     (tap_valid_q && layer_pool),
        .in_first     (tap_first_q),
        .in_sum       (layer_pool_sum),
        .in_x         (operands),
        .drain_enable (issue && advance),
        .drain_lane   (issue_lane[IN_LANE_BITS-1:0]),
        .drain_acc    (pool_acc)
    );

    drain_sequencer #(
        .LANES               (LANES),
        .AFFINE_ADDRESS_BITS (AFFINE_ADDRESS_BITS),
        .COUNT_BITS          (COUNT_BITS),
        .SETTLE              (3)
    ) u_drain (
        .clk                (clk),
        .rst                (rst),
        .enable             (advance),
        .sweep_done         (sweep_done),
        .sweep_channels     (sweep_channels),
        .sweep_starts_pixel (sweep_starts_pixel),
        .affine_base        (field[25][AFFINE_ADDRESS_BITS-1:0]),
        .issue              (issue),
        .issue_lane         (issue_lane),
        .issue_address      (issue_address),
        .drained            (drained)
    );

    // ---- affine step -----------------------------------------------------------------------------------------------------
    wire [AFFINE_WORD_BITS-1:0] affine_word;

    ram #(
        .WIDTH        (AFFINE_WORD_BITS),
        .DEPTH        (AFFINE_DEPTH),
        .ADDRESS_BITS (AFFINE_ADDRESS_BITS),
        .INIT_FILE    (AFFINE_FILE)
    ) u_affine (
        .clk           (clk),
        .write_enable  (1'b0),
        .write_address ({AFFINE_ADDRESS_BITS{1'b0}}),
        .write_data    ({AFFINE_WORD_BITS{1'b0}}),
        .read_enable   (issue && advance),
        .read_address  (issue_address),
        .read_data     (affine_word)
    );

    channel_cursor #(
        .LANES        (IN_LANES),
        .ADDRESS_BITS (ACTIVATION_ADDRESS_BITS),
        .COUNT_BITS   (COUNT_BITS)
    ) u_shortcut_cursor (
        .clk          (clk),
        .rst          (rst),
        .load         (begin_layer),
        .base         (field[32][ACTIVATION_ADDRESS_BITS-1:0]),
        .first_lane   (field[29][IN_LANE_BITS-1:0]),
        .channels     (field[20][COUNT_BITS-1:0]),
        .pixel_stride (field[33][ACTIVATION_ADDRESS_BITS-1:0]),
        .step         (issue && advance),
        .word         (shortcut_word),
        .lane         (shortcut_lane)
    );

    reg acc_valid_q;
    reg [IN_LANE_BITS-1:0] shortcut_lane_q;
    wire [CODE_BITS-1:0] activation_code [0:IN_LANES-1];
    wire [CODE_BITS-1:0] shortcut_code;
    wire result_valid;
    wire signed [OUT_BITS-1:0] result_value;

    generate
        for (index = 0; index < IN_LANES; index = index + 1) begin : gen_code
            assign activation_code[index] = activation_data[(index+1)*CODE_BITS-1:index*CODE_BITS];
        end
    endgenerate
    assign shortcut_code = layer_shortcut ? activation_code[shortcut_lane_q] : {CODE_BITS{1'b0}};

    always @(posedge clk) begin
        if (rst) begin
            acc_valid_q <= 1'b0;
        end else if (advance) begin
            acc_valid_q <= issue;
        end
        if (issue && advance) begin
            shortcut_lane_q <= shortcut_lane;
        end
    end

    // The next sweep's reads may replace the shortcut's word while its value waits here, so a stalled value keeps its own copy.
    reg stalled_q;
    reg [CODE_BITS-1:0] kept_code_q;
    always @(posedge clk) begin
        stalled_q <= !rst && !advance;
        if (!stalled_q) begin
            kept_code_q <= shortcut_code;
        end
    end

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
        .in_acc                 (acc),
        .in_multiplier          (affine_word[AFFINE_WORD_BITS-1:CONST_BITS]),
        .in_shortcut            (stalled_q ? kept_code_q : shortcut_code),
        .in_shortcut_multiplier (shortcut_digits[MULTIPLIER_BITS-1:0]),
        .in_constant            (affine_word[CONST_BITS-1:0]),
        .in_shift               (field[26][4:0]),
        .in_clamp               (layer_clamp),
        .in_clamp_max           (field[27][OUT_BITS-1:0]),
        .out_valid              (result_valid),
        .out_value              (result_value)
    );

    // ---- results ---------------------------------------------------------------------------------------------------------
    wire load_valid;
    wire load_ready;
    wire [INPUT_BITS-1:0] load_value;
    wire writer_ready;
    wire writer_busy;
    wire sender_ready;
    wire result_ready;

    assign result_ready = layer_to_stream ? sender_ready : writer_ready;
    assign advance = !result_valid || result_ready;
    assign load_ready = layer_load && writer_ready;

    stream_input #(
        .DATA_BITS (INPUT_BITS)
    ) u_input (
        .clk           (clk),
        .rst           (rst),
        .s_axis_tdata  (s_axis_tdata),
        .s_axis_tvalid (s_axis_tvalid),
        .s_axis_tready (s_axis_tready),
        .s_axis_tlast  (s_axis_tlast),
        .start         (begin_load),
        .length        (field[31]),
        .done          (load_finished),
        .tlast_error   (tlast_error),
        .out_valid     (load_valid),
        .out_ready     (load_ready),
        .out_value     (load_value)
    );

    code_writer #(
        .LANES        (IN_LANES),
        .CODE_BITS    (CODE_BITS),
        .VALUE_BITS   (OUT_BITS),
        .ADDRESS_BITS (ACTIVATION_ADDRESS_BITS),
        .COUNT_BITS   (COUNT_BITS)
    ) u_writer (
        .clk           (clk),
        .rst           (rst),
        .load          (begin_load || begin_layer),
        .base          (field[28][ACTIVATION_ADDRESS_BITS-1:0]),
        .first_lane    (field[29][IN_LANE_BITS-1:0]),
        .channels      (field[20][COUNT_BITS-1:0]),
        .pixel_stride  (field[30][ACTIVATION_ADDRESS_BITS-1:0]),
        .plane_stride  (field[36][ACTIVATION_ADDRESS_BITS-1:0]),
        .planes        (field[29][31:28]),
        .in_valid      (layer_load ? load_valid : result_valid && !layer_to_stream),
        .in_ready      (writer_ready),
        .in_value      (layer_load ? {{(OUT_BITS-INPUT_BITS){1'b0}}, load_value} : result_value),
        .write_enable  (write_enable),
        .write_address (write_address),
        .write_lane    (write_lane),
        .write_code    (write_code),
        .busy          (writer_busy)
    );

    stream_output #(
        .VALUE_BITS (OUT_BITS),
        .DATA_BITS  (OUTPUT_BITS),
        .COUNT_BITS (COUNT_BITS)
    ) u_output (
        .clk           (clk),
        .rst           (rst),
        .start         (begin_layer && layer_to_stream && field[31] != 0),
        .length        (field[31][COUNT_BITS-1:0]),
        .in_valid      (result_valid && layer_to_stream),
        .in_ready      (sender_ready),
        .in_value      (result_value),
        .m_axis_tdata  (m_axis_tdata),
        .m_axis_tvalid (m_axis_tvalid),
        .m_axis_tready (m_axis_tready),
        .m_axis_tlast  (m_axis_tlast),
        .m_axis_tuser  (m_axis_tuser)
    );

    // Values between issue and acceptance: one beside the memory reads, up to three in the requantizer.
    reg [2:0] pending_q;
    wire issued;
    wire accepted;
    assign issued = issue && advance;
    assign accepted = result_valid && result_ready;
    assign pipeline_idle = pending_q == 3'd0 && !writer_busy;

    always @(posedge clk) begin
        if (rst) begin
            pending_q <= 3'd0;
        end else if (issued && !accepted) begin
            pending_q <= pending_q + 3'd1;
        end else if (accepted && !issued) begin
            pending_q <= pending_q - 3'd1;
        end
    end

    assign trace_valid = accepted;
    assign trace_value = result_value;
endmodule
`default_nettype wire
