`default_nettype none
// operand_gate: replaces what a word read outside the map by the pad code, and what lies behind its last code by 0.
//
// How it works. A word holds the end of one line of the window and the beginnings of up to CROSSINGS further ones. Of each line the
// lanes inside_from to inside_to - 1 lie inside the map. Lanes from `codes` on carry nothing and get 0.
//
// Latency: the choice takes the first clock (while the buffer reads), the data the second: out_data is combinational from in_data.
// The choice holds while in_valid is 0, as the buffer's data do.
// Example, LANES = 4, one line, inside 1 to 3, 4 codes, pad code 9: data a b c d become 9 b c 9.
module operand_gate #(
    parameter LANES = 4,     // codes in a word, >= 1
    parameter CROSSINGS = 1, // further lines in a word, >= 0
    parameter CODE_BITS = 8  // bits of a code
) (
    input wire clk,
    // the choice
    input wire in_valid,
    input wire [(CROSSINGS+1)*$clog2(LANES+1)-1:0] in_inside_from,
    input wire [(CROSSINGS+1)*$clog2(LANES+1)-1:0] in_inside_to,
    input wire [$clog2(LANES+1)-1:0] in_codes,
    input wire [CODE_BITS-1:0] in_pad_code,
    // the data, a clock later
    input wire [LANES*CODE_BITS-1:0] in_data,
    output wire [LANES*CODE_BITS-1:0] out_data
);
    localparam LANE_COUNT_BITS = $clog2(LANES + 1);

    reg [LANES-1:0] inside_q;
    reg [LANES-1:0] padded_q;
    reg [CODE_BITS-1:0] pad_code_q;
    wire [LANES-1:0] in_map;
    wire [LANES-1:0] used;

    genvar i;
    genvar j;
    generate
        for (i = 0; i < LANES; i = i + 1) begin : gen_lane
            localparam [LANE_COUNT_BITS-1:0] NUMBER = i;
            wire [CROSSINGS:0] inside_line;
            for (j = 0; j <= CROSSINGS; j = j + 1) begin : gen_line
                assign inside_line[j] = NUMBER >= in_inside_from[(j+1)*LANE_COUNT_BITS-1:j*LANE_COUNT_BITS]
                    && NUMBER < in_inside_to[(j+1)*LANE_COUNT_BITS-1:j*LANE_COUNT_BITS];
            end
            assign used[i] = NUMBER < in_codes;
            assign in_map[i] = |inside_line && used[i];
            assign out_data[(i+1)*CODE_BITS-1:i*CODE_BITS] = inside_q[i] ? in_data[(i+1)*CODE_BITS-1:i*CODE_BITS]
                : padded_q[i] ? pad_code_q : {CODE_BITS{1'b0}};
        end
    endgenerate

    always @(posedge clk) begin
        if (in_valid) begin
            inside_q <= in_map;
            padded_q <= used & ~in_map;
            pad_code_q <= in_pad_code;
        end
    end
endmodule
`default_nettype wire
