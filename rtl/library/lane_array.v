`default_nettype none
// lane_array: OUT_LANES processing elements on one word of activations, and the port that drains their sums one by one.
//
// Every output lane sees the same in_x and its own slice of in_w (output lane o, input lane i at code o * IN_LANES + i),
// so one activation read feeds OUT_LANES output channels. Drained values:
//
//   in dot mode (drain_dot = 1)   acc[lane]
//   complement form               -acc[lane]                 = -sum |x - w|
//   min form                      2 * acc[lane] - sum of x   = -sum |x - w| + sum of w
//
// In the min form the sum of x is computed once for all lanes by a tree and an accumulator of its own (adder taps only),
// and the sum of w is a constant of the output channel, which the generator takes back in the affine constant.
//
// Latency: 2 clocks from the inputs to the accumulators (as processing_element), then 1 clock from drain_lane to
// drain_acc when drain_enable is 1; drain_acc holds otherwise. Accumulating and draining may overlap.
// Example (IN_LANES = OUT_LANES = 2, min form): x = 3, 9; w = (7, 2), (3, 9): acc = 5, 12; sum of x = 12; drained
// 2*5 - 12 = -2 = -(4 + 7) + 9 and 2*12 - 12 = 12 = -0 + 12.
module lane_array #(
    parameter IN_LANES  = 16, // taps per clock and output lane, at least 1
    parameter OUT_LANES = 16, // output channels at once, at least 1
    parameter CODE_BITS = 8,  // width of a code, 2 to 8
    parameter ACC_BITS  = 24, // width of a sum, more than CODE_BITS + $clog2(IN_LANES)
    parameter MIN_FORM  = 1   // 1: minimum_lane (ASIC), 0: complement_lane (FPGA)
) (
    input  wire                                                clk,
    input  wire                                                rst,           // synchronous, high

    // Taps, as in processing_element.
    input  wire                                                in_valid,
    input  wire                                                in_dot,
    input  wire        [CODE_BITS-1:0]                         in_bit_select,
    input  wire                                                in_first,
    input  wire                                                in_double,
    input  wire                                                in_subtract,
    input  wire        [IN_LANES*CODE_BITS-1:0]                in_x,
    input  wire        [OUT_LANES*IN_LANES*CODE_BITS-1:0]      in_w,

    // Drain.
    input  wire                                                drain_enable,
    input  wire        [(OUT_LANES>1?$clog2(OUT_LANES):1)-1:0] drain_lane,    // less than OUT_LANES
    input  wire                                                drain_dot,     // the sums are dot products
    output reg  signed [ACC_BITS-1:0]                          drain_acc
);
    generate
        if (OUT_LANES < 1) begin : gen_out_lanes_check
            OUT_LANES_must_be_at_least_1 u_error ();
        end
    endgenerate

    localparam WORD_BITS = IN_LANES * CODE_BITS;

    wire [ACC_BITS-1:0] acc [0:OUT_LANES-1];
    wire [ACC_BITS-1:0] selected;
    wire [ACC_BITS-1:0] adder_result;

    genvar o;
    generate
        for (o = 0; o < OUT_LANES; o = o + 1) begin : gen_element
            processing_element #(
                .IN_LANES  (IN_LANES),
                .CODE_BITS (CODE_BITS),
                .ACC_BITS  (ACC_BITS),
                .MIN_FORM  (MIN_FORM)
            ) u_element (
                .clk           (clk),
                .rst           (rst),
                .in_valid      (in_valid),
                .in_dot        (in_dot),
                .in_bit_select (in_bit_select),
                .in_first      (in_first),
                .in_double     (in_double),
                .in_subtract   (in_subtract),
                .in_x          (in_x),
                .in_w          (in_w[(o+1)*WORD_BITS-1:o*WORD_BITS]),
                .acc           (acc[o])
            );
        end
    endgenerate

    assign selected = acc[drain_lane];

    generate
        if (MIN_FORM) begin : gen_sum_x
            localparam SUM_BITS = CODE_BITS + $clog2(IN_LANES);

            wire                adder_valid;
            wire [SUM_BITS-1:0] sum;
            wire [ACC_BITS-1:0] sum_x;
            reg                 valid_q;
            reg                 first_q;
            reg  [SUM_BITS-1:0] sum_q;

            assign adder_valid = in_valid && !in_dot;

            adder_tree #(
                .LANES (IN_LANES),
                .WIDTH (CODE_BITS)
            ) u_tree (
                .in_data  (in_x),
                .in_carry ({IN_LANES{1'b0}}),
                .sum      (sum)
            );

            always @(posedge clk) begin
                if (rst)
                    valid_q <= 1'b0;
                else
                    valid_q <= adder_valid;
                if (adder_valid) begin
                    first_q <= in_first;
                    sum_q   <= sum;
                end
            end

            accumulator #(
                .SUM_BITS (SUM_BITS),
                .ACC_BITS (ACC_BITS)
            ) u_accumulator (
                .clk         (clk),
                .rst         (rst),
                .in_valid    (valid_q),
                .in_first    (first_q),
                .in_double   (1'b0),
                .in_subtract (1'b0),
                .in_sum      (sum_q),
                .acc         (sum_x)
            );

            assign adder_result = {selected[ACC_BITS-2:0], 1'b0} - sum_x;
        end else begin : gen_negate
            assign adder_result = -selected;
        end
    endgenerate

    always @(posedge clk) begin
        if (drain_enable)
            drain_acc <= drain_dot ? selected : adder_result;
    end
endmodule
`default_nettype wire
