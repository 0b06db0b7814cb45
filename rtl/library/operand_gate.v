`default_nettype none
// operand_gate: turns a word of the activation buffer into the operands of one tap.
//
// How it works. A tap outside the map reads the code of zero instead of the memory's word (padding is data). Lanes that carry no
// channel of the layer read 0 whatever the memory holds: in the first word of a channel slice those below first_lane, in the last
// word those above last_lane. An idle lane's weight is 0 too, so it adds nothing to any sum.
//
// Latency: combinational.
//
// Example, LANES = 4, CODE_BITS = 8, data = {44, 33, 22, 11}, lane 0 on the right: first_word with first_lane = 1 gives
// {44, 33, 22, 0}; padded with pad_code = 128 instead of the data gives {128, 128, 128, 0}.
module operand_gate #(
    parameter LANES = 4,     // codes in a word, >= 1
    parameter CODE_BITS = 8  // bits of a code, 2 to 8
) (
    // what the memory returned
    input wire [LANES*CODE_BITS-1:0] in_data,
    // what the tap is
    input wire in_padded,
    input wire [CODE_BITS-1:0] in_pad_code,
    input wire in_first_word,
    input wire in_last_word,
    // the channel slice
    input wire [(LANES > 1 ? $clog2(LANES) : 1)-1:0] first_lane,
    input wire [(LANES > 1 ? $clog2(LANES) : 1)-1:0] last_lane,
    // operands
    output wire [LANES*CODE_BITS-1:0] out_data
);
    wire [LANES-1:0] below_slice;
    wire [LANES-1:0] above_slice;
    wire [LANES-1:0] idle;
    assign below_slice = ~({LANES{1'b1}} << first_lane);
    assign above_slice = ({LANES{1'b1}} << last_lane) << 1;
    assign idle = ({LANES{in_first_word}} & below_slice) | ({LANES{in_last_word}} & above_slice);

    genvar lane;
    generate
        if (LANES < 1) begin : gen_check_lanes
            LANES_must_be_at_least_1 u_error ();
        end
        for (lane = 0; lane < LANES; lane = lane + 1) begin : gen_lane
            assign out_data[(lane+1)*CODE_BITS-1:lane*CODE_BITS] =
                idle[lane] ? {CODE_BITS{1'b0}} : in_padded ? in_pad_code : in_data[(lane+1)*CODE_BITS-1:lane*CODE_BITS];
        end
    endgenerate
endmodule
`default_nettype wire
