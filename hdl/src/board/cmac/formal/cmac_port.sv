// SPDX-License-Identifier: MIT OR Apache-2.0
// CmacPort: what stands between the core and the FIFOs, and between the FIFOs and the MAC. To the MAC, beats are cleared past the frame's end
// and padded in the first to 60 bytes, and of a frame that a reset of the port cuts nothing goes on; from the MAC, beats go on unchanged, and a
// frame that a reset cuts is ended by a marked beat, before any other begins. With the CMAC's 64 bytes a beat.
//
// The FIFOs, FrameGate and LossMark have proofs of their own: below, blocks with their ports that do anything that streams may.
module cmac_port_proof (
  input clock,
  input reset,
  input port_reset,
  input [MAC_BEAT_DATA_BITS-1:0] tx_data,
  input [MAC_BEAT_KEEP_BITS-1:0] tx_keep,
  input tx_last,
  input tx_error,
  input tx_valid,
  input rx_ready,
  input mac_reset,
  input mac_ready,
  input [MAC_BEAT_BITS-1:0] mac_rx,
  input mac_rx_valid,
  input mac_rx_reset
);
  wire tx_ready;
  wire [MAC_BEAT_BITS-1:0] rx;
  wire rx_valid;
  wire [MAC_BEAT_BITS-1:0] mac;
  wire mac_valid;

  // One clock for both sides: nothing is between them but the FIFOs.
  cmac_port dut (
    .clock(clock), .reset(reset), .port_reset(port_reset),
    .s_axis_tx_tdata(tx_data), .s_axis_tx_tkeep(tx_keep), .s_axis_tx_tlast(tx_last), .s_axis_tx_tuser(tx_error),
    .s_axis_tx_tvalid(tx_valid), .s_axis_tx_tready(tx_ready),
    .m_axis_rx_tdata(rx[MAC_BEAT_DATA +: MAC_BEAT_DATA_BITS]), .m_axis_rx_tkeep(rx[MAC_BEAT_KEEP +: MAC_BEAT_KEEP_BITS]), .m_axis_rx_tlast(rx[MAC_BEAT_LAST]), .m_axis_rx_tuser(rx[MAC_BEAT_ERROR]),
    .m_axis_rx_tvalid(rx_valid), .m_axis_rx_tready(rx_ready),
    .mac_clock(clock), .mac_reset(mac_reset),
    .m_axis_mac_tdata(mac[MAC_BEAT_DATA +: MAC_BEAT_DATA_BITS]), .m_axis_mac_tkeep(mac[MAC_BEAT_KEEP +: MAC_BEAT_KEEP_BITS]), .m_axis_mac_tlast(mac[MAC_BEAT_LAST]), .m_axis_mac_tuser(mac[MAC_BEAT_ERROR]),
    .m_axis_mac_tvalid(mac_valid), .m_axis_mac_tready(mac_ready),
    .mac_rx_tdata(mac_rx[MAC_BEAT_DATA +: MAC_BEAT_DATA_BITS]), .mac_rx_tkeep(mac_rx[MAC_BEAT_KEEP +: MAC_BEAT_KEEP_BITS]), .mac_rx_tlast(mac_rx[MAC_BEAT_LAST]), .mac_rx_tuser(mac_rx[MAC_BEAT_ERROR]),
    .mac_rx_tvalid(mac_rx_valid), .mac_rx_reset(mac_rx_reset)
  );

  // What the FIFOs and the blocks of the MAC's side are given, and give.
  (* hierconn *) wire [MAC_BEAT_BITS-1:0] \dut.to_mac.inp_data ;
  (* hierconn *) wire \dut.to_mac.inp_valid ;
  (* hierconn *) wire \dut.to_mac.inp_ready ;
  (* hierconn *) wire [MAC_BEAT_BITS-1:0] \dut.to_mac.out_data ;
  (* hierconn *) wire \dut.to_mac.out_valid ;
  (* hierconn *) wire \dut.to_mac.out_ready ;
  (* hierconn *) wire [MAC_BEAT_BITS-1:0] \dut.gate.inp_data ;
  (* hierconn *) wire \dut.gate.inp_valid ;
  (* hierconn *) wire \dut.gate.inp_ready ;
  (* hierconn *) wire [MAC_BEAT_BITS-1:0] \dut.gate.out_data ;
  (* hierconn *) wire \dut.gate.out_valid ;
  (* hierconn *) wire \dut.gate.out_ready ;
  (* hierconn *) wire [MAC_BEAT_BITS-1:0] \dut.loss.data ;
  (* hierconn *) wire \dut.loss.valid ;
  (* hierconn *) wire \dut.loss.gone ;
  (* hierconn *) wire [MAC_BEAT_BITS-1:0] \dut.loss.out_data ;
  (* hierconn *) wire \dut.loss.out_valid ;
  (* hierconn *) wire \dut.loss.out_ready ;
  (* hierconn *) wire [MAC_BEAT_BITS-1:0] \dut.from_mac.inp_data ;
  (* hierconn *) wire \dut.from_mac.inp_valid ;
  (* hierconn *) wire \dut.from_mac.inp_ready ;
  (* hierconn *) wire [MAC_BEAT_BITS-1:0] \dut.from_mac.out_data ;
  (* hierconn *) wire \dut.from_mac.out_valid ;
  (* hierconn *) wire \dut.from_mac.out_ready ;
  wire enters = !port_reset & \dut.to_mac.inp_valid & \dut.to_mac.inp_ready ;
  wire comes = !port_reset & \dut.from_mac.out_valid & \dut.from_mac.out_ready ;

  // The core is inside a frame that it sends; of which a reset has taken the beginning away. A frame is open in `to_mac`.
  reg tx_open;
  reg tx_torn;
  reg mac_open;
  wire taken = tx_valid & tx_ready;
  // The core is inside a frame that it receives; whose rest a reset has taken away.
  reg rx_open;
  reg rx_torn;
  wire ends = rx_open & (port_reset | rx_torn);
  wire given = rx_valid & rx_ready;
  reg started = 0;

  always @(posedge clock) begin
    started <= 1;
    if (taken) tx_open <= !tx_last;
    tx_torn <= (port_reset | tx_torn) & tx_open & !(taken & tx_last);
    if (enters) mac_open <= !\dut.to_mac.inp_data [MAC_BEAT_LAST];
    if (port_reset) mac_open <= 0;
    if (given) rx_open <= !rx[MAC_BEAT_LAST];
    rx_torn <= ends & !given;
    if (reset) begin
      tx_open <= 0;
      tx_torn <= 0;
      rx_open <= 0;
      rx_torn <= 0;
    end
  end

  // The bits of the bytes that count, of any byte that the solver picks.
  (* anyconst *) wire [5:0] byte_;
  wire keeps = !tx_last | tx_keep[byte_];
  wire pads = !tx_open & byte_ < 60;
  wire [7:0] in_byte = tx_data >> {byte_, 3'd0};
  wire [7:0] out_byte = \dut.to_mac.inp_data >> {byte_, 3'd0};
  wire [MAC_BEAT_KEEP_BITS-1:0] rx_keep = rx[MAC_BEAT_KEEP +: MAC_BEAT_KEEP_BITS];
  wire out_keep = \dut.to_mac.inp_data >> (MAC_BEAT_KEEP + byte_);

  always @* if (!started) assume (reset);
  always @* assume (!reset | port_reset);

  always @(posedge clock) if (started & !reset) begin
    a_reset_takes_nothing: assert (!port_reset | !tx_ready);
    a_torn_frame_goes_nowhere: assert (!tx_torn | !\dut.to_mac.inp_valid );
    a_torn_frame_does_not_wait: assert (!tx_torn | port_reset | tx_ready);
    a_beat_taken_goes_in: assert (tx_torn | taken == enters);
    frames_go_in_whole: assert (!enters | mac_open == tx_open);
    if (enters) begin
      bytes_keep_their_value: assert (out_byte == (keeps ? in_byte : 8'd0));
      short_frames_are_padded: assert (out_keep == (keeps | pads));
      marks_go_in: assert (
        \dut.to_mac.inp_data [MAC_BEAT_LAST] == tx_last & \dut.to_mac.inp_data [MAC_BEAT_ERROR] == tx_error
      );
    end
    if (ends) a_torn_frame_is_ended: assert (rx_valid & rx_keep == 1 & rx[MAC_BEAT_LAST] & rx[MAC_BEAT_ERROR] & !comes);
    else begin
      a_reset_gives_nothing: assert (!port_reset | !rx_valid);
      a_beat_comes_as_it_is: assert (!rx_valid | \dut.from_mac.out_valid & rx == \dut.from_mac.out_data );
      a_beat_given_has_come: assert (given == comes);
      a_beat_is_offered: assert (port_reset | rx_valid == \dut.from_mac.out_valid );
    end
    if ($past(!reset & !port_reset & rx_valid & !rx_ready) & !port_reset) begin
      valid_waits_for_ready: assert (rx_valid);
      beats_wait_for_ready: assert ($stable(rx[MAC_BEAT_BITS-1:MAC_BEAT_KEEP]));
    end
  end

  always @* begin
    to_the_gate: assert (\dut.gate.inp_data == \dut.to_mac.out_data & \dut.gate.inp_valid == \dut.to_mac.out_valid );
    from_the_gate: assert (\dut.to_mac.out_ready == \dut.gate.inp_ready );
    to_the_wire: assert (mac == \dut.gate.out_data & mac_valid == \dut.gate.out_valid & \dut.gate.out_ready == mac_ready);
    from_the_wire: assert (\dut.loss.data == mac_rx & \dut.loss.valid == mac_rx_valid & \dut.loss.gone == mac_rx_reset);
    to_the_core: assert (\dut.from_mac.inp_data == \dut.loss.out_data & \dut.from_mac.inp_valid == \dut.loss.out_valid );
    from_the_core: assert (\dut.loss.out_ready == \dut.from_mac.inp_ready );
  end
endmodule

// A stream's end that does what it may: what it offers stays until it is taken.
module any_source (
  input clock,
  input reset,
  output [MAC_BEAT_BITS-1:0] data,
  output valid,
  input ready
);
  (* anyseq *) wire [MAC_BEAT_BITS-1:0] any_data;
  (* anyseq *) wire any_valid;
  assign data = any_data;
  assign valid = any_valid;
  reg waits = 0;
  reg [MAC_BEAT_BITS-1:0] before;
  always @(posedge clock) begin
    waits <= !reset & valid & !ready;
    before <= data;
  end
  always @* assume (!waits | valid & data == before);
endmodule

module async_fifo_depth_log2_4 (
  input write_clock,
  input write_reset,
  input [MAC_BEAT_BITS-1:0] inp_data,
  input inp_valid,
  output inp_ready,
  input read_clock,
  input read_reset,
  output [MAC_BEAT_BITS-1:0] out_data,
  output out_valid,
  input out_ready
);
  (* anyseq *) wire any_ready;
  assign inp_ready = any_ready;
  any_source source (.clock(read_clock), .reset(read_reset), .data(out_data), .valid(out_valid), .ready(out_ready));
endmodule

module async_fifo_depth_log2_6 (
  input write_clock,
  input write_reset,
  input [MAC_BEAT_BITS-1:0] inp_data,
  input inp_valid,
  output inp_ready,
  input read_clock,
  input read_reset,
  output [MAC_BEAT_BITS-1:0] out_data,
  output out_valid,
  input out_ready
);
  (* anyseq *) wire any_ready;
  assign inp_ready = any_ready;
  any_source source (.clock(read_clock), .reset(read_reset), .data(out_data), .valid(out_valid), .ready(out_ready));
endmodule

module frame_gate (
  input clock,
  input reset,
  input [MAC_BEAT_BITS-1:0] inp_data,
  input inp_valid,
  output inp_ready,
  output [MAC_BEAT_BITS-1:0] out_data,
  output out_valid,
  input out_ready
);
  (* anyseq *) wire any_ready;
  assign inp_ready = any_ready;
  any_source source (.clock(clock), .reset(reset), .data(out_data), .valid(out_valid), .ready(out_ready));
endmodule

module loss_mark (
  input clock,
  input reset,
  input [MAC_BEAT_BITS-1:0] data,
  input valid,
  input gone,
  output [MAC_BEAT_BITS-1:0] out_data,
  output out_valid,
  input out_ready
);
  any_source source (.clock(clock), .reset(reset), .data(out_data), .valid(out_valid), .ready(out_ready));
endmodule
