// SPDX-License-Identifier: MIT OR Apache-2.0
// ChainCheck: no segment is handed on, to be read or written, that has a byte outside the window of its function, or none at all; chains
// leave whole and in order; behind one that was given up all of its queue are, until the reset that ends that.
// Transmitqs of two pairs, of which the second has a controlq; two functions.
module chain_check_proof (
  input clock,
  input reset,
  input window_write,
  input window_of,
  input [WINDOW_BITS-1:0] window,
  input [1:0] stopped,
  input [1:0] ending,
  input [STEP_BITS-1:0] steps_data,
  input steps_valid,
  input segments_ready,
  input fault_ready
);
  wire [7:0] window_function = {7'd0, window_of};
  wire steps_ready, segments_valid, fault_valid, idle;
  wire [SEGMENT_BITS-1:0] segments_data;
  wire [FAULT_BITS-1:0] fault_data;
  chain_check dut (.*);

  reg started = 0;
  always @(posedge clock) started <= 1;
  always @* if (!started) assume (reset);

  // A function and its window, which is written after power-up and stays.
  (* anyconst *) wire it;
  (* anyconst *) wire [51:0] first;
  (* anyconst *) wire [51:0] last;
  wire is_its = window_write & window_of == it;
  always @* if (!started) assume (is_its);
  always @* assume (!is_its | window[WINDOW_FIRST +: 52] == first & window[WINDOW_LAST +: 52] == last);
  (* hierconn *) wire \dut.windows.watched ;
  always @* assume (\dut.windows.watched == it);

  // Steps come chain by chain, of functions that there are.
  reg within;
  reg within_pair;
  wire takes = steps_valid & steps_ready;
  wire pair = steps_data[STEP_PAIR];
  always @* assume (!steps_valid | steps_data[STEP_FUNCTION +: 8] < 2);
  always @* assume (!steps_valid | steps_data[STEP_FIRST] == !within & (!within | pair == within_pair));
  always @* assume (!(steps_valid & steps_data[STEP_RESET]) | steps_data[STEP_FIRST] & steps_data[STEP_LAST]);
  always @(posedge clock) begin
    if (takes) begin
      within <= !steps_data[STEP_LAST];
      within_pair <= pair;
    end
    if (reset) within <= 0;
  end

  function ok(input [SEGMENT_BITS-1:0] segment);
    reg [64:0] end_of;
    begin
      end_of = segment[SEGMENT_ADDRESS +: 64] + {48'd0, segment[SEGMENT_LENGTH +: 17]} - 65'd1;
      ok = segment[SEGMENT_ABORT] | segment[SEGMENT_RESET] | segment[SEGMENT_FUNCTION +: 8] != it
        | segment[SEGMENT_LENGTH +: 17] != 0 & segment[SEGMENT_ADDRESS+12 +: 52] >= first & end_of[63:12] <= last & !end_of[64];
    end
  endfunction

  // What leaves: inside a chain, of this pair; a queue whose chain was given up.
  wire leaves = segments_valid & segments_ready;
  wire ends = segments_data[SEGMENT_LAST];
  wire ended_badly = segments_data[SEGMENT_ABORT];
  wire is_reset = segments_data[SEGMENT_RESET];
  wire whose = segments_data[SEGMENT_PAIR];
  reg inside;
  reg inside_pair;
  reg [1:0] given_up;
  wire [1:0] one_of = 2'd1 << whose;
  always @(posedge clock) begin
    if (leaves) begin
      inside <= !ends;
      inside_pair <= whose;
      given_up <= is_reset ? given_up & ~one_of : ended_badly ? given_up | one_of : given_up;
    end
    if (reset) begin
      inside <= 0;
      given_up <= 0;
    end
  end

  always @(posedge clock) if (started & !reset) begin
    nothing_outside_the_window: assert (!segments_valid | ok(segments_data));
    chains_leave_whole: assert (!segments_valid | segments_data[SEGMENT_FIRST] == !inside);
    chains_do_not_mix: assert (!(segments_valid & inside) | whose == inside_pair);
    what_is_given_up_ends: assert (!(segments_valid & (ended_badly | is_reset)) | ends);
    behind_a_chain_that_was_given_up_all_are:
      assert (!(segments_valid & (given_up & one_of) != 0) | ended_badly | is_reset);
    a_fault_has_a_reason: assert (!fault_valid | fault_data[FAULT_REASON +: 8] != 0);
  end

`ifndef PROMISES_ONLY
  // What the proof leans on: the step that is checked, and what waits to leave.
  (* hierconn *) wire [WINDOW_BITS-1:0] \dut.windows.word ;
  (* hierconn *) wire [STEP_BITS-1:0] \dut.step ;
  (* hierconn *) wire \dut.step_valid ;
  (* hierconn *) wire \dut.swallows ;
  (* hierconn *) wire [1:0] \dut.dead ;
  (* hierconn *) wire [SEGMENT_BITS-1:0] \dut.out.front ;
  (* hierconn *) wire [SEGMENT_BITS-1:0] \dut.out.spare ;
  (* hierconn *) wire \dut.out.front_valid ;
  (* hierconn *) wire \dut.out.spare_valid ;
  // The chains' state behind each segment that is held: inside, whose, given up.
  wire [3:0] outside = {given_up, inside_pair, inside};
  function [3:0] behind(input [3:0] state, input [SEGMENT_BITS-1:0] segment);
    reg [1:0] one;
    begin
      one = 2'd1 << segment[SEGMENT_PAIR];
      behind[0] = !segment[SEGMENT_LAST];
      behind[1] = segment[SEGMENT_PAIR];
      behind[3:2] = segment[SEGMENT_RESET] ? state[3:2] & ~one : segment[SEGMENT_ABORT] ? state[3:2] | one : state[3:2];
    end
  endfunction
  // Whether a segment fits what was before it.
  function fits(input [3:0] state, input [SEGMENT_BITS-1:0] segment);
    reg bad, is_dead;
    begin
      bad = segment[SEGMENT_ABORT] | segment[SEGMENT_RESET];
      is_dead = state[2 + segment[SEGMENT_PAIR]];
      fits = ok(segment) & segment[SEGMENT_FIRST] == !state[0] & (!state[0] | segment[SEGMENT_PAIR] == state[1])
        & (!bad | segment[SEGMENT_LAST]) & (!is_dead | bad);
    end
  endfunction
  wire [3:0] after_front = \dut.out.front_valid ? behind(outside, \dut.out.front ) : outside;
  wire [3:0] after_all = \dut.out.spare_valid ? behind(after_front, \dut.out.spare ) : after_front;
  always @(posedge clock) if (started) assert (\dut.windows.word [WINDOW_FIRST +: 52] == first & \dut.windows.word [WINDOW_LAST +: 52] == last);
  always @(posedge clock) if (started & !reset) begin
    assert (!\dut.out.spare_valid | \dut.out.front_valid );
    assert (!\dut.out.front_valid | fits(outside, \dut.out.front ));
    assert (!\dut.out.spare_valid | fits(after_front, \dut.out.spare ));
    assert ((after_all[3:2] & ~\dut.dead ) == 0);
    assert (!\dut.step_valid | \dut.step [STEP_FUNCTION +: 8] < 2);
    assert (!\dut.step_valid | within == !\dut.step [STEP_LAST] & within_pair == \dut.step [STEP_PAIR]);
    assert (!(\dut.step_valid & \dut.step [STEP_RESET]) | \dut.step [STEP_FIRST] & \dut.step [STEP_LAST]);
    // The chain of the step: begun, unless it is swallowed.
    if (\dut.step_valid ) assert (\dut.step [STEP_FIRST] ? !after_all[0] : \dut.swallows | after_all[0] & after_all[1] == \dut.step [STEP_PAIR]);
    else assert (within ? \dut.swallows | after_all[0] & after_all[1] == within_pair : !after_all[0]);
    assert (!(\dut.step_valid & !\dut.step [STEP_FIRST] & \dut.swallows ) | !after_all[0]);
    assert (!(!\dut.step_valid & within & \dut.swallows ) | !after_all[0]);
  end
`endif
endmodule

// Stands in for the LutRam of windows: keeps the window of one function that the proof chooses; of all others anything is read.
module lut_ram (
  input clock,
  input [0:0] raddr,
  output [103:0] rdata,
  input we,
  input [0:0] waddr,
  input [103:0] wdata
);
  (* anyconst *) wire watched;
  (* anyseq *) wire [103:0] anything;
  reg [103:0] word;
  always @(posedge clock) if (we & waddr == watched) word <= wdata;
  assign rdata = raddr == watched ? word : anything;
endmodule
