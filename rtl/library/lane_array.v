`default_nettype none
// lane_array: OUT_LANES processing elements on one word of activations.
//
// Every output lane sees the same in_x and its own slice of in_w (output lane o, input lane i at code o * IN_LANES + i), so one
// activation read feeds OUT_LANES output channels. In the min form the sum of x, which turns sums of minima into distances, is
// computed once for all lanes by a tree_pipeline and an accumulator of its own (adder taps only); see drain_register.
//
// Latency: 2 + TREE_STAGES clocks from the inputs to acc and sum_x (as processing_element).
// Example (IN_LANES = OUT_LANES = 2, min form): x = 3, 9; w = (7, 2), (3, 9): acc = 5, 12; sum of x = 12.
module lane_array #(
    parameter IN_LANES    = 16, // taps per clock and output lane, at least 1
    parameter OUT_LANES   = 16, // output channels at once, at least 1
    parameter CODE_BITS   = 8,  // width of a code, 2 to 8
    parameter ACC_BITS    = 24, // width of a sum, more than CODE_BITS + $clog2(IN_LANES)
    parameter MIN_FORM    = 1,  // 1: minimum_lane (ASIC), 0: complement_lane (FPGA)
    parameter DOT_SPLIT   = 0,  // as in processing_element
    parameter TREE_STAGES = 0   // as in processing_element
) (
    input  wire                                                clk,
    input  wire                                                rst,           // synchronous, high

    input  wire                                                in_valid,
    input  wire                                                in_dot,
    input  wire        [CODE_BITS-1:0]                         in_bit_select,
    input  wire                                                in_split,
    input  wire                                                in_first,
    input  wire                                                in_double,
    input  wire                                                in_subtract,
    input  wire        [IN_LANES*CODE_BITS-1:0]                in_x,
    input  wire        [OUT_LANES*IN_LANES*CODE_BITS-1:0]      in_w,

    output wire        [OUT_LANES*ACC_BITS-1:0]                acc,           // output lane o at bits [(o+1)*ACC_BITS-1 : o*ACC_BITS]
    output wire        [ACC_BITS-1:0]                          sum_x          // 0 in the complement form
);
    generate
        if (OUT_LANES < 1) begin : gen_out_lanes_check
            OUT_LANES_must_be_at_least_1 u_error ();
        end
    endgenerate

    localparam WORD_BITS = IN_LANES * CODE_BITS;

    genvar o;
    generate
        for (o = 0; o < OUT_LANES; o = o + 1) begin : gen_element
            processing_element #(
                .IN_LANES    (IN_LANES),
                .CODE_BITS   (CODE_BITS),
                .ACC_BITS    (ACC_BITS),
                .MIN_FORM    (MIN_FORM),
                .DOT_SPLIT   (DOT_SPLIT),
                .TREE_STAGES (TREE_STAGES)
            ) u_element (
                .clk           (clk),
                .rst           (rst),
                .in_valid      (in_valid),
                .in_dot        (in_dot),
                .in_bit_select (in_bit_select),
                .in_split      (in_split),
                .in_first      (in_first),
                .in_double     (in_double),
                .in_subtract   (in_subtract),
                .in_x          (in_x),
                .in_w          (in_w[(o+1)*WORD_BITS-1:o*WORD_BITS]),
                .acc           (acc[(o+1)*ACC_BITS-1:o*ACC_BITS])
            );
        end
    endgenerate

    generate
        if (MIN_FORM) begin : gen_sum_x
            localparam SUM_BITS = CODE_BITS + $clog2(IN_LANES);

            wire                sum_valid;
            wire                sum_first;
            wire [SUM_BITS-1:0] sum;

            tree_pipeline #(
                .LANES  (IN_LANES),
                .WIDTH  (CODE_BITS),
                .STAGES (TREE_STAGES)
            ) u_tree (
                .clk         (clk),
                .rst         (rst),
                .in_valid    (in_valid && !in_dot),
                .in_flags    (in_first),
                .in_split    (1'b0),
                .in_negative (1'b0),
                .in_data     (in_x),
                .in_carry    ({IN_LANES{1'b0}}),
                .out_valid   (sum_valid),
                .out_flags   (sum_first),
                .out_sum     (sum)
            );

            accumulator #(
                .SUM_BITS (SUM_BITS),
                .ACC_BITS (ACC_BITS)
            ) u_accumulator (
                .clk         (clk),
                .rst         (rst),
                .in_valid    (sum_valid),
                .in_first    (sum_first),
                .in_double   (1'b0),
                .in_subtract (1'b0),
                .in_sum      (sum),
                .acc         (sum_x)
            );
        end else begin : gen_no_sum_x
            assign sum_x = {ACC_BITS{1'b0}};
        end
    endgenerate
endmodule
`default_nettype wire
