`default_nettype none
// place_adder: moves a place in an activation buffer on by a distance, both as {row, bank}.
//
// Code n of a buffer stands in bank n mod LANES of row n div LANES. Rows wrap around, so a step back is a distance too.
//
// Latency: combinational. Both banks must be below LANES.
// Example, LANES = 3: {5, 2} moved by {1, 2} is {7, 1}.
module place_adder #(
    parameter LANES = 4,        // banks, >= 1
    parameter ADDRESS_BITS = 8  // bits of a row
) (
    input wire [ADDRESS_BITS+(LANES > 1 ? $clog2(LANES) : 1)-1:0] from,
    input wire [ADDRESS_BITS+(LANES > 1 ? $clog2(LANES) : 1)-1:0] distance,
    output wire [ADDRESS_BITS+(LANES > 1 ? $clog2(LANES) : 1)-1:0] to
);
    localparam BANK_BITS = LANES > 1 ? $clog2(LANES) : 1;
    localparam [BANK_BITS:0] LANES_COUNT = LANES;

    wire [BANK_BITS:0] bank;
    wire wraps;
    wire [BANK_BITS-1:0] beyond;  // the bank if it wraps: below LANES, so the lower bits tell it
    wire [ADDRESS_BITS-1:0] row;

    assign bank = {1'b0, from[BANK_BITS-1:0]} + {1'b0, distance[BANK_BITS-1:0]};
    assign wraps = bank >= LANES_COUNT;
    assign beyond = bank[BANK_BITS-1:0] - LANES_COUNT[BANK_BITS-1:0];
    assign row = from[ADDRESS_BITS+BANK_BITS-1:BANK_BITS] + distance[ADDRESS_BITS+BANK_BITS-1:BANK_BITS]
        + {{(ADDRESS_BITS-1){1'b0}}, wraps};
    assign to = {row, wraps ? beyond : bank[BANK_BITS-1:0]};
endmodule
`default_nettype wire
