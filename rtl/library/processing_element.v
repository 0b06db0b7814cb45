`default_nettype none
// processing_element: one output lane: IN_LANES taps a clock, their tree, and the accumulator of one output channel.
//
//   in_x, in_w -> IN_LANES x (adder lane, dot lane) -> adder_tree -> register -> accumulator -> acc
//
// in_dot chooses between the adder lane and the dot lane. With in_dot = 0 acc gains sum(min(x, w)) (MIN_FORM = 1) or
// sum |x - w| (MIN_FORM = 0) per valid clock; with in_dot = 1 it gains the sum of x over the lanes whose weight has
// the selected bit set. in_first, in_double and in_subtract mean what they mean in the accumulator and travel with
// their word. Idle lanes get x = w = 0, which adds 0 in each mode. With in_split (dot-product taps, DOT_SPLIT > 0) the upper half
// of the lanes counts 2^DOT_SPLIT times, and in_subtract means it alone; see split_tree.
//
// The accumulated value is held while in_valid is 0, whatever the other inputs do.
// Latency: 2 clocks from the inputs to acc, one word per clock. Reset clears acc and drops the word in flight.
// Example (IN_LANES = 2, CODE_BITS = 4, MIN_FORM = 1): words (x = 3, 9; w = 7, 2) with in_first, then (x = 4, 4; w = 4, 0)
// give acc = 3 + 2 = 5 after two clocks and 5 + 4 + 0 = 9 after three.
module processing_element #(
    parameter IN_LANES  = 16, // taps per clock, at least 1
    parameter CODE_BITS = 8,  // width of a code, 2 to 8
    parameter ACC_BITS  = 24, // width of acc, more than CODE_BITS + $clog2(IN_LANES)
    parameter MIN_FORM  = 1,  // 1: minimum_lane (ASIC), 0: complement_lane (FPGA)
    parameter DOT_SPLIT = 0   // weight bits of the lower half of the lanes in split dot products, 0 for none
) (
    input  wire                                 clk,
    input  wire                                 rst,           // synchronous, high

    input  wire                                 in_valid,      // the inputs below count only when this is 1
    input  wire                                 in_dot,        // 0: adder taps, 1: dot-product taps
    input  wire        [CODE_BITS-1:0]          in_bit_select, // one-hot weight bit of dot-product taps
    // Only with DOT_SPLIT > 0.
    /* verilator lint_off UNUSEDSIGNAL */
    input  wire                                 in_split,
    /* verilator lint_on UNUSEDSIGNAL */
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
    wire [SUM_BITS-1:0]           sum;

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

    wire subtract;

    generate
        if (DOT_SPLIT > 0) begin : gen_split_tree
            assign subtract = in_subtract && !in_split;

            split_tree #(
                .LANES (IN_LANES),
                .WIDTH (CODE_BITS),
                .SHIFT (DOT_SPLIT)
            ) u_tree (
                .in_data     (tree_data),
                .in_carry    (tree_carry),
                .in_split    (in_split),
                .in_negative (in_subtract),
                .sum         (sum)
            );
        end else begin : gen_tree
            assign subtract = in_subtract;

            adder_tree #(
                .LANES (IN_LANES),
                .WIDTH (CODE_BITS)
            ) u_tree (
                .in_data  (tree_data),
                .in_carry (tree_carry),
                .sum      (sum)
            );
        end
    endgenerate

    reg                valid_q;
    reg                first_q;
    reg                double_q;
    reg                subtract_q;
    reg [SUM_BITS-1:0] sum_q;

    always @(posedge clk) begin
        if (rst)
            valid_q <= 1'b0;
        else
            valid_q <= in_valid;
        if (in_valid) begin
            first_q    <= in_first;
            double_q   <= in_double;
            subtract_q <= subtract;
            sum_q      <= sum;
        end
    end

    accumulator #(
        .SUM_BITS   (SUM_BITS),
        .ACC_BITS   (ACC_BITS),
        .SUM_SIGNED (DOT_SPLIT > 0)
    ) u_accumulator (
        .clk         (clk),
        .rst         (rst),
        .in_valid    (valid_q),
        .in_first    (first_q),
        .in_double   (double_q),
        .in_subtract (subtract_q),
        .in_sum      (sum_q),
        .acc         (acc)
    );
endmodule
`default_nettype wire
