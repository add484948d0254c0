// SPDX-License-Identifier: MIT OR Apache-2.0
//! The whole network card as Verilog: frames on GMII pins, messages on UART pins, and nothing else. A frame that misses comes out
//! of the UART as an upcall; a rule that comes in there sends the next one from port to port.

mod support;

use millrace_hdl::board::gigabit_nic::{TOP, build};
use millrace_hdl::emit;
use millrace_regs::config::Preset;
use millrace_regs::slip::{Decoder, encode};
use millrace_regs::{
    Command, DATA_PRIORITY_RULE, DATA_TCAM_MASK, DATA_VALID, Key, Mask, Step, Verdict, addr, priority_rule,
};
use std::fmt::Write as _;
use std::process::Command as Process;
use support::{DESIGN, Folder, verilator};

const CLOCKS_PER_BIT: usize = 4;
/// Of the GMII, in a bit of the UART: the core's clock has half its rate.
const GMII_PER_BIT: usize = 2 * CLOCKS_PER_BIT;
/// Bits on the UART that the card may take for whatever it does.
const PAUSE: usize = 1500;

/// What is put on the pins of the card, from its reset on.
#[derive(Default)]
struct Stimulus {
    /// Levels of the UART's line, one per bit.
    uart: Vec<bool>,
    /// Of each port and clock: data, `dv` in bit 8.
    gmii: [Vec<u16>; 2],
}

impl Stimulus {
    /// A message to the card, behind all before it.
    fn message(&mut self, message: &[u8]) {
        let mut line = vec![];
        encode(&[message], &mut line);
        for byte in line {
            self.uart.extend((0..10).map(|bit| (u16::from(byte) << 1 | 0x200) >> bit & 1 == 1));
        }
    }

    fn write(&mut self, address: u32, data: u32) {
        let [low, high] = (address as u16).to_le_bytes();
        self.message(&[&[2, 1, low, high][..], &data.to_le_bytes()].concat());
    }

    fn read(&mut self, address: u32) {
        let [low, high] = (address as u16).to_le_bytes();
        self.message(&[2, 0, low, high, 0, 0, 0, 0]);
    }

    /// Waits until all that was asked for is done.
    fn pause(&mut self) {
        self.uart.extend([true; PAUSE]);
    }

    /// A frame on the wire of a port, at the present end of the UART's line.
    fn frame(&mut self, port: usize, frame: &[u8], fcs: [u8; 4]) {
        self.gmii[port].resize(self.uart.len() * GMII_PER_BIT, 0);
        let preamble = [0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0xd5];
        self.gmii[port].extend([&preamble[..], frame, &fcs].concat().iter().map(|byte| 0x100 | u16::from(*byte)));
    }
}

fn fcs(frame: &[u8]) -> [u8; 4] {
    crc32fast::hash(frame).to_le_bytes()
}

/// The messages that the levels of a line say, `CLOCKS_PER_BIT` levels to a bit.
fn messages(line: &[bool]) -> Vec<Vec<u8>> {
    let (mut bytes, mut at) = (vec![], 0);
    while let Some(start) = line[at..].iter().position(|level| !level) {
        let bit = |n: usize| u8::from(line[at + start + n * CLOCKS_PER_BIT + CLOCKS_PER_BIT / 2]) << (n - 1);
        bytes.push((1..9).map(bit).sum::<u8>());
        at += start + 10 * CLOCKS_PER_BIT - CLOCKS_PER_BIT / 2;
    }
    let mut decoder = Decoder::new(10_000);
    bytes.into_iter().filter_map(|byte| decoder.push(byte)).map(|message| message.expect("a sound message")).collect()
}

/// Runs the emitted card: the frames on the wire of each port, from preamble to FCS, and the messages on the UART.
fn run(stimulus: &Stimulus) -> ([Vec<Vec<u8>>; 2], Vec<Vec<u8>>) {
    let nic = build(Preset::Ecp5, 2, CLOCKS_PER_BIT).expect("a card");
    let verilog = emit::verilog(nic.as_ref(), Some(TOP)).unwrap_or_else(|e| panic!("{}", e.join("\n")));
    let folder = Folder::with(&verilog);
    folder.write("bench.v", &bench(stimulus));
    let hex = |values: &[u16]| {
        values.iter().fold(String::new(), |mut text, value| {
            writeln!(text, "{value:x}").unwrap();
            text
        })
    };
    folder.write("uart.hex", &hex(&stimulus.uart.iter().map(|level| u16::from(*level)).collect::<Vec<_>>()));
    folder.write("gmii_0.hex", &hex(&stimulus.gmii[0]));
    folder.write("gmii_1.hex", &hex(&stimulus.gmii[1]));
    let mut compile = Process::new(verilator());
    compile.args([
        "--binary",
        "-O3",
        "-Wno-lint",
        "-Wno-style",
        "-Wno-fatal",
        "-CFLAGS",
        "-O1",
        "--top-module",
        "bench",
        DESIGN,
        "bench.v",
    ]);
    folder.run(compile);
    folder.run(Process::new(folder.path("obj_dir/Vbench")));
    let sent = |port: usize| {
        let text = folder.read(&format!("sent_{port}.txt"));
        let carrier = |line: &str| {
            line.split(' ')
                .filter(|byte| !byte.is_empty())
                .map(|byte| u8::from_str_radix(byte, 16).expect("no tx_er"))
                .collect()
        };
        text.lines().map(carrier).collect()
    };
    let line: Vec<bool> = folder.read("uart.txt").bytes().map(|level| level == b'1').collect();
    ([sent(0), sent(1)], messages(&line))
}

