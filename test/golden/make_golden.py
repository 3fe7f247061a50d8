#!/usr/bin/env python3
"""Makes the golden checkpoints and their results with Hugging Face transformers.

    make_golden.py              all cases
    make_golden.py moe next     some of them

Each case becomes a checkpoint folder beside this script and results/CASE.npz.
Seeds are fixed: the same versions (README.md) write the same files. Needs torch,
transformers, safetensors and numpy; using the goldens needs only numpy.
"""
import json
import os
import pathlib
import shutil
import sys

os.environ["CUDA_VISIBLE_DEVICES"] = ""
import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

import reference

HERE = pathlib.Path(__file__).resolve().parent

LENGTHS = [1, 2, 63, 64, 65, 130, 300]  # around the chunk of 64, and well beyond
ROWS = 2                                # last rows kept of each prefill
DECODE_STARTS = [2, 61, 130]            # prefill so many, then single tokens
DECODE_TOKENS = 8
GREEDY_PROMPTS = [5, 70]
GREEDY_TOKENS = 16

# No router is close to a tie at any token: distance of the last chosen logit from the
# first one not chosen. Greedy text can't be chosen token by token, so there the
# distances are the best that a search finds, and these set their weights.
ROUTING_GAP = 0.2
GREEDY_ROUTING_GAP = 0.1
GREEDY_GAP = 0.05  # of the best two logits, relative to the row's largest value

VOCAB = 272  # 256 bytes, 4 merges, 9 added tokens, 3 rows without a token
MERGES = ["Ġ t", "h e", "Ġt he", "i n"]
ADDED = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>",
         "<|vision_end|>", "<|image_pad|>", "<|video_pad|>", "<think>", "</think>"]
TEXT_TOKENS = 256 + len(MERGES)
ID = {token: TEXT_TOKENS + i for i, token in enumerate(ADDED)}

MROPE = {"mrope_interleaved": True, "mrope_section": [2, 1, 1]}


def rope(base=10000.0, **more):
    return {"rope_type": "default", "rope_theta": base,
            "partial_rotary_factor": 0.25, **more}


def text(layers=4, hidden=64, key_heads=2, value_heads=4, head=16, **more):
    """Fields of a text configuration; attention is 2 query heads to 1 KV head."""
    return {"vocab_size": VOCAB, "hidden_size": hidden, "num_hidden_layers": layers,
            "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 32,
            "linear_num_key_heads": key_heads, "linear_num_value_heads": value_heads,
            "linear_key_head_dim": head, "linear_value_head_dim": head,
            "max_position_embeddings": 2048, "rope_parameters": rope(**MROPE),
            "bos_token_id": ID["<|endoftext|>"], "eos_token_id": ID["<|endoftext|>"],
            **more}


def experts(count, used, width=16):
    return {"num_experts": count, "num_experts_per_tok": used,
            "moe_intermediate_size": width, "shared_expert_intermediate_size": width}


def vision(hidden):
    return {"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2,
            "patch_size": 4, "num_position_embeddings": 16, "out_hidden_size": hidden}


TWO_LAYERS = {"layer_types": ["linear_attention", "full_attention"]}

