#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Builds the emitted Verilog in a simulator and runs the tests on it."""

import argparse
import sys
from pathlib import Path

from cocotb_tools.runner import get_results, get_runner

TOP = "millrace_axi"
HERE = Path(__file__).resolve().parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rtl", type=Path, required=True, help="folder that `cargo xtask verilog --out` wrote")
    parser.add_argument("--build", type=Path, help="folder for what the simulator makes [default: RTL/cocotb-SIM]")
    parser.add_argument("--sim", default="icarus", help="any simulator that cocotb drives [default: icarus]")
    parser.add_argument("--seed", type=int, help="seed of all random choices; each run prints its own")
    parser.add_argument("--test", help="regular expression: only tests whose names it finds")
    parser.add_argument("--waves", action="store_true", help="record waveforms in the build folder")
    arguments = parser.parse_args()

    rtl = arguments.rtl.resolve()
    build = (arguments.build or rtl / f"cocotb-{arguments.sim}").resolve()
    runner = get_runner(arguments.sim)
    runner.build(
        sources=[rtl / name for name in (rtl / "millrace.f").read_text().split()],
        hdl_toplevel=TOP,
        build_dir=build,
        timescale=("1ns", "1ps"),
        waves=arguments.waves,
    )
    results = runner.test(
        test_module="test_dpu",
        hdl_toplevel=TOP,
        build_dir=build,
        test_dir=HERE,
        results_xml=str(build / "results.xml"),
        seed=arguments.seed,
        test_filter=arguments.test,
        waves=arguments.waves,
        extra_env={"MILLRACE_HEADER": str(rtl / "millrace.h")},
    )
    tests, failures = get_results(results)
    if tests == 0:
        print(f"error: no test's name matches {arguments.test}", file=sys.stderr)
    return 1 if failures or tests == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
