// SPDX-License-Identifier: MIT OR Apache-2.0
// Fifo: keeps every word, over- and underflows never, counts right, and shows a word after three clocks at the latest.
// Eight words of four bits.
module fifo_proof (
  input clock,
  input reset,
  input [3:0] inp_data,
  input inp_valid,
  input out_ready
);
  wire inp_ready;
  wire [3:0] out_data;
  wire out_valid;
  wire [3:0] count;
  wire empty;
  wire [3:0] held;

  fifo dut (
    .clock(clock), .reset(reset),
    .inp_data(inp_data), .inp_valid(inp_valid), .inp_ready(inp_ready),
    .out_data(out_data), .out_valid(out_valid), .out_ready(out_ready),
    .count(count), .empty(empty)
  );

  stream_order #(.WIDTH(4), .COUNT(4), .LATENCY(2)) order (
    .clock(clock), .reset(reset),
    .in_data(inp_data), .in_valid(inp_valid), .in_ready(inp_ready),
    .out_data(out_data), .out_valid(out_valid), .out_ready(out_ready),
    .held(held)
  );

  always @(posedge clock) if (order.started & !reset) begin
    it_never_overflows: assert (held <= 8);
    it_takes_words_until_it_is_full: assert (inp_ready == (held < 8));
    count_is_the_words_held: assert (count == held);
    empty_says_so: assert (empty == (held == 0));
  end
endmodule