# What each is for: README.md.
CASES = {
    "moe": dict(
        model="Qwen3_5MoeForCausalLM", config="Qwen3_5MoeTextConfig", seed=1,
        text=text(num_attention_heads=4, num_key_value_heads=2, **experts(8, 2))),
    "moe-release": dict(
        model="Qwen3_5MoeForConditionalGeneration", config="Qwen3_5MoeConfig", seed=2,
        text=text(value_heads=2, **experts(4, 2)), vision=vision(64),
        fuse_experts=True, mtp=True, shard=120_000),
    "moe-deep": dict(
        model="Qwen3_5MoeForCausalLM", config="Qwen3_5MoeTextConfig", seed=3,
        text=text(layers=8, hidden=32, value_heads=6, tie_word_embeddings=True,
                  **experts(4, 2))),
    "moe-f16": dict(
        model="Qwen3_5MoeForCausalLM", config="Qwen3_5MoeTextConfig", seed=4,
        dtype=torch.float16, fuse_experts=True, faint_key_head=True,
        text=text(layers=2, **TWO_LAYERS, **experts(16, 4), rms_norm_eps=1e-3)),
    "dense": dict(
        model="Qwen3_5ForConditionalGeneration", config="Qwen3_5Config", seed=5,
        dtype=torch.float32, vision=vision(32),
        text=text(hidden=32, key_heads=1, value_heads=3, intermediate_size=96,
                  num_attention_heads=4, num_key_value_heads=2)),
    "dense-yarn": dict(
        model="Qwen3_5ForCausalLM", config="Qwen3_5TextConfig", seed=6,
        text=text(layers=2, **TWO_LAYERS, head_dim=64, intermediate_size=64,
                  linear_key_head_dim=32, tie_word_embeddings=True,
                  rope_parameters=rope(
                      base=1000.0, rope_type="yarn", factor=4.0,
                      original_max_position_embeddings=512,
                      mrope_interleaved=True, mrope_section=[3, 3, 2]))),
    "next": dict(
        model="Qwen3NextForCausalLM", config="Qwen3NextConfig", seed=8, shard=120_000,
        old_config=True,
        text=text(rope_parameters=rope(), intermediate_size=64,
                  num_attention_heads=4, num_key_value_heads=2, **experts(4, 2))),
}


# -------------------------------------------------------------------- weights

def draw(name, shape, random, tied=False, layers=4):
    """One tensor, so scaled that every part of the model moves the logits."""
    x = torch.randn(shape, generator=random)
    leaf = name.removesuffix(".weight").rsplit(".", 1)[-1]
    if leaf == "A_log":
        return torch.log(0.1 + 1.5 * torch.rand(shape, generator=random))
    if leaf == "dt_bias":  # from "forgets at once" to "remembers hundreds"
        return 5 * torch.rand(shape, generator=random) - 4.5
    if name.endswith("linear_attn.norm.weight") or ".visual." in name and x.ndim == 1:
        return 1 + 0.2 * x
    if leaf in ("q_norm", "k_norm"):  # sharper attention
        return 0.2 + 0.3 * x
    if tied and name == "model.norm.weight":
        return x - 1  # both signs, or every token would predict itself
    if x.ndim == 1:  # zero-centred norms
        return 0.3 * x
    if leaf == "conv1d":
        return 0.5 * x
    if leaf == "embed_tokens":
        return x
    if leaf == "lm_head":  # rows of different length, for clear winners
        length = torch.exp(0.7 * torch.randn(shape[0], 1, generator=random))
        return 3 * length * x / shape[-1] ** 0.5
    gain = {"gate": 3.0, "out_proj": 0.7, "o_proj": 1.5}.get(leaf, 1.0)
    if leaf in ("out_proj", "o_proj", "down_proj"):  # what a layer adds
        gain *= min(1.0, (4 / layers) ** 0.5)
    return gain * x / shape[-1] ** 0.5


