// SPDX-License-Identifier: MIT OR Apache-2.0
// HashTable: a key is found exactly when it lies in one of its four places, whatever is written meanwhile; so an entry that is
// copied to its new place before its old one is cleared never misses. 4 x 16 slots; any key, mask and seed; a lookup in each clock.
module hash_table_proof (
  input clock,
  input reset,
  input [SLOT_KEY_BITS-1:0] other_key,
  input look,
  input write_entry,
  input [15:0] write_index,
  input [SLOT_BITS-1:0] slot
);
  // The key, the mask and seed of the table, and what belongs to the key.
  (* anyconst *) wire [SLOT_KEY_BITS-1:0] wanted;
  (* anyconst *) wire [SLOT_KEY_BITS-1:0] mask;
  (* anyconst *) wire [31:0] seed;
  (* anyconst *) wire [SLOT_RULE_BITS-1:0] rule;
  (* anyconst *) wire [SLOT_PRIORITY_BITS-1:0] rule_priority;
  wire [SLOT_BITS-1:0] entry = {1'b1, rule, rule_priority, wanted & mask};

  reg started = 0;
  reg loaded = 0;
  always @(posedge clock) begin
    started <= 1;
    loaded <= started;
  end
  always @* assume (reset == !started);

  // Keys, and the same five clocks later.
  wire [SLOT_KEY_BITS-1:0] key = look ? wanted : other_key;
  reg [SLOT_KEY_BITS-1:0] key_pipe [1:5];
  always @(posedge clock) begin
    key_pipe[1] <= key;
    key_pipe[2] <= key_pipe[1];
    key_pipe[3] <= key_pipe[2];
    key_pipe[4] <= key_pipe[3];
    key_pipe[5] <= key_pipe[4];
  end

  wire [HIT_BITS-1:0] hit;
  hash_table dut (
    .clock(clock), .clock_hash(clock), .reset(reset), .key(key), .late_key(key_pipe[5]), .hit(hit),
    .write_entry(write_entry), .write_index(write_index), .slot(slot),
    .write_mask(started & !loaded), .mask(mask), .seed(seed), .enable(1'b1)
  );

  // Where the key belongs: the hash, from a block of its own.
  wire [3:0] index0, index1, index2, index3;
  key_hash places (
    .clock(clock), .key(wanted & mask), .seed(seed),
    .index0(index0), .index1(index1), .index2(index2), .index3(index3)
  );
  (* hierconn *) wire [3:0] \dut.way_0.ram.watched ;
  (* hierconn *) wire [3:0] \dut.way_1.ram.watched ;
  (* hierconn *) wire [3:0] \dut.way_2.ram.watched ;
  (* hierconn *) wire [3:0] \dut.way_3.ram.watched ;
  reg [2:0] hashed = 0;
  always @(posedge clock) if (hashed != 5) hashed <= hashed + 1'b1;
  always @* if (hashed == 5) begin
    assume (index0 == \dut.way_0.ram.watched );
    assume (index1 == \dut.way_1.ram.watched );
    assume (index2 == \dut.way_2.ram.watched );
    assume (index3 == \dut.way_3.ram.watched );
  end

  // Whether it was written there last. write_index: way[5:4], slot[3:0].
  wire [3:0] written = write_entry << write_index[5:4] & {
    write_index[3:0] == \dut.way_3.ram.watched , write_index[3:0] == \dut.way_2.ram.watched ,
    write_index[3:0] == \dut.way_1.ram.watched , write_index[3:0] == \dut.way_0.ram.watched
  };
  reg [3:0] there = 0;
  always @(posedge clock) there <= there & ~written | written & {4{slot == entry}};

  // The driver writes what it likes, but for another rule under the same key.
  always @* assume (!(write_entry & slot[SLOT_VALID] & slot[SLOT_KEY +: SLOT_KEY_BITS] == (wanted & mask)) | slot == entry);

  // Lookups under way; whether the key was there in the clock in which the memories were read; whether it was in all clocks.
  reg [9:1] looked = 0;
  reg [5:1] was_there;
  always @(posedge clock) begin
    looked <= {looked[8:1], look & hashed == 5};
    was_there <= {was_there[4:1], there != 0};
  end
  reg [3:0] stayed = 0;
  always @(posedge clock) stayed <= there == 0 ? 0 : stayed == 10 ? 10 : stayed + 1'b1;

  (* hierconn *) wire [SLOT_BITS-1:0] \dut.way_0.ram.word ;
  (* hierconn *) wire [SLOT_BITS-1:0] \dut.way_1.ram.word ;
  (* hierconn *) wire [SLOT_BITS-1:0] \dut.way_2.ram.word ;
  (* hierconn *) wire [SLOT_BITS-1:0] \dut.way_3.ram.word ;
  (* hierconn *) wire [SLOT_KEY_BITS-1:0] \dut.mask_reg ;
  (* hierconn *) wire [31:0] \dut.seed_reg ;
  (* hierconn *) wire \dut.enable_reg ;
  wire [3:0] same = {
    \dut.way_3.ram.word == entry, \dut.way_2.ram.word == entry,
    \dut.way_1.ram.word == entry, \dut.way_0.ram.word == entry
  };
  wire [3:0] alike = {
    \dut.way_3.ram.word [SLOT_VALID] & \dut.way_3.ram.word [SLOT_KEY +: SLOT_KEY_BITS] == (wanted & mask),
    \dut.way_2.ram.word [SLOT_VALID] & \dut.way_2.ram.word [SLOT_KEY +: SLOT_KEY_BITS] == (wanted & mask),
    \dut.way_1.ram.word [SLOT_VALID] & \dut.way_1.ram.word [SLOT_KEY +: SLOT_KEY_BITS] == (wanted & mask),
    \dut.way_0.ram.word [SLOT_VALID] & \dut.way_0.ram.word [SLOT_KEY +: SLOT_KEY_BITS] == (wanted & mask)
  };

  // Memories start as zeros.
  always @* if (!started) begin
    assume (\dut.way_0.ram.word == 0 & \dut.way_1.ram.word == 0);
    assume (\dut.way_2.ram.word == 0 & \dut.way_3.ram.word == 0);
  end

`ifndef PROMISES_ONLY
  // What the proof leans on: the mask is loaded, what was written is there, and a key has one rule.
  always @(posedge clock) begin
    the_mask_was_loaded_before: assert (hashed < 2 | loaded);
    the_mask_is_kept: assert (!loaded | \dut.mask_reg == mask & \dut.seed_reg == seed & \dut.enable_reg );
    what_was_written_is_there: assert (same == there);
    a_key_has_one_rule: assert (alike == there);
  end
`endif

  always @(posedge clock) if (looked[9]) begin
    a_key_is_found_where_it_was_put: assert (hit[HIT_HIT] == was_there[5]);
    it_brings_its_rule: assert (
      !hit[HIT_HIT] | hit[HIT_RULE +: HIT_RULE_BITS] == rule & hit[HIT_PRIORITY +: HIT_PRIORITY_BITS] == rule_priority
    );
    an_entry_that_is_moved_never_misses: assert (stayed != 10 | hit[HIT_HIT]);
  end
endmodule
