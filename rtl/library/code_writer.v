`default_nettype none
// code_writer: writes wide values that follow each other into an activation buffer, VALUES at a time, each as `planes` codes.
//
// How it works. Accepted values are held; every clock their lowest codes are written and the values move down by one code. Plane j
// (low first) lies j * plane_rows further on, in the same banks: the offset is a running sum. On the last plane the cursor goes on
// and the next values may come in.
// load takes the description of the slice (see place_cursor; it need not be held). It may come whenever busy is 0.
// in_count must be 1 to VALUES and must not go beyond the channels of the pixel. rst drops what is not written; then load anew.
// planes must be 1 to 8; the low planes*CODE_BITS bits of a value are written, bits above VALUE_BITS as 0.
//
// Latency: the first codes are written in the clock after they were accepted; values take `planes` clocks, with no clock in between.
// busy is 1 while values are not wholly written.
//
// Example, LANES = 4, VALUES = 2, CODE_BITS = 4, planes = 2, plane_rows = 100, cursor at {7, 3}: values 0xA3, 0x51 are written as
// codes 3 and 1 to {7, 3} and {8, 0}, then as codes 10 and 5 to {107, 3} and {108, 0}.
module code_writer #(
    parameter LANES = 4,         // banks, >= 1
    parameter VALUES = 2,        // values at once, 1 to LANES
    parameter CODE_BITS = 8,     // bits of a code, 2 to 8
    parameter VALUE_BITS = 8,    // bits of a value, >= CODE_BITS
    parameter ADDRESS_BITS = 8,  // bits of a row
    parameter COUNT_BITS = 8     // bits of every count
) (
    input wire clk,
    input wire rst,
    // the slice, taken at load; places are {row, bank}
    input wire load,
    input wire [ADDRESS_BITS+(LANES > 1 ? $clog2(LANES) : 1)-1:0] origin,
    input wire [ADDRESS_BITS+(LANES > 1 ? $clog2(LANES) : 1)-1:0] pixel_step,
    input wire [ADDRESS_BITS+(LANES > 1 ? $clog2(LANES) : 1)-1:0] line_step,
    input wire [COUNT_BITS-1:0] channels,
    input wire [COUNT_BITS-1:0] width,
    input wire [3:0] planes,
    input wire [ADDRESS_BITS-1:0] plane_rows,
    // values in, value 0 lowest
    input wire in_valid,
    output wire in_ready,
    input wire [$clog2(LANES+1)-1:0] in_count,
    input wire [VALUES*VALUE_BITS-1:0] in_values,
    // banks out
    output wire [LANES-1:0] write_enable,
    output wire [LANES*ADDRESS_BITS-1:0] write_rows,
    output wire [LANES*CODE_BITS-1:0] write_data,
    output wire busy
);
    localparam BANK_BITS = LANES > 1 ? $clog2(LANES) : 1;
    localparam LANE_COUNT_BITS = $clog2(LANES + 1);

    generate
        if (CODE_BITS < 2 || CODE_BITS > 8) begin : gen_check_code_bits
            CODE_BITS_must_be_2_to_8 u_error ();
        end
        if (VALUE_BITS < CODE_BITS) begin : gen_check_value_bits
            VALUE_BITS_must_be_at_least_CODE_BITS u_error ();
        end
    endgenerate

    reg busy_q;
    reg [VALUES*VALUE_BITS-1:0] values_q;  // the codes not yet written, the next ones lowest
    reg [LANE_COUNT_BITS-1:0] count_q;
    reg [3:0] plane_q;                     // number of the plane being written, from 1
    reg [3:0] planes_q;
    reg [ADDRESS_BITS-1:0] offset_q;
    reg [ADDRESS_BITS-1:0] plane_rows_q;
    wire last_plane;
    wire [ADDRESS_BITS+BANK_BITS-1:0] place;
    wire [ADDRESS_BITS-1:0] row;
    wire [VALUES*CODE_BITS-1:0] codes;
    wire [VALUES*VALUE_BITS-1:0] moved;

    assign last_plane = plane_q == planes_q;
    assign in_ready = !busy_q || last_plane;
    assign busy = busy_q;
    assign row = place[ADDRESS_BITS+BANK_BITS-1:BANK_BITS] + offset_q;

    genvar i;
    generate
        for (i = 0; i < VALUES; i = i + 1) begin : gen_value
            wire [VALUE_BITS-1:0] value;
            assign value = values_q[(i+1)*VALUE_BITS-1:i*VALUE_BITS];
            assign codes[(i+1)*CODE_BITS-1:i*CODE_BITS] = value[CODE_BITS-1:0];
            assign moved[(i+1)*VALUE_BITS-1:i*VALUE_BITS] = value >> CODE_BITS;
        end
    endgenerate

    place_cursor #(
        .LANES        (LANES),
        .ADDRESS_BITS (ADDRESS_BITS),
        .COUNT_BITS   (COUNT_BITS),
        .STEP_BITS    (LANE_COUNT_BITS)
    ) u_cursor (
        .clk        (clk),
        .load       (load),
        .origin     (origin),
        .pixel_step (pixel_step),
        .line_step  (line_step),
        .channels   (channels),
        .width      (width),
        .step       (busy_q && last_plane),
        .count      (count_q),
        .place      (place)
    );

    bank_scatter #(
        .LANES        (LANES),
        .VALUES       (VALUES),
        .CODE_BITS    (CODE_BITS),
        .ADDRESS_BITS (ADDRESS_BITS)
    ) u_scatter (
        .enable       (busy_q),
        .place        ({row, place[BANK_BITS-1:0]}),
        .count        (count_q),
        .codes        (codes),
        .write_enable (write_enable),
        .write_rows   (write_rows),
        .write_data   (write_data)
    );

    always @(posedge clk) begin
        if (load) begin
            planes_q <= planes;
            plane_rows_q <= plane_rows;
        end
        if (rst) begin
            busy_q <= 1'b0;
        end else if (in_ready) begin
            busy_q <= in_valid;
        end
        if (in_ready) begin
            if (in_valid) begin
                values_q <= in_values;
                count_q <= in_count;
            end
            plane_q <= 4'd1;
            offset_q <= 0;
        end else begin
            values_q <= moved;
            plane_q <= plane_q + 4'd1;
            offset_q <= offset_q + plane_rows_q;
        end
    end
endmodule
`default_nettype wire
