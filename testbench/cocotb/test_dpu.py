# SPDX-License-Identifier: MIT OR Apache-2.0
"""Frames and rules at the pins of `millrace_axi`. Expected frames are made by scapy, checksums too."""

import itertools
import random
from collections import Counter

import cocotb
from cocotbext.axi import AxiResp
from dpu import Dpu
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether

HOSTS = dict(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
NEXT_HOP = "02:00:00:00:01:01"


def dpu_test(test):
    """A test that gets a `Dpu` fresh from reset."""

    async def body(dut):
        dpu = Dpu(dut)
        await dpu.reset()
        await test(dpu)

    body.__name__ = body.__qualname__ = test.__name__
    body.__doc__ = test.__doc__
    body.__module__ = test.__module__
    return cocotb.test(body)


def mac(address: str) -> int:
    return int(address.replace(":", ""), 16)


def frame(length: int, number: int = 0) -> bytes:
    """A frame of that many bytes whose payload tells its number."""
    head = bytes(Ether(**HOSTS, type=0x88B5))
    return (head + number.to_bytes(4, "big") + bytes(i * 7 & 0xFF for i in range(length)))[:length]


def rebuilt(packet: Ether) -> bytes:
    """The packet's bytes with checksums made anew."""
    for layer, name in ((IP, "chksum"), (UDP, "chksum"), (TCP, "chksum")):
        if layer in packet:
            packet[layer].delfieldval(name)
    return bytes(packet)


@dpu_test
async def registers_answer_and_refuse(dpu):
    """Reset values, a register to write, and SLVERR, without effect, for what there is not."""
    regs = dpu.regs
    assert await dpu.read("ID") == int.from_bytes(b"MILL", "big")
    assert regs.field("CONFIG0", "VPORTS", await dpu.read("CONFIG0")) == dpu.vports
    await dpu.write("SCRATCH", 0x12345678)
    assert await dpu.read("SCRATCH") == 0x12345678

    partial = await dpu.axil.write(regs.SCRATCH + 1, b"\xff")
    assert partial.resp == AxiResp.SLVERR
    assert await dpu.read("SCRATCH") == 0x12345678
    nowhere = regs.QUEUE_CTRL(dpu.vports + 1)
    assert await dpu.access(nowhere) == (AxiResp.SLVERR, 0)
    assert await dpu.access(nowhere, 1) == (AxiResp.SLVERR, None)
    assert await dpu.access(regs.ID, 0) == (AxiResp.SLVERR, None)


@dpu_test
async def a_miss_goes_up_and_a_packet_out_goes_down(dpu):
    """Without a rule a frame reaches the slow path as it came; what the slow path sends leaves its vport."""
    before = [await dpu.verdicts(vport) for vport in range(dpu.vports)]
    for vport in range(dpu.vports):
        sent = rebuilt(Ether(**HOSTS) / IP(src="10.0.0.1", dst="10.0.0.2") / UDP(dport=53) / bytes(20 + vport))
        await dpu.send(vport, sent)
        assert await dpu.recv_upcall() == (vport, dpu.regs.UPCALL_MISS, sent)
        await dpu.send_out(dpu.vports - 1 - vport, sent)
        assert await dpu.recv(dpu.vports - 1 - vport) == sent
    await dpu.finish(2 * dpu.vports)
    for vport in range(dpu.vports):
        assert await dpu.verdicts(vport) - before[vport] == Counter(miss=1, packet_out=1)


@dpu_test
async def a_rule_edits_and_sends(dpu):
    """NAT, a routing hop and a VLAN tag in one step of a rule in a hash table, with checksums updated."""
    await dpu.set_mask(0, "in_port", "dl_type", "nw_proto", "nw_dst", "tp_dst")
    nat = dict(set_nw_dst=1, nw_dst=0x0A010007, set_tp_dst=1, tp_dst=8080, ttl_dec=1)
    hop = dict(set_dl_dst=1, dl_dst=mac(NEXT_HOP), vlan_push=1, push0_tpid=0x8100, push0_tci=5)
    step = dict(outputs=1 << 1, **nat, **hop)
    for rule, proto in ((1, 6), (2, 17)):
        await dpu.hash_rule(0, rule, step, in_port=0, dl_type=0x0800, nw_proto=proto, nw_dst=0xC0000201, tp_dst=80)

    before, lengths = await dpu.verdicts(0), {}
    for rule, layer in ((1, TCP(sport=1234, dport=80, flags="S")), (2, UDP(sport=1234, dport=80))):
        packet = Ether(rebuilt(Ether(**HOSTS) / IP(src="10.0.0.1", dst="192.0.2.1", ttl=9) / layer / b"odd length"[:9]))
        await dpu.send(0, bytes(packet))
        lengths[rule] = len(packet)
        packet[IP].dst, packet[IP].ttl, packet[type(layer)].dport = "10.1.0.7", 8, 8080
        expected = Ether(src=packet.src, dst=NEXT_HOP) / Dot1Q(vlan=5) / packet.payload
        assert await dpu.recv(1) == rebuilt(expected)

    # Another port, another protocol: no hit.
    other = rebuilt(Ether(**HOSTS) / IP(src="10.0.0.1", dst="192.0.2.1") / ICMP() / bytes(8))
    await dpu.send(0, other)
    assert await dpu.recv_upcall() == (0, dpu.regs.UPCALL_MISS, other)
    await dpu.finish(3)
    for rule, length in lengths.items():
        assert await dpu.rule_counter(rule) == (1, length)
    assert await dpu.verdicts(0) - before == Counter(hit=2, miss=1)


@dpu_test
async def an_ipv6_rule_edits_its_addresses(dpu):
    """128-bit fields, and a UDP checksum over them."""
    packet = Ether(rebuilt(Ether(**HOSTS) / IPv6(src="fd00::1", dst="fd00::2", hlim=64) / UDP(dport=53) / b"question"))
    source = 0xFD00_0000_0000_0000_0000_0000_0000_0099
    step = dict(outputs=1 << 1 | 1 << 2, set_nw_src=1, nw_src=source, set_nw_ttl=1, nw_ttl=3)
    await dpu.tcam_rule(0, 5, step, in_port=0, dl_type=0x86DD, tp_dst=53)
    await dpu.send(0, bytes(packet))
    packet[IPv6].src, packet[IPv6].hlim = "fd00::99", 3
    expected = rebuilt(packet)
    assert await dpu.recv(1) == expected
    assert await dpu.recv(2) == expected
    await dpu.finish(1)


@dpu_test
async def the_highest_priority_wins(dpu):
    """A rule of the hash table sends; one of the TCAM, with a higher priority, drops a part of that."""
    await dpu.set_mask(0, "in_port")
    await dpu.hash_rule(0, 1, dict(outputs=1 << 1), priority=1, in_port=0)
    await dpu.tcam_rule(3, 2, dict(outputs=0), priority=2, in_port=0, dl_dst=mac(NEXT_HOP))
    before = await dpu.verdicts(0)
    for number, destination in enumerate((HOSTS["dst"], NEXT_HOP, HOSTS["dst"])):
        await dpu.send(0, bytes.fromhex(destination.replace(":", "")) + frame(60, number)[6:])
    assert [await dpu.recv(1) for _ in range(2)] == [frame(60, 0), frame(60, 2)]
    await dpu.finish(3)
    assert await dpu.verdicts(0) - before == Counter(hit=2, drop_rule=1)


@dpu_test
async def frames_of_all_lengths_pass(dpu):
    """From the shortest to the longest frame of the build, around each end of a beat and of the header window."""
    await dpu.tcam_rule(0, 1, dict(outputs=1 << 1), in_port=0)
    longest = dpu.max_frame
    lengths = [*range(14, 34), 59, 60, 63, 64, 65, 127, 128, 129, 511, 1514, longest - 1, longest]
    for length in lengths:
        await dpu.send(0, frame(length))
    for length in lengths:
        assert await dpu.recv(1) == frame(length), f"{length} bytes"
    await dpu.finish(len(lengths))


@dpu_test
async def faulty_frames_are_dropped_and_counted(dpu):
    """Damaged, too short, too long: nothing leaves, and the frame behind is not harmed."""
    await dpu.tcam_rule(0, 1, dict(outputs=1 << 1), in_port=0)
    before = await dpu.verdicts(0)
    await dpu.send(0, frame(100), error=True)
    await dpu.send(0, frame(13))
    await dpu.send(0, frame(dpu.max_frame + 1))
    await dpu.send(0, frame(60))
    assert await dpu.recv(1) == frame(60)
    await dpu.finish(4)
    assert await dpu.verdicts(0) - before == Counter(drop_rx_error=1, drop_runt=1, drop_oversize=1, hit=1)


@dpu_test
async def nothing_is_lost_or_swapped_under_back_pressure(dpu):
    """Every stream pauses at random; frames from each vport leave two others, all of them, in their order."""
    rng, vports, count = random.Random(random.getrandbits(64)), dpu.vports, 12
    for vport in range(vports):
        to = [(vport + 1) % vports, (vport + 2) % vports]
        await dpu.tcam_rule(vport, vport, dict(outputs=1 << to[0] | 1 << to[1]), in_port=vport)
    for stream in dpu.streams:
        stream.set_pause_generator(rng.random() < 0.4 for _ in itertools.count())

    sent = [[frame(rng.randint(18, 200), vport << 16 | n) for n in range(count)] for vport in range(vports)]
    for vport, frames in enumerate(sent):
        for one in frames:
            await dpu.send(vport, one)
    for vport in range(vports):
        got = [await dpu.recv(vport) for _ in range(2 * count)]
        for source in ((vport - 1) % vports, (vport - 2) % vports):
            of_source = [one for one in got if int.from_bytes(one[14:16], "big") == source]
            assert of_source == sent[source], f"from {source} to {vport}"
    for stream in dpu.streams:
        stream.clear_pause_generator()
        stream.pause = False
    await dpu.finish(vports * count)
