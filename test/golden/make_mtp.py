#!/usr/bin/env python3
"""Makes the goldens of multi-token prediction, which transformers does not have.

    make_mtp.py              all cases
    make_mtp.py mtp-dense    some of them

The layer is put together from transformers' own classes: its decoder layer, rotary
embedding and last norm are a text model of the family with one layer of full
attention, which gets u = fc(concat(norm(embedding), norm(hidden))) in place of
embeddings. Hidden states are those of the model behind its last norm.

Each case becomes results/CASE.npz, and, unless it has one, a checkpoint folder beside
this script. Needs what make_golden.py needs.
"""
import copy
import sys

import numpy as np
import torch
import transformers
from safetensors.torch import load_file

import make_golden
from make_golden import HERE, TWO_LAYERS, experts, rope, text

PAIRS = 74        # past a page and a chunk of 64
DRAFTS = 3        # rows from the layer's own output
KEPT = [0, 1, 2, 31, 32, 62, 63, 64, 65, 72, 73, 74, 75, 76]  # rows in the results
ROUTING_GAP = 0.02  # see make_golden.py; here of the layer, too
DRAFT_GAP = 0.03    # of the best two logits where a draft is chosen

# Checkpoints of their own; what else they are for: README.md.
CASES = {
    "moe-release": None,
    "mtp-dense": dict(
        model="Qwen3_5ForCausalLM", config="Qwen3_5TextConfig", seed=21,
        dtype=torch.float32, mtp_layers=1,
        text=text(layers=2, **TWO_LAYERS, hidden=32, intermediate_size=48,
                  num_attention_heads=4, num_key_value_heads=2,
                  tie_word_embeddings=True)),
    "mtp-next": dict(
        model="Qwen3NextForCausalLM", config="Qwen3NextConfig", seed=22,
        split_experts=True,
        text=text(layers=2, **TWO_LAYERS, rope_parameters=rope(),
                  intermediate_size=64, **experts(4, 2))),
}


def draw_dense(config, random):
    """draw_mtp for a model without experts."""
    width, hidden = config["intermediate_size"], config["hidden_size"]
    filled = {**config, "num_experts": 1, "moe_intermediate_size": 1}
    tensors = {name: tensor
               for name, tensor in make_golden.draw_mtp(filled, random).items()
               if ".mlp." not in name}
    for part, shape in (("gate_proj", (width, hidden)), ("up_proj", (width, hidden)),
                        ("down_proj", (hidden, width))):
        name = f"mtp.layers.0.mlp.{part}.weight"
        tensors[name] = make_golden.draw(name, shape, random)
    return tensors


def split_experts(tensors):
    """The fused experts as a tensor for each, as quantizers and exporters save them."""
    out = {}
    for name, tensor in tensors.items():
        head, found, kind = name.partition(".mlp.experts.")
        if not found:
            out[name] = tensor
            continue
        for e, expert in enumerate(tensor):
            parts = ({"down_proj": expert} if kind == "down_proj" else
                     dict(zip(("gate_proj", "up_proj"), expert.chunk(2))))
            for part, matrix in parts.items():
                out[f"{head}.mlp.experts.{e}.{part}.weight"] = matrix.contiguous()
    return out


def make_checkpoint(folder, case):
    make_golden.make_checkpoint(folder, {**case, "mtp": False})
    random = torch.Generator().manual_seed(case["seed"] + 1000)
    has_experts = case["text"].get("num_experts")
    draw = make_golden.draw_mtp if has_experts else draw_dense
    tensors = draw(case["text"], random)
    if case.get("split_experts"):
        tensors = split_experts(tensors)
    dtype = case.get("dtype", torch.bfloat16)
    stored = load_file(folder / "model.safetensors")
    stored.update({name: tensor.to(dtype) for name, tensor in tensors.items()})
    make_golden.write_shards(folder, stored, 10**9)
    # The releases of Qwen3-Next have the layer, but no field that says so.
    if "mtp_layers" in case:
        make_golden.edit_config(folder, lambda config: config.update(
            mtp_num_hidden_layers=case["mtp_layers"],
            mtp_use_dedicated_embeddings=False))


def read_mtp(folder):
    """The tensors of the layer in float32, experts fused as transformers has them."""
    tensors = {}
    for file in sorted(folder.glob("*.safetensors")):
        tensors.update({name: tensor.float() for name, tensor in
                        load_file(file).items() if name.startswith("mtp.")})
    if any(".experts.0." in name for name in tensors):
        tensors = make_golden.fuse_experts(tensors)
    return {name.removeprefix("mtp."): tensor for name, tensor in tensors.items()}


