`default_nettype none
// accumulator: adds one tree sum per clock to a signed register, with the doubling that a bit-serial dot product needs.
//
//   acc <= (in_first ? 0 : in_double ? 2 * acc : acc) + (in_subtract ? -in_sum : in_sum)     when in_valid
//
// Adder layers set in_first on their first tap and nothing else. Dot-product layers go over all taps once per weight bit,
// from the sign bit down (Horner): in_subtract through the pass of the sign bit, in_double on the first tap of every
// later bit. The register wraps modulo 2^ACC_BITS; that the sums of a network fit is proven before it is printed.
//
// Latency: 1 clock. Reset clears acc.
// Example: the weights -3 = 4'b1101 and x = 5 in one lane: -5 (sign bit), 2*(-5)+5 = -5, 2*(-5)+0 = -10, 2*(-10)+5 = -15.
module accumulator #(
    parameter SUM_BITS   = 12, // width of in_sum, at least 1
    parameter ACC_BITS   = 24, // width of acc, more than SUM_BITS
    parameter SUM_SIGNED = 0   // 1: in_sum is signed
) (
    input  wire                       clk,
    input  wire                       rst,         // synchronous, high
    input  wire                       in_valid,    // the other inputs count only when this is 1
    input  wire                       in_first,    // start from 0
    input  wire                       in_double,   // start from 2 * acc
    input  wire                       in_subtract, // subtract in_sum
    input  wire        [SUM_BITS-1:0] in_sum,
    output reg  signed [ACC_BITS-1:0] acc
);
    generate
        if (SUM_BITS < 1) begin : gen_sum_bits_check
            SUM_BITS_must_be_at_least_1 u_error ();
        end
        if (ACC_BITS <= SUM_BITS) begin : gen_acc_bits_check
            ACC_BITS_must_be_more_than_SUM_BITS u_error ();
        end
    endgenerate

    // Unsigned on purpose: modulo 2^ACC_BITS, a sum is the same for either reading of the bits.
    reg  [ACC_BITS-1:0] start;
    wire [ACC_BITS-1:0] step;

    assign step = {{(ACC_BITS-SUM_BITS){SUM_SIGNED ? in_sum[SUM_BITS-1] : 1'b0}}, in_sum};

    always @* begin
        if (in_first)
            start = {ACC_BITS{1'b0}};
        else if (in_double)
            start = {acc[ACC_BITS-2:0], 1'b0};
        else
            start = acc;
    end

    always @(posedge clk) begin
        if (rst)
            acc <= {ACC_BITS{1'b0}};
        else if (in_valid)
            acc <= in_subtract ? start - step : start + step;
    end
endmodule
`default_nettype wire
