`default_nettype none
// lane_counter: counts, word by word, the lanes that have work and those whose work contributes.
//
// How it works. A word feeds `codes` input lanes of `channels` output lanes (twice the input lanes with in_split, of 1 output lane in a
// pool). A tap is effective when both its operands are not 0: in the min form every other one contributes nothing. In a dot product
// the second operand is the weight's bit of this pass. Pools have no effective taps. Lanes that are not fed must hold x = 0.
// Busy lanes are a product: lanes shifted by each bit of channels that is 1. Taps are added in groups of 15, which full adders alone
// bring to 4 bits, then over the groups. Group g has tap g of each of 15 slices of the word; which taps those are makes no difference.
//
// Latency: 3 clocks from a word to its counts; both are 0 in clocks without a word, and for words that rst met on the way.
//
// Example (2 x 2 lanes): x = 3, 0; w = (7, 2), (0, 9); codes = 2, channels = 2: 4 busy lanes, 1 effective tap.
module lane_counter #(
    parameter IN_LANES = 4,       // >= 1
    parameter OUT_LANES = 2,      // >= 1
    parameter CODE_BITS = 8,      // bits of a code, 2 to 8
    parameter EFFECTIVE_TAPS = 1  // 0: not counted, always 0
) (
    input wire clk,
    input wire rst,
    input wire in_valid,
    input wire in_pool,
    input wire in_split,
    input wire [$clog2(IN_LANES+1)-1:0] in_codes,
    input wire [$clog2(OUT_LANES+1)-1:0] in_channels,
    // Only with EFFECTIVE_TAPS.
    /* verilator lint_off UNUSEDSIGNAL */
    input wire in_dot,
    input wire [CODE_BITS-1:0] in_bit_select,
    input wire [IN_LANES*CODE_BITS-1:0] in_x,
    input wire [OUT_LANES*IN_LANES*CODE_BITS-1:0] in_w,
    /* verilator lint_on UNUSEDSIGNAL */
    output reg [$clog2(IN_LANES*OUT_LANES+1)-1:0] busy_lanes,
    output wire [$clog2(IN_LANES*OUT_LANES+1)-1:0] effective_taps
);
    localparam LANE_BITS = $clog2(IN_LANES + 1);
    localparam CHANNEL_BITS = $clog2(OUT_LANES + 1);
    localparam COUNT_BITS = $clog2(IN_LANES * OUT_LANES + 1);

    reg [LANE_BITS-1:0] lanes_q;  // 0 without a word
    reg [CHANNEL_BITS-1:0] channels_q;
    reg [COUNT_BITS-1:0] busy_q;

    // Only the lanes that are there can have work, so the doubled number fits.
    wire [LANE_BITS-1:0] lanes;
    assign lanes = in_split ? in_codes << 1 : in_codes;

    integer b;
    reg [COUNT_BITS-1:0] product;
    always @* begin
        product = {COUNT_BITS{1'b0}};
        for (b = 0; b < CHANNEL_BITS; b = b + 1) begin
            if (channels_q[b]) begin
                product = product + ({{(COUNT_BITS-LANE_BITS){1'b0}}, lanes_q} << b);
            end
        end
    end

    always @(posedge clk) begin
        lanes_q <= in_valid ? lanes : {LANE_BITS{1'b0}};
        channels_q <= in_pool ? {{(CHANNEL_BITS-1){1'b0}}, 1'b1} : in_channels;
        busy_q <= product;
        busy_lanes <= busy_q;
        if (rst) begin
            lanes_q <= {LANE_BITS{1'b0}};
            busy_q <= {COUNT_BITS{1'b0}};
            busy_lanes <= {COUNT_BITS{1'b0}};
        end
    end

    generate
        if (EFFECTIVE_TAPS) begin : gen_effective
            localparam TAPS = IN_LANES * OUT_LANES;
            localparam GROUPS = (TAPS + 14) / 15;
            localparam SLICE = GROUPS * CODE_BITS;
            localparam SUM_BITS = 4 + $clog2(GROUPS);
            localparam FOLDED = CODE_BITS < 4 ? CODE_BITS : 4;  // bits of a code that two steps fold into its lowest one

            reg [4*GROUPS-1:0] counts_q;
            reg [COUNT_BITS-1:0] effective_q;
            reg [COUNT_BITS-1:0] effective_qq;
            assign effective_taps = effective_qq;

            // How many taps of each group are effective: a number of 4 bits each. On whole words and in a function, since an event-driven
            // simulator then takes each step for all lanes at once, once a clock. Only what the lowest bit of each code holds is of use.
            // {ones, carries} of three slices are their xor and their majority: full adders, from 15 ones down to 1, 1, 1 and 1.
            function [4*GROUPS-1:0] group_counts;
                input [IN_LANES*CODE_BITS-1:0] x;
                input [TAPS*CODE_BITS-1:0] w;
                reg [IN_LANES*CODE_BITS-1:0] live_x;
                reg [TAPS*CODE_BITS-1:0] live_w;
                reg [15*SLICE-1:0] taps;
                reg [5*SLICE-1:0] a5;
                reg [5*SLICE-1:0] b5;
                reg [5*SLICE-1:0] c5;
                reg [2*SLICE-1:0] a2;
                reg [2*SLICE-1:0] b2;
                reg [2*SLICE-1:0] c2;
                reg [SLICE-1:0] a1, b1, c1, d1, e1, d2, e2, f2, a4, b4, c4, sum;
                reg [SLICE-1:0] ones, twos, fours, eights;
                integer g;
                begin
                    live_x = x | x >> 1;
                    live_x = live_x | live_x >> (FOLDED - 2);
                    live_x = live_x | live_x >> (CODE_BITS - FOLDED);
                    live_w = w | w >> 1;
                    live_w = live_w | live_w >> (FOLDED - 2);
                    live_w = live_w | live_w >> (CODE_BITS - FOLDED);
                    taps = {(15*SLICE){1'b0}};
                    taps[TAPS*CODE_BITS-1:0] = live_w & {OUT_LANES{live_x}};

                    {a5, b5, c5} = taps;
                    {a1, b1, c1, d1, e1} = a5 ^ b5 ^ c5;
                    sum = a1 ^ b1 ^ c1;
                    ones = sum ^ d1 ^ e1;
                    {a2, b2, c2, d2} = {(a5 ^ b5) & c5 | a5 & b5, (a1 ^ b1) & c1 | a1 & b1, (sum ^ d1) & e1 | sum & d1};
                    {e2, f2} = a2 ^ b2 ^ c2;
                    twos = d2 ^ e2 ^ f2;
                    {a4, b4, c4} = {(a2 ^ b2) & c2 | a2 & b2, (d2 ^ e2) & f2 | d2 & e2};
                    fours = a4 ^ b4 ^ c4;
                    eights = (a4 ^ b4) & c4 | a4 & b4;

                    group_counts = {(4*GROUPS){1'b0}};
                    for (g = 0; g < GROUPS; g = g + 1) begin
                        group_counts = group_counts >> 4;
                        group_counts[4*GROUPS-1:4*GROUPS-4] = {eights[0], fours[0], twos[0], ones[0]};
                        ones = ones >> CODE_BITS;
                        twos = twos >> CODE_BITS;
                        fours = fours >> CODE_BITS;
                        eights = eights >> CODE_BITS;
                    end
                end
            endfunction

            always @(posedge clk) begin
                counts_q <= in_valid && !in_pool && !rst
                    ? group_counts(in_x, in_dot ? in_w & {TAPS{in_bit_select}} : in_w) : {(4*GROUPS){1'b0}};
            end

            // May be wider than the largest number that there is.
            /* verilator lint_off UNUSEDSIGNAL */
            wire [SUM_BITS-1:0] sum;
            /* verilator lint_on UNUSEDSIGNAL */
            adder_tree #(
                .LANES (GROUPS),
                .WIDTH (4)
            ) u_sum (
                .in_data  (counts_q),
                .in_carry ({GROUPS{1'b0}}),
                .sum      (sum)
            );

            always @(posedge clk) begin
                effective_q <= rst ? {COUNT_BITS{1'b0}} : sum[COUNT_BITS-1:0];
                effective_qq <= rst ? {COUNT_BITS{1'b0}} : effective_q;
            end
        end else begin : gen_not_counted
            assign effective_taps = {COUNT_BITS{1'b0}};
        end
    endgenerate
endmodule
`default_nettype wire
