# SPDX-License-Identifier: MIT OR Apache-2.0
"""The device under test: stock bus models at the pins of `millrace_axi`, and the register accesses that a driver makes."""

import logging
import os
import warnings
from collections import Counter
from pathlib import Path

from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, with_timeout
from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiResp,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)
from regs import Registers, number

# Of cocotb 1, which the bus models still speak.
warnings.filterwarnings("ignore", category=DeprecationWarning, module="cocotbext")

CLOCK_NS = 4
WORD = 4
# For one frame, or for one wait of a driver: many times what it takes.
PATIENCE_US = 200


class Dpu:
    """`dut` with a stream model at each stream. `rx[v]` and `tx[v]` are those of vport v."""

    def __init__(self, dut):
        logging.getLogger(f"cocotb.{dut._name}").setLevel(logging.WARNING)
        self.dut = dut
        self.regs = Registers(Path(os.environ["MILLRACE_HEADER"]))
        Clock(dut.clock, CLOCK_NS, "ns").start()
        self.vports = next(v for v in range(128) if not hasattr(dut, f"s_axis_rx_{v}_tdata"))
        self.rx = [self._stream(AxiStreamSource, f"s_axis_rx_{v}") for v in range(self.vports)]
        self.tx = [self._stream(AxiStreamSink, f"m_axis_tx_{v}") for v in range(self.vports)]
        self.packet_out = self._stream(AxiStreamSource, "s_axis_packet_out")
        self.upcall = self._stream(AxiStreamSink, "m_axis_upcall")
        self.axil = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clock, dut.reset)
        self._masks = {}
        self._rules = []

    def _stream(self, model, prefix):
        return model(AxiStreamBus.from_prefix(self.dut, prefix), self.dut.clock, self.dut.reset)

    @property
    def streams(self):
        """All stream models."""
        return [*self.rx, *self.tx, self.packet_out, self.upcall]

    async def reset(self):
        """Resets the core, and reads what the build has."""
        self.dut.reset.value = 1
        await ClockCycles(self.dut.clock, 4)
        self.dut.reset.value = 0
        await ClockCycles(self.dut.clock, 4)
        await self._command_done()
        config1, config4 = await self.read("CONFIG1"), await self.read("CONFIG4")
        self.slot_bits = self.regs.field("CONFIG1", "SLOT_BITS", config1)
        self.max_frame = self.regs.field("CONFIG4", "MAX_FRAME", config4)

    # Registers

    async def access(self, address: int, value: int | None = None):
        """Reads a word (`value` is None) or writes it. Gives AXI's response, and the word read."""
        if value is None:
            answer = await self.axil.read(address, WORD)
            return answer.resp, int.from_bytes(answer.data, "little")
        return (await self.axil.write(address, value.to_bytes(WORD, "little"))).resp, None

    async def read(self, register: str | int) -> int:
        """The value of a register, by name or address."""
        response, value = await self.access(self._address(register))
        assert response == AxiResp.OKAY, f"reading {register}: {response!r}"
        return value

    async def write(self, register: str | int, value: int):
        """Writes a register, by name or address."""
        response, _ = await self.access(self._address(register), value)
        assert response == AxiResp.OKAY, f"writing {register}: {response!r}"

    def _address(self, register: str | int) -> int:
        return self.regs[register] if isinstance(register, str) else register

    async def command(self, name: str, table: int = 0, index: int = 0, **operands: int):
        """Carries a command out: operands into the staging words, `COMMAND`, and `STATUS` until it is done."""
        for i, word in enumerate(self.regs.words(name, **operands)):
            await self.write(self.regs.DATA(i), word)
        await self.write("INDEX", index)
        await self.write("COMMAND", self.regs[f"COMMAND_{name}"] | table << self.regs.COMMAND_TABLE_SHIFT)
        await self._command_done()
        assert await self.read("EVENTS") == 0, f"{name}: refused"

    async def _command_done(self):
        while await self.read("STATUS") & self.regs.STATUS_BUSY_MASK:
            pass

    # Rules

    async def set_mask(self, table: int, *fields: str, seed: int = 1):
        """Says which fields of the key a hash table looks at. Only while the table is empty."""
        self._masks[table] = seed, self.regs.mask(*fields)
        await self.command("WRITE_MASK", table, mask=number(self.regs.mask(*fields)), seed=seed, enable=1)

    async def hash_rule(self, table: int, rule: int, step: dict, priority: int = 0, **key: int):
        """Puts a rule into a hash table. First its program, so that a frame that hits it finds one."""
        await self.command("WRITE_ACTION", index=rule, step=number(self.regs.words("STEP", **step)))
        seed, mask = self._masks[table]
        masked = [k & m for k, m in zip(self.regs.words("KEY", **key), mask, strict=True)]
        slots = enumerate(table_slots(masked, seed, self.slot_bits))
        places = [("WRITE_ENTRY", table, way << self.slot_bits | slot) for way, slot in slots]
        place = next(place for place in places if place not in self._rules)
        await self.command(*place, key=number(masked), priority=priority, rule=rule, valid=1)
        self._rules.append(place)

    async def tcam_rule(self, entry: int, rule: int, step: dict, priority: int = 0, **key: int):
        """Puts a rule into the TCAM, with a mask of its own: the fields of `key`."""
        await self.command("WRITE_ACTION", index=rule, step=number(self.regs.words("STEP", **step)))
        value, mask = number(self.regs.words("KEY", **key)), number(self.regs.mask(*key))
        place = ("WRITE_TCAM", 0, entry)
        await self.command(*place, value=value, mask=mask, priority=priority, rule=rule, valid=1)
        self._rules.append(place)

    async def delete_rules(self):
        """Takes all rules out again."""
        while self._rules:
            await self.command(*self._rules.pop(), valid=0)

    # Counters

    async def rule_counter(self, rule: int) -> tuple[int, int]:
        """Packets and bytes that hit a rule, ever."""
        await self.command("READ_RULE_COUNTER", index=rule)
        return await self.read("COUNTER_PACKETS_LO"), await self.read("COUNTER_BYTES_LO")

    async def verdicts(self, vport: int) -> Counter:
        """How many frames of a vport got each verdict, ever."""
        counts = Counter()
        for name, verdict in self.regs.family("VERDICT").items():
            await self.command("READ_VERDICT_COUNTER", index=vport * 16 + verdict)
            counts[name.lower()] = await self.read("COUNTER_PACKETS_LO")
        return counts

    # Frames

    async def send(self, vport: int, frame: bytes, error: bool = False):
        """Hands a frame to a vport; with `error` its last beat says that it arrived damaged."""
        user = [0] * (len(frame) - 1) + [int(error)]
        await self.rx[vport].send(AxiStreamFrame(frame, tuser=user))

    async def send_out(self, vport: int, frame: bytes):
        """Hands a frame of the slow path in, for a vport."""
        await self.packet_out.send(AxiStreamFrame(frame, tuser=vport))

    async def recv(self, vport: int) -> bytes:
        """The next frame that leaves a vport."""
        return bytes((await with_timeout(self.tx[vport].recv(), PATIENCE_US, "us")).tdata)

    async def recv_upcall(self) -> tuple[int, int, bytes]:
        """The next upcall: ingress vport, reason, frame."""
        frame = await with_timeout(self.upcall.recv(), PATIENCE_US, "us")
        return frame.tuser & 0xFF, frame.tuser >> 8, bytes(frame.tdata)

    async def finish(self, frames: int):
        """Waits until `frames` frames have got their verdict. Then nothing more may come out, and none may be missing."""
        for _ in range(PATIENCE_US):
            if await self.read("ACTED") == frames:
                break
        assert await self.read("ACTED") == frames
        await ClockCycles(self.dut.clock, 100)
        for queue, sink in enumerate([*self.tx, self.upcall]):
            assert sink.empty(), f"queue {queue} holds {sink.count()} frames that nobody expected"
            assert await self.read(self.regs.QUEUE_DROPS_LO(queue)) == 0
        await self.delete_rules()


def table_slots(key: list[int], seed: int, slot_bits: int) -> list[int]:
    """The slot of each way in which a hash table looks for a key: docs/hardware.md, "Table hash"."""

    def rotl(x: int, n: int) -> int:
        return (x << n | x >> (32 - n)) & 0xFFFFFFFF

    a = b = 0
    for i, word in enumerate(key):
        a ^= rotl(word, 7 * i % 32)
        b ^= rotl(word, (11 * i + 5) % 32)
    a = a + seed & 0xFFFFFFFF
    for _ in range(5):
        a = rotl(a, 24) + b & 0xFFFFFFFF
        b = rotl(b, 3) ^ a
    return [index & (1 << slot_bits) - 1 for index in (a, a >> 16, b, b >> 16)]
