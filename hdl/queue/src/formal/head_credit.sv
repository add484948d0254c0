// SPDX-License-Identifier: MIT OR Apache-2.0
// HeadCredit: no queue has more than 256 heads under way, and each is told how many more it may have. Two queues.
module head_credit_proof (
  input clock,
  input reset,
  input granted,
  input granted_pair,
  input [5:0] granted_count,
  input ended,
  input ended_pair,
  input cleared
);
  wire [1:0] room;
  wire [6:0] free;
  wire idle;
  head_credit dut (.*);

  reg started = 0;
  always @(posedge clock) started <= 1;
  always @* assume (reset == !started);

  // A queue, and its heads under way. No memory is reset: after power-up it is that of no head.
  (* anyconst *) wire me;
  reg [9:0] held;
  reg powered = 0;
  wire grants = granted & granted_pair == me;
  wire ends = ended & ended_pair == me;
  wire clears = cleared & ended_pair == me;
  always @(posedge clock) begin
    powered <= 1;
    held <= clears ? 0 : held + (grants ? granted_count : 0) - ends;
    if (!powered) held <= 0;
  end
  // What is granted has room, 32 at once at most; what ends was granted; nothing is granted to a queue when it is cleared.
  always @* assume (!granted | granted_count <= 32 & granted_count != 0);
  always @* assume (!grants | granted_count <= free);
  always @* assume (!ends | held != 0);
  always @* assume (!(grants & clears) & !(ended & cleared));
  always @* if (!powered) assume (!granted & !ended & !cleared);

  always @(posedge clock) if (started & !reset) begin
    never_more_than_can_be_kept: assert (held <= 256);
    what_is_free_is_told: assert (!(granted_pair == me) | free == (256 - held > 64 ? 64 : 256 - held));
    a_batch_has_room_if_it_is_said: assert (!room[me] | held <= 240);
    an_empty_queue_has_room: assert (held != 0 | room[me]);
  end

`ifndef PROMISES_ONLY
  // What the proof leans on: both copies of each count are the same, and their difference is what is under way.
  (* hierconn *) wire [8:0] \dut.granted_for_grant.word ;
  (* hierconn *) wire [8:0] \dut.granted_for_end.word ;
  (* hierconn *) wire [8:0] \dut.ended_for_grant.word ;
  (* hierconn *) wire [8:0] \dut.ended_for_end.word ;
  wire [8:0] difference = \dut.granted_for_grant.word - \dut.ended_for_grant.word ;
  always @(posedge clock) if (started) begin
    assert (\dut.granted_for_grant.word == \dut.granted_for_end.word );
    assert (\dut.ended_for_grant.word == \dut.ended_for_end.word );
    assert (held <= 256 & difference == held[8:0]);
  end
`endif
  (* hierconn *) wire \dut.granted_for_grant.watched ;
  (* hierconn *) wire \dut.granted_for_end.watched ;
  (* hierconn *) wire \dut.ended_for_grant.watched ;
  (* hierconn *) wire \dut.ended_for_end.watched ;
  always @* assume (\dut.granted_for_grant.watched == me & \dut.granted_for_end.watched == me);
  always @* assume (\dut.ended_for_grant.watched == me & \dut.ended_for_end.watched == me);
endmodule

// Stands in for the LutRam of counts: keeps that of one queue that the proof chooses, 0 after power-up; of all others anything is read.
module lut_ram (
  input clock,
  input [0:0] raddr,
  output [8:0] rdata,
  input we,
  input [0:0] waddr,
  input [8:0] wdata
);
  (* anyconst *) wire watched;
  (* anyseq *) wire [8:0] anything;
  reg [8:0] word;
  reg powered = 0;
  always @(posedge clock) begin
    powered <= 1;
    if (!powered) word <= 0;
    else if (we & waddr == watched) word <= wdata;
  end
  assign rdata = raddr == watched ? word : anything;
endmodule
