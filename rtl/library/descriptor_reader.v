`default_nettype none
// descriptor_reader: fetches one layer descriptor, word after word, and holds it as one wide bus.
//
// How it works. Descriptors lie behind one another in a memory of 32-bit words. After start the reader asks for WORDS words, one a
// clock, and shifts what comes back into a register from the top, so that word 0 ends up in the lowest 32 bits. The address goes on
// from descriptor to descriptor; rewind together with start goes back to descriptor 1, since descriptor 0 is for the beginning only.
// Meanwhile it sums the words up; `beyond` tells that some of them lay behind the memory's end.
//
// Latency: done is high for one clock, WORDS + 2 clocks after start; fields, sum and beyond hold until the next start.
//
// Example, WORDS = 3, memory 10, 11, 12, 20, 21, 22: the first start gives fields {12, 11, 10}, the second, and one with rewind,
// {22, 21, 20}.
module descriptor_reader #(
    parameter WORDS = 36,        // words of a descriptor, >= 2
    parameter DEPTH = 72,        // words of the memory, > WORDS
    parameter ADDRESS_BITS = 10  // bits of a word address of the descriptor memory, >= 1
) (
    input wire clk,
    input wire rst,
    // control
    input wire start,
    input wire rewind,
    output reg done,
    // memory
    output wire read_enable,
    output wire [ADDRESS_BITS-1:0] read_address,
    input wire [31:0] read_data,
    // descriptor
    output reg [WORDS*32-1:0] fields,
    output reg [31:0] sum,
    output reg beyond
);
    localparam LEFT_BITS = $clog2(WORDS + 1);
    localparam [LEFT_BITS-1:0] ALL_WORDS = WORDS;
    // One bit more than an address, for the first one behind the end.
    localparam [ADDRESS_BITS:0] DESCRIPTOR_1 = WORDS;
    localparam [ADDRESS_BITS:0] END = DEPTH;

    reg [ADDRESS_BITS:0] address_q;
    reg [LEFT_BITS-1:0] left_q;
    reg arriving_q;

    generate
        if (WORDS < 2) begin : gen_check_words
            WORDS_must_be_at_least_2 u_error ();
        end
    endgenerate

    assign read_enable = left_q != 0;
    assign read_address = address_q[ADDRESS_BITS-1:0];

    always @(posedge clk) begin
        if (rst) begin
            address_q <= 0;
            left_q <= 0;
            arriving_q <= 1'b0;
            done <= 1'b0;
        end else begin
            if (start) begin
                left_q <= ALL_WORDS;
                sum <= 32'd0;
                beyond <= 1'b0;
                if (rewind) begin
                    address_q <= DESCRIPTOR_1;
                end
            end else if (read_enable) begin
                left_q <= left_q - 1'b1;
                if (address_q == END) begin
                    beyond <= 1'b1;
                end else begin
                    address_q <= address_q + 1'b1;
                end
            end
            arriving_q <= read_enable;
            done <= arriving_q && !read_enable;
        end
        if (arriving_q) begin
            fields <= {read_data, fields[WORDS*32-1:32]};
            sum <= sum + read_data;
        end
    end
endmodule
`default_nettype wire
