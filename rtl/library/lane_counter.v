`default_nettype none
// lane_counter: counts, word by word, the lanes that have work and those whose work contributes.
//
// How it works. A word feeds `codes` input lanes of `channels` output lanes (twice the input lanes with in_split, of 1 output lane in a
// pool). A tap is effective when both its operands are not 0: in the min form every other one contributes nothing. In a dot product
// the second operand is the weight's bit of this pass. Pools have no effective taps. Lanes that are not fed must hold x = 0.
// Busy lanes are a product: lanes shifted by each bit of channels that is 1. Taps are added per output lane, then over those.
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

    genvar o;
    genvar i;
    generate
        if (EFFECTIVE_TAPS) begin : gen_effective
            // A lane of the tree takes two taps, the second as its carry.
            localparam PAIRS = (IN_LANES + 1) / 2;
            localparam TAP_BITS = 2 + $clog2(PAIRS);
            localparam SUM_BITS = TAP_BITS + $clog2(OUT_LANES);

            wire [CODE_BITS-1:0] weight_mask;
            wire [IN_LANES-1:0] live_x;
            wire [OUT_LANES*TAP_BITS-1:0] found;  // of each output lane
            reg [OUT_LANES*TAP_BITS-1:0] taps_q;
            reg [COUNT_BITS-1:0] effective_q;
            reg [COUNT_BITS-1:0] effective_qq;
            assign effective_taps = effective_qq;
            assign weight_mask = in_dot ? in_bit_select : {CODE_BITS{1'b1}};
            for (i = 0; i < IN_LANES; i = i + 1) begin : gen_live
                assign live_x[i] = |in_x[(i+1)*CODE_BITS-1:i*CODE_BITS];
            end

            for (o = 0; o < OUT_LANES; o = o + 1) begin : gen_output
                reg [2*PAIRS*CODE_BITS-1:0] weights;
                reg [2*PAIRS-1:0] codes;
                reg [2*PAIRS-1:0] data;
                reg [PAIRS-1:0] carry;
                integer k;
                // A block, not an assignment a tap: an event-driven simulator then hands the tree one settled word a clock.
                always @* begin
                    weights = {(2*PAIRS*CODE_BITS){1'b0}};
                    weights[IN_LANES*CODE_BITS-1:0] = in_w[(o+1)*IN_LANES*CODE_BITS-1:o*IN_LANES*CODE_BITS] & {IN_LANES{weight_mask}};
                    codes = {(2*PAIRS){1'b0}};
                    codes[IN_LANES-1:0] = live_x;
                    data = {(2*PAIRS){1'b0}};
                    carry = {PAIRS{1'b0}};
                    for (k = 0; k < PAIRS; k = k + 1) begin
                        data = data >> 2;
                        data[2*PAIRS-2] = codes[0] && |weights[CODE_BITS-1:0];
                        codes = codes >> 1;
                        weights = weights >> CODE_BITS;
                    end
                    for (k = 0; k < PAIRS; k = k + 1) begin
                        carry = carry >> 1;
                        carry[PAIRS-1] = codes[0] && |weights[CODE_BITS-1:0];
                        codes = codes >> 1;
                        weights = weights >> CODE_BITS;
                    end
                end

                adder_tree #(
                    .LANES (PAIRS),
                    .WIDTH (2)
                ) u_found (
                    .in_data  (data),
                    .in_carry (carry),
                    .sum      (found[(o+1)*TAP_BITS-1:o*TAP_BITS])
                );
            end

            always @(posedge clk) begin
                taps_q <= in_valid && !in_pool && !rst ? found : {(OUT_LANES*TAP_BITS){1'b0}};
            end

            // May be wider than the largest number that there is.
            /* verilator lint_off UNUSEDSIGNAL */
            wire [SUM_BITS-1:0] sum;
            /* verilator lint_on UNUSEDSIGNAL */
            adder_tree #(
                .LANES (OUT_LANES),
                .WIDTH (TAP_BITS)
            ) u_sum (
                .in_data  (taps_q),
                .in_carry ({OUT_LANES{1'b0}}),
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
