#!/usr/bin/env python3
"""Load for some minutes: clients come, stream, and a fifth of them is killed. RSS must stay flat, KV return to zero."""
import argparse
import os
import random
import statistics
import subprocess
import sys
import time


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--bin", help="folder of tern and ternd")
    args.add_argument("--minutes", type=float, default=5)
    args.add_argument("--clients", type=int, default=12)
    options = args.parse_args()
    if options.bin:
        os.environ["TERN_BIN"] = os.path.abspath(options.bin)
    from harness import Daemon

    rng = random.Random(11)
    with Daemon() as daemon:
        end = time.time() + options.minutes * 60
        live, rss, started, killed, finished = [], [], 0, 0, 0
        next_sample = time.time() + min(20, options.minutes * 6)  # after the warm-up
        while time.time() < end:
            while len(live) < options.clients:
                tokens = str(rng.choice([1, 20, 100, 400]))
                started += 1
                live.append((subprocess.Popen(
                    daemon.command("generate", "--prompt", f"Tell me a story number {started}.", "--max-tokens", tokens,
                                   "--ignore-eos"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL),
                    rng.random() < 0.2))
            time.sleep(0.05)
            for client, doomed in list(live):
                if doomed and rng.random() < 0.3:
                    client.kill()
                    client.wait()
                    killed += 1
                elif client.poll() is None:
                    continue
                else:
                    assert client.returncode == 0 or doomed, f"a client ended with {client.returncode}"
                    finished += 1
                live.remove((client, doomed))
            if time.time() >= next_sample:
                rss.append(daemon.rss_kib())
                next_sample = time.time() + 1
        for client, _ in live:
            client.kill()
            client.wait()
        daemon.wait_idle()
    quarter = max(len(rss) // 4, 1)
    first, last = statistics.median(rss[:quarter]), statistics.median(rss[-quarter:])
    print(f"{started} clients, {finished} finished, {killed} killed, KV back to zero; RSS {first:.0f} KiB in the first quarter, "
          f"{last:.0f} KiB in the last ({last - first:+.0f})")
    if last - first > 4096:
        print("soak: RSS grows", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
