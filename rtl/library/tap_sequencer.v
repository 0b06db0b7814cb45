`default_nettype none
// tap_sequencer: walks a layer's windows and issues one tap (a word of activations and a word of weights) a clock.
//
// How it works. For each output row, output column and group of output channels ("sweep") it runs, outermost first, over the bits
// of the weights (dot layers only, the sign bit first), window rows, window columns, planes of a wide tensor, and words of channels.
// Addresses are kept by addition alone: each loop has a base that grows by its step from the descriptor. Weights lie in memory in
// the order of the walk, so their address counts up; it goes back for the next bit of the same words and for the next pixel.
// Taps outside the map are marked as padded; their address is meaningless and their data ignored.
// After the last tap of a sweep it waits for drained, since the accumulators are read before the next sweep overwrites them.
//
// Pools: a group is one word of channels, which the next sweep finds one word further on.
//
// Latency: the first tap is issued the clock after start, the first tap of a later sweep the clock after drained.
//
// Example: a 3x3 layer on 16 channels, IN_LANES = 16, takes 9 taps a sweep; the same with 8-bit dot weights takes 72.
module tap_sequencer #(
    parameter IN_LANES = 4,              // channels in a word of activations, >= 1
    parameter OUT_LANES = 2,             // output channels of a sweep, >= 1
    parameter CODE_BITS = 8,             // bits of a code, 2 to 8
    parameter ADDRESS_BITS = 16,         // bits of a word address of the activation buffer
    parameter WEIGHT_ADDRESS_BITS = 16,  // bits of a word address of the weight buffer
    parameter COUNT_BITS = 16            // bits of every size and count, larger than IN_LANES and OUT_LANES
) (
    input wire clk,
    input wire rst,
    input wire start,
    // what the layer is; all layer inputs hold from start to finished
    input wire layer_dot,
    input wire layer_pool,
    // the map it reads
    input wire [ADDRESS_BITS-1:0] source_origin,
    input wire [COUNT_BITS-1:0] source_height,
    input wire [COUNT_BITS-1:0] source_width,
    input wire [COUNT_BITS-1:0] source_words,
    input wire [COUNT_BITS-1:0] source_planes,
    input wire [ADDRESS_BITS-1:0] plane_step,
    input wire [ADDRESS_BITS-1:0] pixel_step,
    input wire [ADDRESS_BITS-1:0] row_step,
    input wire [31:0] pad_value,
    // its windows
    input wire [COUNT_BITS-1:0] kernel_height,
    input wire [COUNT_BITS-1:0] kernel_width,
    input wire [COUNT_BITS-1:0] stride_y,
    input wire [COUNT_BITS-1:0] stride_x,
    input wire [COUNT_BITS-1:0] pad_y,
    input wire [COUNT_BITS-1:0] pad_x,
    input wire [ADDRESS_BITS-1:0] window_row_step,
    input wire [ADDRESS_BITS-1:0] window_column_step,
    input wire [COUNT_BITS-1:0] out_height,
    input wire [COUNT_BITS-1:0] out_width,
    input wire [COUNT_BITS-1:0] out_channels,
    // its weights
    input wire [WEIGHT_ADDRESS_BITS-1:0] weight_base,
    input wire [COUNT_BITS-1:0] digit_words,
    input wire [2:0] top_bit,
    // one tap
    output wire tap_valid,
    output wire [ADDRESS_BITS-1:0] tap_address,
    output wire [WEIGHT_ADDRESS_BITS-1:0] tap_weight_address,
    output wire tap_padded,
    output wire [CODE_BITS-1:0] tap_pad_code,
    output wire tap_first_word,
    output wire tap_last_word,
    output wire tap_first,
    output wire tap_double,
    output wire tap_subtract,
    output wire [2:0] tap_bit,
    // end of a sweep
    output wire sweep_done,
    output wire [COUNT_BITS-1:0] sweep_channels,
    output wire sweep_starts_pixel,
    input wire drained,
    output wire finished
);
    localparam [COUNT_BITS-1:0] IN_LANES_COUNT = IN_LANES;
    localparam [COUNT_BITS-1:0] OUT_LANES_COUNT = OUT_LANES;
    // CODE_BITS is at most 8, so nothing is cut off.
    /* verilator lint_off WIDTHTRUNC */
    localparam [2:0] HIGHEST_BIT = CODE_BITS - 1;
    /* verilator lint_on WIDTHTRUNC */
    localparam [COUNT_BITS-1:0] ONE = 1;

    generate
        if (CODE_BITS < 2 || CODE_BITS > 8) begin : gen_check_code_bits
            CODE_BITS_must_be_2_to_8 u_error ();
        end
    endgenerate

    // sweep control
    reg running_q;
    reg waiting_q;
    // output position
    reg [COUNT_BITS-1:0] out_rows_left_q;
    reg [COUNT_BITS-1:0] out_columns_left_q;
    reg [COUNT_BITS-1:0] channels_left_q;
    reg starts_pixel_q;
    // top left corner of the window: address and coordinates
    reg [ADDRESS_BITS-1:0] line_address_q;
    reg [ADDRESS_BITS-1:0] pixel_address_q;
    reg [ADDRESS_BITS-1:0] window_address_q;
    reg [COUNT_BITS:0] window_row_q;
    reg [COUNT_BITS:0] window_column_q;
    // position inside the window
    reg [ADDRESS_BITS-1:0] row_address_q;
    reg [ADDRESS_BITS-1:0] column_address_q;
    reg [ADDRESS_BITS-1:0] plane_address_q;
    reg [ADDRESS_BITS-1:0] address_q;
    reg [COUNT_BITS:0] row_q;
    reg [COUNT_BITS:0] column_q;
    reg [COUNT_BITS-1:0] rows_left_q;
    reg [COUNT_BITS-1:0] columns_left_q;
    reg [COUNT_BITS-1:0] planes_left_q;
    reg [COUNT_BITS-1:0] words_left_q;
    reg [31:0] pad_q;
    // position inside the weights
    reg [WEIGHT_ADDRESS_BITS-1:0] weight_address_q;
    reg [WEIGHT_ADDRESS_BITS-1:0] digit_address_q;
    reg [COUNT_BITS-1:0] digit_words_left_q;
    reg [2:0] bit_q;
    reg first_q;
    reg double_q;
    reg sign_q;

    // ends of the loops, innermost first
    wire word_end;
    wire plane_end;
    wire column_end;
    wire window_end;
    wire sweep_end;
    assign word_end = words_left_q == ONE;
    assign plane_end = word_end && planes_left_q == ONE;
    assign column_end = plane_end && columns_left_q == ONE;
    assign window_end = column_end && rows_left_q == ONE;
    assign sweep_end = window_end && bit_q == 3'd0 && digit_words_left_q == ONE;

    wire [COUNT_BITS-1:0] lanes;
    wire pixel_end;
    wire line_end;
    wire layer_end;
    assign lanes = layer_pool ? IN_LANES_COUNT : OUT_LANES_COUNT;
    assign pixel_end = channels_left_q <= lanes;
    assign line_end = pixel_end && out_columns_left_q == ONE;
    assign layer_end = line_end && out_rows_left_q == ONE;

    // the next sweep's window
    wire [COUNT_BITS:0] first_row;
    wire [COUNT_BITS:0] first_column;
    reg [ADDRESS_BITS-1:0] next_address;
    reg [COUNT_BITS:0] next_row;
    reg [COUNT_BITS:0] next_column;
    assign first_row = -{1'b0, pad_y};
    assign first_column = -{1'b0, pad_x};

    always @* begin
        next_row = window_row_q;
        next_column = window_column_q;
        if (start) begin
            next_address = source_origin;
            next_row = first_row;
            next_column = first_column;
        end else if (line_end) begin
            next_address = line_address_q + window_row_step;
            next_row = window_row_q + {1'b0, stride_y};
            next_column = first_column;
        end else if (pixel_end) begin
            next_address = pixel_address_q + window_column_step;
            next_column = window_column_q + {1'b0, stride_x};
        end else begin
            next_address = layer_pool ? window_address_q + 1'b1 : window_address_q;
        end
    end

    wire next_sweep;
    assign next_sweep = start || (waiting_q && drained && !layer_end);

    always @(posedge clk) begin
        if (rst) begin
            running_q <= 1'b0;
            waiting_q <= 1'b0;
        end else if (next_sweep) begin
            running_q <= 1'b1;
            waiting_q <= 1'b0;
        end else if (running_q && sweep_end) begin
            running_q <= 1'b0;
            waiting_q <= 1'b1;
        end else if (drained) begin
            waiting_q <= 1'b0;
        end
    end

    always @(posedge clk) begin
        if (next_sweep) begin
            if (start) begin
                out_rows_left_q <= out_height;
            end else if (line_end) begin
                out_rows_left_q <= out_rows_left_q - ONE;
            end
            if (start || line_end) begin
                out_columns_left_q <= out_width;
                line_address_q <= next_address;
            end else if (pixel_end) begin
                out_columns_left_q <= out_columns_left_q - ONE;
            end
            if (start || pixel_end) begin
                channels_left_q <= out_channels;
                pixel_address_q <= next_address;
                weight_address_q <= weight_base;
                digit_address_q <= weight_base;
            end else begin
                channels_left_q <= channels_left_q - lanes;
            end
            starts_pixel_q <= start || pixel_end;
            window_address_q <= next_address;
            window_row_q <= next_row;
            window_column_q <= next_column;
            row_address_q <= next_address;
            column_address_q <= next_address;
            plane_address_q <= next_address;
            address_q <= next_address;
            row_q <= next_row;
            column_q <= next_column;
            rows_left_q <= kernel_height;
            columns_left_q <= kernel_width;
            planes_left_q <= source_planes;
            words_left_q <= source_words;
            pad_q <= pad_value;
            digit_words_left_q <= digit_words;
            bit_q <= top_bit;
            first_q <= 1'b1;
            double_q <= 1'b0;
            sign_q <= layer_dot;
        end else if (running_q) begin
            first_q <= 1'b0;
            double_q <= 1'b0;
            words_left_q <= word_end ? source_words : words_left_q - ONE;
            address_q <= address_q + 1'b1;
            weight_address_q <= weight_address_q + 1'b1;
            // Where an outer loop goes on, its address overrides those of the loops that end inside it.
            if (word_end) begin
                planes_left_q <= plane_end ? source_planes : planes_left_q - ONE;
                pad_q <= plane_end ? pad_value : pad_q >> CODE_BITS;
                plane_address_q <= plane_address_q + plane_step;
                address_q <= plane_address_q + plane_step;
            end
            if (plane_end) begin
                columns_left_q <= column_end ? kernel_width : columns_left_q - ONE;
                column_q <= column_end ? window_column_q : column_q + 1'b1;
                column_address_q <= column_address_q + pixel_step;
                plane_address_q <= column_address_q + pixel_step;
                address_q <= column_address_q + pixel_step;
            end
            if (column_end) begin
                rows_left_q <= window_end ? kernel_height : rows_left_q - ONE;
                row_q <= window_end ? window_row_q : row_q + 1'b1;
                row_address_q <= window_end ? window_address_q : row_address_q + row_step;
                column_address_q <= window_end ? window_address_q : row_address_q + row_step;
                plane_address_q <= window_end ? window_address_q : row_address_q + row_step;
                address_q <= window_end ? window_address_q : row_address_q + row_step;
            end
            if (window_end) begin
                sign_q <= 1'b0;
                double_q <= 1'b1;
                if (bit_q != 3'd0) begin
                    bit_q <= bit_q - 1'b1;
                    weight_address_q <= digit_address_q;
                end else begin
                    bit_q <= HIGHEST_BIT;
                    digit_words_left_q <= digit_words_left_q - ONE;
                    digit_address_q <= weight_address_q + 1'b1;
                end
            end
        end
    end

    assign tap_valid = running_q;
    assign tap_address = address_q;
    assign tap_weight_address = weight_address_q;
    // A coordinate above or left of the map has wrapped around and is larger than any size.
    assign tap_padded = row_q >= {1'b0, source_height} || column_q >= {1'b0, source_width};
    assign tap_pad_code = pad_q[CODE_BITS-1:0];
    assign tap_first_word = words_left_q == source_words;
    assign tap_last_word = word_end;
    assign tap_first = first_q;
    assign tap_double = double_q;
    assign tap_subtract = sign_q;
    assign tap_bit = bit_q;

    assign sweep_done = running_q && sweep_end;
    assign sweep_channels = pixel_end ? channels_left_q : lanes;
    assign sweep_starts_pixel = starts_pixel_q;
    assign finished = waiting_q && drained && layer_end;
endmodule
`default_nettype wire
