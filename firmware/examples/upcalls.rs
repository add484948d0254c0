// SPDX-License-Identifier: MIT OR Apache-2.0
//! How many upcalls the slow path handles per second of CPU time: `cargo run --release -p millrace-firmware --example upcalls`.

use millrace_firmware::bench;

fn main() {
    let rounds = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(5);
    for _ in 0..rounds {
        let figures = bench::upcalls(200_000, 10, 1000);
        println!("{figures}");
        println!("{}", figures.json());
    }
}
