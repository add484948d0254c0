// SPDX-License-Identifier: MIT OR Apache-2.0
//! What guests do: bring their interface up, ping, measure.

use super::guest::{Guest, Job};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// Headers of IPv4 and ICMP: what a ping's frame has between Ethernet's and the payload.
pub const PING_HEADERS: usize = 20 + 8;

/// The shell would take its own.
const PING: &str = "/usr/bin/ping";
/// Prints how many answers to pings the kernel has received. (Names stand in a line before their numbers.)
const ECHO_REPLIES: &str = "awk '/^Icmp:/ { if (at) print $at; else while ($++at != \"InEchoReps\"); }' /proc/net/snmp";

/// The address of the guest at a function: 10.0.0.1 for `vf0`, and so on.
pub fn address(function: &str) -> String {
    let digits = function.trim_start_matches(|c: char| !c.is_ascii_digit());
    format!("10.0.0.{}", digits.parse::<u8>().expect("a function's name ends in its number") + 1)
}

/// Loads the driver, brings the interface up with an address and waits for its link.
pub fn up(guest: &mut Guest, address: &str) -> Result<()> {
    guest.run("modprobe virtio_net")?;
    guest.run("ip link set eth0 up").context("no interface appeared with the driver")?;
    guest.run(&format!("ip address add {address}/24 dev eth0"))?;
    guest.run("until grep -q 1 /sys/class/net/eth0/carrier; do usleep 20000; done").context("the link stays down")?;
    Ok(())
}

/// The MTU of the interface.
pub fn mtu(guest: &mut Guest) -> Result<usize> {
    Ok(guest.run("cat /sys/class/net/eth0/mtu")?.trim().parse()?)
}

/// Pings with so many bytes of payload, so many times; nothing may get lost.
pub fn ping(guest: &mut Guest, to: &str, count: u32, size: usize) -> Result<()> {
    ping_with(guest, to, count, size, "")
}

/// The same with further options of ping.
pub fn ping_with(guest: &mut Guest, to: &str, count: u32, size: usize, options: &str) -> Result<()> {
    let command = format!("{PING} -c {count} -i 0.05 -W 10 -s {size} {to} {options}");
    let before = echo_replies(guest)?;
    let answer = guest.attempt(&command)?;
    let told = || format!("`{command}`:\n{}", answer.output.trim_end());
    match replies(&answer.output)[..] {
        [Replies { sent, received, twice: false }] if sent == count && received == count => Ok(()),
        // It waits for the last answers no longer than others took; a slow guest's come, but late.
        [Replies { sent, received: 1.., twice: false }] if sent == count => {
            let due = before + u64::from(count);
            wait_for_replies(guest, due).with_context(told)
        }
        _ => bail!(told()),
    }
}

/// Pings a hundred times a second until it is stopped, whatever happens to the interface.
pub fn keep_pinging(guest: &mut Guest, to: &str) -> Result<Job> {
    guest.start_job(&format!("while :; do {PING} -q -i 0.01 -w 1 -s 1000 {to} || usleep 20000; done"))
}

/// Pings that are counted: none may get lost.
pub struct Counted {
    job: Job,
    /// Answers that had come before.
    before: u64,
}

/// Pings a hundred times a second, until [`Counted::end`].
pub fn count_pings(guest: &mut Guest, to: &str) -> Result<Counted> {
    let before = echo_replies(guest)?;
    Ok(Counted { job: guest.start_job(&format!("exec {PING} -q -i 0.01 -s 1000 {to}"))?, before })
}

impl Counted {
    /// Waits until so many more are answered.
    pub fn wait_for(&self, guest: &mut Guest, more: u32) -> Result<()> {
        let due = echo_replies(guest)? + u64::from(more);
        wait_for_replies(guest, due).context("pings are answered no more")
    }

