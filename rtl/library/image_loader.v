`default_nettype none
// image_loader: takes images from an AXI4-Stream into the two halves of the image memory, one ahead of the network.
//
// How it works. configure brings the description of an image (it need not be held). From then on each image goes to the half whose
// turn it is, as soon as that half is free; release frees the older half. stream_input counts the values, code_writer places them.
//
// Latency: a value is written 2 clocks after it was accepted, one value a clock if it is one code wide. ready rises 2 clocks after the
// image's last code was written; the port opens for the next image a clock later, or 2 clocks after the release that it waits for.
// configure comes once after rst, release_image only with ready.
//
// Example: configure; image 0 goes to half 0, then ready rises; image 1 goes to half 1 meanwhile; release, and image 2 goes to half 0.
module image_loader #(
    parameter LANES = 4,         // banks, >= 1
    parameter CODE_BITS = 8,     // bits of a code, 2 to 8
    parameter DATA_BITS = 8,     // bits of the stream, a multiple of 8, so no fewer than a code has
    parameter ADDRESS_BITS = 8,  // bits of a row
    parameter COUNT_BITS = 16    // bits of every count
) (
    input wire clk,
    input wire rst,
    // AXI4-Stream in
    input wire [DATA_BITS-1:0] s_axis_tdata,
    input wire s_axis_tvalid,
    output wire s_axis_tready,
    input wire s_axis_tlast,
    output wire tlast_error,
    output wire mid_image,  // some values of an image have been accepted, but not all
    output wire empty,      // no value of any image is here
    // the image, taken at configure; places are {row, bank}
    input wire configure,
    input wire [31:0] length,
    input wire [ADDRESS_BITS+(LANES > 1 ? $clog2(LANES) : 1)-1:0] line_step,
    input wire [COUNT_BITS-1:0] line_codes,
    input wire [3:0] planes,
    input wire [ADDRESS_BITS-1:0] plane_rows,
    // the network's side
    output wire ready,
    output wire read_half,
    input wire release_image,
    // banks out
    output wire write_half,
    output wire [LANES-1:0] write_enable,
    output wire [LANES*ADDRESS_BITS-1:0] write_rows,
    output wire [LANES*CODE_BITS-1:0] write_data
);
    localparam BANK_BITS = LANES > 1 ? $clog2(LANES) : 1;
    localparam PLACE_BITS = ADDRESS_BITS + BANK_BITS;
    localparam LANE_COUNT_BITS = $clog2(LANES + 1);

    reg configured_q;
    reg [31:0] length_q;
    reg [PLACE_BITS-1:0] line_step_q;
    reg [COUNT_BITS-1:0] line_codes_q;
    reg [3:0] planes_q;
    reg [ADDRESS_BITS-1:0] plane_rows_q;
    reg [1:0] full_q;
    reg write_half_q;
    reg read_half_q;
    reg loading_q;
    reg ended_q;    // all values of the image have left the stream's port
    reg arrived_q;  // its first value has been accepted

    wire begin_image;
    wire image_ended;
    wire stream_done;
    wire value_valid;
    wire value_ready;
    wire [DATA_BITS-1:0] value;
    wire writer_busy;

    assign begin_image = configured_q && !loading_q && !full_q[write_half_q];
    assign image_ended = loading_q && ended_q && !writer_busy;
    assign ready = full_q[read_half_q];
    assign empty = full_q == 2'b00 && !arrived_q;
    assign read_half = read_half_q;
    assign write_half = write_half_q;

    always @(posedge clk) begin
        if (configure) begin
            length_q <= length;
            line_step_q <= line_step;
            line_codes_q <= line_codes;
            planes_q <= planes;
            plane_rows_q <= plane_rows;
        end
        if (rst) begin
            configured_q <= 1'b0;
            full_q <= 2'b00;
            write_half_q <= 1'b0;
            read_half_q <= 1'b0;
            loading_q <= 1'b0;
            arrived_q <= 1'b0;
        end else begin
            if (configure) begin
                configured_q <= 1'b1;
            end
            if (begin_image) begin
                loading_q <= 1'b1;
                ended_q <= 1'b0;
            end else if (image_ended) begin
                loading_q <= 1'b0;
                full_q[write_half_q] <= 1'b1;
                write_half_q <= !write_half_q;
            end
            if (s_axis_tvalid && s_axis_tready) begin
                arrived_q <= 1'b1;
            end else if (image_ended) begin
                arrived_q <= 1'b0;
            end
            if (stream_done) begin
                ended_q <= 1'b1;
            end
            if (release_image) begin
                full_q[read_half_q] <= 1'b0;
                read_half_q <= !read_half_q;
            end
        end
    end

    stream_input #(
        .DATA_BITS (DATA_BITS)
    ) u_input (
        .clk           (clk),
        .rst           (rst),
        .s_axis_tdata  (s_axis_tdata),
        .s_axis_tvalid (s_axis_tvalid),
        .s_axis_tready (s_axis_tready),
        .s_axis_tlast  (s_axis_tlast),
        .start         (begin_image),
        .length        (length_q),
        .done          (stream_done),
        .tlast_error   (tlast_error),
        .mid_image     (mid_image),
        .out_valid     (value_valid),
        .out_ready     (value_ready),
        .out_value     (value)
    );

    code_writer #(
        .LANES        (LANES),
        .VALUES       (1),
        .CODE_BITS    (CODE_BITS),
        .VALUE_BITS   (DATA_BITS),
        .ADDRESS_BITS (ADDRESS_BITS),
        .COUNT_BITS   (COUNT_BITS)
    ) u_writer (
        .clk          (clk),
        .rst          (rst),
        .load         (begin_image),
        .origin       ({PLACE_BITS{1'b0}}),
        .pixel_step   (line_step_q),
        .line_step    (line_step_q),
        .channels     (line_codes_q),
        .width        ({{(COUNT_BITS-1){1'b0}}, 1'b1}),
        .planes       (planes_q),
        .plane_rows   (plane_rows_q),
        .in_valid     (value_valid),
        .in_ready     (value_ready),
        .in_count     ({{(LANE_COUNT_BITS-1){1'b0}}, 1'b1}),
        .in_values    (value),
        .write_enable (write_enable),
        .write_rows   (write_rows),
        .write_data   (write_data),
        .busy         (writer_busy)
    );
endmodule
`default_nettype wire
