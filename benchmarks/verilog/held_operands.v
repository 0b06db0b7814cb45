`default_nettype none
// held_operands: what the output lanes share: the operand register, and the sum of x behind it.
//
// HOLD = 0: the register takes every code. HOLD = 1: a lane's register keeps its code where the new one is 0; `live` says where it is
// new, and masks the sum of x.
module held_operands #(
    parameter IN_LANES  = 16, // taps per clock
    parameter CODE_BITS = 8,  // width of a code
    parameter ACC_BITS  = 24, // width of the sum of x
    parameter HOLD      = 0   // 0 or 1, see above
) (
    input  wire                          clk,
    input  wire                          rst,
    input  wire                          in_valid,
    input  wire                          in_first,
    input  wire [IN_LANES*CODE_BITS-1:0] in_x,
    output reg  [IN_LANES*CODE_BITS-1:0] out_x,
    output wire [IN_LANES-1:0]           out_live, // 0 if HOLD = 0
    output wire [ACC_BITS-1:0]           sum_x
);
    localparam SUM_BITS = CODE_BITS + $clog2(IN_LANES);

    reg                           valid_q;
    reg                           first_q;
    wire [IN_LANES*CODE_BITS-1:0] masked;
    wire                          sum_valid;
    wire                          sum_first;
    wire [SUM_BITS-1:0]           sum;

    always @(posedge clk) begin
        valid_q <= in_valid && !rst;
        if (in_valid)
            first_q <= in_first;
    end

    genvar i;
    generate
        for (i = 0; i < IN_LANES; i = i + 1) begin : gen_lane
            wire [CODE_BITS-1:0] x;
            assign x = in_x[(i+1)*CODE_BITS-1:i*CODE_BITS];
            if (HOLD) begin : gen_hold
                reg live_q;
                always @(posedge clk) begin
                    if (in_valid)
                        live_q <= |x;
                    if (in_valid && |x)
                        out_x[(i+1)*CODE_BITS-1:i*CODE_BITS] <= x;
                end
                assign out_live[i] = live_q;
                assign masked[(i+1)*CODE_BITS-1:i*CODE_BITS] = out_x[(i+1)*CODE_BITS-1:i*CODE_BITS] & {CODE_BITS{live_q}};
            end else begin : gen_take
                always @(posedge clk) begin
                    if (in_valid)
                        out_x[(i+1)*CODE_BITS-1:i*CODE_BITS] <= x;
                end
                assign out_live[i] = 1'b0;
                assign masked[(i+1)*CODE_BITS-1:i*CODE_BITS] = out_x[(i+1)*CODE_BITS-1:i*CODE_BITS];
            end
        end
    endgenerate

    tree_pipeline #(
        .LANES (IN_LANES),
        .WIDTH (CODE_BITS)
    ) u_tree (
        .clk         (clk),
        .rst         (rst),
        .in_valid    (valid_q),
        .in_flags    (first_q),
        .in_split    (1'b0),
        .in_negative (1'b0),
        .in_data     (masked),
        .in_carry    ({IN_LANES{1'b0}}),
        .out_valid   (sum_valid),
        .out_flags   (sum_first),
        .out_sum     (sum)
    );

    accumulator #(
        .SUM_BITS (SUM_BITS),
        .ACC_BITS (ACC_BITS)
    ) u_accumulator (
        .clk         (clk),
        .rst         (rst),
        .in_valid    (sum_valid),
        .in_first    (sum_first),
        .in_double   (1'b0),
        .in_subtract (1'b0),
        .in_sum      (sum),
        .acc         (sum_x)
    );
endmodule
`default_nettype wire
