`default_nettype none
// axi_lite_port: an AXI4-Lite subordinate that turns its channels into plain reads and writes of 32-bit words.
//
// How it works. One write and one read at a time, the two independent of each other. Address and data of a write may come in either
// order; `write` is 1 for one clock when both are here and no response waits, and `write_known` says in that clock whether the address
// exists. A read shows its address from `read` until its data are taken, with `read_known`, READ_CLOCKS later; the next address is
// accepted behind its response. An address that does not exist is answered with SLVERR (2) and reads as 0.
//
// Latency: `write` and `read` at the earliest in the clock after what they need was accepted; write response a clock after `write`, read
// response READ_CLOCKS + 1 clocks after `read`.
//
// Example: AWADDR 8 in clock 0, WDATA 5 in clock 3: `write` with address 8 and data 5 in clock 4, BVALID from clock 5 on. ARADDR 8 in
// clock 0, READ_CLOCKS = 2: `read` in clock 1, data taken in clock 3, RVALID from clock 4 on.
module axi_lite_port #(
    parameter ADDRESS_BITS = 12,  // bits of a byte address
    parameter READ_CLOCKS = 2     // from `read` to its data, 1 to 3
) (
    input wire clk,
    input wire rst,
    // AXI4-Lite
    input wire [ADDRESS_BITS-1:0] s_axil_awaddr,
    input wire s_axil_awvalid,
    output wire s_axil_awready,
    input wire [31:0] s_axil_wdata,
    input wire [3:0] s_axil_wstrb,
    input wire s_axil_wvalid,
    output wire s_axil_wready,
    output wire [1:0] s_axil_bresp,
    output reg s_axil_bvalid,
    input wire s_axil_bready,
    input wire [ADDRESS_BITS-1:0] s_axil_araddr,
    input wire s_axil_arvalid,
    output wire s_axil_arready,
    output reg [31:0] s_axil_rdata,
    output wire [1:0] s_axil_rresp,
    output reg s_axil_rvalid,
    input wire s_axil_rready,
    // words
    output wire write,
    output reg [ADDRESS_BITS-1:0] write_address,
    output reg [31:0] write_data,
    output reg [3:0] write_bytes,
    input wire write_known,
    output wire read,
    output reg [ADDRESS_BITS-1:0] read_address,
    input wire [31:0] read_data,
    input wire read_known
);
    localparam [1:0] CLOCKS = READ_CLOCKS;

    generate
        if (READ_CLOCKS < 1 || READ_CLOCKS > 3) begin : gen_check_read_clocks
            READ_CLOCKS_must_be_1_to_3 u_error ();
        end
    endgenerate

    reg address_here_q;
    reg data_here_q;
    reg write_unknown_q;
    assign s_axil_awready = !address_here_q;
    assign s_axil_wready = !data_here_q;
    assign s_axil_bresp = {write_unknown_q, 1'b0};
    assign write = address_here_q && data_here_q && !s_axil_bvalid;

    always @(posedge clk) begin
        if (s_axil_awvalid && s_axil_awready) begin
            write_address <= s_axil_awaddr;
        end
        if (s_axil_wvalid && s_axil_wready) begin
            write_data <= s_axil_wdata;
            write_bytes <= s_axil_wstrb;
        end
        if (write) begin
            write_unknown_q <= !write_known;
        end
        if (rst) begin
            address_here_q <= 1'b0;
            data_here_q <= 1'b0;
            s_axil_bvalid <= 1'b0;
        end else begin
            address_here_q <= address_here_q ? !write : s_axil_awvalid;
            data_here_q <= data_here_q ? !write : s_axil_wvalid;
            s_axil_bvalid <= write || (s_axil_bvalid && !s_axil_bready);
        end
    end

    reg reading_q;
    reg [1:0] left_q;
    reg read_unknown_q;
    assign s_axil_arready = !reading_q && !s_axil_rvalid;
    assign s_axil_rresp = {read_unknown_q, 1'b0};
    assign read = reading_q && left_q == CLOCKS;

    always @(posedge clk) begin
        if (s_axil_arvalid && s_axil_arready) begin
            read_address <= s_axil_araddr;
        end
        if (reading_q && left_q == 2'd0) begin
            s_axil_rdata <= read_known ? read_data : 32'd0;
            read_unknown_q <= !read_known;
        end
        if (rst) begin
            reading_q <= 1'b0;
            s_axil_rvalid <= 1'b0;
        end else if (s_axil_arvalid && s_axil_arready) begin
            reading_q <= 1'b1;
            left_q <= CLOCKS;
        end else if (reading_q && left_q == 2'd0) begin
            reading_q <= 1'b0;
            s_axil_rvalid <= 1'b1;
        end else begin
            left_q <= left_q - 2'd1;
            if (s_axil_rready) begin
                s_axil_rvalid <= 1'b0;
            end
        end
    end
endmodule
`default_nettype wire
