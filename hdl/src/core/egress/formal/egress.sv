// SPDX-License-Identifier: MIT OR Apache-2.0
// Egress: each beat reaches the place before the queues once and in order, from there goes into all queues that take its frame, and
// leaves each of them once and in order. A queue takes a frame whole or drops it whole, drops only if told to, and only what does
// not fit. `whole` promises a frame without a pause.
// Two vports and upcalls, queues of four beats of two bytes, frames of up to eight bytes.
module egress_proof (
  input clock,
  input reset,
  input [OUT_BEAT_BITS-1:0] inp_data,
  input inp_valid,
  input [2:0] out_ready,
  input [2:0] drop_when_full
);
  wire inp_ready;
  wire [BEAT_BITS-1:0] tx_0_data;
  wire [BEAT_BITS-1:0] tx_1_data;
  wire [UPCALL_BEAT_BITS-1:0] upcall_data;
  wire [2:0] out_valid;
  wire [2:0] whole;
  wire [63:0] packets_0, packets_1, packets_2;
  wire [63:0] bytes_0, bytes_1, bytes_2;
  wire [63:0] drops_0, drops_1, drops_2;
  wire idle;
  wire [2:0] idle_port;

  egress dut (
    .clock(clock), .clock_port_0(clock), .clock_port_1(clock), .clock_port_2(clock), .reset(reset),
    .inp_data(inp_data), .inp_valid(inp_valid), .inp_ready(inp_ready),
    .tx_0_data(tx_0_data), .tx_0_valid(out_valid[0]), .tx_0_ready(out_ready[0]),
    .tx_1_data(tx_1_data), .tx_1_valid(out_valid[1]), .tx_1_ready(out_ready[1]),
    .upcall_data(upcall_data), .upcall_valid(out_valid[2]), .upcall_ready(out_ready[2]),
    .tx_whole(whole[1:0]), .upcall_whole(whole[2]), .drop_when_full(drop_when_full),
    .packets_0(packets_0), .packets_1(packets_1), .packets_2(packets_2),
    .bytes_0(bytes_0), .bytes_1(bytes_1), .bytes_2(bytes_2),
    .drops_0(drops_0), .drops_1(drops_1), .drops_2(drops_2),
    .idle(idle), .idle_port(idle_port)
  );

  // An OutBeat and an UpcallBeat begin with the fields of a Beat. Frames are so short that the low bits of a length are all of it.
  wire push = inp_valid & inp_ready;
  wire [OUT_BEAT_OUT_LEN_BITS-1:0] len_in = inp_data[OUT_BEAT_OUT_LEN +: OUT_BEAT_OUT_LEN_BITS];
  wire [3:0] beats_in = (len_in[3:0] + 4'd1) >> 1;

  // Splice's contract: a beat stays until it is taken; a frame has as many beats as its length says, the first and the last marked.
  reg inside;
  reg [2:0] more;
  reg waits;
  reg [OUT_BEAT_BITS-1:0] arrived;
  always @* if (inp_valid) begin
    assume (inp_data[OUT_BEAT_FIRST] == !inside);
    assume (inside | len_in != 0 & len_in <= 8);
    assume (inp_data[OUT_BEAT_LAST] == (inside ? more == 1 : beats_in == 1));
  end
  always @* assume (!waits | inp_valid);
  reg started = 0;
  always @* if (!started) assume (reset);
  always @(posedge clock) begin
    started <= 1;
    waits <= inp_valid & !inp_ready;
    if (push) begin
      arrived <= inp_data;
      inside <= !inp_data[OUT_BEAT_LAST];
      more <= inside ? more - 1'b1 : beats_in - 1'b1;
    end
    if (reset) begin
      inside <= 0;
      waits <= 0;
    end
  end

  // The place before the queues.
  (* hierconn *) wire [OUT_BEAT_BITS-1:0] \dut.placed ;
  (* hierconn *) wire \dut.placed_valid ;
  (* hierconn *) wire \dut.fire ;
  (* hierconn *) wire \dut.onward ;
  (* hierconn *) wire \dut.queues_0.taking , \dut.queues_1.taking , \dut.upcalls.taking ;
  (* hierconn *) wire \dut.queues_0.dropping , \dut.queues_1.dropping , \dut.upcalls.dropping ;
  wire [2:0] taking = {\dut.upcalls.taking , \dut.queues_1.taking , \dut.queues_0.taking };
  wire [2:0] dropping = {\dut.upcalls.dropping , \dut.queues_1.dropping , \dut.queues_0.dropping };
  wire [1:0] on_the_way;
  stream_order #(.WIDTH(OUT_BEAT_BITS), .COUNT(2), .LATENCY(1)) arrival (
    .clock(clock), .reset(reset),
    .in_data(inp_data), .in_valid(inp_valid), .in_ready(inp_ready),
    .out_data(\dut.placed ), .out_valid(\dut.placed_valid ), .out_ready(\dut.fire ),
    .held(on_the_way)
  );

  wire [UPCALL_BEAT_BITS-1:0] beat = {
    \dut.placed [OUT_BEAT_REASON +: OUT_BEAT_REASON_BITS], \dut.placed [OUT_BEAT_VPORT +: OUT_BEAT_VPORT_BITS], \dut.placed [BEAT_BITS-1:0]
  };
  wire first = \dut.placed [OUT_BEAT_FIRST];
  wire [3:0] len = \dut.placed [OUT_BEAT_OUT_LEN +: 4];
  wire [OUT_BEAT_OUTPUTS_BITS-1:0] wanted = \dut.placed [OUT_BEAT_OUTPUTS +: OUT_BEAT_OUTPUTS_BITS];
  // The beat that came last: it goes before the queues now, and they decide about it.
  wire [3:0] arrived_len = arrived[OUT_BEAT_OUT_LEN +: 4];
  wire decide = \dut.onward & arrived[OUT_BEAT_FIRST];
  wire [2:0] full;
  wire [2:0] empty;
  queue_judge #(.WIDTH(BEAT_BITS)) queue_0 (
    .clock(clock), .reset(reset), .arrived_len(arrived_len), .decide(decide),
    .beat(beat[BEAT_BITS-1:0]), .fire(\dut.fire ), .first(first), .valid(\dut.placed_valid ), .len(len),
    .wanted(wanted[0]), .takes(taking[0]), .drops(dropping[0]), .told_to_drop(drop_when_full[0]),
    .out_data(tx_0_data), .out_valid(out_valid[0]), .out_ready(out_ready[0]), .whole(whole[0]),
    .packets(packets_0[3:0]), .bytes(bytes_0[3:0]), .dropped(drops_0[3:0]), .full(full[0]), .empty(empty[0])
  );
  queue_judge #(.WIDTH(BEAT_BITS)) queue_1 (
    .clock(clock), .reset(reset), .arrived_len(arrived_len), .decide(decide),
    .beat(beat[BEAT_BITS-1:0]), .fire(\dut.fire ), .first(first), .valid(\dut.placed_valid ), .len(len),
    .wanted(wanted[1]), .takes(taking[1]), .drops(dropping[1]), .told_to_drop(drop_when_full[1]),
    .out_data(tx_1_data), .out_valid(out_valid[1]), .out_ready(out_ready[1]), .whole(whole[1]),
    .packets(packets_1[3:0]), .bytes(bytes_1[3:0]), .dropped(drops_1[3:0]), .full(full[1]), .empty(empty[1])
  );
  queue_judge #(.WIDTH(UPCALL_BEAT_BITS)) queue_2 (
    .clock(clock), .reset(reset), .arrived_len(arrived_len), .decide(decide),
    .beat(beat), .fire(\dut.fire ), .first(first), .valid(\dut.placed_valid ), .len(len),
    .wanted(wanted[2]), .takes(taking[2]), .drops(dropping[2]), .told_to_drop(drop_when_full[2]),
    .out_data(upcall_data), .out_valid(out_valid[2]), .out_ready(out_ready[2]), .whole(whole[2]),
    .packets(packets_2[3:0]), .bytes(bytes_2[3:0]), .dropped(drops_2[3:0]), .full(full[2]), .empty(empty[2])
  );

  always @(posedge clock) if (started & !reset) begin
    two_beats_on_the_way_at_most: assert (on_the_way <= 2);
    a_beat_waits_for_full_queues_alone: assert (\dut.fire == (\dut.placed_valid & (taking & full) == 0));
    a_free_place_is_offered: assert (inp_ready == (on_the_way < 2 | \dut.fire ));
    idle_says_so: assert (!idle | on_the_way == 0);
    idle_ports_say_so: assert ((idle_port & ~empty) == 0);
  end