def draw_mtp(config, random):
    """The multi-token-prediction tensors of a release, which transformers ignores."""
    h, d = config["hidden_size"], config["head_dim"]
    nq, nk = config["num_attention_heads"], config["num_key_value_heads"]
    e, i = config["num_experts"], config["moe_intermediate_size"]
    shapes = {
        "fc.weight": (h, 2 * h), "norm.weight": (h,),
        "pre_fc_norm_embedding.weight": (h,), "pre_fc_norm_hidden.weight": (h,),
        "layers.0.input_layernorm.weight": (h,),
        "layers.0.post_attention_layernorm.weight": (h,),
        "layers.0.self_attn.q_proj.weight": (2 * nq * d, h),
        "layers.0.self_attn.k_proj.weight": (nk * d, h),
        "layers.0.self_attn.v_proj.weight": (nk * d, h),
        "layers.0.self_attn.o_proj.weight": (h, nq * d),
        "layers.0.self_attn.q_norm.weight": (d,),
        "layers.0.self_attn.k_norm.weight": (d,),
        "layers.0.mlp.gate.weight": (e, h),
        "layers.0.mlp.experts.gate_up_proj": (e, 2 * i, h),
        "layers.0.mlp.experts.down_proj": (e, h, i),
        "layers.0.mlp.shared_expert.gate_proj.weight": (i, h),
        "layers.0.mlp.shared_expert.up_proj.weight": (i, h),
        "layers.0.mlp.shared_expert.down_proj.weight": (h, i),
        "layers.0.mlp.shared_expert_gate.weight": (1, h),
    }
    return {"mtp." + name: draw("mtp." + name, shape, random)
            for name, shape in shapes.items()}


def fuse_experts(tensors):
    """Stacks per-expert tensors, as transformers saves them, into the fused ones of
    the releases: gate_up_proj [E, 2I, H] and down_proj [E, H, I]."""
    out, layers = {}, {}
    for name, tensor in tensors.items():
        head, found, tail = name.partition(".mlp.experts.")
        if found:
            expert, kind, _ = tail.split(".")
            layers.setdefault(head, {})[int(expert), kind] = tensor
        else:
            out[name] = tensor
    for head, parts in layers.items():
        count = 1 + max(expert for expert, _ in parts)
        out[head + ".mlp.experts.gate_up_proj"] = torch.stack(
            [torch.cat([parts[e, "gate_proj"], parts[e, "up_proj"]])
             for e in range(count)])
        out[head + ".mlp.experts.down_proj"] = torch.stack(
            [parts[e, "down_proj"] for e in range(count)])
    return out


def write_shards(folder, tensors, limit):
    """Replaces the weight files by shards of at most `limit` bytes."""
    shards = [{}]
    size = 0
    for name in sorted(tensors):
        bytes_ = tensors[name].nbytes
        if shards[-1] and size + bytes_ > limit:
            shards.append({})
            size = 0
        shards[-1][name] = tensors[name].contiguous()
        size += bytes_
    names = ["model.safetensors"] if len(shards) == 1 else [
        f"model-{i + 1:05}-of-{len(shards):05}.safetensors"
        for i in range(len(shards))]
    for old in folder.glob("model*.safetensors*"):
        old.unlink()
    for name, shard in zip(names, shards):
        save_file(shard, folder / name, metadata={"format": "pt"})
    if len(shards) > 1:
        write_json(folder / "model.safetensors.index.json", {
            "metadata": {"total_size": sum(t.nbytes for t in tensors.values())},
            "weight_map": {t: name for name, shard in zip(names, shards)
                           for t in sorted(shard)}})


# ----------------------------------------------------------------- checkpoint

