`default_nettype none
// drain_sequencer: reads the sums of one sweep out of the lanes, one a clock, each with its affine record.
//
// How it works. sweep_done comes with a sweep's last tap; SETTLE clocks later the sums are complete. From then on each clock with
// enable issues the next lane and the next address of the affine memory. The address goes on over the sweeps of a pixel and back to
// affine_base with the first sweep of each pixel. drained tells that the last lane has been issued, so that the next sweep may start.
//
// Latency: first issue SETTLE clocks after sweep_done, if enable is high.
//
// Example: SETTLE = 3, 2 channels, sweep_done in clock 10: issues in clocks 13 (lane 0) and 14 (lane 1, with drained).
module drain_sequencer #(
    parameter LANES = 4,                 // largest number of lanes, >= 1
    parameter AFFINE_ADDRESS_BITS = 16,  // bits of an address of the affine memory
    parameter COUNT_BITS = 16,           // bits of the channel count
    parameter SETTLE = 3                 // clocks from the last tap to complete sums, >= 2
) (
    input wire clk,
    input wire rst,
    input wire enable,
    // the sweep
    input wire sweep_done,
    input wire [COUNT_BITS-1:0] sweep_channels,
    input wire sweep_starts_pixel,
    input wire [AFFINE_ADDRESS_BITS-1:0] affine_base,
    // one sum
    output wire issue,
    output reg [(LANES > 1 ? $clog2(LANES) : 1)-1:0] issue_lane,
    output reg [AFFINE_ADDRESS_BITS-1:0] issue_address,
    output wire drained
);
    localparam [COUNT_BITS-1:0] ONE = 1;

    reg [SETTLE-2:0] settle_q;
    reg [COUNT_BITS-1:0] left_q;

    generate
        if (SETTLE < 2) begin : gen_check_settle
            SETTLE_must_be_at_least_2 u_error ();
        end
        if (SETTLE == 2) begin : gen_settle_one
            always @(posedge clk) begin
                settle_q <= rst ? 1'b0 : sweep_done;
            end
        end else begin : gen_settle_more
            always @(posedge clk) begin
                settle_q <= rst ? {(SETTLE-1){1'b0}} : {settle_q[SETTLE-3:0], sweep_done};
            end
        end
    endgenerate

    assign issue = left_q != 0;
    assign drained = enable && left_q == ONE;

    always @(posedge clk) begin
        if (rst) begin
            left_q <= 0;
        end else if (settle_q[SETTLE-2]) begin
            left_q <= sweep_channels;
        end else if (enable && issue) begin
            left_q <= left_q - ONE;
        end
        if (settle_q[SETTLE-2]) begin
            issue_lane <= 0;
            if (sweep_starts_pixel) begin
                issue_address <= affine_base;
            end
        end else if (enable && issue) begin
            issue_lane <= issue_lane + 1'b1;
            issue_address <= issue_address + 1'b1;
        end
    end
endmodule
`default_nettype wire