/// Clocks without relation: 62.5 MHz for the core, 125 MHz for transmission, and two PHYs a little off.
fn bench(stimulus: &Stimulus) -> String {
    let port = |i: usize| {
        format!(
            "
  reg [8:0] gmii_{i} [0:{last}];
  integer at_{i} = 0, sent_{i};
  reg [8:0] now_{i} = 0;
  reg sending_{i} = 0;
  wire [7:0] txd_{i};
  wire tx_en_{i}, tx_er_{i};
  always @(negedge rx_clock_{i}) if (!reset) begin
    now_{i} = at_{i} <= {last} ? gmii_{i}[at_{i}] : 9'd0;
    at_{i} = at_{i} + 1;
  end
  always @(posedge tx_clock) begin
    if (tx_er_{i}) $fwrite(sent_{i}, \"error \");
    else if (tx_en_{i}) $fwrite(sent_{i}, \"%02x \", txd_{i});
    else if (sending_{i}) $fwrite(sent_{i}, \"\\n\");
    sending_{i} <= tx_en_{i};
  end
",
            last = stimulus.gmii[i].len() - 1,
        )
    };
    format!(
        r#"`timescale 1ps/1ps
module bench;
  reg clock = 0, tx_clock = 0, rx_clock_0 = 0, rx_clock_1 = 0, reset = 1;
  always #8000 clock = !clock;
  always #4000 tx_clock = !tx_clock;
  always #3999 rx_clock_0 = !rx_clock_0;
  always #4001 rx_clock_1 = !rx_clock_1;
  reg uart [0:{last}];
  integer at = 0, tick = 0, line;
  reg uart_rx = 1;
  wire uart_tx;
  always @(negedge clock) begin
    tick = tick + 1;
    reset = tick < 64;
    if (!reset) begin
      uart_rx = at / {CLOCKS_PER_BIT} <= {last} ? uart[at / {CLOCKS_PER_BIT}] : 1'b1;
      at = at + 1;
      $fwrite(line, "%b", uart_tx);
    end
    if (at > ({last} + 1) * {CLOCKS_PER_BIT}) $finish;
  end
{}{}
  {TOP} dut (.clock(clock), .reset(reset), .tx_clock(tx_clock), .rx_clock_0(rx_clock_0), .rx_clock_1(rx_clock_1),
    .gmii_rxd_0(now_0[7:0]), .gmii_rx_dv_0(now_0[8]), .gmii_rx_er_0(1'b0), .gmii_txd_0(txd_0), .gmii_tx_en_0(tx_en_0), .gmii_tx_er_0(tx_er_0),
    .gmii_rxd_1(now_1[7:0]), .gmii_rx_dv_1(now_1[8]), .gmii_rx_er_1(1'b0), .gmii_txd_1(txd_1), .gmii_tx_en_1(tx_en_1), .gmii_tx_er_1(tx_er_1),
    .uart_rx(uart_rx), .uart_tx(uart_tx), .led_0(), .led_1(), .led_2(), .led_3());
  initial begin
    $readmemh("uart.hex", uart);
    $readmemh("gmii_0.hex", gmii_0);
    $readmemh("gmii_1.hex", gmii_1);
    line = $fopen("uart.txt");
    sent_0 = $fopen("sent_0.txt");
    sent_1 = $fopen("sent_1.txt");
  end
endmodule
"#,
        port(0),
        port(1),
        last = stimulus.uart.len() - 1,
    )
}

/// A UDP frame, or rather what matters of one, with every byte value that SLIP escapes.
fn frame(len: usize, tag: u8) -> Vec<u8> {
    let mut frame = vec![0x02, 0, 0, 0, 0, tag, 0x02, 0, 0, 0, 0, 2, 0x88, 0xb5, 0xc0, 0xdb, 0xdc, 0xdd];
    frame.extend((frame.len()..len).map(|i| i as u8 ^ tag));
    frame
}

fn on_wire(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame.resize(frame.len().max(60), 0);
    [&[0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0xd5][..], &frame, &fcs(&frame)].concat()
}

/// Sends all that comes in on p0 to p1, as entry 0 of the TCAM with rule id 5.
fn program_a_rule(card: &mut Stimulus) {
    const RULE: u16 = 5;
    for (i, word) in Step::output(1 << 1).pack().into_iter().enumerate() {
        card.write(addr::data(i as u32), word);
    }
    card.write(addr::INDEX, RULE.into());
    card.write(addr::COMMAND, Command::WriteAction.word(0));
    let mask = Mask { in_port: 0xff, ..Mask::ANY };
    for (i, word) in (Key { in_port: 0, ..Key::ZERO }).pack().into_iter().enumerate() {
        card.write(addr::data(i as u32), word);
    }
    card.write(addr::data(DATA_PRIORITY_RULE as u32), priority_rule(7, RULE));
    card.write(addr::data(DATA_VALID as u32), 1);
    for (i, word) in mask.pack().into_iter().enumerate() {
        card.write(addr::data((DATA_TCAM_MASK + i) as u32), word);
    }
    card.write(addr::INDEX, 0);
    card.write(addr::COMMAND, Command::WriteTcam.word(0));
}

fn read_verdicts(card: &mut Stimulus, vport: u32, verdict: Verdict) {
    card.write(addr::INDEX, vport * 16 + verdict as u32);
    card.write(addr::COMMAND, Command::ReadVerdictCounter.word(0));
    card.read(addr::COUNTER_PACKETS_LO);
}

#[test]
fn a_frame_misses_comes_out_of_the_uart_and_a_rule_sends_the_next_one_from_port_to_port() {
    let (first, second, back, own) = (frame(60, 1), frame(300, 3), frame(20, 4), frame(77, 5));
    let mut card = Stimulus { uart: vec![true; 100], ..Default::default() };
    card.read(addr::ID);
    card.frame(0, &first, fcs(&first));
    card.frame(1, &first, [1, 2, 3, 4]);
    card.pause();
    card.message(&[&[1, 1, 0, 0, 0, 0, 0, 0][..], &back].concat());
    program_a_rule(&mut card);
    card.pause();
    card.frame(0, &second, fcs(&second));
    card.pause();
    card.message(&[&[0, 2, 0, 0, 0, 0, 0, 0][..], &own].concat());
    card.message(&[9; 30]);
    card.read(0x8000);
    read_verdicts(&mut card, 0, Verdict::Hit);
    read_verdicts(&mut card, 1, Verdict::DropRxError);
    card.read(0x8008);
    card.read(0x4000);
    card.pause();

    let ([p0, p1], messages) = run(&card);
    assert!(p0.is_empty(), "nothing goes out where it came in");
    assert_eq!(p1, [on_wire(&back), on_wire(&second)], "the packet out, and the frame that hit");

    let of = |kind: u8| messages.iter().filter(move |message| message[0] == kind).cloned().collect::<Vec<_>>();
    let upcall = |vport: u8, frame: &[u8]| [&[1, vport, 0, 0, 0, 0, 0, 0][..], frame].concat();
    assert_eq!(of(1), [upcall(0, &first), upcall(2, &own)], "both missed");
    assert!(of(0).is_empty());
    let answer = |address: u32, response: u8, data: u32| {
        let [low, high] = (address as u16).to_le_bytes();
        [&[2, response, low, high][..], &data.to_le_bytes()].concat()
    };
    let answers = of(2);
    assert_eq!(answers[0], answer(addr::ID, 0, 0x4d49_4c4c));
    assert!(answers.iter().all(|answer| answer.len() == 8));
    let writes = answers.iter().filter(|a| a[1] == 0 && a[2..4] == (addr::COMMAND as u16).to_le_bytes()).count();
    assert_eq!(writes, 4, "each command was answered");
    let reads: Vec<_> = answers
        .iter()
        .filter(|a| {
            u16::from_le_bytes([a[2], a[3]]) >= 0x4000 || a[2..4] == (addr::COUNTER_PACKETS_LO as u16).to_le_bytes()
        })
        .cloned()
        .collect();
    let counted = |count| answer(addr::COUNTER_PACKETS_LO, 0, count);
    assert_eq!(reads, [answer(0x8000, 0, 1), counted(1), counted(1), answer(0x8008, 0, 0), answer(0x4000, 2, 0)]);
}
