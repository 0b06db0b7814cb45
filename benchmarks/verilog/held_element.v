`default_nettype none
// held_element: a processing element of the min form whose operands may hold an old code where theirs is 0.
//
// The library's processing_element (DOT_SPLIT = 0, TREE_STAGES = 0) with a `live` bit beside operands: where it is 0 the lane gives 0,
// whatever the codes are.
//   HOLD = 0   no live bits: a zero code arrives as 0, as in the library
//   HOLD = 1   live bits of x
//   HOLD = 2   live bits of x and of w
// MERGED = 0: a minimum lane, a dot lane, a choice between them, as in the library. MERGED = 1: one choice of x, w or 0 from all of it.
module held_element #(
    parameter IN_LANES  = 16, // taps per clock
    parameter CODE_BITS = 8,  // width of a code
    parameter ACC_BITS  = 24, // width of acc
    parameter HOLD      = 0,  // 0 to 2, see above
    parameter MERGED    = 0   // 0 or 1, see above
) (
    input  wire                                 clk,
    input  wire                                 rst,

    input  wire                                 in_valid,
    input  wire                                 in_dot,
    input  wire        [CODE_BITS-1:0]          in_bit_select,
    input  wire                                 in_first,
    input  wire                                 in_double,
    input  wire                                 in_subtract,
    input  wire        [IN_LANES*CODE_BITS-1:0] in_x,
    input  wire        [IN_LANES*CODE_BITS-1:0] in_w,
    input  wire        [IN_LANES-1:0]           in_live_x, // without meaning if HOLD = 0
    input  wire        [IN_LANES-1:0]           in_live_w, // without meaning unless HOLD = 2

    output wire signed [ACC_BITS-1:0]           acc
);
    localparam SUM_BITS = CODE_BITS + $clog2(IN_LANES);

    wire [IN_LANES*CODE_BITS-1:0] values;
    wire                          sum_valid;
    wire                          sum_first;
    wire                          sum_double;
    wire                          sum_subtract;
    wire [SUM_BITS-1:0]           sum;

    genvar i;
    generate
        for (i = 0; i < IN_LANES; i = i + 1) begin : gen_lane
            wire [CODE_BITS-1:0] x;
            wire [CODE_BITS-1:0] w;
            wire                 live;
            wire                 chosen;
            wire                 less;
            assign x      = in_x[(i+1)*CODE_BITS-1:i*CODE_BITS];
            assign w      = in_w[(i+1)*CODE_BITS-1:i*CODE_BITS];
            assign live   = HOLD == 2 ? in_live_x[i] && in_live_w[i] : HOLD == 1 ? in_live_x[i] : 1'b1;
            assign chosen = |(w & in_bit_select);
            assign less   = x < w;
            if (MERGED) begin : gen_merged
                wire give_x;
                wire give_w;
                assign give_x = live && (in_dot ? chosen : less);
                assign give_w = live && !in_dot && !less;
                assign values[(i+1)*CODE_BITS-1:i*CODE_BITS] = ({CODE_BITS{give_x}} & x) | ({CODE_BITS{give_w}} & w);
            end else begin : gen_separate
                wire [CODE_BITS-1:0] minimum;
                wire [CODE_BITS-1:0] product;
                assign minimum = (less ? x : w) & {CODE_BITS{live}};
                assign product = x & {CODE_BITS{live && chosen}};
                assign values[(i+1)*CODE_BITS-1:i*CODE_BITS] = in_dot ? product : minimum;
            end
        end
    endgenerate

    tree_pipeline #(
        .LANES (IN_LANES),
        .WIDTH (CODE_BITS),
        .FLAGS (3)
    ) u_tree (
        .clk         (clk),
        .rst         (rst),
        .in_valid    (in_valid),
        .in_flags    ({in_first, in_double, in_subtract}),
        .in_split    (1'b0),
        .in_negative (1'b0),
        .in_data     (values),
        .in_carry    ({IN_LANES{1'b0}}),
        .out_valid   (sum_valid),
        .out_flags   ({sum_first, sum_double, sum_subtract}),
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
        .in_double   (sum_double),
        .in_subtract (sum_subtract),
        .in_sum      (sum),
        .acc         (acc)
    );
endmodule
`default_nettype wire
