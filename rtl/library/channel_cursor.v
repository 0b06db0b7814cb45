`default_nettype none
// channel_cursor: walks the (word, lane) places of a slice of channels, pixel after pixel.
//
// How it works. Load takes the description of the slice (it need not be held) and goes to (base, first_lane). A step
// goes to the next lane, from lane LANES-1 to lane 0 of the next word; after `channels` steps it goes to the next
// pixel's first channel, (base + pixel_stride, first_lane), and so on. load wins over step.
// channels must be at least 1, first_lane below LANES; rst goes to word 0, lane 0, from where only load leads on.
//
// Latency: word and lane are registers, right in the clock after load or step.
//
// Example, LANES = 4, base = 10, first_lane = 2, channels = 3, pixel_stride = 2: the places are
//   (10,2) (10,3) (11,0)   (12,2) (12,3) (13,0)   (14,2) ...
module channel_cursor #(
    parameter LANES = 4,         // lanes in a word, >= 1
    parameter ADDRESS_BITS = 8,  // bits of a word address, >= 1
    parameter COUNT_BITS = 8     // bits of the channel count, >= 1
) (
    input wire clk,
    input wire rst,
    // the slice, taken at load
    input wire load,
    input wire [ADDRESS_BITS-1:0] base,
    input wire [(LANES > 1 ? $clog2(LANES) : 1)-1:0] first_lane,
    input wire [COUNT_BITS-1:0] channels,
    input wire [ADDRESS_BITS-1:0] pixel_stride,
    // the walk
    input wire step,
    output reg [ADDRESS_BITS-1:0] word,
    output reg [(LANES > 1 ? $clog2(LANES) : 1)-1:0] lane
);
    localparam LAST_LANE = LANES - 1;
    localparam [ADDRESS_BITS-1:0] ONE_WORD = 1;
    localparam [(LANES > 1 ? $clog2(LANES) : 1)-1:0] ONE_LANE = 1;
    localparam [COUNT_BITS-1:0] ONE_CHANNEL = 1;

    generate
        if (LANES < 1) begin : gen_bad_lanes
            LANES_must_be_at_least_1 u_error ();
        end
        if (ADDRESS_BITS < 1) begin : gen_bad_address_bits
            ADDRESS_BITS_must_be_at_least_1 u_error ();
        end
        if (COUNT_BITS < 1) begin : gen_bad_count_bits
            COUNT_BITS_must_be_at_least_1 u_error ();
        end
    endgenerate

    reg [(LANES > 1 ? $clog2(LANES) : 1)-1:0] first_lane_q;
    reg [COUNT_BITS-1:0] channels_q;
    reg [COUNT_BITS-1:0] left_q;  // channels from here to the end of the pixel, this one included
    reg [ADDRESS_BITS-1:0] pixel_stride_q;
    reg [ADDRESS_BITS-1:0] next_pixel_q;  // first word of the next pixel

    always @(posedge clk) begin
        if (rst) begin
            word <= 0;
            lane <= 0;
        end else if (load) begin
            word <= base;
            lane <= first_lane;
            first_lane_q <= first_lane;
            channels_q <= channels;
            left_q <= channels;
            pixel_stride_q <= pixel_stride;
            next_pixel_q <= base + pixel_stride;
        end else if (step) begin
            if (left_q == ONE_CHANNEL) begin
                word <= next_pixel_q;
                lane <= first_lane_q;
                left_q <= channels_q;
                next_pixel_q <= next_pixel_q + pixel_stride_q;
            end else begin
                left_q <= left_q - ONE_CHANNEL;
                if (lane == LAST_LANE[(LANES > 1 ? $clog2(LANES) : 1)-1:0]) begin
                    word <= word + ONE_WORD;
                    lane <= 0;
                end else begin
                    lane <= lane + ONE_LANE;
                end
            end
        end
    end
endmodule
`default_nettype wire
