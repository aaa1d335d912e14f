"""Many clients at once, some of them killed: the others get exactly what they get alone."""
import random
import subprocess
import sys
import time

from harness import Daemon

PROMPTS = [f"Tell me a story about a {animal} and a {thing}."
           for animal in ("fox", "cat", "whale", "bear", "duck", "frog", "goat", "mouse")
           for thing in ("lamp", "boat", "bell", "rope", "drum")]
NUM_SURVIVORS, NUM_KILLED = 32, 8


def arguments(index):
    sampled = ["--temperature", "0.8", "--seed", str(index)] if index % 2 else ["--temperature", "0"]
    return ["generate", "--prompt", PROMPTS[index], "--max-tokens", "150", *sampled]


def main():
    with Daemon() as daemon:
        alone = []
        for i in range(NUM_SURVIVORS):
            done = daemon.tern(*arguments(i))
            assert done.returncode == 0, done.stderr
            assert done.stdout.strip(), "an empty answer"
            alone.append(done.stdout)

        rng = random.Random(7)
        victims = [subprocess.Popen(daemon.command("generate", "--prompt", PROMPTS[NUM_SURVIVORS + k], "--max-tokens",
                                                   "900", "--ignore-eos"), stdout=subprocess.PIPE)
                   for k in range(NUM_KILLED)]
        survivors = [subprocess.Popen(daemon.command(*arguments(i)), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                      text=True) for i in range(NUM_SURVIVORS)]
        for victim in victims:
            victim.stdout.read(1)  # it streams
            time.sleep(rng.random() * 0.05)
            victim.kill()
        answers = [p.communicate(timeout=120) for p in survivors]
        for i, (out, err) in enumerate(answers):
            assert survivors[i].returncode == 0, err
            assert out == alone[i], f"client {i}: alone {alone[i]!r}, in company {out!r}"
        for victim in victims:
            victim.wait()
        daemon.wait_idle()
        assert daemon.process.poll() is None
    print(f"{NUM_SURVIVORS} survivors equal, {NUM_KILLED} killed, KV back to zero")


if __name__ == "__main__":
    sys.exit(main())
