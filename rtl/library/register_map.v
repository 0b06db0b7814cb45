`default_nettype none
// register_map: the accelerator's registers behind their AXI4-Lite port.
//
// How it works. Registers are words of 32 bits, written byte by byte; their offsets below are those of rtl/driver.py, which describes
// each. Writing one that can only be read is an access to an address that does not exist. An error is noted when it appears; error and
// event bits stay until a 1 is written to them, and one that is set and cleared in the same clock is set. `irq` is 1 while an enabled
// event stands. A load is not started while another is under way. The counters of all layers fill the upper half of the address space,
// 64 bits each, eight a layer; counter_data are those of counter_row a clock after counter_read, and may be anything else otherwise.
//
// Latency: as axi_lite_port; a command is shown in the clock of its write and a register follows a clock later; a read shows what stands
// two clocks after its address was accepted, which is the clock after counter_read.
//
// Example: a write of 2 to CONTROL resets the accelerator for one clock and stops it, since run is bit 0.
module register_map #(
    parameter ADDRESS_BITS = 20,     // bits of a byte address, > 9
    parameter INDEX_BITS = 4,        // bits of a layer's number, at most ADDRESS_BITS - 7
    parameter COUNTER_BITS = 48,     // bits of a counter, 33 to 64
    parameter RUN_AT_RESET = 1,      // 1: run is set after rst
    parameter [31:0] SIGNATURE = 0,  // see descriptor_check
    parameter PARAMETERS = 2,        // parameters that can be read back, 1 to 64
    parameter [PARAMETERS*32-1:0] PARAMETER_VALUES = 0  // the first lowest
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
    output wire s_axil_bvalid,
    input wire s_axil_bready,
    input wire [ADDRESS_BITS-1:0] s_axil_araddr,
    input wire s_axil_arvalid,
    output wire s_axil_arready,
    output wire [31:0] s_axil_rdata,
    output wire [1:0] s_axil_rresp,
    output wire s_axil_rvalid,
    input wire s_axil_rready,
    output wire irq,
    // commands
    output reg run,
    output wire reset,
    output wire load_start,
    output wire [1:0] load_memory,
    output reg [31:0] load_address,
    // status
    input wire busy,
    input wire image_waiting,
    input wire image_done,
    input wire loading,
    input wire [31:0] loaded_words,
    input wire load_error,
    input wire tlast_error,
    input wire halted,
    input wire [INDEX_BITS-1:0] layer,
    // counters
    output wire counter_read,
    output wire [INDEX_BITS-1:0] counter_row,
    input wire [8*COUNTER_BITS-1:0] counter_data
);
    localparam [31:0] ID_VALUE = 32'h48574144;  // "HWAD"
    localparam [31:0] VERSION_VALUE = 32'h00010000;

    localparam OFFSET_BITS = ADDRESS_BITS - 1;
    localparam [OFFSET_BITS-1:0] ID = 'h00;
    localparam [OFFSET_BITS-1:0] VERSION = 'h04;
    localparam [OFFSET_BITS-1:0] SIGNATURE_OFFSET = 'h08;
    localparam [OFFSET_BITS-1:0] CONTROL = 'h0c;
    localparam [OFFSET_BITS-1:0] STATUS = 'h10;
    localparam [OFFSET_BITS-1:0] ERRORS = 'h14;
    localparam [OFFSET_BITS-1:0] EVENTS = 'h18;
    localparam [OFFSET_BITS-1:0] INTERRUPT_ENABLE = 'h1c;
    localparam [OFFSET_BITS-1:0] IMAGES = 'h20;
    localparam [OFFSET_BITS-1:0] LAYER = 'h24;
    localparam [OFFSET_BITS-1:0] LOAD = 'h28;
    localparam [OFFSET_BITS-1:0] LOAD_ADDRESS = 'h2c;
    localparam [OFFSET_BITS-1:0] LOADED_WORDS = 'h30;
    localparam [OFFSET_BITS-1:0] PARAMETER_COUNT = 'h34;

    generate
        if (PARAMETERS < 1 || PARAMETERS > 64) begin : gen_check_parameters
            PARAMETERS_must_be_1_to_64 u_error ();
        end
        if (COUNTER_BITS < 33 || COUNTER_BITS > 64) begin : gen_check_counter_bits
            COUNTER_BITS_must_be_33_to_64 u_error ();
        end
        if (ADDRESS_BITS < 10 || INDEX_BITS > ADDRESS_BITS - 7) begin : gen_check_address_bits
            ADDRESS_BITS_must_be_at_least_10_and_hold_all_layers u_error ();
        end
    endgenerate

    // Words only: the lowest two bits of an address choose nothing.
    /* verilator lint_off UNUSEDSIGNAL */
    wire [ADDRESS_BITS-1:0] write_address;
    wire [ADDRESS_BITS-1:0] read_address;
    /* verilator lint_on UNUSEDSIGNAL */
    wire write;
    wire [31:0] write_data;
    wire [3:0] write_bytes;
    wire write_known;
    wire read;
    reg [31:0] read_data_q;
    reg read_known_q;

    axi_lite_port #(
        .ADDRESS_BITS (ADDRESS_BITS),
        .READ_CLOCKS  (2)
    ) u_port (
        .clk            (clk),
        .rst            (rst),
        .s_axil_awaddr  (s_axil_awaddr),
        .s_axil_awvalid (s_axil_awvalid),
        .s_axil_awready (s_axil_awready),
        .s_axil_wdata   (s_axil_wdata),
        .s_axil_wstrb   (s_axil_wstrb),
        .s_axil_wvalid  (s_axil_wvalid),
        .s_axil_wready  (s_axil_wready),
        .s_axil_bresp   (s_axil_bresp),
        .s_axil_bvalid  (s_axil_bvalid),
        .s_axil_bready  (s_axil_bready),
        .s_axil_araddr  (s_axil_araddr),
        .s_axil_arvalid (s_axil_arvalid),
        .s_axil_arready (s_axil_arready),
        .s_axil_rdata   (s_axil_rdata),
        .s_axil_rresp   (s_axil_rresp),
        .s_axil_rvalid  (s_axil_rvalid),
        .s_axil_rready  (s_axil_rready),
        .write          (write),
        .write_address  (write_address),
        .write_data     (write_data),
        .write_bytes    (write_bytes),
        .write_known    (write_known),
        .read           (read),
        .read_address   (read_address),
        .read_data      (read_data_q),
        .read_known     (read_known_q)
    );

    // ---- writes ----------------------------------------------------------------------------------------------------------
    wire [OFFSET_BITS-1:0] write_offset;
    wire write_register;
    wire set_control;
    wire set_errors;
    wire set_events;
    wire set_enable;
    wire set_load;
    wire set_load_address;
    assign write_offset = {write_address[OFFSET_BITS-1:2], 2'b00};
    assign write_register = write && !write_address[ADDRESS_BITS-1];
    assign set_control = write_register && write_offset == CONTROL;
    assign set_errors = write_register && write_offset == ERRORS;
    assign set_events = write_register && write_offset == EVENTS;
    assign set_enable = write_register && write_offset == INTERRUPT_ENABLE;
    assign set_load = write_register && write_offset == LOAD;
    assign set_load_address = write_register && write_offset == LOAD_ADDRESS;
    assign write_known = set_control || set_errors || set_events || set_enable || set_load || set_load_address;

    // Bytes that are not written keep their value, or mean 0 in commands and in bits that a 1 clears.
    wire [31:0] byte_mask;
    wire [31:0] written;
    assign byte_mask = {{8{write_bytes[3]}}, {8{write_bytes[2]}}, {8{write_bytes[1]}}, {8{write_bytes[0]}}};
    assign written = write_data & byte_mask;

    assign reset = set_control && written[1];
    assign load_memory = written[1:0];
    assign load_start = set_load && load_memory != 2'd0 && !loading;

    // An error is noted when it appears, so that it can be cleared while its cause still stands.
    reg tlast_error_q;
    reg halted_q;
    reg load_error_q;
    reg loading_q;
    reg [2:0] errors_q;
    reg [2:0] events_q;
    reg [2:0] enable_q;
    reg [31:0] images_q;
    wire [2:0] new_errors;
    wire [2:0] new_events;
    assign new_errors = {load_error && !load_error_q, halted && !halted_q, tlast_error && !tlast_error_q};
    assign new_events = {|new_errors, loading_q && !loading, image_done};
    assign irq = |(events_q & enable_q);

    always @(posedge clk) begin
        if (rst) begin
            run <= RUN_AT_RESET != 0;
            load_address <= 32'd0;
            tlast_error_q <= 1'b0;
            halted_q <= 1'b0;
            load_error_q <= 1'b0;
            loading_q <= 1'b0;
            errors_q <= 3'd0;
            events_q <= 3'd0;
            enable_q <= 3'd0;
            images_q <= 32'd0;
        end else begin
            if (set_control && write_bytes[0]) begin
                run <= written[0];
            end
            if (set_load_address) begin
                load_address <= (load_address & ~byte_mask) | written;
            end
            if (set_enable && write_bytes[0]) begin
                enable_q <= written[2:0];
            end
            tlast_error_q <= tlast_error;
            halted_q <= halted;
            load_error_q <= load_error;
            loading_q <= loading && !reset;  // a packet that a reset ends is not loaded
            errors_q <= new_errors | (errors_q & ~(set_errors ? written[2:0] : 3'd0));
            events_q <= new_events | (events_q & ~(set_events ? written[2:0] : 3'd0));
            if (reset) begin
                images_q <= 32'd0;
            end else if (image_done) begin
                images_q <= images_q + 32'd1;
            end
        end
    end

    // ---- reads -----------------------------------------------------------------------------------------------------------
    wire [OFFSET_BITS-1:0] read_offset;
    wire read_counters;
    assign read_offset = {read_address[OFFSET_BITS-1:2], 2'b00};
    assign read_counters = read_address[ADDRESS_BITS-1];
    assign counter_read = read && read_counters;
    assign counter_row = read_address[6+INDEX_BITS-1:6];

    // Parameters begin at 'h100. The one that is asked for is lowest; none where there is none.
    /* verilator lint_off UNUSEDSIGNAL */
    wire [PARAMETERS*32-1:0] parameter_values;
    /* verilator lint_on UNUSEDSIGNAL */
    assign parameter_values = PARAMETER_VALUES >> {read_address[7:2], 5'd0};

    reg [31:0] register_value;
    reg register_known;
    always @* begin
        register_known = 1'b1;
        case (read_offset)
            ID: register_value = ID_VALUE;
            VERSION: register_value = VERSION_VALUE;
            SIGNATURE_OFFSET: register_value = SIGNATURE;
            CONTROL: register_value = {31'd0, run};
            STATUS: register_value = {28'd0, halted, loading, image_waiting, busy};
            ERRORS: register_value = {29'd0, errors_q};
            EVENTS: register_value = {29'd0, events_q};
            INTERRUPT_ENABLE: register_value = {29'd0, enable_q};
            IMAGES: register_value = images_q;
            LAYER: register_value = {{(32-INDEX_BITS){1'b0}}, layer};
            LOAD: register_value = 32'd0;
            LOAD_ADDRESS: register_value = load_address;
            LOADED_WORDS: register_value = loaded_words;
            PARAMETER_COUNT: register_value = PARAMETERS;
            default: begin
                register_value = parameter_values[31:0];
                register_known = read_offset[OFFSET_BITS-1:8] == 1 && {26'd0, read_offset[7:2]} < PARAMETERS;
            end
        endcase
    end

    // The counters' memory answers a clock after `read`; then one of its 16 words is taken.
    wire [8*64-1:0] counters;
    /* verilator lint_off UNUSEDSIGNAL */
    wire [8*64-1:0] from_counter;
    /* verilator lint_on UNUSEDSIGNAL */
    wire row_known;
    genvar k;
    generate
        for (k = 0; k < 8; k = k + 1) begin : gen_counter
            assign counters[k*64+COUNTER_BITS-1:k*64] = counter_data[(k+1)*COUNTER_BITS-1:k*COUNTER_BITS];
            if (COUNTER_BITS < 64) begin : gen_zero
                assign counters[k*64+63:k*64+COUNTER_BITS] = {(64-COUNTER_BITS){1'b0}};
            end
        end
    endgenerate
    assign from_counter = counters >> {read_address[5:2], 5'd0};
    generate
        if (INDEX_BITS + 7 < ADDRESS_BITS) begin : gen_rows_end
            assign row_known = read_address[ADDRESS_BITS-2:6+INDEX_BITS] == 0;
        end else begin : gen_all_rows
            assign row_known = 1'b1;
        end
    endgenerate

    always @(posedge clk) begin
        if (read_counters) begin
            read_data_q <= from_counter[31:0];
            read_known_q <= row_known;
        end else begin
            read_data_q <= register_value;
            read_known_q <= register_known;
        end
    end
endmodule
`default_nettype wire
