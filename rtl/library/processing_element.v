`default_nettype none
// processing_element: one output lane: IN_LANES taps a clock, their tree, and the accumulator of one output channel.
//
//   in_x, in_w -> IN_LANES x (adder lane, dot lane) -> tree_pipeline -> accumulator -> acc
//
// in_dot chooses between the adder lane and the dot lane. With in_dot = 0 acc gains sum(min(x, w)) (MIN_FORM = 1) or
// sum |x - w| (MIN_FORM = 0) per valid clock; with in_dot = 1 it gains the sum of x over the lanes whose weight has
// the selected bit set. in_first, in_double and in_subtract mean what they mean in the accumulator and travel with
// their word. Idle lanes get x = w = 0, which adds 0 in each mode. With in_split (dot-product taps, DOT_SPLIT > 0) the upper half
// of the lanes counts 2^DOT_SPLIT times, and in_subtract means it alone; see split_tree.
//
// The accumulated value is held while in_valid is 0, whatever the other inputs do.
// Latency: 2 + TREE_STAGES clocks from the inputs to acc, one word per clock. Reset clears acc and drops the words in flight.
// Example (IN_LANES = 2, CODE_BITS = 4, MIN_FORM = 1): words (x = 3, 9; w = 7, 2) with in_first, then (x = 4, 4; w = 4, 0)
// give acc = 3 + 2 = 5 after two clocks and 5 + 4 + 0 = 9 after three (TREE_STAGES = 0).
module processing_element #(
    parameter IN_LANES    = 16, // taps per clock, at least 1
    parameter CODE_BITS   = 8,  // width of a code, 2 to 8
    parameter ACC_BITS    = 24, // width of acc, more than CODE_BITS + $clog2(IN_LANES)
    parameter MIN_FORM    = 1,  // 1: minimum_lane (ASIC), 0: complement_lane (FPGA)
    parameter DOT_SPLIT   = 0,  // weight bits of the lower half of the lanes in split dot products, 0 for none
    parameter TREE_STAGES = 0   // register levels among those of the tree, 0 to 2; see tree_pipeline
) (
    input  wire                                 clk,
    input  wire                                 rst,           // synchronous, high

    input  wire                                 in_valid,      // the inputs below count only when this is 1
    input  wire                                 in_dot,        // 0: adder taps, 1: dot-product taps
    input  wire        [CODE_BITS-1:0]          in_bit_select, // one-hot weight bit of dot-product taps
    input  wire                                 in_split,      // without meaning if DOT_SPLIT = 0
    input  wire                                 in_first,
    input  wire                                 in_double,
    input  wire                                 in_subtract,
    input  wire        [IN_LANES*CODE_BITS-1:0] in_x,          // lane i at bits [(i+1)*CODE_BITS-1 : i*CODE_BITS]
    input  wire        [IN_LANES*CODE_BITS-1:0] in_w,

    output wire signed [ACC_BITS-1:0]           acc
);
    generate
        if (IN_LANES < 1) begin : gen_in_lanes_check
            IN_LANES_must_be_at_least_1 u_error ();
        end
        if (MIN_FORM != 0 && MIN_FORM != 1) begin : gen_min_form_check
            MIN_FORM_must_be_0_or_1 u_error ();
        end
    endgenerate

    localparam SUM_BITS = CODE_BITS + $clog2(IN_LANES) + (DOT_SPLIT > 0 ? DOT_SPLIT + 1 : 0);

    wire [IN_LANES*CODE_BITS-1:0] adder_data;
    wire [IN_LANES-1:0]           adder_carry;
    wire [IN_LANES*CODE_BITS-1:0] dot_data;
    reg  [IN_LANES*CODE_BITS-1:0] tree_data;
    reg  [IN_LANES-1:0]           tree_carry;

    genvar i;
    generate
        for (i = 0; i < IN_LANES; i = i + 1) begin : gen_lane
            if (MIN_FORM) begin : gen_minimum
                minimum_lane #(
                    .CODE_BITS (CODE_BITS)
                ) u_adder_lane (
                    .x     (in_x[(i+1)*CODE_BITS-1:i*CODE_BITS]),
                    .w     (in_w[(i+1)*CODE_BITS-1:i*CODE_BITS]),
                    .value (adder_data[(i+1)*CODE_BITS-1:i*CODE_BITS])
                );
                assign adder_carry[i] = 1'b0;
            end else begin : gen_complement
                complement_lane #(
                    .CODE_BITS (CODE_BITS)
                ) u_adder_lane (
                    .x     (in_x[(i+1)*CODE_BITS-1:i*CODE_BITS]),
                    .w     (in_w[(i+1)*CODE_BITS-1:i*CODE_BITS]),
                    .value (adder_data[(i+1)*CODE_BITS-1:i*CODE_BITS]),
                    .carry (adder_carry[i])
                );
            end

            dot_lane #(
                .CODE_BITS (CODE_BITS)
            ) u_dot_lane (
                .x          (in_x[(i+1)*CODE_BITS-1:i*CODE_BITS]),
                .w          (in_w[(i+1)*CODE_BITS-1:i*CODE_BITS]),
                .bit_select (in_bit_select),
                .value      (dot_data[(i+1)*CODE_BITS-1:i*CODE_BITS])
            );
        end
    endgenerate

    // A block, not two assignments: an event-driven simulator then hands the tree one settled word a clock instead of
    // one word per lane that changed, which makes the whole array simulate about three times as fast.
    always @* begin
        if (in_dot) begin
            tree_data  = dot_data;
            tree_carry = {IN_LANES{1'b0}};
        end else begin
            tree_data  = adder_data;
            tree_carry = adder_carry;
        end
    end

    // What the accumulator does with the word travels beside it. With in_split in_negative subtracts the upper half alone.
    wire                subtract;
    wire                sum_valid;
    wire                sum_first;
    wire                sum_double;
    wire                sum_subtract;
    wire [SUM_BITS-1:0] sum;

    assign subtract = in_subtract && !(DOT_SPLIT > 0 && in_split);

    tree_pipeline #(
        .LANES  (IN_LANES),
        .WIDTH  (CODE_BITS),
        .SPLIT  (DOT_SPLIT),
        .STAGES (TREE_STAGES),
        .FLAGS  (3)
    ) u_tree (
        .clk         (clk),
        .rst         (rst),
        .in_valid    (in_valid),
        .in_flags    ({in_first, in_double, subtract}),
        .in_split    (in_split),
        .in_negative (in_subtract),
        .in_data     (tree_data),
        .in_carry    (tree_carry),
        .out_valid   (sum_valid),
        .out_flags   ({sum_first, sum_double, sum_subtract}),
        .out_sum     (sum)
    );

    accumulator #(
        .SUM_BITS   (SUM_BITS),
        .ACC_BITS   (ACC_BITS),
        .SUM_SIGNED (DOT_SPLIT > 0)
    ) u_accumulator (
        .clk         (clk),
        .rst         (rst),
        .in_valid    (sum_valid),
        .in_first    (sum_first),
        .in_double   (sum_double),
        .in_subtract (sum_subtract),
        .in_sum      (sum),
        .acc         (acc)
    );
endmodule
`default_nettype wire
