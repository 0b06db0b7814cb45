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
        "split_tree",
        "wire [«SUM_BITS-1»:0] wide_high;",
        "SUM_BITS-1-1",
        "the upper half's sum is at least SHIFT bits narrower, so the top bit is 0, and what reads it extends by 0",
    ),
    EquivalentMutant(
        "split_tree",
        "wire [«SUM_BITS-1»:0] counted;",
        "SUM_BITS-1-1",
        "the top bit of `sum` is the sign, which no shifted half reaches: it is 0 here, and the addition extends by 0",
    ),
    EquivalentMutant(
        "processing_element",
        "localparam SUM_BITS = CODE_BITS + $clog2(IN_LANES) + (DOT_SPLIT «>» 0 ? DOT_SPLIT + 1 : 0);",
        ">=",
        "differs for DOT_SPLIT = 0: an unsigned sum one bit wider, whose top bit is 0",
    ),
    EquivalentMutant(
        "processing_element",
        "localparam SUM_BITS = CODE_BITS + $clog2(IN_LANES) + (DOT_SPLIT > 0 ? DOT_SPLIT + 1 : «0»);",
        "1",
        "differs for DOT_SPLIT = 0: an unsigned sum one bit wider, whose top bit is 0",
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
        "adds a lane on no data, whose total drives no bit of acc",
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
        "code_rotator",
        "localparam STAGES = LANES «>» 1 ? $clog2(LANES) : 1;",
        ">=",
        "differs for LANES = 1: no stage instead of one that turns by 0",
    ),
    EquivalentMutant(
        "code_rotator",
        "localparam STAGES = LANES > «1» ? $clog2(LANES) : 1;",
        "0",
        "differs for LANES = 1: no stage instead of one that turns by 0",
    ),
    EquivalentMutant(
        "code_rotator",
        "localparam STAGES = LANES > 1 ? $clog2(LANES) : «1»;",
        "0",
        "differs for LANES = 1: no stage instead of one that turns by 0",
    ),
    EquivalentMutant(
        "code_rotator",
        "for (s = 0; s «<» STAGES; s = s + 1) begin : gen_stage",
        "<=",
        "adds a stage behind the last, whose result nothing reads",
    ),
    EquivalentMutant(
        "code_rotator",
        "for (i = 0; i «<» LANES; i = i + 1) begin : gen_lane",
        "<=",
        "drives bits above a stage's word, which do not exist",
    ),
    EquivalentMutant(
        "bank_rows",
        "localparam BANK_BITS = LANES «>» 1 ? $clog2(LANES) : 1;",
        ">=",
        "differs for LANES = 1, where the bank is 0: BANK_BITS only counts the zeros that extend it",
    ),
    EquivalentMutant(
        "bank_rows",
        "localparam BANK_BITS = LANES > «1» ? $clog2(LANES) : 1;",
        "0",
        "differs for LANES = 1, where the bank is 0: BANK_BITS only counts the zeros that extend it",
    ),
    EquivalentMutant(
        "bank_rows",
        "localparam BANK_BITS = LANES > 1 ? $clog2(LANES) : «1»;",
        "0",
        "differs for LANES = 1, where the bank is 0: BANK_BITS only counts the zeros that extend it",
    ),
    EquivalentMutant(
        "bank_rows",
        "assign reached[j] = {LANES{«1'b1»}};",
        "1'b0",
        "nothing reads where the first line is reached: its rows are those that later lines replace",
    ),
    EquivalentMutant(
        "bank_rows",
        "wire [«LANE_COUNT_BITS»:0] folded;",
        "LANE_COUNT_BITS-1",
        "folded is below LANES, so the top bit is 0, and the comparisons extend by 0",
    ),
    EquivalentMutant(
        "bank_rows",
        "assign folds = target «>=» LANES_COUNT;",
        ">",
        "a line that begins at bank LANES, or folded at bank 0, has all wrapped banks and no other either way",
    ),
    EquivalentMutant(
        "bank_rows",
        "for (b = 0; b «<» LANES; b = b + 1) begin : gen_row",
        "<=",
        "drives bits above rows, which do not exist",
    ),
    EquivalentMutant(
        "bank_rows",
        "for (j = «1»; j <= CROSSINGS; j = j + 1) begin : gen_choice",
        "0",
        "drives the first line's choice a second time, with the same row, since that line is reached by all banks",
    ),
    EquivalentMutant(
        "bank_scatter",
        "assign spread[«LANES*CODE_BITS-1»:VALUES*CODE_BITS] = {((LANES-VALUES)*CODE_BITS){1'b0}};",
        "LANES*CODE_BITS-1-1",
        "changes the code of a bank that is not written: count is at most VALUES",
    ),
    EquivalentMutant(
        "bank_scatter",
        "assign spread[LANES*CODE_BITS-1:VALUES*CODE_BITS] = {((LANES-VALUES)*CODE_BITS){«1'b0»}};",
        "1'b1",
        "changes codes of banks that are not written: count is at most VALUES",
    ),
    EquivalentMutant(
        "code_writer",
        "for (i = 0; i «<» VALUES; i = i + 1) begin : gen_value",
        "<=",
        "drives bits above codes and moved, which do not exist",
    ),
    EquivalentMutant(
        "code_writer",
        "if («in_valid») begin",
        "1'b1",
        "saves toggling only: nothing reads values and count while busy_q is 0, which follows in_valid",
    ),
    EquivalentMutant(
        "sequencer",
        "localparam [2:0] RUN = «3'd4»;",
        "3'd5",
        "names the state by another unused number; no state is compared but for equality",
    ),
    EquivalentMutant(
        "drain_register",
        "for (i = 0; i «<» VALUES; i = i + 1) begin : gen_value",
        "<=",
        "adds a value that drives bits above out_acc, which do not exist",
    ),
    EquivalentMutant(
        "drain_sequencer",
        "wait_q <= «4'd0»;",
        "4'd1",
        "the wait is over after the clock of the earliest capture behind rst, before anything can be issued",
    ),
    EquivalentMutant(
        "image_loader",
        "u_writer.pixel_step («line_step_q»),",
        "1'b0",
        "each line is one pixel wide, so every pixel ends its line and the writer goes on by the line step",
    ),
    EquivalentMutant(
        "window_walker",
        "localparam SPARE_BITS = «4»;",
        "5",
        "no offset needs more than four spare bits, and wider ones are the same numbers",
    ),
    EquivalentMutant(
        "window_walker",
        "wire [«OFFSET_BITS-1»:0] lines_codes [0:CROSSINGS+1];",
        "OFFSET_BITS-1-1",
        "up to CROSSINGS = 7 the sums stay below 2^(COUNT_BITS+3), and no lane is told by the one behind",
    ),
    EquivalentMutant(
        "window_walker",
        "wire [«OFFSET_BITS-1»:0] inside_from;",
        "OFFSET_BITS-1-1",
        "at most pad_codes, so the top bit is 0",
    ),
    EquivalentMutant(
        "window_walker",
        "wire [«OFFSET_BITS-1»:0] next_offset [0:CROSSINGS+1];",
        "OFFSET_BITS-1-1",
        "an offset plus LANES is below 2^(COUNT_BITS+1), so the top bit is 0",
    ),
    EquivalentMutant(
        "window_walker",
        "end else if (position «>» {{SPARE_BITS{1'b0}}, LANES_COUNT}) begin",
        ">=",
        "for position = LANES both arms are LANES",
    ),
    EquivalentMutant(
        "window_walker",
        "assign inside_to = !to_map_end[OFFSET_BITS-1] && to_map_end «>» {{SPARE_BITS{1'b0}}, kernel_codes} ? "
        "{{SPARE_BITS{1'b0}}, kernel_codes} : to_map_end;",
        ">=",
        "for to_map_end = kernel_codes both arms are the same",
    ),
    EquivalentMutant(
        "window_walker",
        "assign crossing_lanes = LANES_COUNT[«LANE_COUNT_BITS-1»:0];",
        "LANE_COUNT_BITS-1-1",
        "holds for CROSSINGS = 0, where word_crossings tells nothing and bank_rows does not read it",
    ),
    EquivalentMutant(
        "window_walker",
        "wire [«OFFSET_BITS-1»:0] map_line;",
        "OFFSET_BITS-1-1",
        "lines are below 2^(COUNT_BITS+2), and one above the map still wraps to more than any height",
    ),
    EquivalentMutant(
        "window_walker",
        "if (j «>» 0) begin : gen_crossing",
        ">=",
        "for j = 0 it drives bits below crossing_lanes, which do not exist",
    ),
    EquivalentMutant(
        "window_walker",
        "!layer_pool ? segment_codes : next_channels «<» POOL_GROUP_COUNT ? next_channels : POOL_GROUP_COUNT;",
        "<=",
        "for next_channels = POOL_GROUP both arms are the same",
    ),
    EquivalentMutant(
        "window_walker",
        "if («issue») begin",
        "1'b1",
        "saves toggling only: word_valid is 0 in the clocks that differ, and nothing else of a word counts then",
    ),
    EquivalentMutant(
        "accelerator",
        "localparam MULTIPLIER_BITS = DIGITS * «7»;",
        "8",
        "widens the affine memory by zeros at its top, which no port takes",
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
        "if (LANE_COUNT_BITS «>» DRAIN_COUNT_BITS) begin : gen_wide_result_count",
        ">=",
        "for equal widths both arms are the same: no bit is put before the count",
    ),
    EquivalentMutant(
        "accelerator",
        "if (LANE_COUNT_BITS «>» DRAIN_COUNT_BITS) begin : gen_wide_count",
        ">=",
        "for equal widths both arms are the same: no bit is put before the count",
    ),
    EquivalentMutant(
        "split_tree",
        "localparam HIGH = LANES «-» LOW;",
        "+",
        "adds lanes to the upper tree on no data, which is read as 0",
    ),
    EquivalentMutant(
        "split_tree",
        "localparam SUM_BITS = WIDTH + $clog2(LANES) + SHIFT «+» 1;",
        "-",
        "halves fit two bits less than SUM_BITS, and their sum is computed at the width of the output",
    ),
    EquivalentMutant(
        "split_tree",
        "localparam SUM_BITS = WIDTH + $clog2(LANES) + SHIFT + «1»;",
        "0",
        "halves fit two bits less than SUM_BITS, and their sum is computed at the width of the output",
    ),
    EquivalentMutant(
        "split_tree",
        "wire [«SUM_BITS-1»:0] wide_low;",
        "SUM_BITS-1-1",
        "halves fit two bits less than SUM_BITS, and their sum is computed at the width of the output",
    ),
    EquivalentMutant(
        "ram",
        "localparam NEEDED_BITS = DEPTH «>» 1 ? $clog2(DEPTH) : 1;",
        ">=",
        "differs for DEPTH = 1, whose only address is 0 in as many bits as are looked at",
    ),
    EquivalentMutant(
        "ram",
        "localparam NEEDED_BITS = DEPTH > «1» ? $clog2(DEPTH) : 1;",
        "0",
        "differs for DEPTH = 1, whose only address is 0 in as many bits as are looked at",
    ),
    EquivalentMutant(
        "ram",
        "localparam NEEDED_BITS = DEPTH > 1 ? $clog2(DEPTH) : «1»;",
        "0",
        "differs for DEPTH = 1, whose only address is 0 in as many bits as are looked at",
    ),
    EquivalentMutant(
        "ram",
        "localparam INDEX_BITS = «NEEDED_BITS < ADDRESS_BITS ? NEEDED_BITS : ADDRESS_BITS»;",
        "NEEDED_BITS < ADDRESS_BITS ? ADDRESS_BITS : NEEDED_BITS",
        "differs where addresses have more bits than DEPTH needs: those are 0, since addresses are below DEPTH",
    ),
    EquivalentMutant(
        "ram",
        "localparam INDEX_BITS = NEEDED_BITS «<» ADDRESS_BITS ? NEEDED_BITS : ADDRESS_BITS;",
        "<=",
        "for equal widths both arms are the same",
    ),
    EquivalentMutant(
        "accelerator",
        "u_weights.read_enable (valid_q «&&» !layer_pool),",
        "||",
        "reads more often than a word is wanted: what is read counts only in the clock behind valid_q, never in a pool",
    ),
    EquivalentMutant(
        "accelerator",
        "if («valid_q») begin",
        "1'b1",
        "saves toggling only: what is registered here counts only while valid_qq is 1",
    ),
    EquivalentMutant(
        "accelerator",
        "localparam LOW_LANES = IN_LANES «>» 1 ? IN_LANES / 2 : 1;",
        ">=",
        "differs for IN_LANES = 1, which is never split",
    ),
)