endmodule

// What concerns one queue. Of a beat in front of it: its frame's length in bytes, whether the frame is meant for the queue, and is
// taken or dropped by it.
module queue_judge #(parameter WIDTH = BEAT_BITS) (
  input clock,
  input reset,
  // Of the frame that `decide` is about.
  input [3:0] arrived_len,
  input decide,
  input [WIDTH-1:0] beat,
  input valid,
  input fire,
  input first,
  input [3:0] len,
  input wanted,
  input takes,
  input drops,
  input told_to_drop,
  input [WIDTH-1:0] out_data,
  input out_valid,
  input out_ready,
  input whole,
  input [3:0] packets,
  input [3:0] bytes,
  input [3:0] dropped,
  output full,
  output empty
);
  wire [2:0] held;
  stream_order #(.WIDTH(WIDTH), .COUNT(3), .LATENCY(2)) order (
    .clock(clock), .reset(reset),
    .in_data(beat), .in_valid(fire & takes), .in_ready(1'b1),
    .out_data(out_data), .out_valid(out_valid), .out_ready(out_ready),
    .held(held)
  );
  assign full = held == 4;
  assign empty = held == 0;

  wire [3:0] beats = (arrived_len + 4'd1) >> 1;
  wire last_out = out_data[BEAT_LAST];
  reg took;
  reg told;
  reg fits;
  reg [2:0] counts;
  reg [2:0] counted;
  reg [3:0] packets_before;
  reg [3:0] bytes_before;
  reg [3:0] dropped_before;
  reg [3:0] len_1;
  reg [3:0] len_2;
  reg [1:0] takes_1_2;
  reg [1:0] drops_1_2;

  always @(posedge clock) begin
    if (fire) took <= takes;
    if (decide) begin
      told <= told_to_drop;
      fits <= held + (valid & takes) + beats <= 4;
    end
    packets_before <= packets;
    bytes_before <= bytes;
    dropped_before <= dropped;
    takes_1_2 <= {takes_1_2[0], fire & first & takes};
    drops_1_2 <= {drops_1_2[0], fire & first & drops};
    len_1 <= len;
    len_2 <= len_1;
    if (reset) begin
      packets_before <= 0;
      bytes_before <= 0;
      dropped_before <= 0;
      takes_1_2 <= 0;
      drops_1_2 <= 0;
    end
  end

  always @(posedge clock) if (order.started & !reset) begin
    four_beats_at_most: assert (held <= 4);
    a_frame_is_taken_or_dropped_if_it_is_meant_for_the_queue: assert (!(valid & first) | {takes, drops} == 0 & !wanted | takes != drops & wanted);
    a_frame_is_taken_whole: assert (!(valid & !first) | takes == took);
    only_a_queue_that_is_told_to_drops: assert (!(valid & first & drops) | told);
    a_frame_that_fits_is_taken: assert (!(valid & first & drops) | !fits);
    a_queue_that_is_told_to_takes_only_what_fits: assert (!(valid & first & takes & told) | fits);
    a_queue_that_is_told_to_drop_stops_nobody: assert (!(valid & takes & told) | held < 4);
    taken_frames_are_counted: assert (packets == packets_before + takes_1_2[1]);
    bytes_of_taken_frames_are_counted: assert (bytes == bytes_before + (takes_1_2[1] ? len_2 : 4'd0));
    dropped_frames_are_counted: assert (dropped == dropped_before + drops_1_2[1]);
    whole_promises_no_pause: assert (!whole | out_valid);
    whole_comes_with_the_last_beat: assert (!(out_valid & last_out) | whole);
    if ($past(!reset & whole & !(out_valid & out_ready & last_out))) whole_lasts_to_the_end: assert (whole);
  end
endmodule
