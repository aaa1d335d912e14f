#!/usr/bin/env python3
"""Turns a file of recorded answers into lines for `tern rank`: the length is the number of whitespace words, times SCALE.

    from_answers.py ANSWERS.json [--scale SCALE] > F.jsonl

ANSWERS.json is AlpacaEval's form: a list of {"instruction", "output"}, and "input" where there is one, which follows
the instruction after a space. SCALE is 1 where it is not given; 1.33 is about the tokens of an English word.
"""
import argparse
import json
import sys


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("answers")
    parser.add_argument("--scale", type=float, default=1)
    args = parser.parse_args()
    if not args.scale > 0:
        sys.exit(f"--scale must be over 0, is {args.scale}")
    with open(args.answers, encoding="utf-8") as file:
        answers = json.load(file)
    for row in answers:
        prompt = f"{row['instruction']} {row['input']}" if row.get("input") else row["instruction"]
        print(json.dumps({"prompt": prompt, "length": round(len(row["output"].split()) * args.scale)}, ensure_ascii=False))


if __name__ == "__main__":
    main()