def write_json(path, value):
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def byte_alphabet():
    """The printable stand-ins of the 256 bytes, in the order of their ids."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return [chr(b) for b in kept] + [chr(256 + i) for i in range(256 - len(kept))]


def write_tokenizer(folder):
    pattern = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}"
               r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
    words = byte_alphabet() + [merge.replace(" ", "") for merge in MERGES]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False,
                  "trim_offsets": False, "use_regex": False}
    added = [{"id": ID[token], "content": token, "single_word": False, "lstrip": False,
              "rstrip": False, "normalized": False, "special": "think" not in token}
             for token in ADDED]
    write_json(folder / "tokenizer.json", {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated",
             "invert": False}, byte_level]},
        "post_processor": byte_level, "decoder": byte_level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None,
                  "continuing_subword_prefix": "", "end_of_word_suffix": "",
                  "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                  "vocab": {word: i for i, word in enumerate(words)},
                  "merges": [merge.split(" ") for merge in MERGES]}})
    write_json(folder / "tokenizer_config.json", {
        "add_prefix_space": False, "bos_token": None, "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>", "unk_token": None, "model_max_length": 2048,
        "clean_up_tokenization_spaces": False, "tokenizer_class": "Qwen2Tokenizer",
        "added_tokens_decoder": {
            str(entry["id"]): {k: v for k, v in entry.items() if k != "id"}
            for entry in added}})
    write_json(folder / "generation_config.json", {
        "bos_token_id": ID["<|endoftext|>"], "do_sample": True,
        "eos_token_id": [ID["<|im_end|>"], ID["<|endoftext|>"]],
        "pad_token_id": ID["<|endoftext|>"], "temperature": 1.0, "top_k": 20,
        "top_p": 0.95})


def make_checkpoint(folder, case):
    fields = dict(case["text"])
    if "vision" in case:
        fields = {"text_config": fields, "vision_config": case["vision"],
                  "tie_word_embeddings": fields.get("tie_word_embeddings", False),
                  "image_token_id": ID["<|image_pad|>"],
                  "video_token_id": ID["<|video_pad|>"],
                  "vision_start_token_id": ID["<|vision_start|>"],
                  "vision_end_token_id": ID["<|vision_end|>"]}
    config = getattr(transformers, case["config"])(**fields)
    model = getattr(transformers, case["model"])(config)
    random = torch.Generator().manual_seed(case["seed"])
    tied = case["text"].get("tie_word_embeddings", False)
    layers = case["text"]["num_hidden_layers"]
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            parameter.copy_(draw(name, parameter.shape, random, tied, layers))
            if case.get("faint_key_head") and name.endswith("conv1d.weight"):
                # q and k of the last key head: about as long as the root of the
                # epsilon of their normalisation, so that its place shows.
                heads = case["text"]["linear_num_key_heads"]
                width = case["text"]["linear_key_head_dim"]
                for end in (heads * width, 2 * heads * width):
                    parameter[end - width:end] *= 2e-3
    dtype = case.get("dtype", torch.bfloat16)
    shutil.rmtree(folder, ignore_errors=True)
    model.to(dtype).save_pretrained(folder, max_shard_size=case.get("shard", 10**9))

    if case.get("fuse_experts") or case.get("mtp"):
        tensors = {}
        for file in sorted(folder.glob("*.safetensors")):
            tensors.update(load_file(file))
        if case.get("fuse_experts"):
            tensors = fuse_experts(tensors)
        if case.get("mtp"):
            mtp = draw_mtp(case["text"], random)
            tensors.update({name: t.to(dtype) for name, t in mtp.items()})
        write_shards(folder, tensors, case.get("shard", 10**9))
    if case.get("mtp"):
        edit_config(folder, lambda c: c["text_config"].update(
            mtp_num_hidden_layers=1, mtp_use_dedicated_embeddings=False))
    if case.get("old_config"):
        edit_config(folder, spell_as_in_2025)
    write_tokenizer(folder)


def edit_config(folder, change):
    config = json.loads((folder / "config.json").read_text())
    change(config)
    write_json(folder / "config.json", config)


def spell_as_in_2025(config):
    """The fields of the Qwen3-Next releases, from before transformers 5."""
    moved = config.pop("rope_parameters")
    del config["layer_types"]
    config.update(full_attention_interval=4, rope_theta=moved["rope_theta"],
                  rope_scaling=None,
                  partial_rotary_factor=moved["partial_rotary_factor"])


# -------------------------------------------------------------------- results

class Runner:
    """A checkpoint in transformers, and the router logits of its last forward."""

    def __init__(self, folder, dtype):
        config = json.loads((folder / "config.json").read_text())
        outer = "text_config" in config
        self.config = config.get("text_config", config)
        loader = AutoModelForImageTextToText if outer else AutoModelForCausalLM
        self.model, info = loader.from_pretrained(
            folder, dtype=dtype, attn_implementation="eager", output_loading_info=True)
        self.model.eval()
        assert not info["missing_keys"] and not info["mismatched_keys"], info
        if self.config.get("num_experts"):
            self.model.set_experts_implementation("eager")
        self.routers = []
        for module in self.model.modules():
            if type(module).__name__.endswith("TopKRouter"):
                module.register_forward_hook(
                    lambda module, inputs, outputs: self.routers.append(outputs[0]))

    @torch.no_grad()
    def __call__(self, tokens, cache=None, use_cache=False):
        self.routers.clear()
        out = self.model(input_ids=torch.as_tensor(np.asarray(tokens)),
                         past_key_values=cache, use_cache=use_cache)
        return out.logits.float().numpy(), out.past_key_values

    def routing(self):
        """Router logits of the last forward, [layers, tokens in order, experts]."""
        return torch.stack(self.routers).float().numpy()

    def routing_gap(self, shape):
        """Distance at the boundary of the chosen experts: smallest of all layers."""
        if not self.routers:
            return np.full(shape, np.inf)
        logits = -np.sort(-self.routing(), axis=-1)
        used = self.config["num_experts_per_tok"]
        return (logits[..., used - 1] - logits[..., used]).min(axis=0).reshape(shape)


def choose_tokens(run, random, length):
    """Random text with a wide routing gap at every position: lengthens it by the
    longest good run of sixteen random continuations."""
    tokens = np.zeros(0, np.int64)
    while len(tokens) < length:
        more = random.integers(0, TEXT_TOKENS, (16, 10))
        rows = np.concatenate([np.tile(tokens, (16, 1)), more], axis=1)
        run(rows)
        good = run.routing_gap(rows.shape)[:, len(tokens):] > ROUTING_GAP
        runs = np.where(good.all(axis=1), 10, good.argmin(axis=1))
        tokens = rows[runs.argmax(), :len(tokens) + runs.max()]
    return tokens[:length]


def top_gap(rows):
    """Distance of the best two logits, relative to the row's largest value."""
    best = np.sort(rows, axis=-1)
    return (best[..., -1] - best[..., -2]) / np.abs(rows).max(axis=-1)


