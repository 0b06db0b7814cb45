`default_nettype none
// dot_lane: one bit of a product, the tap of a dot-product layer done by shift-and-add.
//
// A dot product over weights of n bits is the sum over bits b of 2^b * sum(x where bit b of w is set), the top bit
// counted negative in two's complement. The sequencer walks the bits from the top down with bit_select, and the
// accumulator doubles between bits; so a lane is one row of and-gates, and n passes do what a multiplier would.
//
// Latency: combinational.
// Example (CODE_BITS = 4): x = 9, w = 4'b0101, bit_select = 4'b0100 gives 9; bit_select = 4'b0010 gives 0.
module dot_lane #(
    parameter CODE_BITS = 8 // width of a code, 2 to 8
) (
    input  wire [CODE_BITS-1:0] x,          // activation, unsigned
    input  wire [CODE_BITS-1:0] w,          // weight, any code of CODE_BITS bits
    input  wire [CODE_BITS-1:0] bit_select, // one-hot: which bit of w
    output wire [CODE_BITS-1:0] value       // x where the selected bit of w is set, else 0
);
    generate
        if (CODE_BITS < 2 || CODE_BITS > 8) begin : gen_code_bits_check
            CODE_BITS_must_be_2_to_8 u_error ();
        end
    endgenerate

    assign value = x & {CODE_BITS{|(w & bit_select)}};
endmodule
`default_nettype wire
