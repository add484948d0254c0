// SPDX-License-Identifier: MIT OR Apache-2.0
// InOrder: every frame leaves once, in the order of the numbers, when its result is there and soon then, with that result and the window written last.
// Four places, windows and results of one bit.
module in_order_proof (
  input clock,
  input reset,
  // A frame begins.
  input start,
  input window,
  input [2:0] window_number,
  input window_valid,
  input result,
  input [2:0] result_number,
  input result_valid,
  input out_ready
);
  wire out_data;
  wire out_valid;
  wire out_window;
  wire ready;
  wire idle;

  in_order dut (
    .clock(clock), .reset(reset),
    .window(window), .window_number(window_number), .window_valid(window_valid),
    .result(result), .result_number(result_number), .result_valid(result_valid),
    .out_data(out_data), .out_valid(out_valid), .out_ready(out_ready), .out_window(out_window),
    .ready(ready), .idle(idle)
  );

  // Numbers of the next frame to begin and of the next to leave; of the frames between, by place, what has been written.
  reg [2:0] next;
  reg [2:0] first;
  reg [3:0] has_window;
  reg [3:0] has_result;
  wire [2:0] held = next - first;
  wire pop = out_valid & out_ready;
  wire [2:0] window_at = window_number - first;
  wire [2:0] result_at = result_number - first;

  // One of the frames, which the solver picks when it begins.
  (* anyseq *) wire watch_this;
  reg watching;
  reg [2:0] watched;
  reg watched_window;
  reg watched_result;

  reg [1:0] waited;
  reg [2:0] since_reset;
  reg started = 0;

  always @(posedge clock) begin
    started <= 1;
    since_reset <= since_reset + !since_reset[2];
    if (start) begin
      next <= next + 1'b1;
      has_window[next[1:0]] <= 0;
      has_result[next[1:0]] <= 0;
      if (!watching & watch_this) begin
        watching <= 1;
        watched <= next;
      end
    end
    if (window_valid) begin
      has_window[window_number[1:0]] <= 1;
      if (watching & watched == window_number) watched_window <= window;
    end
    if (result_valid) begin
      has_result[result_number[1:0]] <= 1;
      if (watching & watched == result_number) watched_result <= result;
    end
    if (pop) begin
      first <= first + 1'b1;
      if (watching & watched == first) watching <= 0;
    end
    waited <= held != 0 & has_result[first[1:0]] & !out_valid ? waited + 1'b1 : 0;
    if (reset) begin
      next <= 0;
      first <= 0;
      watching <= 0;
      waited <= 0;
      since_reset <= 0;
    end
  end

  always @* if (!started) assume (reset);
  // The contract of the ports.
  always @* assume (!start | held < 4);
  always @* assume (!window_valid | (window_at < held & !has_result[window_number[1:0]]));
  always @* assume (!result_valid | (ready & result_at < held & has_window[result_number[1:0]] & !has_result[result_number[1:0]]));
  always @* assume (!(window_valid & result_valid) | window_number != result_number);

  always @(posedge clock) if (started & !reset) begin
    none_leaves_without_a_result: assert (!out_valid | (held != 0 & has_result[first[1:0]]));
    it_has_its_result: assert (!(watching & watched == first & out_valid) | out_data == watched_result);
    it_has_its_last_window: assert (!(watching & watched == first & out_valid) | out_window == watched_window);
    none_is_stuck: assert (waited <= 2);
    it_is_ready_after_four_clocks: assert (ready == since_reset[2]);
    idle_says_so: assert (idle == (ready & (held == 0 | !has_result[first[1:0]])));
    if ($past(!reset & out_valid & !out_ready)) begin
      valid_waits_for_ready: assert (out_valid);
      data_waits_for_ready: assert ($stable(out_data) & $stable(out_window));
    end
  end
endmodule