    /// Ends them. Each must have been answered, or be within the time that commands have: how many they were.
    pub fn end(self, guest: &mut Guest) -> Result<u32> {
        guest.run(&format!("kill -INT {}", self.job.id()))?;
        let output = guest.end_of(&self.job)?.output;
        let [Replies { sent, twice: false, .. }] = replies(&output)[..] else { bail!("pings ended so: {output}") };
        wait_for_replies(guest, self.before + u64::from(sent)).with_context(|| format!("pings were lost: {output}"))?;
        Ok(sent)
    }
}

fn echo_replies(guest: &mut Guest) -> Result<u64> {
    guest.run(ECHO_REPLIES)?.trim().parse().context("the kernel counts no echo replies")
}

fn wait_for_replies(guest: &mut Guest, due: u64) -> Result<()> {
    guest.run(&format!("until [ $({ECHO_REPLIES}) -ge {due} ]; do usleep 20000; done")).map(drop)
}

/// Stops that again. Some answers must have come.
pub fn stop_pinging(guest: &mut Guest, job: &Job) -> Result<()> {
    let output = guest.stop(job)?;
    let all = replies(&output);
    ensure!(all.iter().any(|replies| replies.received > 0), "none of the traffic was answered:\n{output}");
    ensure!(!all.iter().any(|replies| replies.twice), "frames came twice:\n{output}");
    Ok(())
}

/// What a ping prints at its end.
#[derive(Debug, PartialEq)]
struct Replies {
    /// Echo requests.
    sent: u32,
    /// Answers.
    received: u32,
    /// Whether some answers came again.
    twice: bool,
}

/// The ends of all pings in an output.
fn replies(output: &str) -> Vec<Replies> {
    let end = |line: &str| {
        let (sent, rest) = line.split_once(" packets transmitted, ")?;
        let (received, rest) = rest.split_once(" received, ")?;
        Some(Replies { sent: sent.parse().ok()?, received: received.parse().ok()?, twice: rest.contains("duplicates") })
    };
    output.lines().filter_map(end).collect()
}

/// Mb/s that a TCP connection carries from the first guest to the second in three seconds, and from the second to the first.
pub fn tcp(client: &mut Guest, server: &mut Guest, address: &str) -> Result<[f64; 2]> {
    Ok([one_way(client, server, address, "")?, one_way(client, server, address, "--reverse")?])
}

/// Mb/s that arrive at the server, with an option of iperf3; with `--reverse` at the client.
pub fn one_way(client: &mut Guest, server: &mut Guest, address: &str, option: &str) -> Result<f64> {
    let job = server.start_job("iperf3 --server --one-off")?;
    server.run("until netstat -ltn | grep -q :5201; do usleep 20000; done").context("iperf3 does not listen")?;
    let report = client.run(&format!("iperf3 --client {address} --time 3 --json {option}"))?;
    let served = server.end_of(&job)?;
    if served.code != 0 {
        bail!("iperf3's server ended with {}: {}", served.code, served.output);
    }
    received(&report)
}

/// Mb/s that arrived, of what iperf3 prints with `--json`.
pub fn received(report: &str) -> Result<f64> {
    let report: Value = serde_json::from_str(report).with_context(|| format!("iperf3 printed {report}"))?;
    let received = &report["end"]["sum_received"];
    match (received["bytes"].as_u64(), received["bits_per_second"].as_f64()) {
        (Some(1..), Some(rate)) => Ok(rate / 1e6),
        _ => bail!("iperf3 transferred nothing: {report}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_ping_is_read() {
        let end =
            |text| format!("--- 10.0.0.2 ping statistics ---\n{text}\nrtt min/avg/max/mdev = 0.1/0.2/0.3/0.1 ms\n");
        let all = end("5 packets transmitted, 5 received, 0% packet loss, time 811ms");
        assert_eq!(replies(&all), [Replies { sent: 5, received: 5, twice: false }]);
        let some = end("5 packets transmitted, 3 received, +2 duplicates, 40% packet loss, time 4012ms");
        assert_eq!(replies(&(all + &some))[1], Replies { sent: 5, received: 3, twice: true });
        assert_eq!(replies("ping: connect: Network is unreachable\n"), []);
        assert_eq!(address("vf1"), "10.0.0.2");
    }
}
