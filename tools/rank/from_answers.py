#!/usr/bin/env python3
"""Turns a file of recorded answers into lines for `tern rank`: the length is the number of whitespace words.

    from_answers.py ANSWERS.json > F.jsonl

ANSWERS.json is AlpacaEval's form: a list of {"instruction", "output"}, and "input" where there is one, which follows
the instruction after a space.
"""
import json
import sys


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        answers = json.load(file)
    for row in answers:
        prompt = f"{row['instruction']} {row['input']}" if row.get("input") else row["instruction"]
        print(json.dumps({"prompt": prompt, "length": len(row["output"].split())}, ensure_ascii=False))


if __name__ == "__main__":
    main()
