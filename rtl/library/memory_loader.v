`default_nettype none
// memory_loader: fills one of three memories from a packet of the input stream, between two images.
//
// How it works. start names a memory and its first word; it is ignored while busy. The next packet is for that memory: as soon as the
// accelerator holds no image (`idle`; no new one enters while `waiting`), `hold` goes up, which keeps the accelerator in reset, and the
// port opens. A memory is a row of words, a word a row of equal slices, a slice as many beats as it needs, lowest bits first; the top
// bits of a slice's last beat may be padding. TLAST ends the packet. Beats behind the memory's last word are dropped. They, and a packet
// that ends within a word, are errors; `error` is kept until the next start.
//
// Latency: hold and the port's opening a clock after idle, at the earliest two after start; one beat a clock; a slice is written, and
// a whole word counted, in the clock after its last beat; hold and busy fall two clocks after TLAST was accepted.
//
// Example: slices of 16 bits, two a word, beats of 8 bits: beats 11, 22, 33, 44 (TLAST) make the word 44332211.
module memory_loader #(
    parameter DATA_BITS = 8,    // bits of a beat
    parameter WIDTH_1 = 32,     // bits of a slice of memory 1, >= 1
    parameter SLICES_1 = 1,     // slices of a word, >= 1
    parameter DEPTH_1 = 64,     // words, >= 1
    parameter WIDTH_2 = 32,
    parameter SLICES_2 = 2,
    parameter DEPTH_2 = 64,
    parameter WIDTH_3 = 40,
    parameter SLICES_3 = 2,
    parameter DEPTH_3 = 64
) (
    input wire clk,
    input wire rst,
    // request
    input wire start,
    input wire [1:0] memory,    // 1 to 3
    input wire [31:0] address,  // first word
    output wire busy,
    output reg [31:0] words,    // wholly written for the last request
    output reg error,
    // the accelerator
    output wire waiting,
    input wire idle,
    output wire hold,
    // the packet
    input wire [DATA_BITS-1:0] s_axis_tdata,
    input wire s_axis_tvalid,
    output wire s_axis_tready,
    input wire s_axis_tlast,
    // memories
    output wire [31:0] write_address,
    output wire [SLICES_1-1:0] write_enable_1,
    output wire [WIDTH_1-1:0] write_data_1,
    output wire [SLICES_2-1:0] write_enable_2,
    output wire [WIDTH_2-1:0] write_data_2,
    output wire [SLICES_3-1:0] write_enable_3,
    output wire [WIDTH_3-1:0] write_data_3
);
    localparam BEATS_1 = (WIDTH_1 + DATA_BITS - 1) / DATA_BITS;
    localparam BEATS_2 = (WIDTH_2 + DATA_BITS - 1) / DATA_BITS;
    localparam BEATS_3 = (WIDTH_3 + DATA_BITS - 1) / DATA_BITS;
    localparam BEATS_12 = BEATS_1 > BEATS_2 ? BEATS_1 : BEATS_2;
    localparam BEATS = BEATS_12 > BEATS_3 ? BEATS_12 : BEATS_3;
    localparam SLICE_BITS = BEATS * DATA_BITS;
    localparam SLICES_12 = SLICES_1 > SLICES_2 ? SLICES_1 : SLICES_2;
    localparam SLICES = SLICES_12 > SLICES_3 ? SLICES_12 : SLICES_3;
    localparam BEAT_COUNT_BITS = $clog2(BEATS + 1);
    localparam SLICE_COUNT_BITS = $clog2(SLICES + 1);
    // The widths are those of the largest, so nothing is cut off.
    /* verilator lint_off WIDTHTRUNC */
    localparam [BEAT_COUNT_BITS-1:0] ALL_BEATS_1 = BEATS_1;
    localparam [BEAT_COUNT_BITS-1:0] ALL_BEATS_2 = BEATS_2;
    localparam [BEAT_COUNT_BITS-1:0] ALL_BEATS_3 = BEATS_3;
    localparam [SLICE_COUNT_BITS-1:0] ALL_SLICES_1 = SLICES_1;
    localparam [SLICE_COUNT_BITS-1:0] ALL_SLICES_2 = SLICES_2;
    localparam [SLICE_COUNT_BITS-1:0] ALL_SLICES_3 = SLICES_3;
    /* verilator lint_on WIDTHTRUNC */
    localparam [BEAT_COUNT_BITS-1:0] ONE_BEAT = 1;
    localparam [SLICE_COUNT_BITS-1:0] ONE_SLICE = 1;

    localparam [1:0] FREE = 2'd0;
    localparam [1:0] WAIT = 2'd1;
    localparam [1:0] TAKE = 2'd2;
    localparam [1:0] LEAVE = 2'd3;

    reg [1:0] state_q;
    reg [1:0] memory_q;
    reg [31:0] address_q;
    reg [BEAT_COUNT_BITS-1:0] beats_left_q;   // of the slice
    reg [SLICE_COUNT_BITS-1:0] slices_left_q;  // of the word
    reg write_q;
    reg [SLICE_BITS-1:0] slice_q;  // the last beat in the highest bits

    reg [BEAT_COUNT_BITS-1:0] all_beats;
    reg [SLICE_COUNT_BITS-1:0] all_slices;
    reg [31:0] depth;
    always @* begin
        case (memory_q)
            2'd1: begin
                all_beats = ALL_BEATS_1;
                all_slices = ALL_SLICES_1;
                depth = DEPTH_1;
            end
            2'd2: begin
                all_beats = ALL_BEATS_2;
                all_slices = ALL_SLICES_2;
                depth = DEPTH_2;
            end
            default: begin
                all_beats = ALL_BEATS_3;
                all_slices = ALL_SLICES_3;
                depth = DEPTH_3;
            end
        endcase
    end

    wire accept;
    wire slice_ends;
    wire word_ends;
    wire exists;
    // What falls out below is of no use.
    /* verilator lint_off UNUSEDSIGNAL */
    wire [SLICE_BITS+DATA_BITS-1:0] shifted;
    /* verilator lint_on UNUSEDSIGNAL */
    assign busy = state_q != FREE;
    assign waiting = state_q == WAIT;
    assign hold = state_q == TAKE || state_q == LEAVE;
    assign s_axis_tready = state_q == TAKE;
    assign accept = s_axis_tvalid && s_axis_tready;
    assign slice_ends = accept && beats_left_q == ONE_BEAT;
    assign word_ends = slice_ends && slices_left_q == ONE_SLICE;
    assign exists = address_q < depth;
    assign shifted = {s_axis_tdata, slice_q};

    // The word and the slice that is written, a clock behind those that are taken.
    reg [31:0] write_address_q;
    reg [SLICE_COUNT_BITS-1:0] write_slices_left_q;
    assign write_address = write_address_q;
    assign write_data_1 = slice_q[SLICE_BITS-BEATS_1*DATA_BITS+WIDTH_1-1:SLICE_BITS-BEATS_1*DATA_BITS];
    assign write_data_2 = slice_q[SLICE_BITS-BEATS_2*DATA_BITS+WIDTH_2-1:SLICE_BITS-BEATS_2*DATA_BITS];
    assign write_data_3 = slice_q[SLICE_BITS-BEATS_3*DATA_BITS+WIDTH_3-1:SLICE_BITS-BEATS_3*DATA_BITS];

    genvar i;
    generate
        for (i = 0; i < SLICES_1; i = i + 1) begin : gen_enable_1
            /* verilator lint_off WIDTHTRUNC */
            localparam [SLICE_COUNT_BITS-1:0] LEFT = SLICES_1 - i;
            /* verilator lint_on WIDTHTRUNC */
            assign write_enable_1[i] = write_q && memory_q == 2'd1 && write_slices_left_q == LEFT;
        end
        for (i = 0; i < SLICES_2; i = i + 1) begin : gen_enable_2
            /* verilator lint_off WIDTHTRUNC */
            localparam [SLICE_COUNT_BITS-1:0] LEFT = SLICES_2 - i;
            /* verilator lint_on WIDTHTRUNC */
            assign write_enable_2[i] = write_q && memory_q == 2'd2 && write_slices_left_q == LEFT;
        end
        for (i = 0; i < SLICES_3; i = i + 1) begin : gen_enable_3
            /* verilator lint_off WIDTHTRUNC */
            localparam [SLICE_COUNT_BITS-1:0] LEFT = SLICES_3 - i;
            /* verilator lint_on WIDTHTRUNC */
            assign write_enable_3[i] = write_q && memory_q == 2'd3 && write_slices_left_q == LEFT;
        end
    endgenerate

    always @(posedge clk) begin
        if (accept) begin
            slice_q <= shifted[SLICE_BITS+DATA_BITS-1:DATA_BITS];
            write_address_q <= address_q;
            write_slices_left_q <= slices_left_q;
        end
        if (state_q == WAIT) begin
            beats_left_q <= all_beats;
            slices_left_q <= all_slices;
        end else if (slice_ends) begin
            beats_left_q <= all_beats;
            slices_left_q <= word_ends ? all_slices : slices_left_q - ONE_SLICE;
        end else if (accept) begin
            beats_left_q <= beats_left_q - ONE_BEAT;
        end
        if (rst) begin
            state_q <= FREE;
            write_q <= 1'b0;
            words <= 32'd0;
            error <= 1'b0;
        end else begin
            write_q <= slice_ends && exists;
            case (state_q)
                FREE: begin
                    if (start) begin
                        state_q <= WAIT;
                        memory_q <= memory;
                        address_q <= address;
                        words <= 32'd0;
                        error <= 1'b0;
                    end
                end
                WAIT: begin
                    if (idle) begin
                        state_q <= TAKE;
                    end
                end
                TAKE: begin
                    if (accept && s_axis_tlast) begin
                        state_q <= LEAVE;
                    end
                    if (word_ends && exists) begin
                        address_q <= address_q + 32'd1;
                        words <= words + 32'd1;
                    end
                    if (accept && (!exists || (s_axis_tlast && !word_ends))) begin
                        error <= 1'b1;
                    end
                end
                default: begin
                    state_q <= FREE;
                end
            endcase
        end
    end

    generate
        if (DATA_BITS < 8 || DATA_BITS % 8 != 0) begin : gen_bad_data_bits
            DATA_BITS_must_be_a_positive_multiple_of_8 u_error ();
        end
        if (WIDTH_1 < 1 || WIDTH_2 < 1 || WIDTH_3 < 1) begin : gen_bad_width
            WIDTHs_must_be_at_least_1 u_error ();
        end
        if (SLICES_1 < 1 || SLICES_2 < 1 || SLICES_3 < 1) begin : gen_bad_slices
            SLICES_must_be_at_least_1 u_error ();
        end
        if (DEPTH_1 < 1 || DEPTH_2 < 1 || DEPTH_3 < 1) begin : gen_bad_depth
            DEPTHs_must_be_at_least_1 u_error ();
        end
    endgenerate
endmodule
`default_nettype wire
