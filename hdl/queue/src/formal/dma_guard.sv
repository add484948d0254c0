// SPDX-License-Identifier: MIT OR Apache-2.0
// DmaGuard: every read and write of the master reaches memory once, unchanged, and is answered once, by memory or, when it is
// older than the limit, as given up; nothing else that memory answers gets to the master, and no slot is used anew before its answer.
// Four identifiers, two slots.
module dma_guard_proof (
  input clock,
  input reset,
  input tick,
  input [1:0] inp_arid,
  input [63:0] inp_araddr,
  input [7:0] inp_arlen,
  input [7:0] inp_aruser,
  input inp_arvalid,
  input inp_rready,
  input [63:0] inp_awaddr,
  input [7:0] inp_awlen,
  input [7:0] inp_awuser,
  input inp_awvalid,
  input [511:0] inp_wdata,
  input [63:0] inp_wstrb,
  input inp_wlast,
  input inp_wvalid,
  input inp_bready,
  input axi_arready,
  input axi_rid,
  input [511:0] axi_rdata,
  input [1:0] axi_rresp,
  input axi_rlast,
  input axi_rvalid,
  input axi_awready,
  input axi_wready,
  input [1:0] axi_bresp,
  input axi_bvalid
);
  localparam GIVEN_UP = 2'd3;
  (* anyconst *) wire [15:0] limit;
  reg [15:0] now;
  wire inp_arready, inp_rlast, inp_rvalid, inp_awready, inp_wready, inp_bvalid;
  wire [1:0] inp_rid, inp_rresp, inp_bresp;
  wire [511:0] inp_rdata, axi_wdata;
  wire axi_arid, axi_arvalid, axi_rready, axi_awvalid, axi_wlast, axi_wvalid, axi_bready;
  wire [63:0] axi_araddr, axi_awaddr, axi_wstrb;
  wire [7:0] axi_arlen, axi_aruser, axi_awlen, axi_awuser;
  wire waits, idle;

  dma_guard dut (.*);

  reg started = 0;
  always @(posedge clock) begin
    started <= 1;
    now <= now + tick;
  end
  always @* if (!started) assume (reset);

  // A read of identifier `me`: it is under way, in this slot, since `since`; it has been too old.
  (* anyconst *) wire [1:0] me;
  reg mine;
  reg my_slot;
  reg [15:0] since;
  reg was_old;
  wire asks = inp_arvalid & inp_arready;
  wire asks_mine = asks & inp_arid == me;
  wire to_me = inp_rvalid & inp_rid == me;
  wire ends_mine = to_me & inp_rready & inp_rlast;
  wire [15:0] age = now - since;
  // Memory owes an answer of a slot.
  reg [1:0] owed;
  wire [1:0] fills = axi_arvalid & axi_arready ? 2'd1 << axi_arid : 0;
  wire [1:0] answers = axi_rvalid & axi_rready & axi_rlast ? 2'd1 << axi_rid : 0;
  reg waited_r, waited_inp_r;
  reg [5:0] offered_r;
  reg [4:0] offered_inp_r;
  always @(posedge clock) begin
    mine <= (mine | asks_mine) & !ends_mine;
    if (asks_mine) begin
      my_slot <= axi_arid;
      since <= now;
    end
    was_old <= asks_mine ? 0 : was_old | limit != 0 & age > limit;
    owed <= (owed | fills) & ~answers;
    waited_r <= axi_rvalid & !axi_rready;
    offered_r <= {axi_rid, axi_rresp, axi_rlast, axi_rdata[1:0]};
    waited_inp_r <= inp_rvalid & !inp_rready;
    offered_inp_r <= {inp_rid, inp_rresp, inp_rlast};
    if (reset) begin
      mine <= 0;
      owed <= 0;
      waited_r <= 0;
      waited_inp_r <= 0;
    end
  end
  // Each identifier is in flight once. Memory answers what it was asked for, and holds what it offers.
  always @* assume (!(mine & inp_arvalid & inp_arid == me));
  always @* assume (!axi_rvalid | owed[axi_rid]);
  always @* assume (!waited_r | axi_rvalid & offered_r == {axi_rid, axi_rresp, axi_rlast, axi_rdata[1:0]});

  // Writes: those that memory owes an answer, and those that the master waits for; since when the oldest of them is, and whether it has been too old.
  reg [8:0] at_memory, at_master;
  reg [15:0] oldest_since;
  reg oldest_was_old;
  wire [15:0] oldest_age = now - oldest_since;
  reg waited_b, waited_inp_b;
  reg [1:0] offered_b, offered_inp_b;
  wire writes = inp_awvalid & inp_awready;
  wire settles = axi_bvalid & axi_bready;
  wire told = inp_bvalid & inp_bready;
  always @(posedge clock) begin
    at_memory <= at_memory + writes - settles;
    at_master <= at_master + writes - told;
    if (told | at_master == 0) oldest_since <= now;
    oldest_was_old <= !told & at_master != 0 & (oldest_was_old | limit != 0 & oldest_age > limit);
    waited_b <= axi_bvalid & !axi_bready;
    waited_inp_b <= inp_bvalid & !inp_bready;
    offered_b <= axi_bresp;
    offered_inp_b <= inp_bresp;
    if (reset) begin
      at_memory <= 0;
      at_master <= 0;
      waited_b <= 0;
      waited_inp_b <= 0;
    end
  end
  always @* assume (!axi_bvalid | at_memory != 0);
  always @* assume (!waited_b | axi_bvalid & axi_bresp == offered_b);

  always @(posedge clock) if (started & !reset) begin
    a_read_is_passed_on: assert (asks == (axi_arvalid & axi_arready));
    a_read_is_not_changed:
      assert (!asks | {axi_araddr, axi_arlen, axi_aruser} == {inp_araddr, inp_arlen, inp_aruser});
    a_slot_is_used_once: assert ((fills & owed) == 0);
    an_answer_is_awaited: assert (!to_me | mine);
    an_answer_is_that_of_the_read: assert (!(to_me & inp_rresp != GIVEN_UP) | axi_rvalid & axi_rid == my_slot);
    an_answer_is_not_changed:
      assert (!(to_me & inp_rresp != GIVEN_UP) | inp_rdata == axi_rdata & inp_rlast == axi_rlast & inp_rresp[1] == axi_rresp[1]);
    an_answer_is_handed_on: assert (!(mine & axi_rvalid & axi_rready & axi_rid == my_slot) | to_me & inp_rready);
    what_is_given_up_ends: assert (!(to_me & inp_rresp == GIVEN_UP) | inp_rlast);
    what_is_given_up_was_too_old: assert (!(to_me & inp_rresp == GIVEN_UP) | was_old);
    what_is_offered_stays: assert (!waited_inp_r | inp_rvalid & offered_inp_r == {inp_rid, inp_rresp, inp_rlast});
    a_write_is_passed_on: assert (writes == (axi_awvalid & axi_awready));
    a_write_is_not_changed:
      assert (!writes | {axi_awaddr, axi_awlen, axi_awuser} == {inp_awaddr, inp_awlen, inp_awuser});
    writes_are_answered_once: assert (!inp_bvalid | at_master != 0);
    writes_under_way_are_counted: assert (at_memory <= 511 & at_master <= 256);
    an_answer_to_a_write_is_memorys:
      assert (!(inp_bvalid & inp_bresp != GIVEN_UP) | axi_bvalid & at_memory == at_master & inp_bresp[1] == axi_bresp[1]);
    a_write_that_is_given_up_was_too_old: assert (!(inp_bvalid & inp_bresp == GIVEN_UP) | oldest_was_old);
    an_answer_to_a_write_stays: assert (!waited_inp_b | inp_bvalid & offered_inp_b == inp_bresp);
  end

