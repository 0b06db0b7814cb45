"""Behavioural Verilog of what the lanes, the tree and the processing element must be, written from the mathematics.

Nothing is shared with the library: an absolute difference is a subtraction under an if, a sum is a loop.
"""

from __future__ import annotations

# min(x, w) = (x + w - |x - w|) / 2, so that the identity of the min form is what is proven.
MINIMUM_LANE = """
module specification #(parameter CODE_BITS = 8) (
    input wire [CODE_BITS-1:0] x, input wire [CODE_BITS-1:0] w, output wire [CODE_BITS-1:0] value
);
    integer difference;
    integer total;
    always @* begin
        difference = x > w ? x - w : w - x;
        total = x + w - difference;
    end
    assign value = total >> 1;
endmodule
"""

# A lane that is given as value and carry: their sum is |x - w|, and the carry is the sign.
COMPLEMENT_LANE = """
module specification #(parameter CODE_BITS = 8) (
    input wire [CODE_BITS-1:0] x, input wire [CODE_BITS-1:0] w, output wire [CODE_BITS-1:0] value, output wire carry
);
    assign carry = w > x;
    assign value = carry ? w - x - 1 : x - w;
endmodule
"""

# The selected bits of w, as a product by 0 or 1 would use them.
DOT_LANE = """
module specification #(parameter CODE_BITS = 8) (
    input wire [CODE_BITS-1:0] x, input wire [CODE_BITS-1:0] w, input wire [CODE_BITS-1:0] bit_select,
    output reg [CODE_BITS-1:0] value
);
    integer b;
    always @* begin
        value = 0;
        for (b = 0; b < CODE_BITS; b = b + 1)
            if (bit_select[b] && w[b])
                value = x;
    end
endmodule
"""

# The tree's precondition, data + carry <= 2^WIDTH - 1, is kept by masking: both see the same masked inputs.
TREE_UNDER_TEST = """
module tree_under_test #(parameter LANES = 16, parameter WIDTH = 8) (
    input wire [LANES*WIDTH-1:0] in_data, input wire [LANES-1:0] in_carry, output wire [WIDTH+$clog2(LANES)-1:0] sum
);
    wire [LANES-1:0] carry;
    genvar i;
    generate
        for (i = 0; i < LANES; i = i + 1) begin : gen_carry
            assign carry[i] = in_carry[i] && in_data[i*WIDTH +: WIDTH] != {WIDTH{1'b1}};
        end
    endgenerate
    adder_tree #(.LANES(LANES), .WIDTH(WIDTH)) u_tree (.in_data(in_data), .in_carry(carry), .sum(sum));
endmodule
"""

# One number after the other, 32 bits wide.
TREE_AS_A_LOOP = """
module specification #(parameter LANES = 16, parameter WIDTH = 8) (
    input wire [LANES*WIDTH-1:0] in_data, input wire [LANES-1:0] in_carry, output wire [WIDTH+$clog2(LANES)-1:0] sum
);
    integer i;
    integer total;
    always @* begin
        total = 0;
        for (i = 0; i < LANES; i = i + 1)
            total = total + in_data[i*WIDTH +: WIDTH] + (in_carry[i] && ~&in_data[i*WIDTH +: WIDTH]);
    end
    assign sum = total;
endmodule
"""

# The same sum in the order of a tree, still 32 bits wide: a solver can not reorder sixteen additions, and the order of
# a sum of integers is no question; that every node's own width is enough, and that no carry is lost, is.
TREE_IN_ITS_ORDER = """
module specification #(parameter LANES = 16, parameter WIDTH = 8) (
    input wire [LANES*WIDTH-1:0] in_data, input wire [LANES-1:0] in_carry, output wire [WIDTH+$clog2(LANES)-1:0] sum
);
    integer i;
    reg [31:0] node [0:2*LANES-1];
    reg [LANES-1:0] carry;
    always @* begin
        for (i = 0; i < LANES; i = i + 1) begin
            node[LANES+i] = in_data[i*WIDTH +: WIDTH];
            carry[i] = in_carry[i] && ~&in_data[i*WIDTH +: WIDTH];
        end
        for (i = LANES - 1; i >= 1; i = i - 1)
            node[i] = node[2*i] + node[2*i+1] + carry[i];
        node[0] = node[1] + carry[0];
    end
    assign sum = node[0];
endmodule
"""

