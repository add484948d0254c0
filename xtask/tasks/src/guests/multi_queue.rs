// SPDX-License-Identifier: MIT OR Apache-2.0
//! Several pairs of virtqueues, and what a stock driver asks for on the control queue.

use super::bench::Bench;
use super::guest::{Guest, Machine};
use super::initramfs::{self, Contents};
use super::network::Network;
use super::scenarios::{Outcome, SWITCH, has_feature};
use super::traffic::{self, address, ping, ping_with};
use anyhow::{Context, Result, bail, ensure};
use millrace_model::host::steering::Steering;

const PAIRS: usize = 2;
/// TCP connections at once. That all of them meet on one of two queues by chance happens once in 2¹⁵ times.
const FLOWS: usize = 16;
/// By which it is seen where frames arrive.
const PINGS: usize = 20;
const FUNCTIONS: [&str; 2] = ["vf0", "vf1"];
/// Features by their bits (virtio 5.1.3).
const CONTROL: [(usize, &str); 4] = [(17, "CTRL_VQ"), (22, "MQ"), (23, "CTRL_MAC_ADDR"), (60, "RSS")];
const KEY_BYTES: usize = 40;
/// Further addresses of a guest, each a flow of its own: the last number.
const STATIONS: std::ops::Range<u8> = 101..109;

/// Two guests with two pairs of queues each.
pub fn multi_queue(bench: &Bench) -> Result<Outcome> {
    if bench.self_test {
        return Ok(Outcome::Skipped("QEMU's own network functions are joined by one queue"));
    }
    let initramfs = bench.sockets().join("initramfs");
    initramfs::write(bench.install, &Contents { modules: &["virtio_net", "8021q"], ..Contents::STOCK }, &initramfs)?;
    let network = Network::start(bench, SWITCH, &[])?;
    let [mut a, mut b] = boot(bench, &network, &Machine::stock(bench.install, &initramfs))?;
    for guest in [&mut a, &mut b] {
        for (feature, name) in CONTROL {
            ensure!(has_feature(guest, feature)?, "the driver did not take {name}");
        }
        set_pairs(guest, PAIRS)?;
    }
    pairs_come_and_go(&mut a, &mut b)?;
    let rate = spread(&mut a, &mut b)?;
    receive_side_scaling(&mut a, &mut b)?;
    filters(&mut a, &mut b)?;
    vlan(&mut a, &mut b)?;
    mac_address(&mut a, &mut b)?;
    bench.finish(network, [a, b])?;
    Ok(Outcome::Passed(format!("{rate:.1} Mb/s in {FLOWS} flows")))
}

fn boot(bench: &Bench, network: &Network, machine: &Machine) -> Result<[Guest; 2]> {
    let start = |function| Guest::start_as(bench, function, machine, &[network.nic(function)]);
    let [a, b] = FUNCTIONS.map(start);
    let mut guests = [a?, b?];
    for (guest, function) in guests.iter_mut().zip(FUNCTIONS) {
        guest.wait_until_ready()?;
        traffic::up(guest, &address(function))?;
    }
    Ok(guests)
}

/// Sets the number of pairs that the driver uses, and sees that it is so.
fn set_pairs(guest: &mut Guest, pairs: usize) -> Result<()> {
    let before = channels(guest)?;
    ensure!(before[0] >= PAIRS, "the device has {} pairs of queues", before[0]);
    // ethtool takes it for an error if nothing changes.
    if before[1] != pairs {
        guest.run(&format!("/usr/sbin/ethtool --set-channels eth0 combined {pairs}"))?;
    }
    let [_, now] = channels(guest)?;
    ensure!(now == pairs, "{now} pairs are in use after {pairs} were set");
    Ok(())
}

/// Pairs of queues: what there are at most, and how many are in use.
fn channels(guest: &mut Guest) -> Result<[usize; 2]> {
    let text = guest.run("/usr/sbin/ethtool --show-channels eth0")?;
    numbers_behind(&text, "Combined:").try_into().map_err(|_| anyhow::anyhow!("ethtool says:\n{text}"))
}

/// Of the lines that begin with `name`, the number behind it.
fn numbers_behind(text: &str, name: &str) -> Vec<usize> {
    text.lines().filter_map(|line| line.trim().strip_prefix(name)?.trim().parse().ok()).collect()
}