`ifndef PROMISES_ONLY
  // What the proof leans on: which slots are owed an answer and to whom, the slot for the next read, and how writes are counted.
  (* hierconn *) wire [5:0] \dut.taken.memory.words ;
  (* hierconn *) wire [5:0] \dut.taken_looked.memory.words ;
  (* hierconn *) wire [1:0] \dut.taken_ahead.memory.words ;
  (* hierconn *) wire [1:0] \dut.answered_looked.memory.words ;
  (* hierconn *) wire [1:0] \dut.answered_ahead.memory.words ;
  (* hierconn *) wire [1:0] \dut.given_up.memory.words ;
  (* hierconn *) wire [1:0] \dut.given_up_looked.memory.words ;
  (* hierconn *) wire [31:0] \dut.stamps.memory.words ;
  (* hierconn *) wire \dut.ready ;
  (* hierconn *) wire \dut.slot ;
  (* hierconn *) wire \dut.turn ;
  (* hierconn *) wire \dut.slot_free ;
  (* hierconn *) wire \dut.ahead ;
  (* hierconn *) wire [1:0] \dut.reads ;
  (* hierconn *) wire \dut.looking ;
  (* hierconn *) wire \dut.looked ;
  (* hierconn *) wire \dut.gives_up ;
  (* hierconn *) wire [8:0] \dut.writes ;
  (* hierconn *) wire [8:0] \dut.late ;
  (* hierconn *) wire [15:0] \dut.writes_since ;
  (* hierconn *) wire \dut.expired ;
  wire [1:0] turns = {\dut.taken.memory.words [5], \dut.taken.memory.words [2]};
  wire [1:0] late_slots = \dut.given_up.memory.words ;
  wire [1:0] is_mine = {\dut.taken.memory.words [4:3] == me, \dut.taken.memory.words [1:0] == me};
  // Slots that were freed after reset.
  wire [1:0] freed = {\dut.ready , \dut.ready | \dut.slot };
  integer n;
  always @(posedge clock) if (started & !reset) begin
    for (n = 0; n < 2; n = n + 1) if (freed[n]) begin
      assert (\dut.taken.memory.words [3*n +: 3] == \dut.taken_looked.memory.words [3*n +: 3]);
      assert (turns[n] == \dut.taken_ahead.memory.words [n]);
      assert (\dut.answered_looked.memory.words [n] == \dut.answered_ahead.memory.words [n]);
      assert (late_slots[n] == \dut.given_up_looked.memory.words [n]);
      assert (owed[n] == (turns[n] ^ \dut.answered_looked.memory.words [n]));
      assert (!late_slots[n] | owed[n]);
      assert (!(owed[n] & !late_slots[n] & is_mine[n]) | mine & my_slot == n);
    end
    if (!\dut.ready ) begin
      assert (owed == 0 & !mine & \dut.reads == 0 & !\dut.looking & !\dut.gives_up & !\dut.slot_free );
      assert (!freed[0] | !turns[0]);
      assert (\dut.slot != \dut.ahead | !\dut.slot );
    end else begin
      assert (\dut.ahead != \dut.slot & \dut.turn == !turns[\dut.slot ]);
    end
    assert (!mine | owed[my_slot] & !late_slots[my_slot] & is_mine[my_slot] & \dut.stamps.memory.words [16*my_slot +: 16] == since);
    assert (!\dut.slot_free | !owed[\dut.slot ]);
    assert (!\dut.gives_up | owed[\dut.looked ] & !late_slots[\dut.looked ] & (!is_mine[\dut.looked ] | was_old));
    assert (at_master == \dut.writes & at_memory == \dut.writes + \dut.late );
    assert ({1'b0, \dut.writes } + {1'b0, \dut.late } <= 511);
    assert (\dut.writes == 0 | \dut.writes_since == oldest_since);
    assert (!\dut.expired | \dut.writes != 0 & oldest_was_old);
  end
`endif
endmodule

