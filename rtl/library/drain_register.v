`default_nettype none
// drain_register: takes the sums of a whole sweep at once and gives them out VALUES at a time, so that the lanes can go on.
//
// How it works. A register per output lane. capture loads all of them; a shift moves them down by VALUES lanes, or by one lane if
// `single` is set, and zeros follow them. The lowest VALUES sums leave through a register, turned into what the affine step
// expects:
//
//   plain = 1 (dot products, pools)   acc
//   complement form                   -acc                 = -sum |x - w|
//   min form                          2 * acc - sum of x   = -sum |x - w| + sum of w
//
// Latency: out_acc holds the lowest sums in the clock after a shift began (they are read as the registers move on). capture and the
// last shift may share a clock: capture wins.
// Example, LANES = 4, VALUES = 2, min form, sum of x 12: sums 5, 12, 7, 6 leave as (-2, 12), then (2, 0).
module drain_register #(
    parameter LANES = 4,      // sums of a sweep, >= 1
    parameter VALUES = 2,     // sums given out at once, 1 to LANES
    parameter ACC_BITS = 24,  // bits of a sum
    parameter MIN_FORM = 1    // 1: minimum lanes, 0: one's complement lanes
) (
    input wire clk,
    input wire capture,
    input wire [LANES*ACC_BITS-1:0] in_acc,
    input wire [ACC_BITS-1:0] in_sum_x,
    input wire shift,
    input wire single,
    input wire plain,
    output reg [VALUES*ACC_BITS-1:0] out_acc
);
    generate
        if (VALUES < 1 || VALUES > LANES) begin : gen_check_values
            VALUES_must_be_1_to_LANES u_error ();
        end
    endgenerate

    reg [LANES*ACC_BITS-1:0] acc_q;
    reg [ACC_BITS-1:0] sum_x_q;

    always @(posedge clk) begin
        if (capture) begin
            acc_q <= in_acc;
            sum_x_q <= in_sum_x;
        end else if (shift) begin
            acc_q <= single ? acc_q >> ACC_BITS : acc_q >> (VALUES * ACC_BITS);
        end
    end

    genvar i;
    generate
        for (i = 0; i < VALUES; i = i + 1) begin : gen_value
            wire [ACC_BITS-1:0] acc;
            wire [ACC_BITS-1:0] distance;
            assign acc = acc_q[(i+1)*ACC_BITS-1:i*ACC_BITS];
            assign distance = MIN_FORM ? {acc[ACC_BITS-2:0], 1'b0} - sum_x_q : -acc;
            always @(posedge clk) begin
                if (shift) begin
                    out_acc[(i+1)*ACC_BITS-1:i*ACC_BITS] <= plain ? acc : distance;
                end
            end
        end
    endgenerate
endmodule
`default_nettype wire
