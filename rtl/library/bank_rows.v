`default_nettype none
// bank_rows: which row each bank reads so that LANES codes of a window come out in one clock.
//
// How it works. The codes begin in `bank` and go on from bank to bank; behind the last bank comes bank 0 of the next row. A window
// goes on in another line of its map at some of its lanes ("crossing"): from lane crossing[j] on, rows are those of line j + 1.
// So bank b carries lane (b - bank) mod LANES, and reads the row of the last line that begins at or before that lane, plus 1 behind
// the last bank. All is told by comparing the bank's number with bank and bank + crossing (mod LANES).
//
// Latency: combinational. crossing must not fall with j; LANES means that the line is not reached.
// Example, LANES = 4, bank = 3, rows 5 and 9, crossing[0] = 2: bank 3 reads 5, bank 0 reads 6, banks 1 and 2 read 10.
module bank_rows #(
    parameter LANES = 4,        // banks, >= 1
    parameter CROSSINGS = 1,    // lines that may begin inside a word, >= 0
    parameter ADDRESS_BITS = 8  // bits of a row
) (
    input wire [(LANES > 1 ? $clog2(LANES) : 1)-1:0] bank,
    input wire [(CROSSINGS+1)*ADDRESS_BITS-1:0] line_rows,                         // line 0 lowest
    // crossing 0 lowest; unused if there are none
    /* verilator lint_off UNUSEDSIGNAL */
    input wire [(CROSSINGS > 0 ? CROSSINGS : 1)*$clog2(LANES+1)-1:0] crossings,
    /* verilator lint_on UNUSEDSIGNAL */
    output wire [LANES*ADDRESS_BITS-1:0] rows
);
    localparam BANK_BITS = LANES > 1 ? $clog2(LANES) : 1;
    localparam LANE_COUNT_BITS = $clog2(LANES + 1);
    localparam [LANE_COUNT_BITS:0] LANES_COUNT = LANES;
    localparam [ADDRESS_BITS-1:0] ONE = 1;

    genvar b;
    genvar j;

    // Per line: its rows before and behind the last bank, and the banks that carry it or a later line.
    wire [ADDRESS_BITS-1:0] row [0:CROSSINGS];
    wire [ADDRESS_BITS-1:0] next_row [0:CROSSINGS];
    /* verilator lint_off UNUSEDSIGNAL */
    wire [LANES-1:0] reached [0:CROSSINGS];  // the first line is always reached
    /* verilator lint_on UNUSEDSIGNAL */
    wire [LANES-1:0] wrapped;

    generate
        for (b = 0; b < LANES; b = b + 1) begin : gen_wrapped
            localparam [BANK_BITS:0] NUMBER = b;
            assign wrapped[b] = NUMBER < {1'b0, bank};
        end
        for (j = 0; j <= CROSSINGS; j = j + 1) begin : gen_line
            assign row[j] = line_rows[(j+1)*ADDRESS_BITS-1:j*ADDRESS_BITS];
            assign next_row[j] = row[j] + ONE;
            if (j == 0) begin : gen_first
                assign reached[j] = {LANES{1'b1}};
            end else begin : gen_later
                wire [LANE_COUNT_BITS-1:0] crossing;
                wire [LANE_COUNT_BITS:0] target;
                wire [LANE_COUNT_BITS:0] folded;
                wire folds;
                assign crossing = crossings[j*LANE_COUNT_BITS-1:(j-1)*LANE_COUNT_BITS];
                assign target = {1'b0, crossing} + {{(LANE_COUNT_BITS+1-BANK_BITS){1'b0}}, bank};
                assign folds = target >= LANES_COUNT;
                assign folded = folds ? target - LANES_COUNT : target;
                for (b = 0; b < LANES; b = b + 1) begin : gen_bank
                    localparam [LANE_COUNT_BITS:0] NUMBER = b;
                    // Unfolded, the line goes from its bank to the last and over all wrapped ones; folded, it begins in those.
                    assign reached[j][b] = folds ? wrapped[b] && NUMBER >= folded : wrapped[b] || NUMBER >= folded;
                end
            end
        end
        for (b = 0; b < LANES; b = b + 1) begin : gen_row
            wire [ADDRESS_BITS-1:0] chosen [0:CROSSINGS];
            assign chosen[0] = wrapped[b] ? next_row[0] : row[0];
            for (j = 1; j <= CROSSINGS; j = j + 1) begin : gen_choice
                assign chosen[j] = !reached[j][b] ? chosen[j-1] : wrapped[b] ? next_row[j] : row[j];
            end
            assign rows[(b+1)*ADDRESS_BITS-1:b*ADDRESS_BITS] = chosen[CROSSINGS];
        end
    endgenerate
endmodule
`default_nettype wire
