// SPDX-License-Identifier: MIT OR Apache-2.0
// Ingress: each frame that comes in goes out once, in order, measured: whole if it is sound, cut to its first beat if not; soon after
// its last beat is there, and without a pause. It takes what there is room for.
// Eight beats of eight bytes, frames of 14 to 24 bytes. Of a beat's data its first byte is looked at.
module ingress_proof (
  input clock,
  input reset,
  input [BEAT_BITS-1:0] rx_data,
  input rx_valid,
  input rx_error,
  input [7:0] vport,
  input packet_out,
  input out_ready
);
  wire rx_ready;
  wire [MERGED_BEAT_BITS-1:0] out_data;
  wire out_valid;
  wire idle;

  ingress dut (
    .clock(clock), .reset(reset),
    .rx_data(rx_data), .rx_valid(rx_valid), .rx_ready(rx_ready), .rx_error(rx_error), .vport(vport), .packet_out(packet_out),
    .out_data(out_data), .out_valid(out_valid), .out_ready(out_ready),
    .idle(idle)
  );

  // A MergedBeat begins with the fields of a Beat.
  wire push = rx_valid & rx_ready;
  wire pop = out_valid & out_ready;
  wire last_in = rx_data[BEAT_LAST];
  wire [BEAT_BYTES_BITS-1:0] bytes_in = rx_data[BEAT_BYTES +: BEAT_BYTES_BITS];
  // A Beat's contract: only the last may have fewer bytes than there is room for.
  always @* assume (bytes_in == 8 | last_in & bytes_in >= 1 & bytes_in < 8);
  reg started = 0;
  always @* if (!started) assume (reset);

  // The frame that comes in: its beats so far, up to 3, and its bytes, up to 16,383. What it leaves behind once it ends.
  reg [1:0] beats;
  reg [13:0] len;
  wire [14:0] sum = len + bytes_in;
  wire [13:0] total = sum[14] ? 14'h3fff : sum[13:0];
  wire [1:0] fault = rx_error ? 2'd3 : total < 14 ? 2'd1 : total > 24 ? 2'd2 : 2'd0;
  wire [1:0] stored = fault == 0 ? beats + 2'd1 : 2'd1;

  // Beats of whole frames that have not left; a frame is going out; clocks without one, though there is one; clocks without room,
  // though there is some; clocks since a beat came or left.
  reg [3:0] held;
  reg out_open;
  reg [2:0] waited;
  reg [1:0] stopped;
  reg [1:0] quiet;

  // A frame that the solver picks comes in, or is held, with so many beats ahead of it, of its own, and of its own out.
  (* anyseq *) wire watch_this;
  reg coming;
  reg watching;
  reg [3:0] ahead;
  reg [1:0] own;
  reg [1:0] out;
  // Of a beat its bytes and its first byte.
  function [11:0] of(input [BEAT_BITS-1:0] beat);
    of = {beat[BEAT_BYTES +: BEAT_BYTES_BITS], beat[BEAT_DATA +: 8]};
  endfunction
  reg [11:0] content_0, content_1, content_2;
  reg [META_BITS-1:0] meta;
  wire begins = !coming & !watching & beats == 0 & watch_this;

  always @(posedge clock) begin
    started <= 1;
    held <= held - pop;
    if (push) begin
      beats <= last_in ? 2'd0 : beats + (beats != 3);
      len <= last_in ? 14'd0 : total;
      if (last_in) held <= held + stored - pop;
    end
    if (pop) out_open <= !out_data[MERGED_BEAT_LAST];
    waited <= held != 0 & !out_valid ? waited + 1'b1 : 3'd0;
    stopped <= held + beats <= 5 & !rx_ready ? stopped + 1'b1 : 2'd0;
    quiet <= push | pop ? 2'd0 : quiet + (quiet != 3);

    if (watching & pop) begin
      if (ahead != 0) ahead <= ahead - 1'b1;
      else begin
        out <= out + 1'b1;
        if (out + 2'd1 == own) watching <= 0;
      end
    end
    if (push & (begins | coming)) begin
      if (beats == 0) content_0 <= of(rx_data);
      if (beats == 1) content_1 <= of(rx_data);
      if (beats == 2) content_2 <= of(rx_data);
      coming <= !last_in;
      if (last_in) begin
        watching <= 1;
        ahead <= held - pop;
        own <= stored;
        out <= 0;
        meta <= {fault, total, packet_out, vport};
      end
    end
    if (reset) begin
      beats <= 0;
      len <= 0;
      held <= 0;
      out_open <= 0;
      waited <= 0;
      stopped <= 0;
      quiet <= 0;
      coming <= 0;
      watching <= 0;
    end
  end

  wire turn = watching & ahead == 0 & out_valid;
  wire [11:0] due = out == 0 ? content_0 : out == 1 ? content_1 : content_2;
  always @(posedge clock) if (started & !reset) begin
    nothing_is_made_up: assert (!out_valid | held != 0);
    frames_keep_order_and_value: assert (!turn | of(out_data[BEAT_BITS-1:0]) == due);
    a_frame_ends_with_its_last_beat: assert (!turn | out_data[MERGED_BEAT_LAST] == (out + 2'd1 == own));
    first_marks_the_first_beat: assert (!out_valid | out_data[MERGED_BEAT_FIRST] == !out_open);
    a_frame_is_measured: assert (!(turn & out == 0) | out_data[MERGED_BEAT_META +: META_BITS] == meta);
    no_pause_inside_a_frame: assert (!out_open | out_valid);
    a_whole_frame_shows_in_the_fifth_clock: assert (waited <= 4);
    room_is_offered_in_the_third_clock: assert (stopped <= 2);
    idle_says_so: assert (!idle | held == 0);
    it_falls_idle: assert (!(held == 0 & quiet == 3) | idle);
    if ($past(!reset & idle & !push)) idle_lasts_until_a_beat_comes: assert (idle);
    if ($past(!reset & out_valid & !out_ready)) begin
      valid_waits_for_ready: assert (out_valid);
      data_waits_for_ready: assert ($stable({out_data[MERGED_BEAT_BITS-1:MERGED_BEAT_BYTES], out_data[MERGED_BEAT_DATA +: 8]}));
    end
  end

`ifndef PROMISES_ONLY
  // What the proof leans on. Of the memories, `mark[a]` says that a frame begins at address a.
  (* hierconn *) wire [3:0] \dut.head ;
  (* hierconn *) wire [3:0] \dut.start ;
  (* hierconn *) wire [3:0] \dut.tail ;
  (* hierconn *) wire \dut.came ;
  (* hierconn *) wire [BEAT_BITS-1:0] \dut.beat ;
  (* hierconn *) wire [13:0] \dut.total ;
  (* hierconn *) wire \dut.fresh ;
  (* hierconn *) wire \dut.overlong ;
  (* hierconn *) wire \dut.whole ;
  (* hierconn *) wire \dut.fetched ;
  (* hierconn *) wire \dut.first ;
  (* hierconn *) wire [BEAT_BITS-1:0] \dut.beats_rdata ;
  (* hierconn *) wire [META_BITS-1:0] \dut.metas_rdata ;
  (* hierconn *) wire [8*BEAT_BITS-1:0] \dut.beats.words ;
  (* hierconn *) wire [8*META_BITS-1:0] \dut.metas.words ;
  wire [3:0] whole = \dut.start - \dut.head ;
  wire [3:0] part = \dut.tail - \dut.start ;
  wire ends = \dut.came & \dut.beat [BEAT_LAST];
  wire [1:0] read = \dut.fetched + out_valid;
  reg just;
  reg [1:0] ended;
  reg [7:0] mark;
  integer i;
  always @(posedge clock) begin
    just <= push & last_in & (begins | coming) & !reset;
    if (push) ended <= stored;
    if (ends) for (i = 0; i < 3; i = i + 1) if (i < ended) mark[(\dut.start + i) & 7] <= i == 0;
  end

  // The n-th beat to come out of a whole frame, as a MergedBeat.
  function [MERGED_BEAT_BITS-1:0] nth(input [3:0] n);
    reg [2:0] a;
    reg [BEAT_BITS-1:0] beat;
    reg [META_BITS-1:0] its;
    reg first;
    begin
      a = \dut.head + n - read;
      beat = \dut.beats.words [BEAT_BITS * a +: BEAT_BITS];
      its = \dut.metas.words [META_BITS * a +: META_BITS];
      first = mark[a];
      if (\dut.fetched & n == out_valid) begin
        beat = \dut.beats_rdata ;
        its = \dut.metas_rdata ;
        first = \dut.first ;
      end
      nth = {its, first, beat[BEAT_LAST] | first & its[META_FAULT +: META_FAULT_BITS] != 0, beat[BEAT_LAST-1:0]};
      if (out_valid & n == 0) nth = out_data;
    end
  endfunction

  function [11:0] content(input [1:0] k);
    content = k == 0 ? content_0 : k == 1 ? content_1 : content_2;
  endfunction

  reg [MERGED_BEAT_BITS-1:0] here, next;
  integer k;
  always @(posedge clock) if (started & !reset) begin
    beats_are_counted: assert (held == whole + read + (ends ? ended : 2'd0));
    eight_beats_at_most: assert (whole + part + \dut.came <= 8 & whole <= 8 & part <= 3);
    it_reads_whole_frames_alone: assert (!\dut.whole | whole != 0);
    three_beats_of_a_frame_at_most: assert (\dut.overlong == (part == 3));
    beats_coming_are_counted: assert (beats == (\dut.came ? \dut.beat [BEAT_LAST] ? 2'd0 : part == 3 ? 2'd3 : part + 1'b1 : part));
    a_frame_begins: assert (\dut.fresh == (beats == 0));
    a_frame_is_added_up: assert (beats == 0 | \dut.total == len);
    beats_are_full: assert (beats == 3 ? len >= 24 : len == 8 * beats);
    a_frame_goes_out: assert (\dut.first == (out_valid ? out_data[MERGED_BEAT_LAST] : !out_open));

    // Frames follow each other, the last one whole.
    for (k = 0; k < 10; k = k + 1) if (k < whole + read) begin
      here = nth(k);
      next = nth(k + 1);
      if (k == 0) assert (here[MERGED_BEAT_FIRST] == !out_open);
      assert (k + 1 < whole + read ? next[MERGED_BEAT_FIRST] == here[MERGED_BEAT_LAST] : here[MERGED_BEAT_LAST]);
    end
    if (whole + read == 0) none_goes_out: assert (!out_open);
    for (k = 0; k < 3; k = k + 1) if (k < part) assert (!\dut.beats.words [BEAT_BITS * ((\dut.start + k) & 7) + BEAT_LAST]);

    // The frame that is watched.
    one_is_watched: assert (!(coming & watching));
    it_comes: assert (!coming | beats != 0 & !ends);
    it_has_come: assert (!just | watching & ends & out == 0 & own == ended & ahead == whole + read);
    it_is_held: assert (!watching | own != 0 & out < own & ahead <= 10 & (ahead == 0 | out == 0) & ahead + own - out <= held);
    it_is_stored: assert (!watching | just | ahead + own - out <= whole + read);
    it_is_cut_if_faulty: assert (!watching | meta[META_FAULT +: META_FAULT_BITS] == 0 | own == 1);
    for (k = 0; k < 3; k = k + 1) begin
      if (coming | just) begin
        if (k < part & (coming | k < own)) assert (of(\dut.beats.words [BEAT_BITS * ((\dut.start + k) & 7) +: BEAT_BITS]) == content(k));
        if (\dut.came & k == part) assert (of(\dut.beat ) == content(k));
      end else if (watching & k >= out & k < own) begin
        here = nth(ahead + k - out);
        assert (of(here[BEAT_BITS-1:0]) == content(k) & here[MERGED_BEAT_LAST] == (k + 1 == own) & here[MERGED_BEAT_FIRST] == (k == 0));
        if (k == 0) assert (here[MERGED_BEAT_META +: META_BITS] == meta);
      end
    end
  end
`endif
endmodule

// The memories, with their words to look at.
module ram_beat (
  input clock, re, we,
  input [2:0] raddr, waddr,
  input [BEAT_BITS-1:0] wdata,
  output reg [BEAT_BITS-1:0] rdata
);
  reg [8*BEAT_BITS-1:0] words;
  always @(posedge clock) begin
    if (re) rdata <= words[BEAT_BITS * raddr +: BEAT_BITS];
    if (we) words[BEAT_BITS * waddr +: BEAT_BITS] <= wdata;
  end
endmodule

module ram_meta (
  input clock, re, we,
  input [2:0] raddr, waddr,
  input [META_BITS-1:0] wdata,
  output reg [META_BITS-1:0] rdata
);
  reg [8*META_BITS-1:0] words;
  always @(posedge clock) begin
    if (re) rdata <= words[META_BITS * raddr +: META_BITS];
    if (we) words[META_BITS * waddr +: META_BITS] <= wdata;
  end
endmodule
