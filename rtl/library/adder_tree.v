`default_nettype none
// adder_tree: the sum of LANES unsigned values and of LANES carry bits, exact, for any number of lanes.
//
// The nodes are numbered like a heap: node 1 is the root, node n adds nodes 2n and 2n + 1, and the lanes are the leaves
// LANES to 2 * LANES - 1. That is a tree of LANES - 1 adders and depth ceil(log2(LANES)) whatever LANES is:
//
//   LANES = 5:           1            width + 3
//                    2       3        width + 2
//                  4   5   6   7      width + 1     leaves 5, 6, 7 = lanes 0, 1, 2
//                 8 9                 width         leaves 8, 9    = lanes 3, 4
//
// A node is one bit wider than its children, and a leaf one level short of the bottom is padded by one 0. Adder n takes
// carry n in its carry input, so carries 1 to LANES - 1 cost no adder; carry 0 has no adder left and is added to the
// root's sum. (A subtree of k leaves adds k - 1 carries: at most k * (2^WIDTH - 1) + k - 1 < k * 2^WIDTH, so no node
// overflows.) Tied carries vanish in synthesis.
//
// Precondition: data + carry of each lane is at most 2^WIDTH - 1, which makes the sum fit.
// Latency: combinational.
// Example (LANES = 3, WIDTH = 4): data 5, 14, 15 and carries 1, 0, 0 give 35.
module adder_tree #(
    parameter LANES = 16, // number of values, at least 1
    parameter WIDTH = 8   // bits of a value, at least 2
) (
    input  wire [LANES*WIDTH-1:0]         in_data,  // lane i at bits [(i+1)*WIDTH-1 : i*WIDTH], unsigned
    input  wire [LANES-1:0]               in_carry, // one more unit for lane i
    output wire [WIDTH+$clog2(LANES)-1:0] sum       // sum of the data plus the number of carries
);
    generate
        if (LANES < 1) begin : gen_lanes_check
            LANES_must_be_at_least_1 u_error ();
        end
        if (WIDTH < 2) begin : gen_width_check
            WIDTH_must_be_at_least_2 u_error ();
        end
    endgenerate

    localparam SUM_BITS = WIDTH + $clog2(LANES);

    genvar n;
    generate
        // From the leaves up, so that every node is declared before it is used.
        for (n = 2 * LANES - 1; n >= 1; n = n - 1) begin : gen_node
            // Node n stands at depth $clog2(n + 1) - 1, and each level down is one bit narrower.
            localparam BITS = SUM_BITS - $clog2(n + 1) + 1;
            wire [BITS-1:0] total;
            if (n < LANES) begin : gen_adder
                // {a, 1} + {b, c} is a + b + c in one adder: the added low column carries into the next exactly when c is 1.
                // Only the low column's carry is of use, not its sum bit.
                // verilator lint_off UNUSEDSIGNAL
                wire [BITS:0] with_carry;
                // verilator lint_on UNUSEDSIGNAL
                assign with_carry = {1'b0, gen_node[2*n].total, 1'b1} + {1'b0, gen_node[2*n+1].total, in_carry[n]};
                assign total = with_carry[BITS:1];
            end else begin : gen_leaf
                assign total[WIDTH-1:0] = in_data[(n-LANES+1)*WIDTH-1:(n-LANES)*WIDTH];
                if (BITS > WIDTH) begin : gen_pad
                    assign total[BITS-1] = 1'b0;
                end
            end
        end
    endgenerate

    assign sum = gen_node[1].total + {{(SUM_BITS-1){1'b0}}, in_carry[0]};
endmodule
`default_nettype wire
