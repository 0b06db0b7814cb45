`default_nettype none
// ram: a memory with one write port and one synchronous read port.
//
// How it works. An array of DEPTH words; the read port has an output register, so that synthesis finds a block RAM.
// The image in INIT_FILE (hexadecimal, one word a line, for $readmemh) is there before the first clock. STYLE tells an FPGA's synthesis
// which memory to take, by the attribute ram_style that Yosys and Vivado read.
//
// Latency: read_data is the word at read_address one clock after read_enable; it holds while read_enable is 0.
// Reading and writing one address in one clock returns the OLD word; the new one can be read from the next clock on.
// Addresses must be below DEPTH. A word that was neither written nor initialised reads as unknown.
// A word has SLICES equal slices, written each for itself.
//
// Example (word 3 holds 7):
//   clock          0      1      2
//   write          3:=9
//   read_enable    1 (3)  1 (3)  0
//   read_data             7      9      9 ...
module ram #(
    parameter WIDTH = 8,         // bits of a word, >= 1
    parameter DEPTH = 16,        // words, >= 1
    parameter ADDRESS_BITS = 4,  // bits of an address, >= 1, 2^ADDRESS_BITS >= DEPTH
    parameter SLICES = 1,        // slices of a word, a divisor of WIDTH
    parameter INIT_FILE = "",    // memory image for $readmemh; "" leaves the words unknown
    parameter STYLE = 0          // 0: as synthesis decides, 1: block RAM, 2: distributed (LUT) RAM
) (
    input wire clk,
    // write port
    input wire [SLICES-1:0] write_enable,  // slice i at bits [(i+1)*WIDTH/SLICES-1 : i*WIDTH/SLICES]
    // An address may have more bits than DEPTH needs.
    /* verilator lint_off UNUSEDSIGNAL */
    input wire [ADDRESS_BITS-1:0] write_address,
    /* verilator lint_on UNUSEDSIGNAL */
    input wire [WIDTH-1:0] write_data,
    // read port
    input wire read_enable,
    /* verilator lint_off UNUSEDSIGNAL */
    input wire [ADDRESS_BITS-1:0] read_address,
    /* verilator lint_on UNUSEDSIGNAL */
    output reg [WIDTH-1:0] read_data
);
    localparam NEEDED_BITS = DEPTH > 1 ? $clog2(DEPTH) : 1;
    localparam INDEX_BITS = NEEDED_BITS < ADDRESS_BITS ? NEEDED_BITS : ADDRESS_BITS;
    localparam SLICE_BITS = WIDTH / SLICES;

    generate
        if (WIDTH < 1) begin : gen_bad_width
            WIDTH_must_be_at_least_1 u_error ();
        end
        if (SLICES < 1 || WIDTH % SLICES != 0) begin : gen_bad_slices
            SLICES_must_divide_WIDTH u_error ();
        end
        if (DEPTH < 1) begin : gen_bad_depth
            DEPTH_must_be_at_least_1 u_error ();
        end
        if (ADDRESS_BITS < 1 || ADDRESS_BITS < $clog2(DEPTH)) begin : gen_bad_address_bits
            ADDRESS_BITS_must_be_at_least_1_and_address_DEPTH_words u_error ();
        end
        if (STYLE < 0 || STYLE > 2) begin : gen_bad_style
            STYLE_must_be_0_to_2 u_error ();
        end
    endgenerate

    wire [INDEX_BITS-1:0] write_index;
    wire [INDEX_BITS-1:0] read_index;
    assign write_index = write_address[INDEX_BITS-1:0];
    assign read_index = read_address[INDEX_BITS-1:0];

    // All the same but for the attribute, whose value not every tool takes from a parameter.
    genvar i;
    generate
        if (STYLE == 0) begin : gen_auto
            reg [WIDTH-1:0] memory_q [0:DEPTH-1];

            if (INIT_FILE != "") begin : gen_image
                initial $readmemh(INIT_FILE, memory_q);
            end

            for (i = 0; i < SLICES; i = i + 1) begin : gen_slice
                always @(posedge clk) begin
                    if (write_enable[i])
                        memory_q[write_index][(i+1)*SLICE_BITS-1:i*SLICE_BITS] <= write_data[(i+1)*SLICE_BITS-1:i*SLICE_BITS];
                end
            end

            always @(posedge clk) begin
                if (read_enable)
                    read_data <= memory_q[read_index];
            end
        end
        if (STYLE == 1) begin : gen_block
            (* ram_style = "block" *)
            reg [WIDTH-1:0] memory_q [0:DEPTH-1];

            if (INIT_FILE != "") begin : gen_image
                initial $readmemh(INIT_FILE, memory_q);
            end

            for (i = 0; i < SLICES; i = i + 1) begin : gen_slice
                always @(posedge clk) begin
                    if (write_enable[i])
                        memory_q[write_index][(i+1)*SLICE_BITS-1:i*SLICE_BITS] <= write_data[(i+1)*SLICE_BITS-1:i*SLICE_BITS];
                end
            end

            always @(posedge clk) begin
                if (read_enable)
                    read_data <= memory_q[read_index];
            end
        end
        if (STYLE == 2) begin : gen_distributed
            (* ram_style = "distributed" *)
            reg [WIDTH-1:0] memory_q [0:DEPTH-1];

            if (INIT_FILE != "") begin : gen_image
                initial $readmemh(INIT_FILE, memory_q);
            end

            for (i = 0; i < SLICES; i = i + 1) begin : gen_slice
                always @(posedge clk) begin
                    if (write_enable[i])
                        memory_q[write_index][(i+1)*SLICE_BITS-1:i*SLICE_BITS] <= write_data[(i+1)*SLICE_BITS-1:i*SLICE_BITS];
                end
            end

            always @(posedge clk) begin
                if (read_enable)
                    read_data <= memory_q[read_index];
            end
        end
    endgenerate
endmodule
`default_nettype wire
