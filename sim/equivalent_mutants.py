"""Mutants that no bench can catch, because they compute the same: each with the reason, each checked to exist."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EquivalentMutant:
    """A mutant proven to be the same circuit as the module, by its names in `sim.mutation_sites.Mutant`."""

    module: str
    site: str
    """The line, blanks squeezed, no comment, with the changed text between « and »."""
    after: str
    reason: str


EQUIVALENT_MUTANTS = (
    EquivalentMutant(
        "minimum_lane",
        "assign value = (x «<» w) ? x : w;",
        "<=",
        "for x = w both arms are the same",
    ),
    EquivalentMutant(
        "adder_tree",
        "for (n = «2» * LANES - 1; n >= 1; n = n - 1) begin : gen_node",
        "3",
        "adds leaves above node 2*LANES-1, which no adder reads",
    ),
    EquivalentMutant(
        "adder_tree",
        "for (n = 2 * LANES «-» 1; n >= 1; n = n - 1) begin : gen_node",
        "+",
        "adds leaves above node 2*LANES-1, which no adder reads",
    ),
    EquivalentMutant(
        "adder_tree",
        "for (n = 2 * LANES - «1»; n >= 1; n = n - 1) begin : gen_node",
        "0",
        "adds leaf 2*LANES, which no adder reads",
    ),
    EquivalentMutant(
        "adder_tree",
        "for (n = 2 * LANES - 1; n >= «1»; n = n - 1) begin : gen_node",
        "0",
        "adds node 0 above the root, which nothing reads",
    ),
    EquivalentMutant(
        "adder_tree",
        "localparam BITS = SUM_BITS - $clog2(n + «1») + 1;",
        "0",
        "differs where n is a power of two: that node is one bit wider, and the bit is 0 because no node overflows",
    ),
    EquivalentMutant(
        "accumulator",
        "wire [«ACC_BITS-1»:0] step;",
        "ACC_BITS-1-1",
        "SUM_BITS < ACC_BITS, so the top bit of the unsigned step is 0, and the addition extends by 0",
    ),
    EquivalentMutant(
        "processing_element",
        "if («in_valid») begin",
        "1'b1",
        "saves toggling only: the accumulator ignores the registers while valid_q is 0, which follows in_valid",
    ),
    EquivalentMutant(
        "lane_array",
        "if («adder_valid») begin",
        "1'b1",
        "saves toggling only: the accumulator ignores the registers while valid_q is 0, which follows adder_valid",
    ),
    EquivalentMutant(
        "requantizer",
        "input wire «signed» [ACC_BITS-1:0] in_acc,",
        "",
        "in_acc is read only inside a concatenation, which copies its sign bit",
    ),
    EquivalentMutant(
        "requantizer",
        "input wire «signed» [CONST_BITS-1:0] in_constant,",
        "",
        "in_constant is read only inside a concatenation, which copies its sign bit",
    ),
    EquivalentMutant(
        "requantizer",
        "for (d = 0; d «<» DIGITS; d = d + 1) begin",
        "<=",
        "DIGITS shifts by 7 leave no digit, and the digit 0 adds nothing",
    ),
    EquivalentMutant(
        "requantizer",
        "wire [«AFFINE_BITS-1»:0] shortcut;",
        "AFFINE_BITS-1-1",
        "CODE_BITS < AFFINE_BITS, so the top bit is 0, and the function's argument extends by 0",
    ),
    EquivalentMutant(
        "requantizer",
        "wire [«AFFINE_BITS-1»:0] rounding;",
        "AFFINE_BITS-1-1",
        "in_shift < AFFINE_BITS, so 2^(n-1) never reaches the top bit, and the addition extends by 0",
    ),
    EquivalentMutant(
        "requantizer",
        "else if (clamp_qq && shifted «>» {{(AFFINE_BITS-OUT_BITS){1'b0}}, clamp_max_qq})",
        ">=",
        "a value equal to the clamp is the clamp",
    ),
    EquivalentMutant(
        "pool_unit",
        "if («in_valid») begin",
        "1'b1",
        "saves toggling only: the totals ignore the registers while valid_q is 0, which follows in_valid",
    ),
    EquivalentMutant(
        "pool_unit",
        "for (i = 0; i «<» LANES; i = i + 1) begin : gen_lane",
        "<=",
        "adds a lane on no data, whose total is not among those drained",
    ),
    EquivalentMutant(
        "pool_unit",
        "wire [«ACC_BITS-1»:0] x;",
        "ACC_BITS-1-1",
        "CODE_BITS < ACC_BITS, so the top bit is 0, and comparison and addition extend by 0",
    ),
    EquivalentMutant(
        "pool_unit",
        "total_q <= (x «>» base) ? x : base;",
        ">=",
        "for x = base both arms are the same",
    ),
    EquivalentMutant(
        "code_writer",
        "u_cursor.rst («rst»),",
        "1'b0",
        "the cursor's place is read only after a load, which sets all of the cursor",
    ),
    EquivalentMutant(
        "operand_gate",
        "wire [«LANES-1»:0] below_slice;",
        "LANES-1-1",
        "the highest lane is never below a slice: its bit is 0, as is that of a missing one",
    ),
    EquivalentMutant(
        "operand_gate",
        "for (lane = 0; lane «<» LANES; lane = lane + 1) begin : gen_lane",
        "<=",
        "drives bits above out_data, which do not exist",
    ),
    EquivalentMutant(
        "sequencer",
        "localparam [2:0] FLUSH = «3'd5»;",
        "3'd6",
        "names the state by another unused number; no state is compared but for equality",
    ),
    EquivalentMutant(
        "accelerator",
        "localparam MULTIPLIER_BITS = DIGITS * «7»;",
        "8",
        "widens the affine memory by zeros at its top, which no port takes",
    ),
    EquivalentMutant(
        "accelerator",
        "localparam LANE_BITS = LANES > «1» ? $clog2(LANES) : 1;",
        "0",
        "differs for LANES = 1: the range [-1:0] has two bits, of which only the lowest is used and both are 0",
    ),
    EquivalentMutant(
        "accelerator",
        "wire [«31»:0] descriptor_word;",
        "31-1",
        "bit 31 is set by eight planes, which takes sums of 2^13 codes of 2 bits, and in negative origins, cut below",
    ),
    EquivalentMutant(
        "accelerator",
        "for (index = 0; index «<» DESCRIPTOR_WORDS; index = index + 1) begin : gen_field",
        "<=",
        "drives an element of `field` that does not exist",
    ),
    EquivalentMutant(
        "accelerator",
        "u_descriptors.write_address ({DESCRIPTOR_ADDRESS_BITS{«1'b0»}}),",
        "1'b1",
        "the write enable beside it is 0",
    ),
    EquivalentMutant(
        "accelerator",
        "u_descriptors.write_data («32'd0»),",
        "32'd1",
        "the write enable beside it is 0",
    ),
    EquivalentMutant(
        "accelerator",
        "u_weights.write_data ({W_BITS{«1'b0»}}),",
        "1'b1",
        "the write enable beside it is 0",
    ),
    EquivalentMutant(
        "accelerator",
        "u_weights.write_address ({WEIGHT_ADDRESS_BITS{«1'b0»}}),",
        "1'b1",
        "the write enable beside it is 0",
    ),
    EquivalentMutant(
        "accelerator",
        "u_affine.write_address ({AFFINE_ADDRESS_BITS{«1'b0»}}),",
        "1'b1",
        "the write enable beside it is 0",
    ),
    EquivalentMutant(
        "accelerator",
        "u_affine.write_data ({AFFINE_WORD_BITS{«1'b0»}}),",
        "1'b1",
        "the write enable beside it is 0",
    ),
    EquivalentMutant(
        "accelerator",
        "u_pool.rst («rst»),",
        "1'b0",
        "a word in flight at reset changes totals only, and every window starts them anew",
    ),
    EquivalentMutant(
        "accelerator",
        "u_pool.drain_enable (issue «&&» advance),",
        "||",
        "reads the same total again, which holds until all are drained",
    ),
    EquivalentMutant(
        "accelerator",
        "u_lanes.drain_enable (issue «&&» advance),",
        "||",
        "reads the same sum again, which holds until all are drained",
    ),
)
