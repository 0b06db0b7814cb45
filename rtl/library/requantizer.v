`default_nettype none
// requantizer: the affine step from a wide sum to a stored activation, with shifts and additions only.
//
//   value = (acc * M + shortcut * S + constant + rounding) >>> n,   rounding = 2^(n-1), or 0 for n = 0
//
// then clamped to [0, in_clamp_max] when in_clamp is 1, else cut to its low OUT_BITS. >>> floors, so ties go up.
// M and S are DIGITS signed digits each; digit d stands at bits [7*d+6 : 7*d] as {nonzero, negative, shift[4:0]} and
// contributes operand << shift with its sign. All arithmetic is modulo 2^AFFINE_BITS; the widths are derived from
// the network so that nothing wraps.
//
//   stage 1   scaled = acc * M                 offset = shortcut * S + constant + rounding
//   stage 2   total  = scaled + offset
//   stage 3   value  = clamp(total >>> n)
//
// Latency: 3 clocks with enable = 1, one value per clock; enable = 0 freezes the whole pipe, outputs included.
// Example: acc = -100, M = {+2^3, -2^0} = 7, shortcut = 0, constant = 1000, n = 4: (-700 + 1000 + 8) >>> 4 = 19.
module requantizer #(
    parameter ACC_BITS    = 24, // width of in_acc, 2 to AFFINE_BITS
    parameter CODE_BITS   = 8,  // width of in_shortcut, 2 to 8
    parameter DIGITS      = 3,  // signed digits of a multiplier, at least 1
    parameter CONST_BITS  = 32, // width of in_constant, 2 to AFFINE_BITS
    parameter AFFINE_BITS = 40, // width of every intermediate sum, more than CODE_BITS and OUT_BITS
    parameter OUT_BITS    = 24  // width of out_value, at least 1
) (
    input  wire                         clk,
    input  wire                         rst,                    // synchronous, high
    input  wire                         enable,                 // the pipe moves only when this is 1

    input  wire                         in_valid,
    input  wire signed [ACC_BITS-1:0]   in_acc,
    input  wire        [DIGITS*7-1:0]   in_multiplier,          // M
    input  wire        [CODE_BITS-1:0]  in_shortcut,            // unsigned
    input  wire        [DIGITS*7-1:0]   in_shortcut_multiplier, // S
    input  wire signed [CONST_BITS-1:0] in_constant,
    input  wire        [4:0]            in_shift,               // n, less than AFFINE_BITS
    input  wire                         in_clamp,
    input  wire        [OUT_BITS-1:0]   in_clamp_max,           // unsigned

    output wire                         out_valid,
    output reg  signed [OUT_BITS-1:0]   out_value
);
    generate
        if (CODE_BITS < 2 || CODE_BITS > 8) begin : gen_code_bits_check
            CODE_BITS_must_be_2_to_8 u_error ();
        end
        if (DIGITS < 1) begin : gen_digits_check
            DIGITS_must_be_at_least_1 u_error ();
        end
        if (ACC_BITS < 2 || ACC_BITS > AFFINE_BITS) begin : gen_acc_bits_check
            ACC_BITS_must_be_2_to_AFFINE_BITS u_error ();
        end
        if (CONST_BITS < 2 || CONST_BITS > AFFINE_BITS) begin : gen_const_bits_check
            CONST_BITS_must_be_2_to_AFFINE_BITS u_error ();
        end
        if (OUT_BITS < 1 || OUT_BITS >= AFFINE_BITS) begin : gen_out_bits_check
            OUT_BITS_must_be_at_least_1_and_less_than_AFFINE_BITS u_error ();
        end
        if (CODE_BITS >= AFFINE_BITS) begin : gen_affine_bits_check
            AFFINE_BITS_must_be_more_than_CODE_BITS u_error ();
        end
    endgenerate

    // operand times the number that the signed digits spell.
    function [AFFINE_BITS-1:0] multiplied;
        input [AFFINE_BITS-1:0] operand;
        input [DIGITS*7-1:0]    digits;
        reg   [AFFINE_BITS-1:0] total;
        reg   [AFFINE_BITS-1:0] term;
        reg   [DIGITS*7-1:0]    rest;
        integer                 d;
        begin
            total = {AFFINE_BITS{1'b0}};
            rest  = digits;
            for (d = 0; d < DIGITS; d = d + 1) begin
                term = rest[6] ? operand << rest[4:0] : {AFFINE_BITS{1'b0}};
                total = rest[5] ? total - term : total + term;
                rest  = rest >> 7;
            end
            multiplied = total;
        end
    endfunction

    wire [AFFINE_BITS-1:0] acc;
    wire [AFFINE_BITS-1:0] shortcut;
    wire [AFFINE_BITS-1:0] constant;
    wire [AFFINE_BITS-1:0] rounding;

    // Sign extension as copies of the sign bit above the rest, which also holds when there is nothing to extend.
    assign acc      = {{(AFFINE_BITS-ACC_BITS+1){in_acc[ACC_BITS-1]}}, in_acc[ACC_BITS-2:0]};
    assign shortcut = {{(AFFINE_BITS-CODE_BITS){1'b0}}, in_shortcut};
    assign constant = {{(AFFINE_BITS-CONST_BITS+1){in_constant[CONST_BITS-1]}}, in_constant[CONST_BITS-2:0]};
    // (1 << n) >> 1 is 2^(n-1), and 0 for n = 0.
    assign rounding = ({{(AFFINE_BITS-1){1'b0}}, 1'b1} << in_shift) >> 1;

    reg  [2:0]                    valid_q; // bit s: stage s + 1 holds a value
    reg  [AFFINE_BITS-1:0]        scaled_q;
    reg  [AFFINE_BITS-1:0]        offset_q;
    reg  signed [AFFINE_BITS-1:0] total_q;
    reg  [4:0]                    shift_q;
    reg  [4:0]                    shift_qq;
    reg                           clamp_q;
    reg                           clamp_qq;
    reg  [OUT_BITS-1:0]           clamp_max_q;
    reg  [OUT_BITS-1:0]           clamp_max_qq;
    wire [AFFINE_BITS-1:0]        shifted;

    assign shifted   = total_q >>> shift_qq;
    assign out_valid = valid_q[2];

    always @(posedge clk) begin
        if (rst)
            valid_q <= 3'b000;
        else if (enable)
            valid_q <= {valid_q[1:0], in_valid};
    end

    always @(posedge clk) begin
        if (enable) begin
            scaled_q    <= multiplied(acc, in_multiplier);
            offset_q    <= multiplied(shortcut, in_shortcut_multiplier) + constant + rounding;
            shift_q     <= in_shift;
            clamp_q     <= in_clamp;
            clamp_max_q <= in_clamp_max;

            total_q      <= scaled_q + offset_q;
            shift_qq     <= shift_q;
            clamp_qq     <= clamp_q;
            clamp_max_qq <= clamp_max_q;

            if (clamp_qq && shifted[AFFINE_BITS-1])
                out_value <= {OUT_BITS{1'b0}};
            else if (clamp_qq && shifted > {{(AFFINE_BITS-OUT_BITS){1'b0}}, clamp_max_qq})
                out_value <= clamp_max_qq;
            else
                out_value <= shifted[OUT_BITS-1:0];
        end
    end
endmodule
`default_nettype wire
