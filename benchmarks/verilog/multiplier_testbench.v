`default_nettype none
// multiplier_testbench: multiplier_element against `*`: all pairs of codes in one lane, then random words in all lanes.
module multiplier_testbench;
    parameter LANES     = 4;
    parameter CODE_BITS = 8;
    parameter FORM      = 0;

    reg                              clk = 1'b0;
    reg        [LANES*CODE_BITS-1:0] x;
    reg        [LANES*CODE_BITS-1:0] w;
    reg                              first;
    wire signed [23:0]               acc;
    reg signed [23:0]                expected;
    reg signed [CODE_BITS:0]         signed_x;
    reg signed [CODE_BITS-1:0]       signed_w;
    integer                          word;
    integer                          lane;
    integer                          wrong;

    multiplier_element #(
        .LANES     (LANES),
        .CODE_BITS (CODE_BITS),
        .FORM      (FORM)
    ) u_element (
        .clk      (clk),
        .rst      (1'b0),
        .in_first (first),
        .in_x     (x),
        .in_w     (w),
        .acc      (acc)
    );

    initial begin
        wrong = 0;
        expected = 0;
        for (word = 0; word < (1 << (2 * CODE_BITS)) + 2000; word = word + 1) begin
            if (word < (1 << (2 * CODE_BITS))) begin
                x = word;
                w = word >> CODE_BITS;
                x = x & ((1 << CODE_BITS) - 1);
            end else begin
                for (lane = 0; lane < LANES; lane = lane + 1) begin
                    x[lane*CODE_BITS +: CODE_BITS] = $random;
                    w[lane*CODE_BITS +: CODE_BITS] = $random;
                end
            end
            first = (word % 8) == 0;
            if (first)
                expected = 0;
            for (lane = 0; lane < LANES; lane = lane + 1) begin
                signed_x = {1'b0, x[lane*CODE_BITS +: CODE_BITS]};
                signed_w = w[lane*CODE_BITS +: CODE_BITS];
                expected = expected + signed_x * signed_w;
            end
            #1 clk = 1'b1;
            #1 clk = 1'b0;
            if (acc !== expected)
                wrong = wrong + 1;
        end
        if (wrong == 0)
            $display("PASS");
        else
            $display("FAIL %0d", wrong);
    end
endmodule
`default_nettype wire
