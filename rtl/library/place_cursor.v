`default_nettype none
// place_cursor: walks the places of a channel slice, some codes a step, pixel after pixel, line after line.
//
// How it works. Load takes the description of the slice (it need not be held) and goes to its first place. A step goes on by `count`
// codes; where the slice's channels end it goes to the next pixel instead, and behind the last pixel of a line to the next line.
// The starts of the pixel and of the line are kept, so that going on is one addition each. load wins over step.
//
// Latency: place is a register, right in the clock after load or step.
// channels, width and count must be at least 1. A step must not go beyond the channels of its pixel: the last one may be shorter.
//
// Example, LANES = 4, 3 channels, 2 pixels a line, steps of 2 and 1 codes, origin code 9, pixel step 5, line step 20:
// codes 9, 11, 14, 16, then 29, 31, ... as places {2, 1} {2, 3} {3, 2} {4, 0}, then {7, 1} {7, 3}.
module place_cursor #(
    parameter LANES = 4,         // banks, >= 1
    parameter ADDRESS_BITS = 8,  // bits of a row
    parameter COUNT_BITS = 8,    // bits of every count
    parameter STEP_BITS = 3      // bits of the codes of a step, at most LANES of them, <= COUNT_BITS
) (
    input wire clk,
    // the slice, taken at load; places are {row, bank}
    input wire load,
    input wire [ADDRESS_BITS+(LANES > 1 ? $clog2(LANES) : 1)-1:0] origin,
    input wire [ADDRESS_BITS+(LANES > 1 ? $clog2(LANES) : 1)-1:0] pixel_step,
    input wire [ADDRESS_BITS+(LANES > 1 ? $clog2(LANES) : 1)-1:0] line_step,
    input wire [COUNT_BITS-1:0] channels,
    input wire [COUNT_BITS-1:0] width,
    // the walk
    input wire step,
    input wire [STEP_BITS-1:0] count,
    output reg [ADDRESS_BITS+(LANES > 1 ? $clog2(LANES) : 1)-1:0] place
);
    localparam BANK_BITS = LANES > 1 ? $clog2(LANES) : 1;
    localparam PLACE_BITS = ADDRESS_BITS + BANK_BITS;
    localparam [COUNT_BITS-1:0] ONE = 1;
    localparam [STEP_BITS-1:0] ALL_LANES = LANES;

    generate
        if (LANES < 1) begin : gen_check_lanes
            LANES_must_be_at_least_1 u_error ();
        end
        if (LANES >= (1 << STEP_BITS) || STEP_BITS > COUNT_BITS) begin : gen_check_step_bits
            STEP_BITS_must_hold_LANES_and_fit_COUNT_BITS u_error ();
        end
    endgenerate

    reg [PLACE_BITS-1:0] pixel_q;
    reg [PLACE_BITS-1:0] line_q;
    reg [PLACE_BITS-1:0] pixel_step_q;
    reg [PLACE_BITS-1:0] line_step_q;
    reg [COUNT_BITS-1:0] channels_q;
    reg [COUNT_BITS-1:0] width_q;
    reg [COUNT_BITS-1:0] channels_left_q;
    reg [COUNT_BITS-1:0] pixels_left_q;

    wire [COUNT_BITS-1:0] codes;
    wire pixel_end;
    wire line_end;
    assign codes = {{(COUNT_BITS-STEP_BITS){1'b0}}, count};
    assign pixel_end = channels_left_q == codes;
    assign line_end = pixel_end && pixels_left_q == ONE;

    // A step of LANES codes is a row, any other stays below.
    wire whole_row;
    wire [PLACE_BITS-1:0] distance;
    wire [PLACE_BITS-1:0] next;
    assign whole_row = count == ALL_LANES;
    assign distance = {{(ADDRESS_BITS-1){1'b0}}, whole_row, whole_row ? {BANK_BITS{1'b0}} : count[BANK_BITS-1:0]};

    place_adder #(
        .LANES        (LANES),
        .ADDRESS_BITS (ADDRESS_BITS)
    ) u_next (
        .from     (line_end ? line_q : pixel_end ? pixel_q : place),
        .distance (line_end ? line_step_q : pixel_end ? pixel_step_q : distance),
        .to       (next)
    );

    always @(posedge clk) begin
        if (load) begin
            place <= origin;
            pixel_q <= origin;
            line_q <= origin;
            pixel_step_q <= pixel_step;
            line_step_q <= line_step;
            channels_q <= channels;
            width_q <= width;
            channels_left_q <= channels;
            pixels_left_q <= width;
        end else if (step) begin
            place <= next;
            channels_left_q <= pixel_end ? channels_q : channels_left_q - codes;
            if (pixel_end) begin
                pixel_q <= next;
                pixels_left_q <= line_end ? width_q : pixels_left_q - ONE;
            end
            if (line_end) begin
                line_q <= next;
            end
        end
    end
endmodule
`default_nettype wire
