#!/usr/bin/env python3
"""The model family in plain numpy, float64: slow, short, and meant to be read.

Runs a Hugging Face checkpoint of qwen3_5_moe, qwen3_5 or qwen3_next (text part)
token by token and can write every intermediate tensor to an .npz file, to find
the first place where a compiled model departs from the formulas.

    reference.py CHECKPOINT --tokens 1,2,3                    top five of each row
    reference.py CHECKPOINT --tokens 1,2,3 -o logits.npy      float64 [tokens, vocab]
    reference.py CHECKPOINT --tokens 1,2,3 --dump all.npz     all tensors, all layers
    reference.py CHECKPOINT --tokens 1,2,3 --dump l3.npz --layer 3
    reference.py CHECKPOINT --tokens 1,2,3 -n 16              greedy continuation
    reference.py --check                                      all stored goldens

Needs Python 3.9 and numpy, nothing else.

Names in a dump; T tokens, H hidden, Hk/Hv key and value heads of DeltaNet (width
Dk/Dv), Nq/Nk query and KV heads of attention (width D), E experts, K of them used:

    embed                     [T, H]      the residual stream before layer 0
    layers.I.input_norm       [T, H]      zero-centred RMSNorm of the stream
      DeltaNet
    layers.I.qkv              [T, C]      before the convolution; C = 2 Hk Dk + Hv Dv
    layers.I.conv             [T, C]      after the convolution and SiLU
    layers.I.q, .k            [T, Hk, Dk] unit length; q also times Dk^-0.5
    layers.I.v, .z            [T, Hv, Dv]
    layers.I.beta, .g         [T, Hv]     write strength; log decay in nats, <= 0
    layers.I.delta            [T, Hv, Dv] what the delta rule reads out
    layers.I.gated_norm       [T, Hv, Dv]
    layers.I.state            [Hv, Dk, Dv]  after the last token
    layers.I.conv_state       [3, C]      the last rows of qkv, oldest first
      attention
    layers.I.q, .k            [T, N, D]   normed and rotated
    layers.I.v                [T, Nk, D]
    layers.I.gate             [T, Nq, D]  before the sigmoid
    layers.I.attention        [T, Nq, D]  before the gate
      both
    layers.I.mixer            [T, H]      what the mixer adds to the stream
    layers.I.after_mixer      [T, H]      the stream
    layers.I.post_norm        [T, H]
    layers.I.router_logits    [T, E]      (MoE)
    layers.I.expert_ids, .expert_weights  [T, K], largest weight first (MoE)
    layers.I.routed, .shared  [T, H]      (MoE; shared includes its sigmoid gate)
    layers.I.mlp              [T, H]      what the MLP or MoE adds to the stream
    layers.I.output           [T, H]      the stream
    final_norm                [T, H]
    logits                    [T, vocab]
"""
import argparse
import json
import math
import pathlib
import sys

try:
    import numpy as np
except ImportError:
    sys.exit("reference.py: needs numpy (Debian: apt install python3-numpy)")


# ---------------------------------------------------------------- checkpoints

