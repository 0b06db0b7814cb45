`default_nettype none
// split_tree: an adder_tree whose upper half may count for the higher bits of the weights of a dot product.
//
//   in_split = 0   sum of all data and carries, as adder_tree
//   in_split = 1   sum of the lower half + (in_negative ? -1 : 1) * 2^SHIFT * sum of the upper half
//
// A window of few codes leaves lanes idle; then the upper half carries the same codes once more and the weights' upper bits, so that a
// dot product takes half as many passes. In the pass of the sign bit the upper half counts negative. The two halves are trees of
// their own, which for a power of two are the two subtrees of one tree.
//
// Precondition: as adder_tree. Carries must be 0 with in_split.
// Latency: combinational.
// Example (LANES = 4, WIDTH = 4, SHIFT = 2): data 5, 9 | 5, 0, split and negative: 14 - 4 * 5 = -6.
module split_tree #(
    parameter LANES = 16, // number of values, at least 2
    parameter WIDTH = 8,  // bits of a value, at least 2
    parameter SHIFT = 4   // the upper half counts 2^SHIFT times, at least 1
) (
    input wire [LANES*WIDTH-1:0] in_data,  // lane i at bits [(i+1)*WIDTH-1 : i*WIDTH], unsigned
    input wire [LANES-1:0] in_carry,       // one more unit for lane i
    input wire in_split,
    input wire in_negative,
    output wire signed [WIDTH+$clog2(LANES)+SHIFT:0] sum
);
    generate
        if (LANES < 2) begin : gen_check_lanes
            LANES_must_be_at_least_2 u_error ();
        end
        if (SHIFT < 1) begin : gen_check_shift
            SHIFT_must_be_at_least_1 u_error ();
        end
    endgenerate

    localparam LOW = LANES / 2;
    localparam HIGH = LANES - LOW;
    localparam LOW_BITS = WIDTH + $clog2(LOW);
    localparam HIGH_BITS = WIDTH + $clog2(HIGH);
    localparam SUM_BITS = WIDTH + $clog2(LANES) + SHIFT + 1;

    wire [LOW_BITS-1:0] low;
    wire [HIGH_BITS-1:0] high;
    wire [SUM_BITS-1:0] wide_low;
    wire [SUM_BITS-1:0] wide_high;
    wire [SUM_BITS-1:0] counted;

    adder_tree #(
        .LANES (LOW),
        .WIDTH (WIDTH)
    ) u_low (
        .in_data  (in_data[LOW*WIDTH-1:0]),
        .in_carry (in_carry[LOW-1:0]),
        .sum      (low)
    );

    adder_tree #(
        .LANES (HIGH),
        .WIDTH (WIDTH)
    ) u_high (
        .in_data  (in_data[LANES*WIDTH-1:LOW*WIDTH]),
        .in_carry (in_carry[LANES-1:LOW]),
        .sum      (high)
    );

    assign wide_low = {{(SUM_BITS-LOW_BITS){1'b0}}, low};
    assign wide_high = {{(SUM_BITS-HIGH_BITS){1'b0}}, high};
    assign counted = in_split ? wide_high << SHIFT : wide_high;
    assign sum = in_split && in_negative ? wide_low - counted : wide_low + counted;
endmodule
`default_nettype wire
