#!/usr/bin/env python3
"""Measures tern and llama.cpp on the same weights, one after the other in every round, and prints the
ratio of their medians: more than 1 means that tern is faster.

    llama_cpp.sh LLAMA_CPP_BUILD_DIR [--model DIR | --config config.json] [options]

Needs llama-bench and llama-batched-bench in LLAMA_CPP_BUILD_DIR/bin, and a build of tern. A model is a
Llama checkpoint in bf16; of a config.json alone one with random weights is made. GGUF files and random
weights are kept below build/peers ($TERN_PEERS_DIR) and used again.
"""
import argparse
import json
import pathlib
import platform
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TYPES = ["BF16", "Q8_0", "Q4_0"]


def run(command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


class Tern:
    def __init__(self, options):
        self.binary, self.options = options.tern, options
        self.about = {}

    def step(self, model, prefill, decode, batch):
        command = [self.binary, "bench", "step", "--model", model, "--threads", self.options.threads,
                   "--compute", self.options.compute, "--repeat", 1, "--prefill", prefill,
                   "--decode", decode, "--batch", ",".join(map(str, batch)), "--json"]
        result = json.loads(run(command))
        self.about = {key: result[key] for key in ("cpu", "isa", "threads")}
        return {(row["phase"], row["batch"]): row["tokens_per_s"] for row in result["rows"]}

    def measure(self, model):
        o, figures = self.options, {}
        for tokens in o.prefill:
            figures["prefill", tokens, 1] = self.step(model, tokens, 2, [1])["prefill", 1]
        decode = self.step(model, o.context, o.decode, o.batch)
        for batch in o.batch:
            figures["decode", o.decode, batch] = decode["decode", batch]
        return figures


class LlamaCpp:
    def __init__(self, options):
        self.bin, self.options = options.build / "bin", options
        for name in ("llama-bench", "llama-batched-bench"):
            if not (self.bin / name).is_file():
                sys.exit(f"{self.bin / name}: no such program; build the target {name}")

    def measure(self, model):
        o, figures = self.options, {}
        common = ["-m", model, "-t", o.threads]
        prefill = run([self.bin / "llama-bench", *common, "-p", ",".join(map(str, o.prefill)), "-n", 0,
                       "-r", 1, "-o", "json"])
        for row in json.loads(prefill):
            figures["prefill", row["n_prompt"], 1] = row["avg_ts"]
        context = max(o.batch) * (o.context + o.decode)
        decode = run([self.bin / "llama-batched-bench", *common, "-npp", o.context, "-ntg", o.decode,
                      "-npl", ",".join(map(str, o.batch)), "-c", context, "--output-format", "jsonl"])
        for line in decode.splitlines():
            if line.startswith("{"):
                row = json.loads(line)
                figures["decode", o.decode, row["pl"]] = row["speed_tg"]
        return figures


def make_model(options):
    if options.model:
        return options.model
    model = options.work / f"random-{options.config.resolve().parent.name}"
    if not (model / "model.safetensors").is_file():
        run([options.tern, "make-random", "--config", options.config, "--out", model, "--seed", 1])
    return model


def make_gguf(options, model, type_name):
    out = options.work / f"{model.resolve().name}-{type_name}.gguf"
    newest = max(path.stat().st_mtime for path in model.glob("*.safetensors"))
    if not out.is_file() or out.stat().st_mtime < newest:
        partial = out.with_suffix(".partial")
        run([sys.executable, HERE / "write_gguf.py", model, partial, "--type", type_name])
        partial.rename(out)
    return out


def commit():
    def git(*arguments):
        return subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True).stdout.strip()
    return git("rev-parse", "--short", "HEAD") + (" with changes" if git("status", "--porcelain", "-uno") else "")


def numbers(text):
    return [int(part) for part in text.split(",")]


def parse():
    parser = argparse.ArgumentParser(prog="llama_cpp.sh", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path, metavar="LLAMA_CPP_BUILD_DIR")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--model", type=pathlib.Path, help="directory of a Llama checkpoint in bf16")
    source.add_argument("--config", type=pathlib.Path, help="config.json of a model to make at random")
    parser.add_argument("--tern", type=pathlib.Path, default=ROOT / "build/release/tern", help="tern's binary")
    parser.add_argument("--types", default=",".join(TYPES), help="of BF16, Q8_0, Q4_0; default all")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compute", default="default", help="tern's arithmetic")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--prefill", type=numbers, default=[37, 512], help="tokens of a prompt")
    parser.add_argument("--batch", type=numbers, default=[1, 4, 16], help="sequences that decode together")
    parser.add_argument("--context", type=int, default=16, help="tokens before decode")
    parser.add_argument("--decode", type=int, default=32, help="tokens that a sequence decodes")
    parser.add_argument("--version", default="", help="of llama.cpp, for the record")
    parser.add_argument("--out", type=pathlib.Path, help="file for the figures, JSON")
    parser.add_argument("--work", type=pathlib.Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    for name in options.types.split(","):
        if name not in TYPES:
            parser.error(f"--types: {name}: must be of {', '.join(TYPES)}")
    if not options.tern.is_file():
        parser.error(f"--tern: {options.tern}: no such file; build tern first")
    return options


def main():
    options = parse()
    tern, peer, rows = Tern(options), LlamaCpp(options), []
    model = make_model(options)
    print(f"{'weights':8} {'phase':8} {'tokens':>6} {'batch':>5} {'tern':>9} {'llama.cpp':>9} {'ratio':>6}")
    for type_name in options.types.split(","):
        gguf = make_gguf(options, model, type_name)
        rounds = []
        for _ in range(options.rounds):
            # The other first in every second round: neither always runs in the wake of its peer.
            first, second = (tern, peer) if len(rounds) % 2 == 0 else (peer, tern)
            figures = {first: first.measure(gguf)}
            figures[second] = second.measure(gguf)
            rounds.append((figures[tern], figures[peer]))
        for key in rounds[0][0]:
            ours, theirs = ([pair[side][key] for pair in rounds] for side in (0, 1))
            row = dict(zip(("phase", "tokens", "batch"), key), weights=type_name,
                       tern=statistics.median(ours), llama_cpp=statistics.median(theirs),
                       ratio=statistics.median(ours) / statistics.median(theirs),
                       tern_rounds=ours, llama_cpp_rounds=theirs)
            rows.append(row)
            print(f"{type_name:8} {row['phase']:8} {row['tokens']:6} {row['batch']:5} {row['tern']:9.1f} "
                  f"{row['llama_cpp']:9.1f} {row['ratio']:6.2f}", flush=True)
    if options.out:
        result = dict(tern.about, model=model.resolve().name, unit="tokens/s, medians", rounds=options.rounds,
                      compute=options.compute, commit=commit(), llama_cpp_version=options.version,
                      kernel=platform.release(), rows=rows)
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
