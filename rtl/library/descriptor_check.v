`default_nettype none
// descriptor_check: tells whether a descriptor may be executed.
//
// How it works. All words of a descriptor, its last one included, sum up to SIGNATURE modulo 2^32. The signature stands for the
// parameters that the program was made for, so a descriptor of another design, a damaged one and an empty memory are all refused. Beyond
// that, no size that something counts down to may be 0, planes are 1 to 8, and buffer number 1 does not exist. What is checked besides
// depends on the descriptor's place: the first one describes images.
//
// Latency: combinational.
//
// Example: out_height = 0 in a layer is not legal even with the right sum.
module descriptor_check #(
    parameter [31:0] SIGNATURE = 32'd0,  // sum of a descriptor's words
    parameter COUNT_BITS = 16            // bits of a count
) (
    input wire first,   // the descriptor of images
    input wire beyond,  // it was read from behind the memory's end
    input wire [31:0] sum,
    // a layer's
    input wire [COUNT_BITS-1:0] source_planes,
    input wire [COUNT_BITS-1:0] kernel_height,
    input wire [COUNT_BITS-1:0] segments,
    input wire [COUNT_BITS-1:0] segment_codes,
    input wire layer_pool,
    input wire [COUNT_BITS-1:0] out_height,
    input wire [COUNT_BITS-1:0] out_width,
    input wire [COUNT_BITS-1:0] digit_words,
    input wire [1:0] source_buffer,
    input wire [1:0] shortcut_buffer,
    // an image's
    input wire [31:0] load_length,
    // both
    input wire [COUNT_BITS-1:0] out_channels,
    input wire [COUNT_BITS-1:0] target_planes,
    output wire legal
);
    localparam [COUNT_BITS-1:0] MOST_PLANES = 8;

    wire layer_legal;
    assign layer_legal = source_planes != 0 && source_planes <= MOST_PLANES && kernel_height != 0 && segments != 0
        && (segment_codes != 0 || layer_pool) && out_height != 0 && out_width != 0 && digit_words != 0
        && source_buffer != 2'd1 && shortcut_buffer != 2'd1;
    assign legal = sum == SIGNATURE && !beyond && out_channels != 0 && target_planes != 0 && target_planes <= MOST_PLANES
        && (first ? load_length != 32'd0 : layer_legal);
endmodule
`default_nettype wire
