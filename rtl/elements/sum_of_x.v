`default_nettype none
// sum_of_x: what the min form shares between all output lanes: the sum of the activations, accumulated.
module sum_of_x #(
    parameter LANES     = 16, // taps per clock
    parameter CODE_BITS = 8,  // width of a code
    parameter ACC_BITS  = 24  // width of the accumulator
) (
    input  wire                              clk,
    input  wire                              rst,
    input  wire                              in_first, // start from 0
    input  wire        [LANES*CODE_BITS-1:0] in_x,
    output wire signed [ACC_BITS-1:0]        acc
);
    localparam SUM_BITS = CODE_BITS + $clog2(LANES);

    wire [SUM_BITS-1:0] sum;

    adder_tree #(
        .LANES (LANES),
        .WIDTH (CODE_BITS)
    ) u_tree (
        .in_data  (in_x),
        .in_carry ({LANES{1'b0}}),
        .sum      (sum)
    );

    accumulator #(
        .SUM_BITS (SUM_BITS),
        .ACC_BITS (ACC_BITS)
    ) u_accumulator (
        .clk         (clk),
        .rst         (rst),
        .in_valid    (1'b1),
        .in_first    (in_first),
        .in_double   (1'b0),
        .in_subtract (1'b0),
        .in_sum      (sum),
        .acc         (acc)
    );
endmodule
`default_nettype wire
