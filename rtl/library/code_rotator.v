`default_nettype none
// code_rotator: turns a word of codes by any number of lanes.
//
// How it works. One stage for each bit of the amount; stage s turns by 2^s lanes or not at all. LANES need not be a power of two:
// each stage turns modulo LANES, so all of them together do.
//
//   TO_BANKS = 0: lane i of the result is lane (i + amount) mod LANES of the input   (from banks to lanes)
//   TO_BANKS = 1: lane (i + amount) mod LANES of the result is lane i of the input   (from lanes to banks)
//
// Latency: combinational. amount must be below LANES.
// Example, LANES = 3, amount = 1: codes a b c become b c a (TO_BANKS = 0) or c a b (TO_BANKS = 1).
module code_rotator #(
    parameter LANES = 4,     // codes in a word, >= 1
    parameter CODE_BITS = 8, // bits of a code, >= 1
    parameter TO_BANKS = 0   // direction
) (
    input wire [LANES*CODE_BITS-1:0] in_data,
    input wire [(LANES > 1 ? $clog2(LANES) : 1)-1:0] amount,
    output wire [LANES*CODE_BITS-1:0] out_data
);
    localparam STAGES = LANES > 1 ? $clog2(LANES) : 1;

    generate
        if (LANES < 1) begin : gen_check_lanes
            LANES_must_be_at_least_1 u_error ();
        end
    endgenerate

    wire [LANES*CODE_BITS-1:0] turned [0:STAGES];
    assign turned[0] = in_data;
    assign out_data = turned[STAGES];

    genvar s;
    genvar i;
    generate
        for (s = 0; s < STAGES; s = s + 1) begin : gen_stage
            localparam STEP = (1 << s) % LANES;
            // Lane i of the stage's result comes from lane (i + FORWARD) mod LANES.
            localparam FORWARD = TO_BANKS ? LANES - STEP : STEP;
            wire [LANES*CODE_BITS-1:0] unturned;
            wire [LANES*CODE_BITS-1:0] moved;
            assign unturned = turned[s];
            for (i = 0; i < LANES; i = i + 1) begin : gen_lane
                localparam FROM = (i + FORWARD) % LANES;
                assign moved[(i+1)*CODE_BITS-1:i*CODE_BITS] = unturned[(FROM+1)*CODE_BITS-1:FROM*CODE_BITS];
            end
            assign turned[s+1] = amount[s] ? moved : unturned;
        end
    endgenerate
endmodule
`default_nettype wire
