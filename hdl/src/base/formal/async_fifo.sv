// SPDX-License-Identifier: MIT OR Apache-2.0
// AsyncFifo: keeps every word between two clocks of any frequency and phase, and over- and underflows never.
// Four words of eight bits.
module async_fifo_proof (
  input [7:0] inp_data,
  input inp_valid,
  input out_ready
);
  // Two waveforms with no relation: at each instant either clock may rise, fall or rest.
  (* anyseq *) wire write_clock;
  (* anyseq *) wire read_clock;
  reg write_reset = 1;
  reg read_reset = 1;
  wire inp_ready;
  wire [7:0] out_data;
  wire out_valid;

  async_fifo dut (
    .write_clock(write_clock), .write_reset(write_reset),
    .inp_data(inp_data), .inp_valid(inp_valid), .inp_ready(inp_ready),
    .read_clock(read_clock), .read_reset(read_reset),
    .out_data(out_data), .out_valid(out_valid), .out_ready(out_ready)
  );

  // Both clocks rise four times in reset; then each side leaves it when it likes, and the clocks go their own ways.
  (* gclk *) reg instant;
  (* anyseq *) wire write_leaves;
  (* anyseq *) wire read_leaves;
  reg [3:0] prelude = 0;
  wire begun = prelude[3];
  always @(posedge instant) if (!begun) prelude <= prelude + 1'b1;
  always @* if (!begun) assume (write_clock == prelude[0] & read_clock == prelude[0]);
  always @(posedge write_clock) if (begun & write_leaves) write_reset <= 0;
  always @(posedge read_clock) if (begun & read_leaves) read_reset <= 0;

  // Words in and out; the one that the solver watches, by its number and value.
  reg [3:0] pushed = 0;
  reg [3:0] popped = 0;
  wire [3:0] held = pushed - popped;
  (* anyseq *) wire watch_this;
  reg watching = 0;
  reg seen = 0;
  reg [3:0] number;
  reg [7:0] watched;
  wire push = !write_reset & inp_valid & inp_ready;
  wire pop = !read_reset & out_valid & out_ready;
  always @(posedge write_clock) if (push) begin
    pushed <= pushed + 1'b1;
    if (watch_this & !watching & pushed[1:0] == \dut.ram.watched ) begin
      watching <= 1;
      number <= pushed;
      watched <= inp_data;
    end
  end
  always @(posedge read_clock) if (pop) begin
    popped <= popped + 1'b1;
    if (watching & popped == number) seen <= 1;
  end

  always @* begin
    it_never_overflows: assert (held <= 5);
    if (!read_reset & out_valid) begin
      nothing_is_made_up: assert (held != 0);
      words_keep_order_and_value: assert (!(watching & !seen & popped == number) | out_data == watched);
    end
  end

  // Nothing is stuck: a word shows after four clocks of the reader, a place that is free after four of the writer.
  reg [2:0] reader_waited = 0;
  reg [2:0] writer_waited = 0;
  always @(posedge read_clock) reader_waited <= !read_reset & held != 0 & !out_valid ? reader_waited + 1'b1 : 0;
  always @(posedge write_clock) writer_waited <= !write_reset & held < 4 & !inp_ready ? writer_waited + 1'b1 : 0;
  always @* begin
    no_word_is_stuck: assert (reader_waited <= 4);
    no_place_is_lost: assert (writer_waited <= 4);
  end

  // What the proof leans on. Pointers count words; seen from the other side they lag, the later register the more, but never
  // by so much that a word is read that is not there, or overwritten that still is.
  (* hierconn *) wire [2:0] \dut.tail ;
  (* hierconn *) wire [2:0] \dut.head ;
  (* hierconn *) wire \dut.full ;
  (* hierconn *) wire [2:0] \dut.tail_gray ;
  (* hierconn *) wire [2:0] \dut.head_gray ;
  (* hierconn *) wire [2:0] \dut.tail_seen.before ;
  (* hierconn *) wire [2:0] \dut.tail_seen.first ;
  (* hierconn *) wire [2:0] \dut.tail_seen.second ;
  (* hierconn *) wire [2:0] \dut.head_seen.before ;
  (* hierconn *) wire [2:0] \dut.head_seen.first ;
  (* hierconn *) wire [2:0] \dut.head_seen.second ;
  (* hierconn *) wire \dut.loaded ;
  (* hierconn *) wire [7:0] \dut.word ;
  (* hierconn *) wire [1:0] \dut.ram.watched ;
  (* hierconn *) wire [7:0] \dut.ram.word ;

  function [2:0] binary(input [2:0] gray);
    binary = gray ^ gray >> 1 ^ gray >> 2;
  endfunction
  // Each step of a pointer changes one bit: it is `before` or now, whichever bits are late.
  wire [2:0] tail_before = \dut.tail - binary(\dut.tail_seen.before );
  wire [2:0] tail_first = \dut.tail - binary(\dut.tail_seen.first );
  wire [2:0] tail_second = \dut.tail - binary(\dut.tail_seen.second );
  wire [2:0] head_before = \dut.head - binary(\dut.head_seen.before );
  wire [2:0] head_first = \dut.head - binary(\dut.head_seen.first );
  wire [2:0] head_second = \dut.head - binary(\dut.head_seen.second );
  wire [3:0] used = held - \dut.loaded ;
  wire [3:0] place = number - popped;

`ifndef PROMISES_ONLY
  always @* if (begun) begin
    pointers_count: assert (\dut.tail == pushed[2:0] & \dut.head == popped[2:0] + \dut.loaded );
    tail_crosses_in_gray: assert (\dut.tail_gray == (\dut.tail ^ \dut.tail >> 1));
    head_crosses_in_gray: assert (\dut.head_gray == (\dut.head ^ \dut.head >> 1));
    four_words_in_the_ring: assert (used <= 4);
    tail_lags: assert (tail_before <= 1 & tail_before <= tail_first & tail_first <= tail_second & tail_second <= used);
    head_lags: assert (head_before <= 1 & head_before <= head_first & head_first <= head_second);
    no_place_is_given_twice: assert ({1'b0, head_second} + used + !\dut.full <= 4);
    reset_holds_the_writer: assert (!write_reset | pushed == 0 & !watching & !\dut.full );
    reset_holds_the_reader: assert (!read_reset | popped == 0 & !\dut.loaded & reader_waited == 0);
    if (watching & !seen) begin
      the_word_is_inside: assert (place < held & number[1:0] == \dut.ram.watched );
      the_word_is_kept: assert ((place == 0 & \dut.loaded ? \dut.word : \dut.ram.word ) == watched);
    end
    a_word_comes_1: assert (reader_waited < 1 | \dut.loaded | tail_before < used);
    a_word_comes_2: assert (reader_waited < 2 | \dut.loaded | tail_first < used);
    a_word_comes_3: assert (reader_waited < 3 | \dut.loaded | tail_second < used);
    a_word_comes_4: assert (reader_waited < 4 | \dut.loaded );
    a_place_comes_1: assert (writer_waited < 1 | used + head_before < 4);
    a_place_comes_2: assert (writer_waited < 2 | used + head_first < 4);
    a_place_comes_3: assert (writer_waited < 3 | used + head_second < 4);
    a_place_comes_4: assert (writer_waited < 4 | !\dut.full );
  end
`endif
endmodule