def greedy(run, prompts):
    """Continuations, and the smallest gaps met on the way, per prompt."""
    logits, cache = run(prompts, use_cache=True)
    routing = run.routing_gap(prompts.shape).min(axis=1)
    gap, text = np.full(len(prompts), np.inf), []
    for i in range(GREEDY_TOKENS):
        row = logits[:, -1]
        gap = np.minimum(gap, top_gap(row))
        text.append(row.argmax(axis=-1))
        if i + 1 < GREEDY_TOKENS:
            logits, cache = run(text[-1][:, None], cache, use_cache=True)
            routing = np.minimum(routing, run.routing_gap((len(prompts),)))
    return np.stack(text, axis=1), gap, routing


def choose_greedy(run, half, random, tokens):
    """A prompt (the beginning of `tokens`, three tokens of it changed) whose
    continuation meets no near-tie and no token that ends or is masked, and is the
    same when transformers rounds to bf16."""
    found = []
    for _ in range(24):
        prompts = np.tile(tokens, (128, 1))
        prompts[:, -3:] = random.integers(0, TEXT_TOKENS, (128, 3))
        text, gap, routing = greedy(run, prompts)
        variety = np.array([len(set(row)) for row in text])
        score = np.minimum(gap / GREEDY_GAP, routing / GREEDY_ROUTING_GAP)
        good = (text.max(axis=1) < TEXT_TOKENS) & (variety >= 4)
        found += [(score[i], i, prompts[i]) for i in np.flatnonzero(good)]
        if found and max(entry[0] for entry in found) >= 1:
            break
    for _, _, prompt in sorted(found, key=lambda entry: -entry[0])[:50]:
        text, gap, routing = greedy(run, prompt[None])
        if (greedy(half, prompt[None])[0] == text).all():
            return prompt, text[0], float(gap[0]), float(routing[0])
    raise ValueError("no prompt has a continuation that suits; take another seed")


