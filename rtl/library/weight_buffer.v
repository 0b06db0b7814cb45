`default_nettype none
// weight_buffer: holds weight codes; a word feeds every lane of the array at once.
//
// How it works. One ram whose word is IN_LANES*OUT_LANES codes. The weight of output lane o and input lane i is code
// o*IN_LANES + i of the word, code k being bits [(k+1)*CODE_BITS-1 : k*CODE_BITS].
//
// Latency: as ram: read_data one clock after read_enable, held while read_enable is 0, the OLD word on a collision.
//
// Example, IN_LANES = 2, OUT_LANES = 2, CODE_BITS = 4: the image line "a3c1" is w[0][0] = 1, w[0][1] = 12,
// w[1][0] = 3, w[1][1] = 10 (first index: output lane).
module weight_buffer #(
    parameter IN_LANES = 4,      // input lanes, >= 1
    parameter OUT_LANES = 2,     // output lanes, >= 1
    parameter CODE_BITS = 8,     // bits of a code, 2 to 8
    parameter DEPTH = 16,        // words, >= 1
    parameter ADDRESS_BITS = 4,  // bits of an address, 2^ADDRESS_BITS >= DEPTH
    parameter INIT_FILE = "",    // memory image for $readmemh; "" leaves the words unknown
    parameter STYLE = 0          // as ram
) (
    input wire clk,
    // write port, for loading at run time; output lane o at bit o
    input wire [OUT_LANES-1:0] write_enable,
    input wire [ADDRESS_BITS-1:0] write_address,
    input wire [IN_LANES*OUT_LANES*CODE_BITS-1:0] write_data,
    // read port
    input wire read_enable,
    input wire [ADDRESS_BITS-1:0] read_address,
    output wire [IN_LANES*OUT_LANES*CODE_BITS-1:0] read_data
);
    generate
        if (IN_LANES < 1) begin : gen_bad_in_lanes
            IN_LANES_must_be_at_least_1 u_error ();
        end
        if (OUT_LANES < 1) begin : gen_bad_out_lanes
            OUT_LANES_must_be_at_least_1 u_error ();
        end
        if (CODE_BITS < 2 || CODE_BITS > 8) begin : gen_bad_code_bits
            CODE_BITS_must_be_2_to_8 u_error ();
        end
    endgenerate

    ram #(
        .WIDTH        (IN_LANES*OUT_LANES*CODE_BITS),
        .DEPTH        (DEPTH),
        .ADDRESS_BITS (ADDRESS_BITS),
        .SLICES       (OUT_LANES),
        .INIT_FILE    (INIT_FILE),
        .STYLE        (STYLE)
    ) u_ram (
        .clk           (clk),
        .write_enable  (write_enable),
        .write_address (write_address),
        .write_data    (write_data),
        .read_enable   (read_enable),
        .read_address  (read_address),
        .read_data     (read_data)
    );
endmodule
`default_nettype wire
