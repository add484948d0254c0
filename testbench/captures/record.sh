#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Records demo-vf0.pcap and demo-vf1.pcap: what two Linux network stacks send each other over a veth pair (ping, then iperf3
# over TCP and UDP). `cargo xtask demo` replays them where it may not make network namespaces. Needs root, iproute2,
# iputils-ping, iperf3, ethtool and tcpdump.
set -euo pipefail
cd "$(dirname "$0")"

a="millrace-rec-$$-a" b="millrace-rec-$$-b"
pids=()
finish() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true; done
    ip netns del "$a" 2>/dev/null || true
    ip netns del "$b" 2>/dev/null || true
}
trap finish EXIT

ip netns add "$a"
ip netns add "$b"
ip -n "$a" link add vf0 type veth peer name vf1 netns "$b"
for end in "$a vf0 1" "$b vf1 2"; do
    read -r ns dev host <<<"$end"
    ip netns exec "$ns" sysctl -q -w net.ipv6.conf.all.disable_ipv6=1
    ip netns exec "$ns" ethtool -K "$dev" tx off rx off tso off gso off gro off >/dev/null
    ip -n "$ns" link set "$dev" address "02:00:00:00:00:0$host"
    ip -n "$ns" address add "10.0.0.$host/24" dev "$dev"
    ip -n "$ns" link set "$dev" up
    ip -n "$ns" link set lo up
done

# Each capture holds only what its own side sends: that is what goes into a port of the DPU.
ip netns exec "$a" tcpdump -q -U -i vf0 -Q out --time-stamp-precision=nano -w demo-vf0.pcap 2>/dev/null & pids+=($!)
ip netns exec "$b" tcpdump -q -U -i vf1 -Q out --time-stamp-precision=nano -w demo-vf1.pcap 2>/dev/null & pids+=($!)
# A capture has begun once its file has a header.
until [ -s demo-vf0.pcap ] && [ -s demo-vf1.pcap ]; do sleep 0.1; done

ip netns exec "$b" iperf3 -s --one-off >/dev/null & pids+=($!)
ip netns exec "$a" ping -q -c 5 -i 0.05 10.0.0.2
ip netns exec "$a" iperf3 -c 10.0.0.2 -n 200K --connect-timeout 2000
ip netns exec "$b" iperf3 -s --one-off >/dev/null & pids+=($!)
until ip netns exec "$b" ss -ltn | grep -q :5201; do sleep 0.1; done
ip netns exec "$a" iperf3 -u -c 10.0.0.2 -n 100K -b 20M -l 1400