/// Interrupts of each queue of a guest: `input` or `output`. (Newer kernels do not tell packets by queue through ethtool.)
fn interrupts(guest: &mut Guest, direction: &str) -> Result<Vec<usize>> {
    let text = guest.run("cat /proc/interrupts")?;
    let counts: Option<Vec<usize>> =
        (0..PAIRS).map(|queue| count_of(&text, &format!("-{direction}.{queue}"))).collect();
    counts.with_context(|| format!("the kernel tells of no queues:\n{text}"))
}

/// Of the line of `/proc/interrupts` that ends so, the count of the first processor.
fn count_of(text: &str, name: &str) -> Option<usize> {
    let line = text.lines().find(|line| line.trim_end().ends_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// What `interrupts` are more than they were.
fn since(before: &[usize], after: &[usize]) -> Vec<usize> {
    after.iter().zip(before).map(|(after, before)| after - before).collect()
}

/// The number of pairs changes under traffic.
fn pairs_come_and_go(guest: &mut Guest, other: &mut Guest) -> Result<()> {
    let towards = traffic::keep_pinging(other, &address(FUNCTIONS[0]))?;
    for pairs in [1, PAIRS, 1, PAIRS] {
        set_pairs(guest, pairs)?;
        ping(guest, &address(FUNCTIONS[1]), 10, 56)?;
    }
    traffic::stop_pinging(other, &towards)
}

/// Many flows leave and arrive on all queues of both guests; Mb/s that they carry.
fn spread(client: &mut Guest, server: &mut Guest) -> Result<f64> {
    let mut before = vec![];
    for guest in [&mut *client, &mut *server] {
        // The driver binds its transmitqs to processors, of which there is one: flows are to have theirs.
        guest.run("for queue in /sys/class/net/eth0/queues/tx-*; do echo 0 >$queue/xps_cpus || exit; done")?;
        before.push(["input", "output"].map(|direction| interrupts(guest, direction)));
    }
    let rate = traffic::one_way(client, server, &address(FUNCTIONS[1]), &format!("--parallel {FLOWS}"))?;
    for (guest, before) in [client, server].into_iter().zip(before) {
        for (direction, before) in ["input", "output"].into_iter().zip(before) {
            let counts = since(&before?, &interrupts(guest, direction)?);
            ensure!(counts.iter().all(|count| *count > 0), "{direction} queues had {counts:?} interrupts");
        }
    }
    Ok(rate)
}

/// The guest's table and key decide.
fn receive_side_scaling(guest: &mut Guest, other: &mut Guest) -> Result<()> {
    let shown = show_rss(guest)?;
    ensure!(shown.contains("toeplitz: on"), "ethtool shows no Toeplitz hash:\n{shown}");
    for queue in (0..PAIRS).chain([0]) {
        let weights: Vec<_> = (0..PAIRS).map(|other| if other == queue { "1" } else { "0" }).collect();
        guest.run(&format!("/usr/sbin/ethtool --rxfh eth0 weight {}", weights.join(" ")))?;
        answered_on(guest, queue, "")?;
    }
    flows_go_by_their_hash(guest)?;
    guest.run(&format!("/usr/sbin/ethtool --rxfh eth0 equal {PAIRS}"))?;
    spread(guest, other).map(drop)
}

fn show_rss(guest: &mut Guest) -> Result<String> {
    guest.run("/usr/sbin/ethtool --show-rxfh eth0")
}

/// Pings, with further options; the answers arrive on this queue.
fn answered_on(guest: &mut Guest, queue: usize, options: &str) -> Result<()> {
    let before = interrupts(guest, "input")?;
    ping_with(guest, &address(FUNCTIONS[1]), PINGS as u32, 56, options)?;
    let counts = since(&before, &interrupts(guest, "input")?);
    // ARP has no hash, and an interrupt may tell of two frames.
    let elsewhere = counts.iter().sum::<usize>() - counts[queue];
    let right = counts[queue] > PINGS / 2 && elsewhere < PINGS / 2;
    ensure!(right, "pings with options {options:?} are for receiveq {queue}: they got {counts:?}");
    Ok(())
}

/// With a new key and a table in which all bits of the hash count, flows arrive where the model says.
fn flows_go_by_their_hash(guest: &mut Guest) -> Result<()> {
    let key: [u8; KEY_BYTES] = std::array::from_fn(|i| (i as u8 + 1).wrapping_mul(37));
    let text = key.map(|byte| format!("{byte:02x}")).join(":");
    guest.run(&format!("/usr/sbin/ethtool --rxfh eth0 hkey {text} weight 1 2"))?;
    let shown = show_rss(guest)?;
    ensure!(shown.contains(&text), "the key is another:\n{shown}");
    let table = indirection_table(&shown);
    ensure!(table.len().is_power_of_two(), "no table:\n{shown}");
    let steering = Steering { table, key, ..Steering::pairs(PAIRS as u16) };
    let queues: Vec<_> = STATIONS.map(|station| steering.receiveq(&answer_to(station))).collect();
    ensure!((0..PAIRS as u16).all(|queue| queues.contains(&queue)), "all flows have the same receiveq: {queues:?}");
    for (station, queue) in STATIONS.zip(queues) {
        guest.run(&format!("ip address add 10.0.0.{station}/24 dev eth0"))?;
        answered_on(guest, queue.into(), &format!("-I 10.0.0.{station}"))?;
        guest.run(&format!("ip address delete 10.0.0.{station}/24 dev eth0"))?;
    }
    Ok(())
}

/// The table that ethtool shows.
fn indirection_table(shown: &str) -> Vec<u16> {
    let row = |line: &str| {
        let (first, entries) = line.split_once(':')?;
        first.trim().parse::<u16>().ok()?;
        entries.split_whitespace().map(|entry| entry.parse().ok()).collect::<Option<Vec<u16>>>()
    };
    shown.lines().filter_map(row).flatten().collect()
}

/// As much of the answer to a station's ping as is hashed.
fn answer_to(station: u8) -> Vec<u8> {
    let mut frame = vec![0; 12];
    frame.extend([8, 0, 0x45, 0, 0, 84, 0, 0, 0, 0, 64, 1, 0, 0]);
    frame.extend([10, 0, 0, 2, 10, 0, 0, station]);
    frame
}

/// What the driver takes in changes, and traffic goes on.
fn filters(guest: &mut Guest, other: &mut Guest) -> Result<()> {
    let towards = traffic::keep_pinging(other, &address(FUNCTIONS[0]))?;
    for mode in ["promisc", "-promisc", "allmulti", "-allmulti", "promisc", "-promisc"] {
        guest.run(&format!("ifconfig eth0 {mode}"))?;
        ping(guest, &address(FUNCTIONS[1]), 5, 56)?;
    }
    traffic::stop_pinging(other, &towards)
}

/// Tagged frames come through when both have the VLAN.
fn vlan(a: &mut Guest, b: &mut Guest) -> Result<()> {
    for (guest, host) in [(&mut *a, 1), (&mut *b, 2)] {
        guest.run("modprobe 8021q")?;
        guest.run("ip link add link eth0 name eth0.7 type vlan id 7")?;
        guest.run(&format!("ip address add 10.0.7.{host}/24 dev eth0.7 && ip link set eth0.7 up"))?;
    }
    ping(a, "10.0.7.2", 10, 56)?;
    for guest in [&mut *a, &mut *b] {
        guest.run("ip link delete eth0.7")?;
    }
    ping(a, &address(FUNCTIONS[1]), 10, 56)
}

/// The function has another address while it is up.
fn mac_address(guest: &mut Guest, other: &mut Guest) -> Result<()> {
    for mac in ["02:00:00:00:77:01", "02:00:00:00:77:02"] {
        guest.run(&format!("ip link set eth0 address {mac}"))?;
        for guest in [&mut *guest, &mut *other] {
            guest.run("ip neigh flush dev eth0")?;
        }
        ping(other, &address(FUNCTIONS[0]), 10, 56)?;
        let neighbours = other.run("ip neigh show dev eth0")?;
        if !neighbours.contains(mac) {
            bail!("nobody is at {mac}:\n{neighbours}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{count_of, indirection_table, numbers_behind};

    #[test]
    fn what_ethtool_says_is_read() {
        let channels = "Channel parameters for eth0:\nPre-set maximums:\nRX:\t\tn/a\nCombined:\t2\n\
            Current hardware settings:\nTX:\t\tn/a\nCombined:\t1\n";
        assert_eq!(numbers_behind(channels, "Combined:"), [2, 1]);
        let interrupts = "           CPU0\n 25:          1  PCI-MSIX-0000:01:00.0   0-edge      virtio0-config\n \
             26:         44  PCI-MSIX-0000:01:00.0   1-edge      virtio0-input.0\n";
        assert_eq!(count_of(interrupts, "-input.0"), Some(44));
        assert_eq!(count_of(interrupts, "-input.1"), None);
        let rss = "RX flow hash indirection table for eth0 with 2 RX ring(s):\n    0:      0     1     0     1\n    \
            8:      1     1\nRSS hash key:\n25:4a:6f\nRSS hash function:\n    toeplitz: on\n    xor: off\n";
        assert_eq!(indirection_table(rss), [0, 1, 0, 1, 1, 1]);
    }
}
