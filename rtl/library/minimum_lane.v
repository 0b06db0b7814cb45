`default_nettype none
// minimum_lane: the smaller of two unsigned codes, the whole tap of an adder layer in the min form.
//
// |x - w| = x + w - 2 * min(x, w) holds in integers. The sum of w is a constant of the output channel and the sum of x
// is shared by every output lane (see lane_array), so a tap needs only the minimum: one bit narrower than a difference
// and without a sign. A tap with x = 0 or w = 0 gives 0, so it does not toggle the tree behind it.
//
// Latency: combinational.
// Example (CODE_BITS = 4): x = 9, w = 4 gives value = 4, and 9 + 4 - 2 * 4 = 5 = |9 - 4|.
module minimum_lane #(
    parameter CODE_BITS = 8 // width of a code, 2 to 8
) (
    input  wire [CODE_BITS-1:0] x,    // activation, unsigned
    input  wire [CODE_BITS-1:0] w,    // weight on the same grid, unsigned
    output wire [CODE_BITS-1:0] value // min(x, w)
);
    generate
        if (CODE_BITS < 2 || CODE_BITS > 8) begin : gen_code_bits_check
            CODE_BITS_must_be_2_to_8 u_error ();
        end
    endgenerate

    assign value = (x < w) ? x : w;
endmodule
`default_nettype wire
