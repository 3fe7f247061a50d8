"""Measures llama.cpp through its Python binding's low-level functions; `compare` runs it
inside its private environment.

It does what llama-bench does: random tokens, a batch of 512 at a time, logits for the last
token of a prompt only, all other settings at llama.cpp's defaults. Prints one JSON object
with the fields that `NAME bench --json` of a Quartet program has.
"""
import argparse
import ctypes
import json
import random
import re
import statistics
import sys
import time

import llama_cpp as llama

MICRO_BATCH = 512


class Failure(Exception):
    pass


def peak_memory():
    with open("/proc/self/status", encoding="ascii") as file:
        found = re.search(r"^VmHWM:\s+(\d+) kB", file.read(), re.M)
    return int(found[1]) * 1024 if found else 0


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


class Session:
    """A context for some sequences, and the tokens fed to it."""

    def __init__(self, model, sequences, length, threads):
        parameters = llama.llama_context_default_params()
        parameters.n_ctx = length * sequences
        parameters.n_batch = parameters.n_ubatch = MICRO_BATCH
        parameters.n_seq_max = sequences
        parameters.n_threads = parameters.n_threads_batch = threads
        self.context = llama.llama_init_from_model(model, parameters)
        if not self.context:
            raise Failure(f"llama.cpp made no context of {sequences} x {length} tokens")
        self.vocabulary = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(model))
        self.random = random.Random(7)
        self.batch = llama.llama_batch_init(MICRO_BATCH, 0, 1)

    def close(self):
        llama.llama_batch_free(self.batch)
        llama.llama_free(self.context)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def clear(self):
        llama.llama_memory_clear(llama.llama_get_memory(self.context), True)

    def copy_to(self, sequences):
        """Gives them the state of sequence 0."""
        size = llama.llama_state_seq_get_size(self.context, 0)
        state = (ctypes.c_uint8 * size)()
        saved = llama.llama_state_seq_get_data(self.context, state, size, 0)
        for sequence in sequences:
            if not (saved and llama.llama_state_seq_set_data(self.context, state, saved,
                                                             sequence)):
                raise Failure("llama.cpp did not copy the state of a sequence")

    def step(self, rows):
        """rows: (sequence, position, wants logits)."""
        batch = self.batch
        batch.n_tokens = len(rows)
        for i, (sequence, position, wanted) in enumerate(rows):
            batch.token[i] = self.random.randrange(self.vocabulary)
            batch.pos[i] = position
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = sequence
            batch.logits[i] = wanted
        status = llama.llama_decode(self.context, batch)
        if status != 0:
            raise Failure(f"llama_decode failed with {status}")
        llama.llama_synchronize(self.context)

    def prefill(self, sequence, length):
        for first in range(0, length, MICRO_BATCH):
            last = min(first + MICRO_BATCH, length)
            self.step([(sequence, p, p == length - 1) for p in range(first, last)])

    def decode(self, sequences, first, count):
        for position in range(first, first + count):
            self.step([(s, position, True) for s in range(sequences)])


def timed(action):
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def measure_prefill(model, length, repeat, threads):
    speeds = []
    with Session(model, 1, length, threads) as session:
        for i in range(repeat + 1):  # the first one warms up
            session.clear()
            seconds = timed(lambda: session.prefill(0, length))
            if i:
                speeds.append(length / seconds)
    return speeds


def measure_decode(model, context, sequences, count, repeat, threads):
    """The repetitions follow each other: the first starts after `context` tokens."""
    speeds = []
    with Session(model, sequences, context + count * repeat, threads) as session:
        session.prefill(0, context)
        session.copy_to(range(1, sequences))
        for i in range(repeat):
            first = context + i * count
            seconds = timed(lambda: session.decode(sequences, first, count))
            speeds.append(sequences * count / seconds)
    return speeds


def numbers(text):
    return [int(part) for part in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", help="GGUF file")
    parser.add_argument("--prompt", type=numbers, default=[512])
    parser.add_argument("--context", type=numbers, default=[64])
    parser.add_argument("--batch", type=numbers, default=[1])
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()

    lines = []

    @llama.llama_log_callback
    def log(_level, text, _data):
        lines.append(text.decode(errors="replace"))

    llama.llama_log_set(log, ctypes.c_void_p(0))
    llama.llama_backend_init()
    try:
        parameters = llama.llama_model_default_params()
        begin = time.perf_counter()
        model = llama.llama_model_load_from_file(options.file.encode(), parameters)
        load = time.perf_counter() - begin
        if not model:
            raise Failure(f"llama.cpp did not load {options.file}:\n" + "".join(lines[-12:]))
        result = {"engine": "llama.cpp", "version": llama.__version__,
                  "system": llama.llama_print_system_info().decode().strip(),
                  "threads": options.threads, "load_seconds": load, "prefill": [],
                  "decode": []}
        for length in options.prompt:
            speeds = measure_prefill(model, length, options.repeat, options.threads)
            result["prefill"].append({"tokens": length, "tokens_per_second": spread(speeds)})
            print(f"prefill of {length} measured", file=sys.stderr, flush=True)
        for context in options.context:
            for batch in options.batch:
                speeds = measure_decode(model, context, batch, options.tokens,
                                        options.repeat, options.threads)
                result["decode"].append({"batch": batch, "context": context,
                                         "tokens_per_second": spread(speeds)})
                print(f"decode of {batch} at {context} measured", file=sys.stderr, flush=True)
        result["memory"] = {"peak_bytes": peak_memory()}
        result["buffers"] = [line.strip() for line in lines if "buffer size =" in line]
        llama.llama_model_free(model)
    except Failure as failure:
        sys.exit(f"llamacpp_bench.py: error: {failure}")
    json.dump(result, sys.stdout)
    print()


if __name__ == "__main__":
    main()
