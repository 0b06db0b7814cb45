`default_nettype none
// sequencer: runs the descriptors in order, image after image.
//
// How it works. After reset it has descriptor 0 fetched, which tells the image_loader where images go, and from then on it fetches each
// layer's descriptor while the layer before it runs. A layer begins when everything before it is in memory, so no layer can read a
// code that is still on its way; the first layer also waits for an image. Behind the last layer the image is released and the layers
// begin again. busy is 1 from an image's first layer to the end of its last.
// With run at 0 no image begins, and nothing is fetched after reset. A descriptor that is not legal halts the sequencer in the clock in
// which it would be used, until rst; layer_index then stays at the layer before, and an image's layer before does not end: busy stays 1,
// and end_layer does not come.
//
// Latency: `take` in the clock in which the layer before is done, begin_layer in the next.
//
// Example: descriptors "load, layer, layer(last)": layer_index runs 1, 2, 1, 2, ... and image_done pulses after every 2.
module sequencer #(
    parameter INDEX_BITS = 8  // bits of the descriptor's index, >= 1
) (
    input wire clk,
    input wire rst,
    input wire run,
    // descriptor_reader
    output wire fetch,
    output wire fetch_rewind,
    input wire fetched,
    input wire legal,  // the descriptor that was fetched last
    // what the descriptor that runs says
    input wire layer_last,
    // image_loader
    output wire configuring,  // descriptor 0 is the one that is checked
    output wire configure,
    input wire image_ready,
    output wire release_image,
    // execution
    output wire take,
    output wire begin_layer,
    input wire layer_done,
    output wire end_layer,  // its last clock
    // status
    output reg [INDEX_BITS-1:0] layer_index,
    output wire image_done,
    output wire busy,
    output wire halted
);
    localparam [2:0] RESTART = 3'd0;
    localparam [2:0] CONFIGURE = 3'd1;
    localparam [2:0] READY = 3'd2;
    localparam [2:0] BEGIN = 3'd3;
    localparam [2:0] RUN = 3'd4;
    localparam [2:0] HALT = 3'd5;

    reg [2:0] state_q;
    reg fetched_q;
    reg first_q;  // the next layer is an image's first

    wire done;
    wire prefetched;
    wire may_begin;
    wire use_next;
    assign done = state_q == RUN && layer_done;
    assign prefetched = fetched || fetched_q;
    assign may_begin = prefetched && (!first_q || (image_ready && run));

    assign configuring = state_q == CONFIGURE;
    assign configure = state_q == CONFIGURE && prefetched && legal;
    // Behind the last layer image_ready still speaks of the image that is being released, so READY looks at it a clock later.
    assign use_next = (state_q == READY && may_begin) || (done && !layer_last && prefetched);
    assign take = use_next && legal;
    assign begin_layer = state_q == BEGIN;
    assign fetch = (state_q == RESTART && run) || configure || begin_layer;
    assign fetch_rewind = begin_layer && layer_last;
    assign image_done = done && layer_last;
    assign release_image = image_done;
    assign end_layer = (take && !first_q) || image_done;
    assign busy = !first_q;
    assign halted = state_q == HALT;

    always @(posedge clk) begin
        if (rst) begin
            state_q <= RESTART;
            fetched_q <= 1'b0;
            first_q <= 1'b1;
            layer_index <= 0;
        end else begin
            fetched_q <= prefetched && !configure && !take;
            if (take) begin
                state_q <= BEGIN;
                first_q <= 1'b0;
                layer_index <= first_q ? {{(INDEX_BITS-1){1'b0}}, 1'b1} : layer_index + 1'b1;
            end else if (use_next || (state_q == CONFIGURE && prefetched && !legal)) begin
                state_q <= HALT;
            end else if (fetch && state_q == RESTART) begin
                state_q <= CONFIGURE;
            end else if (configure) begin
                state_q <= READY;
            end else if (begin_layer) begin
                state_q <= RUN;
            end else if (done) begin
                state_q <= READY;
                first_q <= layer_last;
            end
        end
    end
endmodule
`default_nettype wire
