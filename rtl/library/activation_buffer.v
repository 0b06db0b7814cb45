`default_nettype none
// activation_buffer: holds activation codes; writes one code, reads a word of LANES codes.
//
// How it works. One ram per lane, so that a single code can be written without reading the rest of its word.
// All rams read the same address; lane i of the word is bits [(i+1)*CODE_BITS-1 : i*CODE_BITS].
//
// Latency: as ram: read_data one clock after read_enable, held while read_enable is 0, the OLD word on a collision.
// write_lane must be below LANES (a larger one writes nothing).
//
// Example, LANES = 3, CODE_BITS = 8: writing codes 0x11, 0x22, 0x33 to lanes 0, 1, 2 of address 5 and reading
// address 5 gives read_data = 0x332211.
module activation_buffer #(
    parameter LANES = 4,        // codes in a word, >= 1
    parameter CODE_BITS = 8,    // bits of a code, 2 to 8
    parameter DEPTH = 16,       // words, >= 1
    parameter ADDRESS_BITS = 4  // bits of an address, 2^ADDRESS_BITS >= DEPTH
) (
    input wire clk,
    // write port: one code
    input wire write_enable,
    input wire [ADDRESS_BITS-1:0] write_address,
    input wire [(LANES > 1 ? $clog2(LANES) : 1)-1:0] write_lane,
    input wire [CODE_BITS-1:0] write_code,
    // read port: one word
    input wire read_enable,
    input wire [ADDRESS_BITS-1:0] read_address,
    output wire [LANES*CODE_BITS-1:0] read_data
);
    generate
        if (LANES < 1) begin : gen_bad_lanes
            LANES_must_be_at_least_1 u_error ();
        end
        if (CODE_BITS < 2 || CODE_BITS > 8) begin : gen_bad_code_bits
            CODE_BITS_must_be_2_to_8 u_error ();
        end
    endgenerate

    genvar i;
    generate
        for (i = 0; i < LANES; i = i + 1) begin : gen_lane
            localparam [(LANES > 1 ? $clog2(LANES) : 1)-1:0] LANE = i;
            wire write_here;
            assign write_here = write_enable && write_lane == LANE;

            ram #(
                .WIDTH        (CODE_BITS),
                .DEPTH        (DEPTH),
                .ADDRESS_BITS (ADDRESS_BITS)
            ) u_ram (
                .clk           (clk),
                .write_enable  (write_here),
                .write_address (write_address),
                .write_data    (write_code),
                .read_enable   (read_enable),
                .read_address  (read_address),
                .read_data     (read_data[(i+1)*CODE_BITS-1:i*CODE_BITS])
            );
        end
    endgenerate
endmodule
`default_nettype wire