# A word's sum is known 1 + TREE_STAGES clocks later than its inputs, and in acc one later; two or three lanes.
PROCESSING_ELEMENT = """
module specification #(
    parameter IN_LANES = 16, parameter CODE_BITS = 8, parameter ACC_BITS = 24, parameter MIN_FORM = 1,
    parameter DOT_SPLIT = 0, parameter TREE_STAGES = 0
) (
    input wire clk, input wire rst, input wire in_valid, input wire in_dot, input wire [CODE_BITS-1:0] in_bit_select,
    input wire in_split, input wire in_first, input wire in_double, input wire in_subtract,
    input wire [IN_LANES*CODE_BITS-1:0] in_x, input wire [IN_LANES*CODE_BITS-1:0] in_w,
    output reg signed [ACC_BITS-1:0] acc
);
    integer i, b, x, w, tap, total;
    always @* begin
        total = 0;
        for (i = 0; i < IN_LANES; i = i + 1) begin
            x = in_x[i*CODE_BITS +: CODE_BITS];
            w = in_w[i*CODE_BITS +: CODE_BITS];
            if (in_dot) begin
                tap = 0;
                for (b = 0; b < CODE_BITS; b = b + 1)
                    if (in_bit_select[b] && in_w[i*CODE_BITS+b])
                        tap = x;
            end else if (MIN_FORM)
                tap = w < x ? w : x;
            else
                tap = w < x ? x - w : w - x;
            total = total + tap;
        end
    end
    // The words in flight; a register holds while it has none.
    integer s;
    integer word [0:TREE_STAGES];
    reg [TREE_STAGES:0] valid, first, double, subtract;
    always @(posedge clk) begin
        valid <= rst ? 0 : {valid, in_valid};
        if (in_valid) begin
            first[0] <= in_first;
            double[0] <= in_double;
            subtract[0] <= in_subtract;
            word[0] <= total;
        end
        for (s = 1; s <= TREE_STAGES; s = s + 1)
            if (valid[s-1]) begin
                first[s] <= first[s-1];
                double[s] <= double[s-1];
                subtract[s] <= subtract[s-1];
                word[s] <= word[s-1];
            end
        if (rst)
            acc <= 0;
        else if (valid[TREE_STAGES])
            acc <= (first[TREE_STAGES] ? 0 : double[TREE_STAGES] ? acc * 2 : acc)
                + (subtract[TREE_STAGES] ? -word[TREE_STAGES] : word[TREE_STAGES]);
    end
endmodule
"""

SPLIT_TREE = """
module specification #(
    parameter LANES = 16, parameter WIDTH = 8, parameter SHIFT = 4
) (
    input wire [LANES*WIDTH-1:0] in_data, input wire in_split, input wire in_negative,
    output reg signed [WIDTH+$clog2(LANES)+SHIFT:0] sum
);
    integer i, low, high;
    always @* begin
        low = 0;
        high = 0;
        for (i = 0; i < LANES; i = i + 1)
            if (i < LANES / 2)
                low = low + in_data[i*WIDTH +: WIDTH];
            else
                high = high + in_data[i*WIDTH +: WIDTH];
        sum = !in_split ? low + high : in_negative ? low - (high << SHIFT) : low + (high << SHIFT);
    end
endmodule
"""
SPLIT_TREE_UNDER_TEST = """
module split_tree_under_test #(
    parameter LANES = 16, parameter WIDTH = 8, parameter SHIFT = 4
) (
    input wire [LANES*WIDTH-1:0] in_data, input wire in_split, input wire in_negative,
    output wire signed [WIDTH+$clog2(LANES)+SHIFT:0] sum
);
    split_tree #(.LANES(LANES), .WIDTH(WIDTH), .SHIFT(SHIFT)) u_tree (
        .in_data(in_data), .in_carry({LANES{1'b0}}), .in_split(in_split), .in_negative(in_negative), .sum(sum)
    );
endmodule
"""
