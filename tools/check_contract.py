#!/usr/bin/env python3
"""Fails where the engine's contract and its tests do not name each other. Run by ctest as `contract`.

Every item of docs/engine-contract.md begins with an id, as in `- [EC-12] …`. A test proves it that carries this id: as a
tag of its TEST_CASE, or anywhere in a Python test of tests/e2e. Ids are never reused: a new item takes the next number.
"""
import collections
import pathlib
import re
import sys

ITEM = re.compile(r"^- (?:\[(EC-\d+)\] )?(.*)", re.M)
TEST_CASE = re.compile(r'\bTEST_CASE\(\s*(?:"(?:[^"\\]|\\.)*"[\s,]*)+\)')
ID = re.compile(r"\[(EC-\d+)\]")


def read_contract(page):
    """The ids of the page's items, in order, and what is wrong with them."""
    ids, bad = [], []
    for id_, text in ITEM.findall(page.read_text()):
        if not id_:
            bad.append(f"{page.name}: an item has no id: {text[:60]}…")
        elif id_ in ids:
            bad.append(f"{page.name}: {id_} is there twice")
        else:
            ids.append(id_)
    return ids, bad


def read_tests(root):
    """By id, the files of the tests that carry it."""
    tests = collections.defaultdict(set)
    for file in sorted(root.rglob("*_test.cpp")) + sorted(root.rglob("e2e/*.py")):
        text = file.read_text()
        for part in TEST_CASE.findall(text) if file.suffix == ".cpp" else [text]:
            for id_ in ID.findall(part):
                tests[id_].add(file.relative_to(root.parent))
    return tests


def main(root):
    ids, bad = read_contract(root / "docs/engine-contract.md")
    tests = read_tests(root / "tests")
    bad += [f"{id_}: no test carries it" for id_ in ids if id_ not in tests]
    bad += [f"{', '.join(map(str, sorted(files)))}: the contract has no {id_}"
            for id_, files in sorted(tests.items()) if id_ not in ids]
    last = max((int(id_[3:]) for id_ in ids), default=0)
    print("\n".join(bad + [f"the next id is EC-{last + 1}"]) if bad else f"contract: ok, {len(ids)} items")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()))
