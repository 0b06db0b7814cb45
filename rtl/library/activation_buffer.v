`default_nettype none
// activation_buffer: holds activation codes in LANES banks, each of which reads and writes a row of its own.
//
// How it works. One ram per bank. Code n of a tensor stands in bank n mod LANES of row n div LANES, so any LANES codes that follow each
// other lie in different banks and are read in one clock, wherever they begin; likewise written.
//
// Latency: as ram: read_data one clock after read_enable, held while read_enable is 0, the OLD code on a collision.
//
// Example, LANES = 3: codes 4, 5, 6 are row 1 of banks 1 and 2 and row 2 of bank 0: rows {1, 1, 2} (bank 0 lowest).
module activation_buffer #(
    parameter LANES = 4,        // banks, >= 1
    parameter CODE_BITS = 8,    // bits of a code, 2 to 8
    parameter DEPTH = 1024,     // rows, >= 1
    parameter ADDRESS_BITS = 10, // bits of a row
    parameter STYLE = 0         // as ram: 0, 1 or 2
) (
    input wire clk,
    // write port, bank i at bit or slice i
    input wire [LANES-1:0] write_enable,
    input wire [LANES*ADDRESS_BITS-1:0] write_rows,
    input wire [LANES*CODE_BITS-1:0] write_data,
    // read port
    input wire read_enable,
    input wire [LANES*ADDRESS_BITS-1:0] read_rows,
    output wire [LANES*CODE_BITS-1:0] read_data
);
    generate
        if (LANES < 1) begin : gen_check_lanes
            LANES_must_be_at_least_1 u_error ();
        end
        if (CODE_BITS < 2 || CODE_BITS > 8) begin : gen_check_code_bits
            CODE_BITS_must_be_2_to_8 u_error ();
        end
    endgenerate

    genvar i;
    generate
        for (i = 0; i < LANES; i = i + 1) begin : gen_bank
            ram #(
                .WIDTH        (CODE_BITS),
                .DEPTH        (DEPTH),
                .ADDRESS_BITS (ADDRESS_BITS),
                .STYLE        (STYLE)
            ) u_ram (
                .clk           (clk),
                .write_enable  (write_enable[i]),
                .write_address (write_rows[(i+1)*ADDRESS_BITS-1:i*ADDRESS_BITS]),
                .write_data    (write_data[(i+1)*CODE_BITS-1:i*CODE_BITS]),
                .read_enable   (read_enable),
                .read_address  (read_rows[(i+1)*ADDRESS_BITS-1:i*ADDRESS_BITS]),
                .read_data     (read_data[(i+1)*CODE_BITS-1:i*CODE_BITS])
            );
        end
    endgenerate
endmodule
`default_nettype wire
