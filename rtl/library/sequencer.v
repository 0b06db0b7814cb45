`default_nettype none
// sequencer: runs the descriptors in order, image after image.
//
// How it works. Four states: FETCH (descriptor_reader works), LOAD (an image streams in) or RUN (a layer's taps are issued), FLUSH
// (values still in the pipeline are written), then the next descriptor, or the first again after the last. A layer starts only when
// everything before it is in memory, so no layer can read a code that is still on its way.
//
// Latency: 1 clock in each state beyond what it waits for.
//
// Example: descriptors "load, layer, layer(last)": layer_index runs 0, 1, 2, 0, ... and image_done pulses after every 2.
module sequencer #(
    parameter INDEX_BITS = 8  // bits of the descriptor's index, >= 1
) (
    input wire clk,
    input wire rst,
    // descriptor_reader
    output wire fetch,
    output wire fetch_rewind,
    input wire fetched,
    // what the descriptor says
    input wire layer_load,
    input wire layer_last,
    // execution
    output wire begin_load,
    output wire begin_layer,
    input wire taps_finished,
    input wire load_finished,
    input wire pipeline_idle,
    // status
    output reg [INDEX_BITS-1:0] layer_index,
    output wire image_done,
    output wire busy
);
    localparam [2:0] RESTART = 3'd0;
    localparam [2:0] FETCH = 3'd1;
    localparam [2:0] BEGIN = 3'd2;
    localparam [2:0] LOAD = 3'd3;
    localparam [2:0] RUN = 3'd4;
    localparam [2:0] FLUSH = 3'd5;

    reg [2:0] state_q;
    reg started_q;

    wire flushed;
    assign flushed = state_q == FLUSH && pipeline_idle;
    assign fetch = state_q == RESTART || (flushed && !layer_last);
    assign fetch_rewind = state_q == RESTART;
    assign begin_load = state_q == BEGIN && layer_load;
    assign begin_layer = state_q == BEGIN && !layer_load;
    assign image_done = flushed && layer_last;
    assign busy = started_q;

    always @(posedge clk) begin
        if (rst) begin
            state_q <= RESTART;
            started_q <= 1'b0;
        end else begin
            case (state_q)
                RESTART: begin
                    state_q <= FETCH;
                    layer_index <= 0;
                end
                FETCH: begin
                    if (fetched) begin
                        state_q <= BEGIN;
                    end
                end
                BEGIN: begin
                    state_q <= layer_load ? LOAD : RUN;
                end
                LOAD: begin
                    if (load_finished) begin
                        state_q <= FLUSH;
                        started_q <= 1'b1;
                    end
                end
                RUN: begin
                    if (taps_finished) begin
                        state_q <= FLUSH;
                    end
                end
                default: begin
                    if (flushed) begin
                        state_q <= layer_last ? RESTART : FETCH;
                        layer_index <= layer_index + 1'b1;
                    end
                    if (image_done) begin
                        started_q <= 1'b0;
                    end
                end
            endcase
        end
    end
endmodule
`default_nettype wire
