#!/usr/bin/env python3
"""Writes a copy of a source file with one fault in it, for tests that must notice it.

usage: seed_fault.py SOURCE FIND REPLACEMENT OUTPUT

FIND must occur exactly once in SOURCE: a fault that no longer applies is an error, not a pass.
"""
import pathlib
import sys


def seed(source, find, replacement, output):
    text = pathlib.Path(source).read_text()
    count = text.count(find) if find else 0
    if count != 1:
        return f"{source}: {find!r} occurs {count} times, must be once"
    if find == replacement:
        return f"{source}: the replacement of {find!r} changes nothing"
    output = pathlib.Path(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(f'#line 1 "{source}"\n' + text.replace(find, replacement))
    return None


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    sys.exit(seed(*sys.argv[1:]))
