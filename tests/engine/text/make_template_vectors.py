#!/usr/bin/env python3
"""Makes the expected texts of template_snippets.txt with the reference language (PyPI: transformers, jinja2), set up as transformers does.

    make_template_vectors.py OUT_FILE

OUT_FILE: [{"source", "text"} or {"source", "error"}], rendered with VARIABLES, which stand there too.
"""
import json
import pathlib
import re
import sys

from transformers.utils.chat_template_utils import _compile_jinja_template

VARIABLES = {
    "n": 7, "m": -3, "f": 2.5, "t": True, "z": None, "e": "", "s": "Köln am Rhein", "w": "  pad\t\n", "words": "one two  three", "csv": "a,b,,c", "lines": "x\ny\r\nz\n", "list": [3, 1, 2], "empty": [], "nested": [[1, 2], [3], []],
    "d": {"b": 1, "a": {"c": [1, "x"]}, "items": "own"}, "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi <b>&'\""}, {"role": "assistant", "content": None, "tool_calls": [{"name": "f", "arguments": {"x": 1.0, "y": [True, None]}}]}],
    "people": [{"name": "Zoe", "age": 30}, {"name": "adam", "age": 25}, {"name": "Bob"}], "tree": [{"n": "a", "c": [{"n": "b"}, {"n": "c", "c": [{"n": "d"}]}]}, {"n": "e"}],
}

# What such a text shows of Python's objects no other implementation can print.
OF_PYTHON = re.compile(r" object at 0x|<built-in|<class |<function |<bound method|<generator ")


def snippets():
    for line in (pathlib.Path(__file__).parent / "template_snippets.txt").read_text().split("\n"):
        line = line.replace("⏎", "\n").replace("␍", "\r")
        if line.startswith("= "):
            yield from ("{{ " + expression + " }}" for expression in line[2:].split(" ¦ "))
        elif line and not line.startswith("# "):
            yield line


def main(out_file):
    vectors = []
    for source in dict.fromkeys(snippets()):
        try:
            text = _compile_jinja_template(source).render(**json.loads(json.dumps(VARIABLES)))
            if OF_PYTHON.search(text):
                raise ValueError("the text depends on the implementation")
            vectors.append({"source": source, "text": text})
        except Exception as e:
            vectors.append({"source": source, "error": f"{type(e).__name__}: {e}"})
    json.dump({"variables": VARIABLES, "vectors": vectors}, open(out_file, "w"), ensure_ascii=False, indent=0)
    print(len(vectors), "vectors,", sum("error" in v for v in vectors), "errors")


if __name__ == "__main__":
    main(*sys.argv[1:])
