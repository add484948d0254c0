// SPDX-License-Identifier: MIT OR Apache-2.0
// HostMux: every frame and register answer that a source hands over leaves once, whole, behind its own header, unchanged, under any
// back-pressure; none begins before its queue holds it whole; sources take turns. Eight bytes a beat; vports 1 and 2 of three.
module host_mux_proof (
  input clock,
  input reset,
  input [BEAT_BITS-1:0] tx_0_data,
  input [BEAT_BITS-1:0] tx_1_data,
  input [BEAT_BITS-1:0] tx_2_data,
  input [2:0] tx_valid,
  input [2:0] tx_whole,
  input [BEAT_BITS-1:0] upcall_data,
  input upcall_valid,
  input upcall_whole,
  input [7:0] upcall_vport,
  input [7:0] upcall_reason,
  input [REGISTER_ANSWER_BITS-1:0] registers_data,
  input registers_valid,
  input out_ready
);
  wire [2:0] tx_ready;
  wire upcall_ready;
  wire registers_ready;
  wire [BEAT_BITS-1:0] out;
  wire out_valid;

  host_mux dut (
    .clock(clock), .reset(reset),
    .tx_0_data(tx_0_data), .tx_0_valid(tx_valid[0]), .tx_0_ready(tx_ready[0]),
    .tx_1_data(tx_1_data), .tx_1_valid(tx_valid[1]), .tx_1_ready(tx_ready[1]),
    .tx_2_data(tx_2_data), .tx_2_valid(tx_valid[2]), .tx_2_ready(tx_ready[2]), .tx_whole(tx_whole),
    .upcall_data(upcall_data), .upcall_valid(upcall_valid), .upcall_ready(upcall_ready), .upcall_whole(upcall_whole),
    .upcall_vport(upcall_vport), .upcall_reason(upcall_reason),
    .registers_data(registers_data), .registers_valid(registers_valid), .registers_ready(registers_ready),
    .out_data(out), .out_valid(out_valid), .out_ready(out_ready)
  );

  // Sources: the upcalls, the registers, the vports. What each asks for, and what it hands over.
  wire [4:0] valid = {tx_valid, registers_valid, upcall_valid};
  wire [4:0] ready = {tx_ready, registers_ready, upcall_ready};
  wire [4:0] taken = valid & ready;
  wire [4:0] begins = {tx_valid[2:1] & tx_whole[2:1], 1'b0, registers_valid, upcall_valid & upcall_whole};

  // The message that is leaving, of which the header has: its source, one-hot.
  reg [4:0] open;
  wire [BEAT_BITS-1:0] beat = open[0] ? upcall_data : open[2] ? tx_0_data : open[3] ? tx_1_data : tx_2_data;

  // Whose message a header says it is, and that source's header: `docs/board.md`.
  wire [BEAT_DATA_BITS-1:0] message = out[BEAT_DATA +: BEAT_DATA_BITS];
  wire [7:0] kind = message[7:0];
  wire [7:0] vport = message[15:8];
  wire [4:0] source = kind == 0 ? 5'd4 << vport : kind == 1 ? 5'd1 : 5'd2;
  wire [REGISTER_ANSWER_DATA_BITS-1:0] value = registers_data[REGISTER_ANSWER_DATA +: REGISTER_ANSWER_DATA_BITS];
  wire [REGISTER_ANSWER_ADDRESS_BITS-1:0] address = registers_data[REGISTER_ANSWER_ADDRESS +: REGISTER_ANSWER_ADDRESS_BITS];
  wire [REGISTER_ANSWER_RESPONSE_BITS-1:0] response = registers_data[REGISTER_ANSWER_RESPONSE +: REGISTER_ANSWER_RESPONSE_BITS];
  wire [63:0] answer = {value, address, 6'd0, response, 8'd2};
  wire [63:0] upcall = {40'd0, upcall_reason, upcall_vport, 8'd1};
  wire [63:0] frame = {48'd0, vport, 8'd0};
  wire [63:0] header = kind == 0 ? frame : kind == 1 ? upcall : answer;
  wire fire = out_valid & out_ready;
  wire header_leaves = fire & open == 0;

  // A source that waits for its turn sees each of the three others begin once at most.
  (* anyconst *) wire [2:0] me;
  reg [1:0] others;
  wire i_wait = begins >> me & open >> me == 0;
  wire i_begin = header_leaves & source >> me;
  reg asked;
  reg started = 0;

  always @(posedge clock) begin
    started <= 1;
    if (fire) open <= out[BEAT_LAST] ? 0 : open == 0 ? source : open;
    if (header_leaves & i_wait) others <= others + 1'b1;
    if (i_begin | !i_wait) others <= 0;
    asked <= open == 0 & begins != 0 & !header_leaves;
    if (reset) begin
      open <= 0;
      others <= 0;
      asked <= 0;
    end
  end

  always @* if (!started) assume (reset);
  always @* assume (me < 5);
  // Streams keep what they offer until it is taken; a queue that holds a whole frame holds it until its first beat is.
  always @(posedge clock) if (started & $past(!reset)) begin
    assume ((valid & $past(valid & ~ready)) == $past(valid & ~ready));
    assume (!$past(tx_valid[0] & !tx_ready[0]) | $stable(tx_0_data));
    assume (!$past(tx_valid[1] & !tx_ready[1]) | $stable(tx_1_data));
    assume (!$past(tx_valid[2] & !tx_ready[2]) | $stable(tx_2_data));
    assume (!$past(upcall_valid & !upcall_ready) | $stable({upcall_data, upcall_vport, upcall_reason}));
    assume (!$past(registers_valid & !registers_ready) | $stable(registers_data));
    assume (({upcall_whole, tx_whole} & $past({upcall_whole, tx_whole} & ~{upcall_ready, tx_ready}))
            == $past({upcall_whole, tx_whole} & ~{upcall_ready, tx_ready}));
  end

  always @(posedge clock) if (started & !reset) begin
    if (out_valid & open == 0) begin
      a_message_begins_with_its_header: assert (kind <= 2 & message == header & out[BEAT_BYTES +: BEAT_BYTES_BITS] == 8);
      a_header_is_the_whole_of_an_answer: assert (out[BEAT_LAST] == (kind == 2));
      its_source_holds_the_whole: assert (source != 0 & (begins & source) == source);
    end
    if (out_valid & open != 0) a_beat_is_the_source_s: assert (out == beat & (valid & open) == open);
    a_beat_is_taken_as_it_leaves: assert (taken == (!fire ? 0 : open != 0 ? open : source & 5'd2));
    a_message_waits_for_its_own_queue_alone: assert (open == 0 | (open & valid) == 0 | out_valid);
    a_message_begins_in_the_next_clock: assert (!asked | out_valid);
    a_source_waits_for_three_others_at_most: assert (others <= 3 & !(others == 3 & i_wait & header_leaves & !i_begin));
    if ($past(!reset & out_valid & !out_ready)) begin
      valid_waits_for_ready: assert (out_valid);
      data_waits_for_ready: assert ($stable(out));
    end
  end
endmodule