def record(run, tokens):
    """Last rows of each prefill, and the rows of single tokens after one."""
    out = {}
    for n in LENGTHS:
        out[f"prefill_{n}"] = run(tokens[None, :n])[0][0, -ROWS:]
    for n in DECODE_STARTS:
        _, cache = run(tokens[None, :n], use_cache=True)
        rows = []
        for token in tokens[n:n + DECODE_TOKENS]:
            logits, cache = run([[token]], cache, use_cache=True)
            rows.append(logits[0, -1])
        out[f"decode_{n}"] = np.stack(rows)
    return out


def make_results(folder, case):
    run = Runner(folder, torch.float32)
    half = Runner(folder, torch.bfloat16)
    random = np.random.default_rng(case["seed"])
    tokens = choose_tokens(run, random, max(LENGTHS))
    result = {"tokens": tokens.astype(np.int32), "lengths": np.array(LENGTHS),
              "decode_starts": np.array(DECODE_STARTS),
              "greedy_count": np.array(len(GREEDY_PROMPTS))}
    rows = record(run, tokens)
    result.update(rows)
    everything, _ = run(tokens[None])
    routing_gap = float(run.routing_gap(len(tokens)).min())
    routers = run.routing() if run.routers else np.zeros(1)

    gaps = []
    for i, n in enumerate(GREEDY_PROMPTS):
        prompt, text, gap, routing = choose_greedy(run, half, random, tokens[:n])
        result[f"greedy_prompt_{i}"] = prompt.astype(np.int32)
        result[f"greedy_tokens_{i}"] = text.astype(np.int32)
        gaps.append(gap)
        routing_gap = min(routing_gap, routing)

    # The yardstick: the same program rounding to bf16 everywhere.
    rounded = record(half, tokens)
    error = max(reference.relative_error(rounded[key], rows[key]) for key in rows)
    result.update({"bf16_" + key: value for key, value in rounded.items()})
    half(tokens[None])
    router_error = (float(np.abs(half.routing() - routers).max())
                    if half.routers else 0.0)
    result["bf16_error"] = np.array(error)
    result["routing_gap"] = np.array(routing_gap)
    result["greedy_gap"] = np.array(min(gaps))
    result["made_with"] = np.array(f"torch {torch.__version__.split('+')[0]}, "
                                   f"transformers {transformers.__version__}")
    checked, agrees = reference.check(folder, result)
    print(f"{folder.name}: {sum(f.stat().st_size for f in folder.iterdir()) // 1000} kB"
          f"; reference differs by {checked:.1e}"
          f"; bf16 differs by {error:.1e}"
          f"; smallest gap: greedy {min(gaps):.3f}, routing {routing_gap:.3f}"
          f" (bf16 router logits differ by {router_error:.3f})"
          f"; logits spread {everything.std():.2f}, "
          f"distinct {[len(set(result[f'greedy_tokens_{i}'])) for i in (0, 1)]}",
          flush=True)
    assert checked <= reference.BOUND and agrees, "the numpy reference disagrees"
    (HERE / "results").mkdir(exist_ok=True)
    np.savez_compressed(HERE / "results" / (folder.name + ".npz"), **result)


def chosen_cases(script, cases):
    """The cases that the command line names, or all; torch becomes repeatable."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    unknown = set(sys.argv[1:]) - set(cases)
    if unknown:
        sys.exit(f"{script}: no such case: {', '.join(sorted(unknown))}; "
                 f"expected {', '.join(cases)}")
    return sys.argv[1:] or cases


def main():
    for name in chosen_cases("make_golden.py", CASES):
        make_checkpoint(HERE / name, CASES[name])
        make_results(HERE / name, CASES[name])


if __name__ == "__main__":
    main()