// The emitted memories with both of their words in view.
module two_words #(
  parameter WIDTH = 1
) (
  input clock,
  input raddr,
  output [WIDTH-1:0] rdata,
  input we,
  input waddr,
  input [WIDTH-1:0] wdata,
  output reg [2*WIDTH-1:0] words
);
  always @(posedge clock) if (we) words[WIDTH*waddr +: WIDTH] <= wdata;
  assign rdata = words[WIDTH*raddr +: WIDTH];
endmodule

module lut_ram_taken (
  input clock,
  input [0:0] raddr,
  output [2:0] rdata,
  input we,
  input [0:0] waddr,
  input [2:0] wdata
);
  wire [5:0] words;
  two_words #(.WIDTH(3)) memory (.*);
endmodule

module lut_ram_bool (
  input clock,
  input [0:0] raddr,
  output [0:0] rdata,
  input we,
  input [0:0] waddr,
  input [0:0] wdata
);
  wire [1:0] words;
  two_words #(.WIDTH(1)) memory (.*);
endmodule

module lut_ram_bits_16 (
  input clock,
  input [0:0] raddr,
  output [15:0] rdata,
  input we,
  input [0:0] waddr,
  input [15:0] wdata
);
  wire [31:0] words;
  two_words #(.WIDTH(16)) memory (.*);
endmodule