class Mtp:
    """The layer, with the model that it belongs to."""

    def __init__(self, folder):
        self.run = make_golden.Runner(folder, torch.float32)
        self.model = next(
            module for module in self.run.model.modules()
            if hasattr(module, "embed_tokens") and hasattr(module, "rotary_emb"))
        self.tensors = read_mtp(folder)
        config = copy.deepcopy(self.model.config)
        config.num_hidden_layers, config.layer_types = 1, ["full_attention"]
        config._attn_implementation = "eager"
        self.layer = type(self.model)(config).float().eval()
        names = {name: tensor for name, tensor in self.tensors.items()
                 if name.startswith("layers.0.") or name == "norm.weight"}
        names["embed_tokens.weight"] = self.model.embed_tokens.weight
        self.layer.load_state_dict(names, strict=True)
        self.eps = config.rms_norm_eps
        self.gaps = []
        for module in self.layer.modules():
            if type(module).__name__.endswith("TopKRouter"):
                module.register_forward_hook(self.note_gap)
        if config.to_dict().get("num_experts"):
            self.layer.set_experts_implementation("eager")

    def note_gap(self, module, inputs, outputs):
        logits = -np.sort(-outputs[0].detach().float().numpy(), axis=-1)
        used = self.layer.config.num_experts_per_tok
        self.gaps.append(float((logits[:, used - 1] - logits[:, used]).min()))

    def norm(self, x, name):
        root = torch.sqrt((x * x).mean(dim=-1, keepdim=True) + self.eps)
        return x / root * (1 + self.tensors[name])

    @torch.no_grad()
    def hidden(self, tokens):
        return self.model(input_ids=torch.as_tensor(tokens)[None],
                          use_cache=False).last_hidden_state[0]

    @torch.no_grad()
    def __call__(self, tokens, hidden):
        """Logits and own output of the pairs (tokens[i], hidden[i])."""
        self.gaps.clear()
        e = self.norm(self.model.embed_tokens(torch.as_tensor(tokens)),
                      "pre_fc_norm_embedding.weight")
        f = self.norm(hidden, "pre_fc_norm_hidden.weight")
        u = torch.cat([e, f], dim=-1) @ self.tensors["fc.weight"].T
        d = self.layer(inputs_embeds=u[None], use_cache=False).last_hidden_state[0]
        return self.run.model.lm_head(d), d


def record(mtp, tokens):
    """All rows for `tokens`, and the smallest gaps of routing and of drafts."""
    main = mtp.hidden(tokens[:-1])
    main_gap = mtp.run(tokens[None, :-1]) and mtp.run.routing_gap(PAIRS).min()
    nexts, hidden, gaps, rows = list(tokens[1:]), main, [], None
    for i in range(DRAFTS + 1):
        logits, d = mtp(nexts, hidden)
        rows = logits if rows is None else torch.cat([rows, logits[-1:]])
        if i < DRAFTS:
            gaps.append(float(make_golden.top_gap(logits[-1].numpy())))
            nexts.append(int(logits[-1].argmax()))
            hidden = torch.cat([hidden, d[-1:]])
    return rows.numpy(), min([main_gap, *mtp.gaps]), min(gaps)


def make_results(name):
    mtp = Mtp(HERE / name)
    random = np.random.default_rng(77)
    for _ in range(400):
        tokens = random.integers(0, make_golden.TEXT_TOKENS, PAIRS + 1)
        rows, routing, draft = record(mtp, tokens)
        if routing > ROUTING_GAP and draft > DRAFT_GAP:
            break
    else:
        sys.exit(f"{name}: no tokens without a near-tie")
    spread = np.abs(np.diff(rows, axis=0)).max()
    print(f"{name}: smallest gap: routing {routing:.3f}, drafts {draft:.3f}; "
          f"logits spread {rows.std():.2f}, rows differ by up to {spread:.1f}")
    file = HERE / "results" / (name.removeprefix("mtp-") + "-mtp.npz")
    np.savez_compressed(
        file, tokens=tokens.astype(np.int32), drafts=np.array(DRAFTS),
        kept=np.array(KEPT), rows=rows[KEPT].astype(np.float32),
        made_with=np.array(f"torch {torch.__version__.split('+')[0]}, "
                           f"transformers {transformers.__version__}"))


def main():
    for name in make_golden.chosen_cases("make_mtp.py", CASES):
        if CASES[name]:
            make_checkpoint(HERE / name, CASES[name])
        make_results(name)


if __name__ == "__main__":
    main()
