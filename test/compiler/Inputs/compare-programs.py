"""Compares one program of an executable for several CPUs with the executable for that
CPU alone: usage MANY ONE TARGET [options of logits]. Equal bits of logits and equal
greedy text; silent and 0 when they are. A machine that lacks the CPU passes: there the
executable for it alone must say so."""
import os
import subprocess
import sys

many, one, target, *options = sys.argv[1:]


def logits(program, name, *more):
    done = subprocess.run([program, "logits", *more, *options, "-o", name],
                          capture_output=True, text=True)
    if done.returncode:
        return done.stderr
    with open(name, "rb") as file:
        return file.read()


def text(program, *more):
    return subprocess.run([program, "run", *more, "--tokens", "5,9,200", "-n", "12",
                           "--temperature", "0", "--print-tokens", "--ignore-eos"],
                          capture_output=True, text=True).stdout


alone = logits(one, "one.npy")
if isinstance(alone, str):
    if "which this CPU or system lacks" in alone:
        sys.exit(0)
    sys.exit(f"{one}: {alone}")
together = logits(many, "many.npy", "--program", target)
if together != alone:
    sys.exit(f"{many} --program {target}: "
             + (together if isinstance(together, str) else "other logits"))
expected = text(one)
if not expected or text(many, "--program", target) != expected:
    sys.exit(f"{many} --program {target}: other text")
os.remove("one.npy")
os.remove("many.npy")
