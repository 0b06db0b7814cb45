`default_nettype none
// code_writer: writes a stream of wide values into an activation buffer, each as `planes` codes.
//
// How it works. An accepted value is held; every clock its lowest code is written and the value moves down by one
// code. Plane j (low first) goes to the cursor's word + j*plane_stride, same lane: the offset is a running sum. On the
// last plane the cursor steps and the next value may come in.
// load takes the description of the slice (it need not be held). It may come whenever in_ready is 1: a value accepted
// before it still goes to the old slice, one accepted in the same clock is the first of the new slice.
// planes must be 1 to 8; the low planes*CODE_BITS bits of a value are written, bits above VALUE_BITS as 0.
//
// Latency: the first code of a value is written (write_enable = 1) in the clock after it was accepted; a value takes
// `planes` clocks, with no clock in between. busy is 1 while a value is not wholly written.
//
// Example, CODE_BITS = 4, planes = 2, plane_stride = 100, cursor at (word 7, lane 1): the value 0xA3 is written
// as code 3 to (7, 1), then as code 10 to (107, 1).
module code_writer #(
    parameter LANES = 4,         // lanes in a word, >= 1
    parameter CODE_BITS = 8,     // bits of a code, 2 to 8
    parameter VALUE_BITS = 8,    // bits of a value, >= CODE_BITS
    parameter ADDRESS_BITS = 8,  // bits of a word address, >= 1
    parameter COUNT_BITS = 8     // bits of the channel count, >= 1
) (
    input wire clk,
    input wire rst,
    // the slice (see channel_cursor), taken at load
    input wire load,
    input wire [ADDRESS_BITS-1:0] base,
    input wire [(LANES > 1 ? $clog2(LANES) : 1)-1:0] first_lane,
    input wire [COUNT_BITS-1:0] channels,
    input wire [ADDRESS_BITS-1:0] pixel_stride,
    input wire [ADDRESS_BITS-1:0] plane_stride,
    input wire [3:0] planes,
    // values in, unsigned
    input wire in_valid,
    output wire in_ready,
    input wire [VALUE_BITS-1:0] in_value,
    // codes out
    output wire write_enable,
    output wire [ADDRESS_BITS-1:0] write_address,
    output wire [(LANES > 1 ? $clog2(LANES) : 1)-1:0] write_lane,
    output wire [CODE_BITS-1:0] write_code,
    output wire busy
);
    generate
        if (CODE_BITS < 2 || CODE_BITS > 8) begin : gen_bad_code_bits
            CODE_BITS_must_be_2_to_8 u_error ();
        end
        if (VALUE_BITS < CODE_BITS) begin : gen_bad_value_bits
            VALUE_BITS_must_be_at_least_CODE_BITS u_error ();
        end
    endgenerate

    reg busy_q;
    reg [VALUE_BITS-1:0] value_q;  // the codes not yet written, the next one lowest
    reg [3:0] plane_q;             // number of the plane being written, from 1
    reg [3:0] planes_q;
    reg [ADDRESS_BITS-1:0] offset_q;
    reg [ADDRESS_BITS-1:0] plane_stride_q;
    wire last_plane;
    wire [ADDRESS_BITS-1:0] word;

    assign last_plane = plane_q == planes_q;
    assign in_ready = !busy_q || last_plane;
    assign busy = busy_q;
    assign write_enable = busy_q;
    assign write_address = word + offset_q;
    assign write_code = value_q[CODE_BITS-1:0];

    channel_cursor #(
        .LANES        (LANES),
        .ADDRESS_BITS (ADDRESS_BITS),
        .COUNT_BITS   (COUNT_BITS)
    ) u_cursor (
        .clk          (clk),
        .rst          (rst),
        .load         (load),
        .base         (base),
        .first_lane   (first_lane),
        .channels     (channels),
        .pixel_stride (pixel_stride),
        .step         (busy_q && last_plane),
        .word         (word),
        .lane         (write_lane)
    );

    always @(posedge clk) begin
        if (load) begin
            planes_q <= planes;
            plane_stride_q <= plane_stride;
        end
        if (rst)
            busy_q <= 1'b0;
        else if (in_ready)
            busy_q <= in_valid;
        if (in_ready) begin
            value_q <= in_value;
            plane_q <= 4'd1;
            offset_q <= 0;
        end else begin
            value_q <= value_q >> CODE_BITS;
            plane_q <= plane_q + 4'd1;
            offset_q <= offset_q + plane_stride_q;
        end
    end
endmodule
`default_nettype wire
