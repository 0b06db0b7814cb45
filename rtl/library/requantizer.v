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
//   stage 1   what came in
//   stage 2   terms: of each digit operand << shift, its complement where the digit is negative, which is 1 less than the negative
//             base = constant + rounding + 1 for each negative digit
//   stage 3   scaled = sum of M's terms          offset = sum of S's terms + base
//   stage 4   total  = scaled + offset
//   stage 5   total >>> n
//   stage 6   value  = clamp(total >>> n)
//
// Latency: 6 clocks with enable = 1, one value per clock; enable = 0 freezes the whole pipe, outputs included.
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

    // stage 1
    reg  [ACC_BITS-1:0]           acc_q;
    reg  [CODE_BITS-1:0]          shortcut_q;
    reg  [CONST_BITS-1:0]         constant_q;
    reg  [DIGITS*7-1:0]           multiplier_q;
    reg  [DIGITS*7-1:0]           shortcut_multiplier_q;
    // stage 2
    reg  [AFFINE_BITS-1:0]        base_q;      // terms: in gen_digit
    // stages 3 to 5
    reg  [AFFINE_BITS-1:0]        scaled_q;
    reg  [AFFINE_BITS-1:0]        offset_q;
    reg  signed [AFFINE_BITS-1:0] total_q;
    reg  [AFFINE_BITS-1:0]        shifted_q;
    // beside them
    reg  [5:0]                    valid_q;     // bit s: stage s + 1 holds a value
    reg  [4*5-1:0]                shifts_q;    // stages 1 to 4, the first lowest
    reg  [4:0]                    clamps_q;    // stages 1 to 5
    reg  [5*OUT_BITS-1:0]         clamp_maxs_q;

    wire [AFFINE_BITS-1:0]        acc;
    wire [AFFINE_BITS-1:0]        shortcut;
    wire [AFFINE_BITS-1:0]        constant;
    wire [AFFINE_BITS-1:0]        rounding;
    // how many of the first digits, of both multipliers, have their sign set
    wire [AFFINE_BITS-1:0]        negatives [0:DIGITS];
    // A tree for each multiplier: node n adds nodes 2*n and 2*n+1, the terms are nodes DIGITS to 2*DIGITS-1, node 1 is the sum.
    wire [AFFINE_BITS-1:0]        sums [1:2*DIGITS-1];
    wire [AFFINE_BITS-1:0]        shortcut_sums [1:2*DIGITS-1];
    wire [OUT_BITS-1:0]           clamp_max;

    // Sign extension as copies of the sign bit above the rest, which also holds when there is nothing to extend.
    assign acc      = {{(AFFINE_BITS-ACC_BITS+1){acc_q[ACC_BITS-1]}}, acc_q[ACC_BITS-2:0]};
    assign shortcut = {{(AFFINE_BITS-CODE_BITS){1'b0}}, shortcut_q};
    assign constant = {{(AFFINE_BITS-CONST_BITS+1){constant_q[CONST_BITS-1]}}, constant_q[CONST_BITS-2:0]};
    // (1 << n) >> 1 is 2^(n-1), and 0 for n = 0.
    assign rounding = ({{(AFFINE_BITS-1){1'b0}}, 1'b1} << shifts_q[4:0]) >> 1;

    assign negatives[0] = {AFFINE_BITS{1'b0}};
    genvar d;
    genvar n;
    generate
        for (d = 0; d < DIGITS; d = d + 1) begin : gen_digit
            wire [6:0]             digit;
            wire [6:0]             shortcut_digit;
            wire [AFFINE_BITS-1:0] term;
            wire [AFFINE_BITS-1:0] shortcut_term;
            reg  [AFFINE_BITS-1:0] term_q;
            reg  [AFFINE_BITS-1:0] shortcut_term_q;
            assign digit          = multiplier_q[7*d+6:7*d];
            assign shortcut_digit = shortcut_multiplier_q[7*d+6:7*d];
            assign term           = digit[6] ? acc << digit[4:0] : {AFFINE_BITS{1'b0}};
            assign shortcut_term  = shortcut_digit[6] ? shortcut << shortcut_digit[4:0] : {AFFINE_BITS{1'b0}};
            assign negatives[d+1] = negatives[d] + {{(AFFINE_BITS-1){1'b0}}, digit[5]}
                + {{(AFFINE_BITS-1){1'b0}}, shortcut_digit[5]};
            assign sums[DIGITS+d]          = term_q;
            assign shortcut_sums[DIGITS+d] = shortcut_term_q;
            always @(posedge clk) begin
                if (enable) begin
                    term_q          <= digit[5] ? ~term : term;
                    shortcut_term_q <= shortcut_digit[5] ? ~shortcut_term : shortcut_term;
                end
            end
        end
        for (n = 1; n < DIGITS; n = n + 1) begin : gen_node
            assign sums[n]          = sums[2*n] + sums[2*n+1];
            assign shortcut_sums[n] = shortcut_sums[2*n] + shortcut_sums[2*n+1];
        end
    endgenerate

    assign clamp_max = clamp_maxs_q[5*OUT_BITS-1:4*OUT_BITS];
    assign out_valid = valid_q[5];

    always @(posedge clk) begin
        if (rst)
            valid_q <= 6'b000000;
        else if (enable)
            valid_q <= {valid_q[4:0], in_valid};
    end

    always @(posedge clk) begin
        if (enable) begin
            shifts_q     <= {shifts_q[3*5-1:0], in_shift};
            clamps_q     <= {clamps_q[3:0], in_clamp};
            clamp_maxs_q <= {clamp_maxs_q[4*OUT_BITS-1:0], in_clamp_max};

            acc_q                 <= in_acc;
            shortcut_q            <= in_shortcut;
            constant_q            <= in_constant;
            multiplier_q          <= in_multiplier;
            shortcut_multiplier_q <= in_shortcut_multiplier;

            base_q <= constant + rounding + negatives[DIGITS];

            scaled_q <= sums[1];
            offset_q <= shortcut_sums[1] + base_q;

            total_q <= scaled_q + offset_q;

            shifted_q <= total_q >>> shifts_q[4*5-1:3*5];

            if (clamps_q[4] && shifted_q[AFFINE_BITS-1])
                out_value <= {OUT_BITS{1'b0}};
            else if (clamps_q[4] && shifted_q > {{(AFFINE_BITS-OUT_BITS){1'b0}}, clamp_max})
                out_value <= clamp_max;
            else
                out_value <= shifted_q[OUT_BITS-1:0];
        end
    end
endmodule
`default_nettype wire
