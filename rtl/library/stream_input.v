`default_nettype none
// stream_input: takes one image from an AXI4-Stream and counts its values.
//
// How it works. Start opens the port for `length` values; after them tready is low until the next start. A value waits
// in a one-entry register slice: tready depends on registers and on out_ready only, so there is no combinational path
// from an s_axis input to any output. tlast does not steer anything: a tlast that is missing on the last value or
// present on an earlier one sets tlast_error, which only rst clears, and the count stays in force.
// start must come with length >= 1, and not before the last value of the image before was accepted from the stream.
//
// Latency: a value is at out_value in the clock after it was accepted, one value per clock; done is 1 for the one clock
// after the last value left through out_valid and out_ready.
//
// Example, length = 2, reader always ready:
//   clock         0      1      2      3      4
//   start         1
//   s_axis               a      b,last
//   tready        0      1      1      0      0
//   out_value                   a      b
//   done                                      1
module stream_input #(
    parameter DATA_BITS = 8  // bits of TDATA and of a value, a multiple of 8
) (
    input wire clk,
    input wire rst,
    // AXI4-Stream in
    input wire [DATA_BITS-1:0] s_axis_tdata,
    input wire s_axis_tvalid,
    output wire s_axis_tready,
    input wire s_axis_tlast,
    // one image
    input wire start,
    input wire [31:0] length,
    output reg done,
    output reg tlast_error,
    output reg mid_image,  // some values of an image have been accepted, but not all
    // values out
    output reg out_valid,
    input wire out_ready,
    output reg [DATA_BITS-1:0] out_value
);
    generate
        if (DATA_BITS < 8 || DATA_BITS % 8 != 0) begin : gen_bad_data_bits
            DATA_BITS_must_be_a_positive_multiple_of_8 u_error ();
        end
    endgenerate

    reg [31:0] left_q;  // values still to be accepted
    reg last_q;         // out_value is the last of the image
    wire accept;
    wire last;

    assign s_axis_tready = left_q != 32'd0 && (!out_valid || out_ready);
    assign accept = s_axis_tvalid && s_axis_tready;
    assign last = left_q == 32'd1;

    always @(posedge clk) begin
        if (accept) begin
            out_value <= s_axis_tdata;
            last_q <= last;
        end
        if (rst) begin
            left_q <= 32'd0;
            out_valid <= 1'b0;
            done <= 1'b0;
            tlast_error <= 1'b0;
            mid_image <= 1'b0;
        end else begin
            if (start)
                left_q <= length;
            else if (accept)
                left_q <= left_q - 32'd1;
            if (accept)
                mid_image <= !last;
            if (accept)
                out_valid <= 1'b1;
            else if (out_ready)
                out_valid <= 1'b0;
            done <= out_valid && out_ready && last_q;
            if (accept && s_axis_tlast != last)
                tlast_error <= 1'b1;
        end
    end
endmodule
`default_nettype wire
