`default_nettype none
// adder_element: what an adder layer alone needs of a processing element: the library's lanes, tree and accumulator.
//
// The same modules as in processing_element, without its dot lanes, its modes and its pipeline register, so that it can
// be set beside multiplier_element, which has neither.
module adder_element #(
    parameter LANES     = 16, // taps per clock
    parameter CODE_BITS = 8,  // width of a code
    parameter ACC_BITS  = 24, // width of the accumulator
    parameter MIN_FORM  = 1   // 1: minimum_lane, 0: complement_lane
) (
    input  wire                              clk,
    input  wire                              rst,
    input  wire                              in_first, // start from 0
    input  wire        [LANES*CODE_BITS-1:0] in_x,
    input  wire        [LANES*CODE_BITS-1:0] in_w,
    output wire signed [ACC_BITS-1:0]        acc
);
    localparam SUM_BITS = CODE_BITS + $clog2(LANES);

    wire [LANES*CODE_BITS-1:0] data;
    wire [LANES-1:0]           carry;
    wire [SUM_BITS-1:0]        sum;

    genvar i;
    generate
        for (i = 0; i < LANES; i = i + 1) begin : gen_lane
            if (MIN_FORM) begin : gen_minimum
                minimum_lane #(
                    .CODE_BITS (CODE_BITS)
                ) u_lane (
                    .x     (in_x[(i+1)*CODE_BITS-1:i*CODE_BITS]),
                    .w     (in_w[(i+1)*CODE_BITS-1:i*CODE_BITS]),
                    .value (data[(i+1)*CODE_BITS-1:i*CODE_BITS])
                );
                assign carry[i] = 1'b0;
            end else begin : gen_complement
                complement_lane #(
                    .CODE_BITS (CODE_BITS)
                ) u_lane (
                    .x     (in_x[(i+1)*CODE_BITS-1:i*CODE_BITS]),
                    .w     (in_w[(i+1)*CODE_BITS-1:i*CODE_BITS]),
                    .value (data[(i+1)*CODE_BITS-1:i*CODE_BITS]),
                    .carry (carry[i])
                );
            end
        end
    endgenerate

    adder_tree #(
        .LANES (LANES),
        .WIDTH (CODE_BITS)
    ) u_tree (
        .in_data  (data),
        .in_carry (carry),
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