def read_safetensors(path):
    """All tensors of one file. BF16 is widened to float32, which is exact."""
    data = pathlib.Path(path).read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        raw = data[begin:end]
        if entry["dtype"] == "BF16":
            array = (np.frombuffer(raw, "<u2").astype("<u4") << 16).view("<f4")
        elif entry["dtype"] in ("F16", "F32", "F64"):
            array = np.frombuffer(raw, "<f" + str(int(entry["dtype"][1:]) // 8))
        else:
            raise ValueError(f"{path}: {name} has dtype {entry['dtype']}, "
                             "expected BF16, F16, F32 or F64")
        tensors[name] = array.reshape(entry["shape"])
    return tensors


def read_checkpoint(folder):
    folder = pathlib.Path(folder)
    index = folder / "model.safetensors.index.json"
    files = ["model.safetensors"]
    if index.exists():
        files = sorted(set(json.loads(index.read_text())["weight_map"].values()))
    tensors = {}
    for file in files:
        tensors.update(read_safetensors(folder / file))
    return json.loads((folder / "config.json").read_text()), tensors


# ------------------------------------------------------------------- formulas

def sigmoid(x):
    # Two forms, so that exp never overflows.
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def silu(x):
    return x * sigmoid(x)


def softplus(x):
    return np.where(x > 20, x, np.log1p(np.exp(np.minimum(x, 20))))


def rms(x, eps):
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps)


def rms_norm(x, weight, eps):
    """Zero-centred: the stored weight is the distance from one."""
    return rms(x, eps) * (1 + weight)


def unit_length(x):
    return x / np.sqrt(np.sum(x * x, axis=-1, keepdims=True) + 1e-6)


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def rope_parameters(config):
    """Both spellings: `rope_parameters`, or `rope_theta` beside `rope_scaling`."""
    rope = dict(config.get("rope_parameters") or config.get("rope_scaling") or {})
    rope.setdefault("rope_type", rope.pop("type", "default"))
    for key, default in (("rope_theta", 10000.0), ("partial_rotary_factor", 0.25)):
        rope.setdefault(key, config.get(key, default))
    return rope


def rope_frequencies(config):
    """Angle per position of each rotated pair, and the factor on cos and sin.

    Frequencies are float32 values, as engines store them.
    """
    rope = rope_parameters(config)
    base = float(rope["rope_theta"])
    width = int(config["head_dim"] * rope["partial_rotary_factor"])
    pair = np.arange(width // 2)
    frequency = base ** (-2.0 * pair / width)
    if rope["rope_type"] == "default":
        return frequency.astype(np.float32), 1.0
    if rope["rope_type"] != "yarn":
        raise ValueError(f"rope_type is {rope['rope_type']}, expected default or yarn")

    length = rope["original_max_position_embeddings"]
    factor = rope["factor"]

    def pair_turning(turns):
        """The pair that makes so many turns within the original context."""
        return (width * math.log(length / (turns * 2 * math.pi))
                / (2 * math.log(base)))

    low, high = (pair_turning(rope.get(key) or default)
                 for key, default in (("beta_fast", 32), ("beta_slow", 1)))
    if rope.get("truncate", True):
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, width - 1)
    if low == high:
        high += 0.001
    ramp = np.clip((pair - low) / (high - low), 0, 1)
    frequency = frequency * (1 - ramp) + frequency / factor * ramp
    scale = rope.get("attention_factor") or (
        0.1 * math.log(factor) + 1.0 if factor > 1 else 1.0)
    return frequency.astype(np.float32), scale


def rotate(x, positions, frequency, scale):
    """x is [T, N, D]; pair p of the first 2P dims is (p, p + P), the rest stay."""
    angle = (positions.astype(np.float32)[:, None] * frequency).astype(np.float64)
    cos, sin = (f(angle)[:, None, :] * scale for f in (np.cos, np.sin))
    pairs = len(frequency)
    a, b = x[..., :pairs], x[..., pairs:2 * pairs]
    return np.concatenate(
        [a * cos - b * sin, b * cos + a * sin, x[..., 2 * pairs:]], axis=-1)


# ---------------------------------------------------------------------- model

class Model:
    """Weights as float64. Call `step` as often as needed on one `State`."""

    def __init__(self, folder):
        outer, tensors = read_checkpoint(folder)
        self.config = config = outer.get("text_config", outer)
        self.tensors = tensors
        self.prefix = next((p for p in ("model.language_model.", "model.",
                                        "language_model.model.")
                            if p + "embed_tokens.weight" in tensors), None)
        if self.prefix is None:
            raise ValueError(f"{folder}: no embed_tokens.weight under a known prefix")
        self.eps = config["rms_norm_eps"]
        self.frequency, self.rope_scale = rope_frequencies(config)
        interval = config.get("full_attention_interval", 4)
        self.layer_types = config.get("layer_types") or [
            "linear_attention" if (i + 1) % interval else "full_attention"
            for i in range(config["num_hidden_layers"])]
        self.embedding = self.get("embed_tokens.weight")
        head = next((n for n in ("lm_head.weight", "language_model.lm_head.weight")
                     if n in tensors), None)
        tied = outer.get("tie_word_embeddings", config.get("tie_word_embeddings"))
        if head is None and not tied:
            raise ValueError(f"{folder}: no lm_head.weight, and the head is not tied")
        self.head = self.embedding if tied else tensors[head].astype(np.float64)

    def get(self, name):
        return self.tensors[self.prefix + name].astype(np.float64)

    def has(self, name):
        return self.prefix + name in self.tensors

    def linear(self, x, name):
        return x @ self.get(name).T

    def step(self, tokens, state, note=lambda name, value: None):
        """Logits [T, vocab] of the next T tokens; `note` is told every tensor."""
        positions = state.length + np.arange(len(tokens))
        x = self.embedding[np.asarray(tokens)]
        note("embed", x)
        for i, kind in enumerate(self.layer_types):
            layer = f"layers.{i}."
            said = lambda name, value, layer=layer: note(layer + name, value)
            h = rms_norm(x, self.get(layer + "input_layernorm.weight"), self.eps)
            said("input_norm", h)
            if kind == "linear_attention":
                mixed = self.delta_net(h, layer + "linear_attn.", state.layer(i), said)
            else:
                mixed = self.attention(h, layer + "self_attn.", positions,
                                       state.layer(i), said)
            said("mixer", mixed)
            x = x + mixed
            said("after_mixer", x)
            h = rms_norm(x, self.get(layer + "post_attention_layernorm.weight"),
                         self.eps)
            said("post_norm", h)
            routed = self.has(layer + "mlp.gate.weight")
            y = (self.moe if routed else self.swiglu)(h, layer + "mlp.", said)
            said("mlp", y)
            x = x + y
            said("output", x)
        state.length += len(tokens)
        x = rms_norm(x, self.get("norm.weight"), self.eps)
        note("final_norm", x)
        logits = x @ self.head.T
        note("logits", logits)
        return logits

    def delta_inputs(self, h, name):
        """qkv [T, C], z [T, Hv, Dv], b [T, Hv], a [T, Hv] from either layout."""
        c = self.config
        hk, hv = c["linear_num_key_heads"], c["linear_num_value_heads"]
        dk, dv = c["linear_key_head_dim"], c["linear_value_head_dim"]
        t = len(h)
        if self.has(name + "in_proj_qkv.weight"):
            qkv, z, b, a = (self.linear(h, f"{name}in_proj_{part}.weight")
                            for part in ("qkv", "z", "b", "a"))
            return qkv, z.reshape(t, hv, dv), b, a
        # qwen3_next: per key head its q, k, then v and z of its value heads.
        r = hv // hk
        mixed = self.linear(h, name + "in_proj_qkvz.weight").reshape(t, hk, -1)
        q, k, v, z = np.split(mixed, np.cumsum([dk, dk, r * dv]), axis=-1)
        b, a = np.split(self.linear(h, name + "in_proj_ba.weight")
                        .reshape(t, hk, 2 * r), 2, axis=-1)
        qkv = np.concatenate([part.reshape(t, -1) for part in (q, k, v)], axis=-1)
        return qkv, z.reshape(t, hv, dv), b.reshape(t, hv), a.reshape(t, hv)

    def delta_net(self, h, name, state, note):
        c = self.config
        hk, hv = c["linear_num_key_heads"], c["linear_num_value_heads"]
        dk, dv = c["linear_key_head_dim"], c["linear_value_head_dim"]
        t = len(h)
        qkv, z, b, a = self.delta_inputs(h, name)
        note("qkv", qkv)

        taps = self.get(name + "conv1d.weight")[:, 0, :]  # [C, 4], last = newest
        width = taps.shape[1]
        window = state.setdefault("conv", np.zeros((width - 1, qkv.shape[1])))
        rows = np.concatenate([window, qkv])
        conv = silu(sum(taps[:, j] * rows[j:j + t] for j in range(width)))
        state["conv"] = rows[t:]
        note("conv", conv)
        note("conv_state", state["conv"])

        q, k, v = np.split(conv, [hk * dk, 2 * hk * dk], axis=-1)
        q = unit_length(q.reshape(t, hk, dk)) * dk ** -0.5
        k = unit_length(k.reshape(t, hk, dk))
        v = v.reshape(t, hv, dv)
        beta = sigmoid(b)
        g = -np.exp(self.get(name + "A_log")) * softplus(a + self.get(name + "dt_bias"))
        for key, value in (("q", q), ("k", k), ("v", v), ("z", z),
                           ("beta", beta), ("g", g)):
            note(key, value)

        # Value head j uses key head j // (hv / hk).
        q, k = (np.repeat(x, hv // hk, axis=1) for x in (q, k))
        s = state.setdefault("delta", np.zeros((hv, dk, dv)))
        out = np.empty((t, hv, dv))
        for i in range(t):
            s = np.exp(g[i])[:, None, None] * s
            error = beta[i][:, None] * (v[i] - np.einsum("hkv,hk->hv", s, k[i]))
            s = s + k[i][:, :, None] * error[:, None, :]
            out[i] = np.einsum("hkv,hk->hv", s, q[i])
        state["delta"] = s
        note("delta", out)
        note("state", s)

        y = self.get(name + "norm.weight") * rms(out, self.eps) * silu(z)
        note("gated_norm", y)
        return self.linear(y.reshape(t, hv * dv), name + "out_proj.weight")

    def attention(self, h, name, positions, state, note):
        c = self.config
        nq, nk, d = c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"]
        t = len(h)
        gated = c.get("attn_output_gate", True)
        q = self.linear(h, name + "q_proj.weight").reshape(t, nq, -1)
        q, gate = (q[..., :d], q[..., d:]) if gated else (q, None)
        k = self.linear(h, name + "k_proj.weight").reshape(t, nk, d)
        v = self.linear(h, name + "v_proj.weight").reshape(t, nk, d)
        q = rms_norm(q, self.get(name + "q_norm.weight"), self.eps)
        k = rms_norm(k, self.get(name + "k_norm.weight"), self.eps)
        q = rotate(q, positions, self.frequency, self.rope_scale)
        k = rotate(k, positions, self.frequency, self.rope_scale)
        for key, value in (("q", q), ("k", k), ("v", v)):
            note(key, value)

        keys, values = (np.concatenate([state.get(key, x[:0]), x])
                        for key, x in (("keys", k), ("values", v)))
        state["keys"], state["values"] = keys, values
        keys, values = (np.repeat(x, nq // nk, axis=1) for x in (keys, values))
        score = np.einsum("thd,shd->hts", q, keys) * d ** -0.5
        future = np.arange(len(keys))[None, :] > positions[:, None]
        score = np.where(future, -np.inf, score)
        y = np.einsum("hts,shd->thd", softmax(score), values)
        note("attention", y)
        if gated:
            note("gate", gate)
            y = y * sigmoid(gate)
        return self.linear(y.reshape(t, nq * d), name + "o_proj.weight")

    def swiglu(self, h, name, note=None):
        return self.linear(silu(self.linear(h, name + "gate_proj.weight"))
                           * self.linear(h, name + "up_proj.weight"),
                           name + "down_proj.weight")

    def expert(self, h, name, e):
        if not self.has(name + "experts.gate_up_proj"):
            return self.swiglu(h, f"{name}experts.{e}.")
        gate, up = np.split(h @ self.get(name + "experts.gate_up_proj")[e].T, 2, -1)
        return (silu(gate) * up) @ self.get(name + "experts.down_proj")[e].T

    def moe(self, h, name, note):
        c = self.config
        logits = self.linear(h, name + "gate.weight")
        used = c["num_experts_per_tok"]
        # Stable, so equal logits go to the lowest expert.
        ids = np.argsort(-logits, axis=-1, kind="stable")[:, :used]
        weights = np.take_along_axis(softmax(logits), ids, axis=-1)
        if c.get("norm_topk_prob", True):
            weights = weights / weights.sum(axis=-1, keepdims=True)
        for key, value in (("router_logits", logits), ("expert_ids", ids),
                           ("expert_weights", weights)):
            note(key, value)
        routed = np.zeros_like(h)
        for e in np.unique(ids):
            row, slot = np.nonzero(ids == e)
            routed[row] += weights[row, slot, None] * self.expert(h[row], name, e)
        note("routed", routed)
        shared = (sigmoid(self.linear(h, name + "shared_expert_gate.weight"))
                  * self.swiglu(h, name + "shared_expert."))
        note("shared", shared)
        return routed + shared


class State:
    """What one sequence keeps between steps."""

    def __init__(self):
        self.length = 0
        self.layers = {}

    def layer(self, i):
        return self.layers.setdefault(i, {})


# --------------------------------------------------------------------- checks

# The goldens are float32 results of another program: the two differ by its
# rounding, measured at 2e-6 (test/golden/README.md).
BOUND = 1e-5


def relative_error(found, expected):
    """Largest difference in a row relative to the row's largest value."""
    found = np.asarray(found, np.float64)
    if found.shape != expected.shape or not np.isfinite(found).all():
        return math.inf
    scale = np.abs(expected).max(axis=-1, keepdims=True)
    return float((np.abs(found - expected) / scale).max())


def check(folder, golden):
    """Largest error of the reference against one set of goldens; True if greedy
    text agrees as well."""
    model = Model(folder)
    tokens = golden["tokens"]
    logits = model.step(tokens, State())
    worst = 0.0
    for n in golden["lengths"]:
        expected = golden[f"prefill_{n}"]
        worst = max(worst, relative_error(logits[n - len(expected):n], expected))
    for n in golden["decode_starts"]:
        expected = golden[f"decode_{n}"]
        worst = max(worst, relative_error(logits[n:n + len(expected)], expected))
    same = True
    for i in range(int(golden["greedy_count"])):
        prompt, text = golden[f"greedy_prompt_{i}"], golden[f"greedy_tokens_{i}"]
        rows = model.step(np.concatenate([prompt, text[:-1]]), State())
        same &= bool((rows[len(prompt) - 1:].argmax(axis=-1) == text).all())
    return worst, same


def check_all(names):
    here = pathlib.Path(__file__).resolve().parent
    # NAME-mtp.npz are goldens of drafts, which run_mtp.py compares.
    names = names or sorted(p.stem for p in (here / "results").glob("*.npz")
                            if not p.stem.endswith("-mtp"))
    failed = 0 if names else 1
    for name in names:
        with np.load(here / "results" / (name + ".npz")) as golden:
            worst, same = check(here / name, golden)
        good = worst <= BOUND and same
        failed += not good
        print(f"{'ok  ' if good else 'FAIL'} {name}: error {worst:.1e}, "
              f"bound {BOUND:.0e}, greedy {'equal' if same else 'differs'}")
    print(f"{len(names) - failed} passed, {failed} failed")
    return 1 if failed else 0


def numbers(text):
    return [int(part) for part in text.split(",")]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", nargs="*",
                        help="a checkpoint folder; with --check, case names")
    parser.add_argument("--tokens", type=numbers, help="token ids, as 1,2,3")
    parser.add_argument("--split", type=numbers,
                        help="cut the tokens into steps of these lengths")
    parser.add_argument("-o", metavar="FILE", help="write the logits (.npy)")
    parser.add_argument("-n", type=int, default=0, help="greedy tokens to add")
    parser.add_argument("--dump", metavar="FILE",
                        help="write the intermediate tensors (.npz)")
    parser.add_argument("--layer", type=numbers, help="dump these layers only")
    parser.add_argument("--check", action="store_true",
                        help="compare with the stored goldens")
    args = parser.parse_args()
    if args.check:
        return check_all(args.checkpoint)
    if len(args.checkpoint) != 1 or not args.tokens:
        parser.error("expected one checkpoint folder and --tokens")
    split = args.split or [len(args.tokens)]
    if sum(split) != len(args.tokens) or min(split) < 1:
        parser.error(f"--split adds up to {sum(split)}, expected {len(args.tokens)}")

    model, state, dumped = Model(args.checkpoint[0]), State(), {}
    wanted = args.layer and tuple(f"layers.{i}." for i in args.layer)

    def note(name, value):
        if not wanted or name.startswith(wanted):
            dumped.setdefault(name, []).append(value)

    logits, at = [], 0
    for size in split:
        logits.append(model.step(args.tokens[at:at + size], state, note))
        at += size
    if args.dump:
        # States are whole after each step: keep the last. The rest are rows.
        np.savez(args.dump, **{
            name: parts[-1] if name.endswith("state") else np.concatenate(parts)
            for name, parts in dumped.items()})
    logits = np.concatenate(logits)
    if args.o:
        np.save(args.o, logits)
    if not (args.o or args.dump or args.n):
        for token, row in zip(args.tokens, logits):
            best = np.argsort(-row)[:5]
            print(token, "->", "  ".join(f"{i}: {row[i]:.4f}" for i in best))
    text, row = [], logits[-1]
    for _ in range(args.n):
        text.append(int(row.argmax()))
        row = model.step(text[-1:], state)[-1]
    if text:
        print(*text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
