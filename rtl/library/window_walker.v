`default_nettype none
// window_walker: walks a layer's windows and issues LANES codes of a window, and a word of weights, each clock.
//
// How it works. For each output line, output pixel and group of output channels ("sweep") it runs, outermost first, over the bits of
// the weights (dot layers only, the sign bit first), the planes of a wide tensor, and the words of the window.
// A window is a few lines of a map. If `span` is set the lines lie so that the window's codes fill the banks in order even where one
// line ends and the next begins: then all codes of the window are one run that is cut into words of LANES codes, and a word may hold
// the end of one line and the beginnings of the next ones. Otherwise each line is `segments` runs of segment_codes, and a word holds
// codes of one run only (grouped layers, pools).
// Places, offsets and coordinates are kept by addition alone. `offset` is where lane 0 stands in its line of the window, in codes;
// from it follow the lanes at which further lines begin, and which lanes lie inside the map. Weights lie in memory in the order of
// the walk; their address goes back for the next bit of the same words and for the next pixel.
// A sweep's last word is held back until drain_clocks after the last word of the sweep before, so that the sums of that one are
// drained in time. With `serial` set the next sweep also waits for `drained` before its first word.
//
// Latency: the first word is issued in the clock after start and is at the outputs in the clock after that; one word a clock, with no
// clock between sweeps.
// Example: a 3x3 layer on 16 channels and LANES = 16 takes 9 clocks a sweep, on 3 channels 2; with 8-bit dot weights 8 times that.
module window_walker #(
    parameter LANES = 4,                 // codes in a word, >= 1
    parameter GROUP = 2,                 // output channels of a sweep, >= 1
    parameter POOL_GROUP = 2,            // channels of a pool's sweep, 1 to LANES
    parameter CROSSINGS = 1,             // further lines that may begin inside a word, 0 to 7
    parameter CODE_BITS = 8,             // bits of a code, 2 to 8
    parameter ADDRESS_BITS = 16,         // bits of a row
    parameter WEIGHT_ADDRESS_BITS = 16,  // bits of an address of the weight buffer
    parameter COUNT_BITS = 16            // bits of every size and count, which hold LANES and GROUP
) (
    input wire clk,
    input wire rst,
    input wire start,
    output wire busy,
    // what the layer is; all of it holds from start to the last sum drained. Places are {row, bank}
    input wire layer_dot,
    input wire layer_pool,
    input wire span,
    input wire serial,
    // the map it reads
    input wire [ADDRESS_BITS+(LANES > 1 ? $clog2(LANES) : 1)-1:0] source_origin,
    input wire [COUNT_BITS-1:0] source_height,
    input wire [COUNT_BITS-1:0] line_codes,
    input wire [COUNT_BITS-1:0] source_planes,
    input wire [ADDRESS_BITS-1:0] plane_rows,
    input wire [ADDRESS_BITS+(LANES > 1 ? $clog2(LANES) : 1)-1:0] line_step,
    input wire [31:0] pad_value,
    // its windows
    input wire [COUNT_BITS-1:0] kernel_height,
    input wire [COUNT_BITS-1:0] kernel_codes,
    input wire [COUNT_BITS-1:0] segments,
    input wire [COUNT_BITS-1:0] segment_codes,
    input wire [ADDRESS_BITS+(LANES > 1 ? $clog2(LANES) : 1)-1:0] segment_step,
    input wire [COUNT_BITS-1:0] segment_step_codes,
    input wire [COUNT_BITS-1:0] first_code,  // 0 with span
    input wire [ADDRESS_BITS-1:0] crossing_rows,
    input wire [COUNT_BITS-1:0] stride_y,
    input wire [COUNT_BITS-1:0] pad_y,
    input wire [COUNT_BITS-1:0] column_codes,
    input wire [COUNT_BITS-1:0] pad_codes,
    input wire [ADDRESS_BITS+(LANES > 1 ? $clog2(LANES) : 1)-1:0] window_column_step,
    input wire [ADDRESS_BITS+(LANES > 1 ? $clog2(LANES) : 1)-1:0] window_line_step,
    input wire [COUNT_BITS-1:0] out_height,
    input wire [COUNT_BITS-1:0] out_width,
    input wire [COUNT_BITS-1:0] out_channels,
    // its weights
    input wire [WEIGHT_ADDRESS_BITS-1:0] weight_base,
    input wire [COUNT_BITS-1:0] digit_words,
    input wire [2:0] top_bit,
    // pace
    input wire [COUNT_BITS-1:0] drain_clocks,  // >= 1
    input wire drained,
    // end of a sweep, in the clock in which its last word is issued
    output wire sweep_done,
    output wire [COUNT_BITS-1:0] sweep_channels,
    output wire sweep_starts_pixel,
    // one word, a clock later
    output reg word_valid,
    output reg [(LANES > 1 ? $clog2(LANES) : 1)-1:0] word_bank,
    output reg [(CROSSINGS+1)*ADDRESS_BITS-1:0] word_rows,
    output reg [(CROSSINGS > 0 ? CROSSINGS : 1)*$clog2(LANES+1)-1:0] word_crossings,
    output reg [(CROSSINGS+1)*$clog2(LANES+1)-1:0] word_inside_from,
    output reg [(CROSSINGS+1)*$clog2(LANES+1)-1:0] word_inside_to,
    output reg [$clog2(LANES+1)-1:0] word_codes,
    output reg [CODE_BITS-1:0] word_pad_code,
    output reg [WEIGHT_ADDRESS_BITS-1:0] word_weight_address,
    output reg word_first,
    output reg word_double,
    output reg word_subtract,
    output reg [2:0] word_bit
);
    localparam BANK_BITS = LANES > 1 ? $clog2(LANES) : 1;
    localparam PLACE_BITS = ADDRESS_BITS + BANK_BITS;
    localparam LANE_COUNT_BITS = $clog2(LANES + 1);
    // Offsets are signed and reach CROSSINGS + 1 counts.
    localparam SPARE_BITS = 4;
    localparam OFFSET_BITS = COUNT_BITS + SPARE_BITS;
    localparam [COUNT_BITS-1:0] ONE = 1;
    localparam [COUNT_BITS-1:0] LANES_COUNT = LANES;
    localparam [COUNT_BITS-1:0] GROUP_COUNT = GROUP;
    localparam [COUNT_BITS-1:0] POOL_GROUP_COUNT = POOL_GROUP;
    localparam [ADDRESS_BITS-1:0] ONE_ROW = 1;
    localparam [ADDRESS_BITS-1:0] POOL_GROUP_ROWS = POOL_GROUP < LANES ? 0 : 1;
    /* verilator lint_off WIDTHTRUNC */
    localparam [BANK_BITS-1:0] POOL_GROUP_BANKS = POOL_GROUP < LANES ? POOL_GROUP : 0;  // below LANES
    /* verilator lint_on WIDTHTRUNC */
    // CODE_BITS is at most 8, so nothing is cut off.
    /* verilator lint_off WIDTHTRUNC */
    localparam [2:0] HIGHEST_BIT = CODE_BITS - 1;
    /* verilator lint_on WIDTHTRUNC */

    generate
        if (CODE_BITS < 2 || CODE_BITS > 8) begin : gen_check_code_bits
            CODE_BITS_must_be_2_to_8 u_error ();
        end
        if (POOL_GROUP < 1 || POOL_GROUP > LANES) begin : gen_check_pool_group
            POOL_GROUP_must_be_1_to_LANES u_error ();
        end
        if (CROSSINGS < 0 || CROSSINGS > 7) begin : gen_check_crossings
            CROSSINGS_must_be_0_to_7 u_error ();
        end
    endgenerate

    // sweep control
    reg running_q;
    reg waiting_q;
    reg [COUNT_BITS-1:0] pace_q;
    // output position
    reg [COUNT_BITS-1:0] out_lines_left_q;
    reg [COUNT_BITS-1:0] out_pixels_left_q;
    reg [COUNT_BITS-1:0] channels_left_q;
    reg starts_pixel_q;
    // top left corner of the window: places of its line, pixel and channel group; coordinates in lines and in codes
    reg [PLACE_BITS-1:0] out_line_place_q;
    reg [PLACE_BITS-1:0] out_pixel_place_q;
    reg [PLACE_BITS-1:0] window_place_q;
    reg [OFFSET_BITS-1:0] window_line_q;
    reg [OFFSET_BITS-1:0] window_code_q;
    reg [COUNT_BITS-1:0] group_code_q;
    reg [COUNT_BITS-1:0] run_codes_q;
    // position inside the window: starts of the plane, the line and the run, and lane 0
    reg [PLACE_BITS-1:0] plane_place_q;
    reg [PLACE_BITS-1:0] line_place_q;
    reg [PLACE_BITS-1:0] run_place_q;
    reg [PLACE_BITS-1:0] place_q;
    // of the layer, from its start on
    reg [COUNT_BITS-1:0] last_line_q;
    reg [COUNT_BITS-1:0] run_offset_q;
    reg [COUNT_BITS-1:0] offset_q;
    reg [COUNT_BITS-1:0] line_q;
    reg [COUNT_BITS-1:0] codes_left_q;
    reg [COUNT_BITS-1:0] runs_left_q;
    reg [COUNT_BITS-1:0] planes_left_q;
    reg [31:0] pad_q;
    // position inside the weights
    reg [WEIGHT_ADDRESS_BITS-1:0] weight_address_q;
    reg [WEIGHT_ADDRESS_BITS-1:0] digit_address_q;
    reg [COUNT_BITS-1:0] digits_left_q;
    reg [2:0] bit_q;
    reg first_q;
    reg double_q;
    reg sign_q;

    // ---- ends of the loops, innermost first ------------------------------------------------------------------------------
    wire run_end;
    wire line_end;
    wire window_end;
    wire plane_end;
    wire bit_end;
    wire sweep_end;
    assign run_end = codes_left_q <= LANES_COUNT;
    assign line_end = run_end && !span && runs_left_q == ONE;
    assign window_end = run_end && (span || (runs_left_q == ONE && line_q == last_line_q));
    assign plane_end = window_end && planes_left_q == ONE;
    assign bit_end = plane_end;
    assign sweep_end = bit_end && bit_q == 3'd0 && digits_left_q == ONE;

    wire [COUNT_BITS-1:0] group;
    wire pixel_end;
    wire out_line_end;
    wire layer_end;
    assign group = layer_pool ? POOL_GROUP_COUNT : GROUP_COUNT;
    assign pixel_end = channels_left_q <= group;
    assign out_line_end = pixel_end && out_pixels_left_q == ONE;
    assign layer_end = out_line_end && out_lines_left_q == ONE;

    wire issue;
    wire next_sweep;
    assign issue = running_q && !(sweep_end && pace_q != 0);
    assign next_sweep = start || (issue && sweep_end);

    // ---- lines that begin inside the word, and the lanes inside the map ------------------------------------------------------
    // Positions are counted from lane 0, so line j begins at j * kernel_codes - offset.
    wire [OFFSET_BITS-1:0] lines_codes [0:CROSSINGS+1];
    wire [OFFSET_BITS-1:0] begins [0:CROSSINGS+1];
    wire [ADDRESS_BITS-1:0] lines_rows [0:CROSSINGS+1];
    wire [OFFSET_BITS-1:0] before_map;
    wire [OFFSET_BITS-1:0] to_map_end;
    wire [(CROSSINGS+1)*LANE_COUNT_BITS-1:0] from_lanes;
    wire [(CROSSINGS+1)*LANE_COUNT_BITS-1:0] to_lanes;
    wire [(CROSSINGS > 0 ? CROSSINGS : 1)*LANE_COUNT_BITS-1:0] crossing_lanes;
    wire [(CROSSINGS+1)*ADDRESS_BITS-1:0] rows;
    // The lane behind the word as an offset in line j, negative if that line begins further on; and what holds of the last of the
    // lines up to j that begin by then.
    wire [OFFSET_BITS-1:0] offset_in [1:CROSSINGS+1];
    wire [COUNT_BITS-1:0] next_offset [0:CROSSINGS+1];
    wire [COUNT_BITS-1:0] next_line [0:CROSSINGS+1];
    wire [ADDRESS_BITS-1:0] next_row [0:CROSSINGS+1];

    function [LANE_COUNT_BITS-1:0] lane;
        input [OFFSET_BITS-1:0] position;
        begin
            if (position[OFFSET_BITS-1]) begin
                lane = {LANE_COUNT_BITS{1'b0}};
            end else if (position > {{SPARE_BITS{1'b0}}, LANES_COUNT}) begin
                lane = LANES_COUNT[LANE_COUNT_BITS-1:0];
            end else begin
                lane = position[LANE_COUNT_BITS-1:0];
            end
        end
    endfunction

    // Codes of the window's line that lie before the map, negated; and behind which code of the window the map ends.
    assign before_map = window_code_q[OFFSET_BITS-1] ? window_code_q : {OFFSET_BITS{1'b0}};
    assign to_map_end = {{SPARE_BITS{1'b0}}, line_codes} - window_code_q;

    genvar j;
    generate
        if (CROSSINGS == 0) begin : gen_no_crossing
            assign crossing_lanes = LANES_COUNT[LANE_COUNT_BITS-1:0];
        end
        for (j = 0; j <= CROSSINGS + 1; j = j + 1) begin : gen_line
            if (j == 0) begin : gen_this
                assign lines_codes[j] = {OFFSET_BITS{1'b0}};
                assign lines_rows[j] = {ADDRESS_BITS{1'b0}};
                assign next_offset[j] = offset_q + LANES_COUNT;
                assign next_line[j] = line_q;
                assign next_row[j] = place_q[PLACE_BITS-1:BANK_BITS] + ONE_ROW;
            end else begin : gen_further
                localparam [COUNT_BITS-1:0] LINES = j;
                reg [OFFSET_BITS-1:0] codes_q;
                reg [OFFSET_BITS-1:0] codes_beyond_q;  // LANES fewer
                reg [ADDRESS_BITS-1:0] rows_q;
                reg [ADDRESS_BITS-1:0] next_rows_q;    // one more
                wire [OFFSET_BITS-1:0] codes;
                wire [ADDRESS_BITS-1:0] further_rows;
                wire reached;
                // Right from the clock after start on, since the layer's fields hold from there on.
                always @(posedge clk) begin
                    codes_q <= codes;
                    codes_beyond_q <= codes - {{SPARE_BITS{1'b0}}, LANES_COUNT};
                    rows_q <= further_rows;
                    next_rows_q <= further_rows + ONE_ROW;
                end
                if (j == 1) begin : gen_next
                    assign codes = {{SPARE_BITS{1'b0}}, kernel_codes};
                    assign further_rows = crossing_rows;
                end else begin : gen_after
                    assign codes = gen_line[j-1].gen_further.codes + {{SPARE_BITS{1'b0}}, kernel_codes};
                    assign further_rows = gen_line[j-1].gen_further.further_rows + crossing_rows;
                end
                assign lines_codes[j] = codes_q;
                assign lines_rows[j] = rows_q;
                assign offset_in[j] = {{SPARE_BITS{1'b0}}, offset_q} - codes_beyond_q;
                assign reached = span && !offset_in[j][OFFSET_BITS-1];
                assign next_offset[j] = reached ? offset_in[j][COUNT_BITS-1:0] : next_offset[j-1];
                assign next_line[j] = reached ? line_q + LINES : next_line[j-1];
                assign next_row[j] = reached ? place_q[PLACE_BITS-1:BANK_BITS] + next_rows_q : next_row[j-1];
            end
            assign begins[j] = lines_codes[j] - {{SPARE_BITS{1'b0}}, offset_q};
            if (j <= CROSSINGS) begin : gen_lanes
                localparam [OFFSET_BITS-1:0] FURTHER = j;
                wire [OFFSET_BITS-1:0] map_line;
                wire in_map;
                wire [LANE_COUNT_BITS-1:0] map_end;
                wire [LANE_COUNT_BITS-1:0] line_end_lane;
                assign map_line = window_line_q + {{SPARE_BITS{1'b0}}, line_q} + FURTHER;
                // A line above the map has wrapped around and is larger than any height.
                assign in_map = map_line < {{SPARE_BITS{1'b0}}, source_height};
                assign from_lanes[(j+1)*LANE_COUNT_BITS-1:j*LANE_COUNT_BITS] = lane(begins[j] - before_map);
                // A line ends where the map does, or where the next line of the window begins.
                assign map_end = lane(begins[j] + to_map_end);
                assign line_end_lane = lane(begins[j+1]);
                assign to_lanes[(j+1)*LANE_COUNT_BITS-1:j*LANE_COUNT_BITS] =
                    !in_map ? {LANE_COUNT_BITS{1'b0}} : map_end < line_end_lane ? map_end : line_end_lane;
                assign rows[(j+1)*ADDRESS_BITS-1:j*ADDRESS_BITS] = place_q[PLACE_BITS-1:BANK_BITS] + lines_rows[j];
                if (j > 0) begin : gen_crossing
                    // Beyond the window nothing is read that counts, so the lines may go on there.
                    assign crossing_lanes[j*LANE_COUNT_BITS-1:(j-1)*LANE_COUNT_BITS] =
                        span ? lane(begins[j]) : LANES_COUNT[LANE_COUNT_BITS-1:0];
                end
            end
        end
    endgenerate

    // ---- where the walk goes next --------------------------------------------------------------------------------------------
    // One adder serves the run, the line and the plane, another the window: never two of a kind in one clock.
    wire [PLACE_BITS-1:0] inner_place;
    wire [PLACE_BITS-1:0] plane_place;
    wire [PLACE_BITS-1:0] outer_place;
    wire [PLACE_BITS-1:0] next_window;

    place_adder #(
        .LANES        (LANES),
        .ADDRESS_BITS (ADDRESS_BITS)
    ) u_inner (
        .from     (line_end ? line_place_q : run_place_q),
        .distance (line_end ? line_step : segment_step),
        .to       (inner_place)
    );

    place_adder #(
        .LANES        (LANES),
        .ADDRESS_BITS (ADDRESS_BITS)
    ) u_outer (
        .from     (out_line_end ? out_line_place_q : pixel_end ? out_pixel_place_q : window_place_q),
        .distance (out_line_end ? window_line_step : pixel_end ? window_column_step : {POOL_GROUP_ROWS, POOL_GROUP_BANKS}),
        .to       (outer_place)
    );

    assign plane_place = {plane_place_q[PLACE_BITS-1:BANK_BITS] + plane_rows, plane_place_q[BANK_BITS-1:0]};
    assign next_window = start ? source_origin : pixel_end || layer_pool ? outer_place : window_place_q;

    // Codes of a run: of a pool, the channels of its group.
    wire [COUNT_BITS-1:0] next_channels;
    wire [COUNT_BITS-1:0] next_run_codes;
    wire [COUNT_BITS-1:0] next_group_code;
    assign next_channels = start || pixel_end ? out_channels : channels_left_q - group;
    assign next_run_codes =
        !layer_pool ? segment_codes : next_channels < POOL_GROUP_COUNT ? next_channels : POOL_GROUP_COUNT;
    assign next_group_code = start || pixel_end || !layer_pool ? first_code : group_code_q + POOL_GROUP_COUNT;

    always @(posedge clk) begin
        if (rst) begin
            running_q <= 1'b0;
            waiting_q <= 1'b0;
        end else begin
            if (start) begin
                running_q <= 1'b1;
            end else if (issue && sweep_end) begin
                running_q <= !layer_end && !serial;
                waiting_q <= !layer_end && serial;
            end else if (waiting_q) begin
                running_q <= drained;
                waiting_q <= !drained;
            end
            if (start) begin
                pace_q <= 0;
            end else if (issue && sweep_end) begin
                pace_q <= drain_clocks - ONE;
            end else if (pace_q != 0) begin
                pace_q <= pace_q - ONE;
            end
        end
    end

    always @(posedge clk) begin
        last_line_q <= kernel_height - ONE;
        if (next_sweep) begin
            if (start) begin
                out_lines_left_q <= out_height;
                window_line_q <= -{{SPARE_BITS{1'b0}}, pad_y};
            end else if (out_line_end) begin
                out_lines_left_q <= out_lines_left_q - ONE;
                window_line_q <= window_line_q + {{SPARE_BITS{1'b0}}, stride_y};
            end
            if (start || out_line_end) begin
                out_pixels_left_q <= out_width;
                out_line_place_q <= next_window;
                window_code_q <= -{{SPARE_BITS{1'b0}}, pad_codes};
            end else if (pixel_end) begin
                out_pixels_left_q <= out_pixels_left_q - ONE;
                window_code_q <= window_code_q + {{SPARE_BITS{1'b0}}, column_codes};
            end
            if (start || pixel_end) begin
                out_pixel_place_q <= next_window;
                weight_address_q <= weight_base;
                digit_address_q <= weight_base;
            end else begin
                weight_address_q <= weight_address_q + 1'b1;
                digit_address_q <= weight_address_q + 1'b1;
            end
            channels_left_q <= next_channels;
            starts_pixel_q <= start || pixel_end;
            window_place_q <= next_window;
            group_code_q <= next_group_code;
            run_codes_q <= next_run_codes;
            plane_place_q <= next_window;
            line_place_q <= next_window;
            run_place_q <= next_window;
            place_q <= next_window;
            run_offset_q <= next_group_code;
            offset_q <= next_group_code;
            line_q <= 0;
            codes_left_q <= next_run_codes;
            runs_left_q <= segments;
            planes_left_q <= source_planes;
            pad_q <= pad_value;
            digits_left_q <= digit_words;
            bit_q <= top_bit;
            first_q <= 1'b1;
            double_q <= 1'b0;
            sign_q <= layer_dot;
        end else if (issue) begin
            first_q <= 1'b0;
            double_q <= bit_end;
            codes_left_q <= run_end ? run_codes_q : codes_left_q - LANES_COUNT;
            weight_address_q <= bit_end && bit_q != 3'd0 ? digit_address_q : weight_address_q + 1'b1;
            if (window_end) begin
                planes_left_q <= plane_end ? source_planes : planes_left_q - ONE;
                pad_q <= plane_end ? pad_value : pad_q >> CODE_BITS;
                plane_place_q <= plane_end ? window_place_q : plane_place;
                line_place_q <= plane_end ? window_place_q : plane_place;
                run_place_q <= plane_end ? window_place_q : plane_place;
                place_q <= plane_end ? window_place_q : plane_place;
                run_offset_q <= group_code_q;
                offset_q <= group_code_q;
                line_q <= 0;
                runs_left_q <= segments;
            end else if (run_end) begin
                place_q <= inner_place;
                run_place_q <= inner_place;
                if (line_end) begin
                    line_place_q <= inner_place;
                    runs_left_q <= segments;
                    line_q <= line_q + ONE;
                    run_offset_q <= group_code_q;
                    offset_q <= group_code_q;
                end else begin
                    runs_left_q <= runs_left_q - ONE;
                    run_offset_q <= run_offset_q + segment_step_codes;
                    offset_q <= run_offset_q + segment_step_codes;
                end
            end else begin
                place_q <= {next_row[CROSSINGS+1], place_q[BANK_BITS-1:0]};
                offset_q <= next_offset[CROSSINGS+1];
                line_q <= next_line[CROSSINGS+1];
            end
            if (bit_end) begin
                sign_q <= 1'b0;
                if (bit_q != 3'd0) begin
                    bit_q <= bit_q - 1'b1;
                end else begin
                    bit_q <= HIGHEST_BIT;
                    digits_left_q <= digits_left_q - ONE;
                    digit_address_q <= weight_address_q + 1'b1;
                end
            end
        end
    end

    assign busy = running_q || waiting_q;
    assign sweep_done = issue && sweep_end;
    assign sweep_channels = pixel_end ? channels_left_q : group;
    assign sweep_starts_pixel = starts_pixel_q;

    always @(posedge clk) begin
        word_valid <= issue && !rst;
        if (issue) begin
            word_bank <= place_q[BANK_BITS-1:0];
            word_rows <= rows;
            word_crossings <= crossing_lanes;
            word_inside_from <= from_lanes;
            word_inside_to <= to_lanes;
            word_codes <= run_end ? codes_left_q[LANE_COUNT_BITS-1:0] : LANES_COUNT[LANE_COUNT_BITS-1:0];
            word_pad_code <= pad_q[CODE_BITS-1:0];
            word_weight_address <= weight_address_q;
            word_first <= first_q;
            word_double <= double_q;
            word_subtract <= sign_q;
            word_bit <= bit_q;
        end
    end
endmodule
`default_nettype wire
