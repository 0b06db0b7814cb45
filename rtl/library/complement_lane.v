`default_nettype none
// complement_lane: the absolute difference of two unsigned codes as a value and a carry, for an adder tree.
//
// One subtraction gives d = x - w and its sign. For d < 0 the magnitude is -d = ~d + 1: the inversion is an xor with the
// sign, and the 1 is left to a carry input that the adder tree has anyway. So |x - w| = value + carry, with one carry
// chain and no second addition; on an FPGA this is the smallest lane.
//
//   x  w | x - w  sign | value  carry | value + carry
//   9  4 |    5     0  |    5     0   |      5
//   4  9 |   -5     1  |    4     1   |      5
//   0 15 |  -15     1  |   14     1   |     15
//   7  7 |    0     0  |    0     0   |      0
//
// value + carry <= 2^CODE_BITS - 1 always: carry is 1 only for x < w, and then value = w - x - 1.
// Latency: combinational. Example: the table above (CODE_BITS = 4).
module complement_lane #(
    parameter CODE_BITS = 8 // width of a code, 2 to 8
) (
    input  wire [CODE_BITS-1:0] x,     // activation, unsigned
    input  wire [CODE_BITS-1:0] w,     // weight on the same grid, unsigned
    output wire [CODE_BITS-1:0] value, // (x - w) xor sign
    output wire                 carry  // sign: x < w
);
    generate
        if (CODE_BITS < 2 || CODE_BITS > 8) begin : gen_code_bits_check
            CODE_BITS_must_be_2_to_8 u_error ();
        end
    endgenerate

    // One bit wider than a code: the difference of two n-bit codes needs n + 1 bits.
    wire [CODE_BITS:0] difference;

    assign difference = {1'b0, x} - {1'b0, w};
    assign carry = difference[CODE_BITS];
    assign value = difference[CODE_BITS-1:0] ^ {CODE_BITS{carry}};
endmodule
`default_nettype wire
