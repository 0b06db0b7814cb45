`default_nettype none
// tree_pipeline: the sum of a word of LANES values in a register, with STAGES further register levels among the levels of the tree.
//
//   in_data, in_carry -> trees of a few lanes -> register -> tree of their sums -> register (out_sum)            STAGES = 1
//
// A tree of LANES lanes has DEPTH = ceil(log2(LANES)) levels of adders. The level of registers stands behind
//
//   STAGES = 1   the first DEPTH / 3 levels                            16 lanes: 1,        64 lanes: 2
//   STAGES = 2   the first DEPTH / 3 and the first 3 * DEPTH / 4       16 lanes: 1 and 3,  64 lanes: 2 and 4
//
// and not behind the lanes: there the registers are twice as many at 16 lanes, four times at 64, and the part with the tree stays the
// longest. A lane is longer than a level of adders, and a memory stands ahead of it, so the cuts lie ahead of the middle.
// Mapped to the IHP 130 nm library, ps without wires up to out_sum, 8 bits, weights and activations ready at 0:
//
//                                   STAGES = 0   behind the lanes   STAGES = 1   STAGES = 2
//   16 lanes, min / complement     3274 / 3939     2427 / 2830     2128 / 2497  2091 / 2356
//   64 lanes, SPLIT = 4            4779 / 5275     3702 / 4064     3088 / 3476  2563 / 2942
//
// Each small tree leaves the carry of its first lane to the tree behind it, so the carries cost no adder, as in adder_tree. With
// SPLIT > 0 the last tree is a split_tree, and the small ones keep to its halves: each half is filled up with zeros to whole trees.
// Registers hold while they have no word. Flags travel beside their word.
//
// Precondition: as adder_tree, and as split_tree with SPLIT > 0.
// Latency: 1 + STAGES clocks, one word a clock. Reset drops the words in flight.
// Example (LANES = 8, STAGES = 1): trees of two lanes; data 1, 2, ... 8 are 3, 7, 11, 15 in the registers and 36 in out_sum.
module tree_pipeline #(
    parameter LANES  = 16, // values of a word, at least 1, at least 2 with SPLIT > 0
    parameter WIDTH  = 8,  // bits of a value, at least 2
    parameter SPLIT  = 0,  // SHIFT of a split_tree, 0 for an adder_tree
    parameter STAGES = 0,  // register levels ahead of out_sum, 0 to 2
    parameter FLAGS  = 1   // bits that travel beside a word, at least 1
) (
    input  wire                                                       clk,
    input  wire                                                       rst,         // synchronous, high

    input  wire                                                       in_valid,    // the inputs below count only when this is 1
    input  wire [FLAGS-1:0]                                           in_flags,
    input  wire                                                       in_split,    // as in split_tree; without meaning if SPLIT = 0
    input  wire                                                       in_negative,
    input  wire [LANES*WIDTH-1:0]                                     in_data,     // lane i at bits [(i+1)*WIDTH-1 : i*WIDTH], unsigned
    input  wire [LANES-1:0]                                           in_carry,    // one more unit for lane i

    output reg                                                        out_valid,
    output reg  [FLAGS-1:0]                                           out_flags,
    output reg  [WIDTH+$clog2(LANES)+(SPLIT > 0 ? SPLIT + 1 : 0)-1:0] out_sum      // signed if SPLIT > 0
);
    generate
        if (STAGES < 0 || STAGES > 2) begin : gen_stages_check
            STAGES_must_be_0_to_2 u_error ();
        end
        if (SPLIT > 0 && LANES < 2) begin : gen_lanes_check
            LANES_must_be_at_least_2 u_error ();
        end
    endgenerate

    localparam SUM_BITS = WIDTH + $clog2(LANES) + (SPLIT > 0 ? SPLIT + 1 : 0);
    localparam DEPTH = $clog2(LANES);
    // Levels of adders ahead of each level of registers, and ahead of the last tree.
    localparam FIRST = DEPTH / 3;
    localparam SECOND = 3 * DEPTH / 4;
    localparam LAST = STAGES == 2 ? SECOND : STAGES == 1 ? FIRST : 0;
    // The lower half's lanes, and the values of a half: filled up to whole trees of 2^LAST lanes.
    localparam HALVES = SPLIT > 0 ? 2 : 1;
    localparam LOW = LANES / HALVES;
    localparam UPPER = SPLIT > 0 ? LANES - LOW : LANES;
    localparam HALF = ((UPPER + (1 << LAST) - 1) >> LAST) << LAST;
    localparam UPPER_AT = SPLIT > 0 ? HALF : 0;

    wire                sum_valid;
    wire [FLAGS-1:0]    sum_flags;
    wire [SUM_BITS-1:0] sum;

    genvar s;
    genvar v;
    generate
        for (s = 0; s <= STAGES; s = s + 1) begin : gen_stage
            localparam LEVELS = s == 2 ? SECOND : s == 1 ? FIRST : 0;
            localparam BITS = WIDTH + LEVELS;
            localparam VALUES = (HALVES * HALF) >> LEVELS;

            wire                   valid;
            wire [FLAGS-1:0]       flags;
            // Only with SPLIT > 0.
            /* verilator lint_off UNUSEDSIGNAL */
            wire                   split;
            wire                   negative;
            /* verilator lint_on UNUSEDSIGNAL */
            wire [VALUES*BITS-1:0] data;
            wire [VALUES-1:0]      carry;

            if (s == 0) begin : gen_inputs
                assign valid    = in_valid;
                assign flags    = in_flags;
                assign split    = in_split;
                assign negative = in_negative;
                // A block, not an assignment a lane: an event-driven simulator then handles the word once, not once for each of its lanes.
                reg [VALUES*BITS-1:0] filled;
                reg [VALUES-1:0]      filled_carry;
                always @* begin
                    filled       = {(VALUES*BITS){1'b0}};
                    filled_carry = {VALUES{1'b0}};
                    filled[(UPPER_AT+UPPER)*WIDTH-1:UPPER_AT*WIDTH] = in_data[LANES*WIDTH-1:(LANES-UPPER)*WIDTH];
                    filled_carry[UPPER_AT+UPPER-1:UPPER_AT]         = in_carry[LANES-1:LANES-UPPER];
                    filled[LOW*WIDTH-1:0] = in_data[LOW*WIDTH-1:0];
                    filled_carry[LOW-1:0] = in_carry[LOW-1:0];
                end
                assign data  = filled;
                assign carry = filled_carry;
            end else begin : gen_level
                // Lanes of a small tree, and its values' bits.
                localparam GROUP = 1 << (s == 2 ? SECOND - FIRST : FIRST);
                localparam GROUP_BITS = BITS - $clog2(GROUP);
                localparam [GROUP-1:0] FIRST_LANE = 1;

                reg                    valid_q;
                reg  [FLAGS-1:0]       flags_q;
                reg                    split_q;
                reg                    negative_q;
                reg  [VALUES*BITS-1:0] data_q;
                reg  [VALUES-1:0]      carry_q;
                wire [VALUES*BITS-1:0] sums;
                wire [VALUES-1:0]      carries;

                for (v = 0; v < VALUES; v = v + 1) begin : gen_value
                    wire [GROUP-1:0] group_carry;
                    assign group_carry = gen_stage[s-1].carry[(v+1)*GROUP-1:v*GROUP];
                    assign carries[v] = group_carry[0];

                    adder_tree #(
                        .LANES (GROUP),
                        .WIDTH (GROUP_BITS)
                    ) u_tree (
                        .in_data  (gen_stage[s-1].data[(v+1)*GROUP*GROUP_BITS-1:v*GROUP*GROUP_BITS]),
                        .in_carry (group_carry & ~FIRST_LANE),
                        .sum      (sums[(v+1)*BITS-1:v*BITS])
                    );
                end

                always @(posedge clk) begin
                    if (rst)
                        valid_q <= 1'b0;
                    else
                        valid_q <= gen_stage[s-1].valid;
                    if (gen_stage[s-1].valid) begin
                        flags_q    <= gen_stage[s-1].flags;
                        split_q    <= gen_stage[s-1].split;
                        negative_q <= gen_stage[s-1].negative;
                        data_q     <= sums;
                        carry_q    <= carries;
                    end
                end

                assign valid    = valid_q;
                assign flags    = flags_q;
                assign split    = split_q;
                assign negative = negative_q;
                assign data     = data_q;
                assign carry    = carry_q;
            end

            if (s == STAGES) begin : gen_last
                assign sum_valid = valid;
                assign sum_flags = flags;
                if (SPLIT > 0) begin : gen_split_tree
                    split_tree #(
                        .LANES (VALUES),
                        .WIDTH (BITS),
                        .SHIFT (SPLIT)
                    ) u_tree (
                        .in_data     (data),
                        .in_carry    (carry),
                        .in_split    (split),
                        .in_negative (negative),
                        .sum         (sum)
                    );
                end else begin : gen_tree
                    adder_tree #(
                        .LANES (VALUES),
                        .WIDTH (BITS)
                    ) u_tree (
                        .in_data  (data),
                        .in_carry (carry),
                        .sum      (sum)
                    );
                end
            end
        end
    endgenerate

    always @(posedge clk) begin
        if (rst)
            out_valid <= 1'b0;
        else
            out_valid <= sum_valid;
        if (sum_valid) begin
            out_flags <= sum_flags;
            out_sum   <= sum;
        end
    end
endmodule
`default_nettype wire
