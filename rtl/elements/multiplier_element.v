`default_nettype none
// multiplier_element: the baseline: LANES products of an unsigned activation and a signed weight, summed, accumulated.
//
// FORM chooses how, and the study takes the smallest:
//
//   0  a `*` per lane, a binary tree of adders           (what Yosys' `booth` pass makes of the `*`)
//   1  a `*` per lane, one sum of all products           (left to Yosys' macc compressor)
//   2  radix-4 Booth rows of all lanes in one sum        (no product is ever completed)
//   3  radix-4 Booth rows added up in each lane, a tree  (on an FPGA a row is one LUT6 a bit on a carry chain)
//   4  rows of AND gates in pairs in each lane, a tree   (Baugh-Wooley; an FPGA adds two rows with one LUT a bit)
//
// Booth: digit r of w is -2 w[2r+1] + w[2r] + w[2r-1] in -2..2. Its row is (0, x or 2x), inverted for a negative digit,
// plus one; as a number of n + 1 bits read without sign that is too much by 2^(n+1) where it was inverted, so the row
// goes in as {not neg, row} and the constant -2^(n+1) for every row is added once.
// CODE_BITS must be even. The sum has one clock, as in adder_element.
module multiplier_element #(
    parameter LANES     = 16, // taps per clock
    parameter CODE_BITS = 8,  // width of a code, even
    parameter ACC_BITS  = 24, // width of the accumulator
    parameter FORM      = 0   // see above
) (
    input  wire                              clk,
    input  wire                              rst,
    input  wire                              in_first, // start from 0
    input  wire        [LANES*CODE_BITS-1:0] in_x,     // unsigned
    input  wire        [LANES*CODE_BITS-1:0] in_w,     // two's complement
    output reg  signed [ACC_BITS-1:0]        acc
);
    localparam PRODUCT_BITS = 2 * CODE_BITS;
    localparam SUM_BITS     = PRODUCT_BITS + $clog2(LANES);
    localparam ROWS         = CODE_BITS / 2;

    wire signed [SUM_BITS-1:0] sum;

    genvar n, r;
    generate
        if (FORM == 1) begin : gen_sum_of_products
            reg signed [SUM_BITS-1:0]  total;
            reg signed [CODE_BITS:0]   x;
            reg signed [CODE_BITS-1:0] w;
            integer i;
            always @* begin
                total = {SUM_BITS{1'b0}};
                for (i = 0; i < LANES; i = i + 1) begin
                    x = {1'b0, in_x[i*CODE_BITS +: CODE_BITS]};
                    w = in_w[i*CODE_BITS +: CODE_BITS];
                    total = total + x * w;
                end
            end
            assign sum = total;
        end else if (FORM == 2) begin : gen_sum_of_rows
            reg [SUM_BITS-1:0]  total;
            reg [SUM_BITS-1:0]  offset;
            reg [CODE_BITS:0]   x;
            reg [CODE_BITS:0]   w;
            reg [CODE_BITS:0]   row;
            reg                 negative, one, two;
            integer i, k;
            always @* begin
                total = {SUM_BITS{1'b0}};
                offset = {SUM_BITS{1'b0}};
                for (i = 0; i < LANES; i = i + 1) begin
                    x = {1'b0, in_x[i*CODE_BITS +: CODE_BITS]};
                    w = {in_w[i*CODE_BITS +: CODE_BITS], 1'b0};
                    for (k = 0; k < ROWS; k = k + 1) begin
                        negative = w[2*k+2];
                        one = w[2*k+1] ^ w[2*k];
                        two = (w[2*k+2] ^ w[2*k+1]) & ~one;
                        row = (({(CODE_BITS+1){one}} & x) | ({(CODE_BITS+1){two}} & {x[CODE_BITS-1:0], 1'b0}))
                            ^ {(CODE_BITS+1){negative}};
                        total = total + ({{(SUM_BITS-CODE_BITS-2){1'b0}}, ~negative, row} << (2*k));
                        total = total + ({{(SUM_BITS-1){1'b0}}, negative} << (2*k));
                        offset = offset - ({{(SUM_BITS-1){1'b0}}, 1'b1} << (2*k+CODE_BITS+1));
                    end
                end
                total = total + offset;
            end
            assign sum = total;
        end else begin : gen_tree
            // Nodes as in adder_tree, signed.
            for (n = 2 * LANES - 1; n >= 1; n = n - 1) begin : gen_node
                localparam BITS = SUM_BITS - $clog2(n + 1) + 1;
                wire signed [BITS-1:0] total;
                if (n < LANES) begin : gen_adder
                    assign total = gen_node[2*n].total + gen_node[2*n+1].total;
                end else begin : gen_leaf
                    wire [CODE_BITS-1:0]           x;
                    wire [CODE_BITS-1:0]           w;
                    wire signed [PRODUCT_BITS-1:0] product;
                    assign x = in_x[(n-LANES)*CODE_BITS +: CODE_BITS];
                    assign w = in_w[(n-LANES)*CODE_BITS +: CODE_BITS];
                    assign total = product;
                    if (FORM == 3) begin : gen_booth
                        wire [CODE_BITS:0] digits;
                        assign digits = {w, 1'b0};
                        for (r = 0; r < ROWS; r = r + 1) begin : gen_row
                            // The part of the product from bit 2r up, the constants of all rows in the first.
                            wire [PRODUCT_BITS-1-2*r:0] held;
                            wire [PRODUCT_BITS-1-2*r:0] raised;
                            wire [CODE_BITS:0]          row;
                            wire                        negative, one, two;
                            assign negative = digits[2*r+2];
                            assign one = digits[2*r+1] ^ digits[2*r];
                            assign two = (negative ^ digits[2*r+1]) & ~one;
                            assign row = (({(CODE_BITS+1){one}} & {1'b0, x}) | ({(CODE_BITS+1){two}} & {x, 1'b0}))
                                ^ {(CODE_BITS+1){negative}};
                            if (r == 0) begin : gen_first
                                // -2^(n+1) for each of the rows, 4^r apart: one constant.
                                assign held = -((((1 << CODE_BITS) - 1) / 3) << (CODE_BITS + 1));
                            end else begin : gen_next
                                assign held = gen_row[r-1].raised[PRODUCT_BITS+1-2*r:2];
                                assign product[2*r-1:2*r-2] = gen_row[r-1].raised[1:0];
                            end
                            // The row is narrower than the sum by nothing in the last row, which no replication can say.
                            // verilator lint_off WIDTHEXPAND
                            assign raised = held + {~negative, row} + {{(PRODUCT_BITS-1-2*r){1'b0}}, negative};
                            // verilator lint_on WIDTHEXPAND
                        end
                        assign product[PRODUCT_BITS-1:CODE_BITS-2] = gen_row[ROWS-1].raised;
                    end else if (FORM == 4) begin : gen_and
                        // x * w = sum x w[i] 2^i, the top bit of w negative: -x w = ~(x w) + 1 - 2^n at that place.
                        for (r = 0; r < ROWS; r = r + 1) begin : gen_pair
                            wire [CODE_BITS-1:0]    low;
                            wire [CODE_BITS-1:0]    high;
                            wire [CODE_BITS+1:0]    pair;
                            wire [PRODUCT_BITS-1:0] raised;
                            assign low = x & {CODE_BITS{w[2*r]}};
                            assign high = (r == ROWS - 1) ? ~(x & {CODE_BITS{w[2*r+1]}}) : x & {CODE_BITS{w[2*r+1]}};
                            assign pair = {2'b0, low} + {1'b0, high, 1'b0};
                            if (r == 0) begin : gen_first
                                assign raised = {{(PRODUCT_BITS-CODE_BITS-2){1'b0}}, pair}
                                    + (1 << (CODE_BITS - 1)) - (1 << (PRODUCT_BITS - 1));
                            end else begin : gen_next
                                assign raised = gen_pair[r-1].raised
                                    + ({{(PRODUCT_BITS-CODE_BITS-2){1'b0}}, pair} << (2 * r));
                            end
                        end
                        assign product = gen_pair[ROWS-1].raised;
                    end else begin : gen_product
                        wire signed [CODE_BITS:0]   signed_x;
                        wire signed [CODE_BITS-1:0] signed_w;
                        assign signed_x = {1'b0, x};
                        assign signed_w = w;
                        assign product = signed_x * signed_w;
                    end
                end
            end
            assign sum = gen_node[1].total;
        end
    endgenerate

    always @(posedge clk) begin
        if (rst)
            acc <= {ACC_BITS{1'b0}};
        else
            acc <= (in_first ? {ACC_BITS{1'b0}} : acc) + {{(ACC_BITS-SUM_BITS){sum[SUM_BITS-1]}}, sum};
    end
endmodule
`default_nettype wire
