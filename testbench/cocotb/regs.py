# SPDX-License-Identifier: MIT OR Apache-2.0
"""The register map, read from the C header that `cargo xtask verilog` writes: no address, offset or number is written down again."""

import re
from pathlib import Path

_DEFINE = re.compile(r"^#define MILLRACE_(\w+)(\(i\))? (.+?)(?: /\*.*\*/)?$", re.MULTILINE)
_NUMBER = re.compile(r"\b(0x[0-9a-f]+|\d+)u?\b")


class Registers:
    """Names of the header without `MILLRACE_`: `regs.SCRATCH` is an address, `regs.DATA(3)` that of one of several."""

    def __init__(self, header: Path):
        for name, several, value in _DEFINE.findall(header.read_text()):
            numbers = [int(number, 0) for number in _NUMBER.findall(value)]
            setattr(self, name, _nth(*numbers) if several else numbers[0])

    def field(self, register: str, field: str, value: int) -> int:
        """A field of a register's value: `regs.field("CONFIG0", "VPORTS", value)`."""
        return (value & self[f"{register}_{field}_MASK"]) >> self[f"{register}_{field}_SHIFT"]

    def words(self, layout: str, **fields: int) -> list[int]:
        """The 32-bit words of a `KEY`, a `STEP`, or a command's operands, with these fields; all others are 0."""
        number, end = 0, 0
        for name, value in fields.items():
            offset, width = (self[f"{layout}_{name.upper()}_{what}"] for what in ("OFFSET", "WIDTH"))
            assert 0 <= value < 1 << width, f"{name} = {value:#x} has more than {width} bits"
            number |= value << offset
            end = max(end, offset + width)
        count = getattr(self, f"{layout}_WORDS", -(-end // 32))
        return [number >> 32 * word & 0xFFFFFFFF for word in range(count)]

    def mask(self, *fields: str) -> list[int]:
        """The words of a mask that looks at these fields of the key, at all of their bits."""
        return self.words("KEY", **{name: (1 << self[f"KEY_{name.upper()}_WIDTH"]) - 1 for name in fields})

    def family(self, prefix: str) -> dict[str, int]:
        """All numbers whose names begin with `prefix` and an underscore, under the rest of their names."""
        names = vars(self).items()
        return {name.removeprefix(f"{prefix}_"): value for name, value in names if name.startswith(f"{prefix}_")}

    def __getitem__(self, name: str) -> int:
        return getattr(self, name)


def _nth(base: int, stride: int):
    return lambda i: base + stride * i


def number(words: list[int]) -> int:
    """Words, least significant first, as one number."""
    return sum(word << 32 * i for i, word in enumerate(words))
