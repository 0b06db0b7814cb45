`default_nettype none
// layer_counters: what each layer of the image before took, kept by layer.
//
// How it works. Counters add up while a layer runs. In its last clock their values become the layer's row of a memory, and they begin
// again at 0. A row holds the latest run of its layer until the next image gets there. rst clears the
// counters, not the rows.
//
// Latency: an event counts in the clock in which it is shown, be it that of end_layer. The row can be read from the next clock on (in
// the clock of end_layer it is still the one before), read_data a clock after read_enable.
//
// Row, COUNTER_BITS each, the first lowest: clocks, activation reads, weight reads, shortcut reads, affine reads, activation writes, busy
// lanes, effective taps.
module layer_counters #(
    parameter ROWS = 8,           // layers, and row 0, which stays empty
    parameter ROW_BITS = 3,       // bits of a row's number, 2^ROW_BITS >= ROWS
    parameter COUNTER_BITS = 48,  // of each counter, which wraps
    parameter WRITE_BITS = 3,     // bits of a number of codes written in a clock, at most COUNTER_BITS
    parameter LANE_BITS = 4,      // bits of a number of lanes, at most COUNTER_BITS
    parameter STYLE = 0           // as ram
) (
    input wire clk,
    input wire rst,
    // the layer
    input wire running,    // 1 in its clocks
    input wire end_layer,  // its last clock
    input wire [ROW_BITS-1:0] layer,
    // its events
    input wire activation_read,
    input wire weight_read,
    input wire shortcut_read,
    input wire affine_read,
    input wire [WRITE_BITS-1:0] activation_writes,
    input wire [LANE_BITS-1:0] busy_lanes,
    input wire [LANE_BITS-1:0] effective_taps,
    // rows out
    input wire read_enable,
    input wire [ROW_BITS-1:0] read_row,
    output wire [8*COUNTER_BITS-1:0] read_data
);
    localparam COUNTERS = 8;

    wire [COUNTERS*COUNTER_BITS-1:0] steps;
    reg [COUNTERS*COUNTER_BITS-1:0] totals;
    reg [COUNTERS*COUNTER_BITS-1:0] counts_q;
    assign steps = {
        {{(COUNTER_BITS-LANE_BITS){1'b0}}, effective_taps},
        {{(COUNTER_BITS-LANE_BITS){1'b0}}, busy_lanes},
        {{(COUNTER_BITS-WRITE_BITS){1'b0}}, activation_writes},
        {{(COUNTER_BITS-1){1'b0}}, affine_read},
        {{(COUNTER_BITS-1){1'b0}}, shortcut_read},
        {{(COUNTER_BITS-1){1'b0}}, weight_read},
        {{(COUNTER_BITS-1){1'b0}}, activation_read},
        {{(COUNTER_BITS-1){1'b0}}, running}
    };

    // One block, so that an event-driven simulator moves the whole row once a clock.
    always @* begin
        totals = {
            counts_q[8*COUNTER_BITS-1:7*COUNTER_BITS] + steps[8*COUNTER_BITS-1:7*COUNTER_BITS],
            counts_q[7*COUNTER_BITS-1:6*COUNTER_BITS] + steps[7*COUNTER_BITS-1:6*COUNTER_BITS],
            counts_q[6*COUNTER_BITS-1:5*COUNTER_BITS] + steps[6*COUNTER_BITS-1:5*COUNTER_BITS],
            counts_q[5*COUNTER_BITS-1:4*COUNTER_BITS] + steps[5*COUNTER_BITS-1:4*COUNTER_BITS],
            counts_q[4*COUNTER_BITS-1:3*COUNTER_BITS] + steps[4*COUNTER_BITS-1:3*COUNTER_BITS],
            counts_q[3*COUNTER_BITS-1:2*COUNTER_BITS] + steps[3*COUNTER_BITS-1:2*COUNTER_BITS],
            counts_q[2*COUNTER_BITS-1:1*COUNTER_BITS] + steps[2*COUNTER_BITS-1:1*COUNTER_BITS],
            counts_q[1*COUNTER_BITS-1:0*COUNTER_BITS] + steps[1*COUNTER_BITS-1:0*COUNTER_BITS]
        };
    end

    always @(posedge clk) begin
        if (rst || end_layer) begin
            counts_q <= {(COUNTERS*COUNTER_BITS){1'b0}};
        end else begin
            counts_q <= totals;
        end
    end

    ram #(
        .WIDTH        (COUNTERS*COUNTER_BITS),
        .DEPTH        (ROWS),
        .ADDRESS_BITS (ROW_BITS),
        .STYLE        (STYLE)
    ) u_rows (
        .clk           (clk),
        .write_enable  (end_layer),
        .write_address (layer),
        .write_data    (totals),
        .read_enable   (read_enable),
        .read_address  (read_row),
        .read_data     (read_data)
    );
endmodule
`default_nettype wire
