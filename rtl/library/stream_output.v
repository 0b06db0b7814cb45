`default_nettype none
// stream_output: sends one image's results to an AXI4-Stream and tells which of them is the largest.
//
// How it works. Start opens the port for `length` values; after them in_ready is low until the next start. A value
// waits, sign-extended, in a one-entry register slice, so tvalid never drops and the beat never changes before tready;
// in_ready depends on registers and on m_axis_tready only. m_axis_tuser is the index of the largest value of this image
// so far, ties to the lowest index: on the tlast beat it is the argmax.
// start must come with length >= 1, and not before the last value of the image before was accepted at in_ready.
//
// Latency: a value is on the stream in the clock after it was accepted; one value per clock.
//
// Example, length = 4, values -5, 3, 3, -1: tuser = 0, 1, 1, 1, tlast with the fourth.
module stream_output #(
    parameter VALUE_BITS = 20,  // bits of a value, 2 to DATA_BITS
    parameter DATA_BITS = 32,   // bits of TDATA, a multiple of 8
    parameter COUNT_BITS = 8    // bits of the length and of an index, >= 1
) (
    input wire clk,
    input wire rst,
    // one image
    input wire start,
    input wire [COUNT_BITS-1:0] length,
    // values in
    input wire in_valid,
    output wire in_ready,
    input wire signed [VALUE_BITS-1:0] in_value,
    // AXI4-Stream out
    output wire [DATA_BITS-1:0] m_axis_tdata,
    output reg m_axis_tvalid,
    input wire m_axis_tready,
    output reg m_axis_tlast,
    output reg [COUNT_BITS-1:0] m_axis_tuser
);
    localparam [COUNT_BITS-1:0] ONE = 1;

    generate
        if (VALUE_BITS < 2 || VALUE_BITS > DATA_BITS) begin : gen_bad_value_bits
            VALUE_BITS_must_be_2_to_DATA_BITS u_error ();
        end
        if (DATA_BITS < 8 || DATA_BITS % 8 != 0) begin : gen_bad_data_bits
            DATA_BITS_must_be_a_positive_multiple_of_8 u_error ();
        end
        if (COUNT_BITS < 1) begin : gen_bad_count_bits
            COUNT_BITS_must_be_at_least_1 u_error ();
        end
    endgenerate

    reg [COUNT_BITS-1:0] left_q;   // values still to be accepted
    reg [COUNT_BITS-1:0] index_q;  // index of the value that comes next
    reg [VALUE_BITS-1:0] value_q;
    reg signed [VALUE_BITS-1:0] largest_q;
    wire accept;

    assign in_ready = left_q != 0 && (!m_axis_tvalid || m_axis_tready);
    assign accept = in_valid && in_ready;
    assign m_axis_tdata = {{(DATA_BITS-VALUE_BITS+1){value_q[VALUE_BITS-1]}}, value_q[VALUE_BITS-2:0]};

    always @(posedge clk) begin
        if (accept) begin
            value_q <= in_value;
            m_axis_tlast <= left_q == ONE;
            if (index_q == 0 || in_value > largest_q) begin
                largest_q <= in_value;
                m_axis_tuser <= index_q;
            end
        end
        if (rst) begin
            left_q <= 0;
            m_axis_tvalid <= 1'b0;
        end else begin
            if (start) begin
                left_q <= length;
                index_q <= 0;
            end else if (accept) begin
                left_q <= left_q - ONE;
                index_q <= index_q + ONE;
            end
            if (accept)
                m_axis_tvalid <= 1'b1;
            else if (m_axis_tready)
                m_axis_tvalid <= 1'b0;
        end
    end
endmodule
`default_nettype wire
