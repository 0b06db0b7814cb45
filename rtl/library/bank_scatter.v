`default_nettype none
// bank_scatter: from codes that follow each other to the banks they are written to.
//
// How it works. The codes are turned until the first stands over its bank. Banks before it belong to the next row. Only the first
// `count` codes are enabled; at other banks rows and codes are of no meaning.
//
// Latency: combinational. VALUES must be at most LANES, count at most VALUES.
// Example, LANES = 4, place {5, 3}, count 2, codes a, b: a goes to row 5 of bank 3, b to row 6 of bank 0.
module bank_scatter #(
    parameter LANES = 4,         // banks, >= 1
    parameter VALUES = 2,        // codes at once, 1 to LANES
    parameter CODE_BITS = 8,     // bits of a code
    parameter ADDRESS_BITS = 8   // bits of a row
) (
    input wire enable,
    input wire [ADDRESS_BITS+(LANES > 1 ? $clog2(LANES) : 1)-1:0] place,
    input wire [$clog2(LANES+1)-1:0] count,
    input wire [VALUES*CODE_BITS-1:0] codes,
    output wire [LANES-1:0] write_enable,
    output wire [LANES*ADDRESS_BITS-1:0] write_rows,
    output wire [LANES*CODE_BITS-1:0] write_data
);
    localparam BANK_BITS = LANES > 1 ? $clog2(LANES) : 1;
    localparam [ADDRESS_BITS-1:0] ONE = 1;

    generate
        if (VALUES < 1 || VALUES > LANES) begin : gen_check_values
            VALUES_must_be_1_to_LANES u_error ();
        end
    endgenerate

    wire [BANK_BITS-1:0] bank;
    wire [ADDRESS_BITS-1:0] row;
    wire [ADDRESS_BITS-1:0] next_row;
    assign bank = place[BANK_BITS-1:0];
    assign row = place[ADDRESS_BITS+BANK_BITS-1:BANK_BITS];
    assign next_row = row + ONE;

    wire [LANES*CODE_BITS-1:0] spread;
    wire [LANES-1:0] wanted;
    assign spread[VALUES*CODE_BITS-1:0] = codes;
    generate
        if (VALUES < LANES) begin : gen_empty
            assign spread[LANES*CODE_BITS-1:VALUES*CODE_BITS] = {((LANES-VALUES)*CODE_BITS){1'b0}};
        end
    endgenerate

    genvar b;
    generate
        for (b = 0; b < LANES; b = b + 1) begin : gen_bank
            localparam [$clog2(LANES+1)-1:0] NUMBER = b;
            localparam [BANK_BITS:0] BANK = b;
            assign wanted[b] = enable && NUMBER < count;
            assign write_rows[(b+1)*ADDRESS_BITS-1:b*ADDRESS_BITS] = BANK < {1'b0, bank} ? next_row : row;
        end
    endgenerate

    code_rotator #(
        .LANES     (LANES),
        .CODE_BITS (CODE_BITS),
        .TO_BANKS  (1)
    ) u_data (
        .in_data  (spread),
        .amount   (bank),
        .out_data (write_data)
    );

    code_rotator #(
        .LANES     (LANES),
        .CODE_BITS (1),
        .TO_BANKS  (1)
    ) u_enable (
        .in_data  (wanted),
        .amount   (bank),
        .out_data (write_enable)
    );
endmodule
`default_nettype wire
