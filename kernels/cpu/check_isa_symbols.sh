#!/bin/sh
# Fails where an isa_*.o of the given archive defines code that other files may link to: the linker could
# take it in place of what every CPU can run. Only data, the table, may leave such a file.
set -eu
symbols=$(nm -A -C --defined-only "$1" | grep '[:/]isa_[a-z0-9]*\.cpp\.o:')
code=$(echo "$symbols" | grep -E '\.o:[0-9a-f]* [TWiu] ' || true)
[ -z "$code" ] && echo "isa symbols: ok" && exit 0
echo "$code"
exit 1
