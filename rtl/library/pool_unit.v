`default_nettype none
// pool_unit: maximum or sum over a window, per lane, in place of the processing elements.
//
// Each lane keeps one register. A word with in_first starts a window; every further valid word joins it:
//
//   total <= in_sum ? base + x : max(base, x),   base = in_first ? 0 : total
//
// Codes are unsigned, so 0 is the neutral start of both. An average pool is the exact sum; its divisor is folded into
// the next multiplier. Totals wrap modulo 2^ACC_BITS; that they fit is proven before a network is printed. The timing
// equals the processing element's, so that one sequencer drives either.
//
// Latency: 2 clocks from the inputs to the totals. Reset clears the totals and drops the word in flight.
// Example (LANES = 2): words (3, 9) with in_first, then (7, 2): max gives 7, 9; sum gives 10, 11.
module pool_unit #(
    parameter LANES     = 16, // lanes, at least 1
    parameter CODE_BITS = 8,  // width of a code, 2 to 8
    parameter ACC_BITS  = 24  // width of a total, signed and never negative: more than CODE_BITS
) (
    input  wire                                        clk,
    input  wire                                        rst,          // synchronous, high

    input  wire                                        in_valid,     // the inputs below count only when this is 1
    input  wire                                        in_first,     // first word of a window
    input  wire                                        in_sum,       // 1: sum, 0: maximum
    input  wire        [LANES*CODE_BITS-1:0]           in_x,         // lane i at bits [(i+1)*CODE_BITS-1 : i*CODE_BITS]

    output wire [LANES*ACC_BITS-1:0]                    acc
);
    generate
        if (LANES < 1) begin : gen_lanes_check
            LANES_must_be_at_least_1 u_error ();
        end
        if (CODE_BITS < 2 || CODE_BITS > 8) begin : gen_code_bits_check
            CODE_BITS_must_be_2_to_8 u_error ();
        end
        if (ACC_BITS <= CODE_BITS) begin : gen_acc_bits_check
            ACC_BITS_must_be_more_than_CODE_BITS u_error ();
        end
    endgenerate

    reg                        valid_q;
    reg                        first_q;
    reg                        sum_q;
    reg  [LANES*CODE_BITS-1:0] x_q;

    always @(posedge clk) begin
        if (rst)
            valid_q <= 1'b0;
        else
            valid_q <= in_valid;
        if (in_valid) begin
            first_q <= in_first;
            sum_q   <= in_sum;
            x_q     <= in_x;
        end
    end

    genvar i;
    generate
        for (i = 0; i < LANES; i = i + 1) begin : gen_lane
            wire [ACC_BITS-1:0] x;
            wire [ACC_BITS-1:0] base;
            reg  [ACC_BITS-1:0] total_q;

            assign x        = {{(ACC_BITS-CODE_BITS){1'b0}}, x_q[(i+1)*CODE_BITS-1:i*CODE_BITS]};
            assign base     = first_q ? {ACC_BITS{1'b0}} : total_q;
            assign acc[(i+1)*ACC_BITS-1:i*ACC_BITS] = total_q;

            always @(posedge clk) begin
                if (rst)
                    total_q <= {ACC_BITS{1'b0}};
                else if (valid_q) begin
                    if (sum_q)
                        total_q <= base + x;
                    else
                        total_q <= (x > base) ? x : base;
                end
            end
        end
    endgenerate
endmodule
`default_nettype wire
