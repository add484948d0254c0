#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The command line of the SMT solver Bitwuzla, as far as SymbiYosys uses it, on its package from PyPI.

The package's parser loses count of (push) from one call to the next. So all that is asserted goes into a new parser for each
(check-sat); what is asked about its answer goes to that one.
"""

import re
import sys

from bitwuzla import Option, Options, Parser, TermManager

if "--help" in sys.argv:
    sys.exit(print("--lang smt2"))
levels, solver = [[]], None
for line in sys.stdin:
    word, count = re.match(r"\(?([\w-]*) ?(\d*)", line).groups()
    if word == "exit":
        break
    if word == "check-sat":
        options = Options()
        options.set(Option.PRODUCE_MODELS, True)
        solver = Parser(TermManager(), options)
        solver.parse("".join(text for level in levels for text in level) + line, parse_file=False)
    elif word == "get-value":
        solver.parse(line, parse_file=False)
    elif word == "push":
        levels += [[] for _ in range(int(count))]
    elif word == "pop":
        del levels[-int(count) :]
    else:
        levels[-1].append(line)
        if solver and word in ("declare-fun", "define-fun"):
            solver.parse(line, parse_file=False)
    sys.stdout.flush()
