`default_nettype none
// drain_sequencer: gives the sums of one sweep to the affine step, VALUES a clock, each with its affine record.
//
// How it works. capture comes with a sweep's complete sums. From the next clock on each clock with enable issues the next sums and the
// next address of the affine memory, at most once in `planes` clocks because the writer takes so long for each. The address goes on
// over the sweeps of a pixel and back to affine_base with the first sweep of each pixel.
//
// Latency: first issue in the clock after capture, if enable is high.
//
// Example: VALUES = 2, 3 channels, one plane, capture in clock 10: issues in clocks 11 (2 sums) and 12 (1 sum, the last).
module drain_sequencer #(
    parameter VALUES = 2,                // sums at once, >= 1
    parameter AFFINE_ADDRESS_BITS = 16,  // bits of an address of the affine memory
    parameter COUNT_BITS = 16            // bits of the channel count
) (
    input wire clk,
    input wire rst,
    input wire enable,
    // the sweep
    input wire capture,
    input wire [COUNT_BITS-1:0] channels,
    input wire starts_pixel,
    // the layer
    input wire [AFFINE_ADDRESS_BITS-1:0] affine_base,
    input wire single,
    input wire [3:0] planes,
    // some sums
    output wire issue,
    output wire [$clog2(VALUES+1)-1:0] issue_count,
    output wire issue_last,
    output reg [AFFINE_ADDRESS_BITS-1:0] issue_address
);
    localparam VALUE_BITS = $clog2(VALUES + 1);
    localparam [COUNT_BITS-1:0] ALL_VALUES = VALUES;
    localparam [COUNT_BITS-1:0] ONE = 1;

    reg [COUNT_BITS-1:0] left_q;
    reg [3:0] wait_q;
    wire [COUNT_BITS-1:0] most;

    assign most = single ? ONE : ALL_VALUES;
    assign issue_last = left_q <= most;
    assign issue_count = issue_last ? left_q[VALUE_BITS-1:0] : most[VALUE_BITS-1:0];
    assign issue = left_q != 0 && wait_q == 4'd0;

    always @(posedge clk) begin
        if (rst) begin
            left_q <= 0;
            wait_q <= 4'd0;
        end else begin
            if (capture) begin
                left_q <= channels;
            end else if (issue && enable) begin
                left_q <= issue_last ? {COUNT_BITS{1'b0}} : left_q - most;
            end
            if (issue && enable) begin
                wait_q <= planes - 4'd1;
            end else if (wait_q != 4'd0) begin
                wait_q <= wait_q - 4'd1;
            end
        end
        if (capture && starts_pixel) begin
            issue_address <= affine_base;
        end else if (issue && enable) begin
            issue_address <= issue_address + 1'b1;
        end
    end
endmodule
`default_nettype wire
