// SPDX-License-Identifier: MIT OR Apache-2.0
// AxiLite keeps the rules of a slave in the AMBA AXI protocol specification (ARM IHI 0022, issue E) for any master and any
// bus behind it, and carries each transfer to that bus once and unchanged.
module axi_lite_proof (
  input clock,
  input reset,
  input [15:0] awaddr,
  input awvalid,
  input [31:0] wdata,
  input [3:0] wstrb,
  input wvalid,
  input bready,
  input [15:0] araddr,
  input arvalid,
  input rready,
  input [31:0] read_data,
  input ack,
  input error
);
  wire awready, wready, bvalid, arready, rvalid, write, read, idle;
  wire [1:0] bresp, rresp;
  wire [31:0] rdata, write_data;
  wire [15:0] address;

  axi_lite dut (
    .clock(clock), .reset(reset),
    .s_axil_awaddr(awaddr), .s_axil_awvalid(awvalid), .s_axil_awready(awready),
    .s_axil_wdata(wdata), .s_axil_wstrb(wstrb), .s_axil_wvalid(wvalid), .s_axil_wready(wready),
    .s_axil_bresp(bresp), .s_axil_bvalid(bvalid), .s_axil_bready(bready),
    .s_axil_araddr(araddr), .s_axil_arvalid(arvalid), .s_axil_arready(arready),
    .s_axil_rdata(rdata), .s_axil_rresp(rresp), .s_axil_rvalid(rvalid), .s_axil_rready(rready),
    .write(write), .read(read), .address(address), .write_data(write_data), .read_data(read_data),
    .ack(ack), .error(error), .idle(idle)
  );

  localparam OKAY = 2'b00;
  localparam SLVERR = 2'b10;

  reg started = 0;
  reg was_reset = 1;
  always @(posedge clock) begin
    started <= 1;
    was_reset <= reset;
  end
  always @* if (!started) assume (reset);
  // The bus answers what it is asked.
  always @* assume (!ack | write | read);
  wire running = started & !reset & !was_reset;

  wire aw = awvalid & awready;
  wire w = wvalid & wready;
  wire b = bvalid & bready;
  wire ar = arvalid & arready;
  wire r = rvalid & rready;

  // Requests that were accepted and whose answer was not.
  reg [2:0] aw_open, w_open, ar_open;
  always @(posedge clock) begin
    aw_open <= reset ? 0 : aw_open + aw - b;
    w_open <= reset ? 0 : w_open + w - b;
    ar_open <= reset ? 0 : ar_open + ar - r;
  end

  always @(posedge clock) begin
    // A3.1.2
    if (was_reset & started) no_answer_in_reset: assert (!bvalid & !rvalid);
    if (running) begin
      // A3.2.1: once VALID is asserted, it stays until the handshake, and what it goes with does not change.
      if ($past(bvalid & !bready)) begin
        bvalid_stays: assert (bvalid);
        bresp_is_stable: assert ($stable(bresp));
      end
      if ($past(rvalid & !rready)) begin
        rvalid_stays: assert (rvalid);
        rdata_and_rresp_are_stable: assert ($stable({rdata, rresp}));
      end
      // A3.3.1: an answer follows both address and data of its write, or the address of its read.
      no_write_answer_without_a_request: assert (!bvalid | aw_open != 0 & w_open != 0);
      no_read_answer_without_a_request: assert (!rvalid | ar_open != 0);
      // B1.1.1: no exclusive accesses. DECERR is for interconnects.
      answers_are_okay_or_slverr: assert (bresp == OKAY | bresp == SLVERR);
      read_answers_are_okay_or_slverr: assert (rresp == OKAY | rresp == SLVERR);
      two_of_each_are_open_at_most: assert (aw_open <= 2 & w_open <= 2 & ar_open <= 2);
      idle_says_so: assert (idle == !(awvalid | wvalid | arvalid | aw_open != 0 | w_open != 0 | ar_open != 0));
    end
  end

  // What was accepted and not yet carried out.
  reg [15:0] aw_address, ar_address;
  reg [31:0] w_data;
  reg [3:0] w_strobe;
  reg aw_waits, w_waits, ar_waits;
  reg b_waited_for, r_waited_for, written, was_read;
  wire new_b = bvalid & !b_waited_for;
  wire new_r = rvalid & !r_waited_for;
  wire refused = new_b & !written;

  always @(posedge clock) begin
    b_waited_for <= bvalid & !bready;
    r_waited_for <= rvalid & !rready;
    written <= write & ack & !reset;
    was_read <= read & ack & !reset;
    if (write & ack | refused) {aw_waits, w_waits} <= 0;
    if (read & ack) ar_waits <= 0;
    if (aw) begin
      aw_waits <= 1;
      aw_address <= awaddr;
    end
    if (w) begin
      w_waits <= 1;
      w_data <= wdata;
      w_strobe <= wstrb;
    end
    if (ar) begin
      ar_waits <= 1;
      ar_address <= araddr;
    end
    if (reset) {aw_waits, w_waits, ar_waits} <= 0;
  end

  always @(posedge clock) if (running) begin
    one_transfer_at_a_time: assert (!(write & read));
    a_write_is_one_that_was_asked_for:
      assert (!write | aw_waits & w_waits & address == aw_address & write_data == w_data & w_strobe == 4'hf);
    a_read_is_one_that_was_asked_for: assert (!read | ar_waits & address == ar_address);
    if ($past((write | read) & !ack)) begin
      a_transfer_waits_for_ack: assert ($stable({write, read, address}) & (!write | $stable(write_data)));
    end
    if ($past(ack)) transfers_have_a_clock_between: assert (!write & !read);
    if (written) a_write_gets_its_answer: assert (new_b & bresp == ($past(error) ? SLVERR : OKAY));
    if (refused) a_partial_write_is_refused: assert ($past(aw_waits & w_waits & w_strobe != 4'hf) & bresp == SLVERR);
    if (was_read)
      a_read_gets_its_answer: assert (new_r & rdata == $past(read_data) & rresp == ($past(error) ? SLVERR : OKAY));
    a_read_answer_comes_from_the_bus: assert (!new_r | was_read);
  end

  // Everything is answered, in turn: with a bus that takes 3 clocks and a master that accepts an answer in 3, within 12. (No
  // assumption: the rest holds for slow ones too.)
  reg [1:0] bus_waited, b_waited, r_waited;
  reg [3:0] write_waited, read_waited;
  reg slow;
  always @(posedge clock) begin
    bus_waited <= (write | read) & !ack ? bus_waited + 1'b1 : 0;
    b_waited <= bvalid & !bready ? b_waited + 1'b1 : 0;
    r_waited <= rvalid & !rready ? r_waited + 1'b1 : 0;
    slow <= slow | bus_waited == 3 | b_waited == 3 | r_waited == 3;
    write_waited <= aw_waits & w_waits & !refused ? write_waited + 1'b1 : 0;
    read_waited <= ar_waits ? read_waited + 1'b1 : 0;
    if (write & ack) write_waited <= 0;
    if (read & ack) read_waited <= 0;
    if (reset) {bus_waited, b_waited, r_waited, slow, write_waited, read_waited} <= 0;
  end
  wire timely = !(slow | bus_waited == 3 | b_waited == 3 | r_waited == 3);
  always @(posedge clock) if (running & timely) begin
    writes_are_carried_out: assert (write_waited <= 12);
    reads_are_carried_out: assert (read_waited <= 12);
  end
endmodule
