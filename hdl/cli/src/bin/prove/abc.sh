#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# The distribution's ABC for SymbiYosys, which expects a newer one: `pdr` without the option `-l`, and a line break before the
# last line of a counterexample.
berkeley-abc "$1" "$(printf '%s' "$2" | sed 's/pdr -v -l/pdr -v/')"
code=$?
for trace in engine_*/trace.aiw; do
  [ ! -f "$trace" ] || sed -i 's/\([01]\)# DONE/\1\n# DONE/' "$trace"
done
exit $code
