#!/usr/bin/env python3
"""Writes a Hugging Face checkpoint of the family as GGUF, as llama.cpp's converter does.

    make_gguf.py CHECKPOINT OUT.gguf [--type f32|bf16|f16|q8_0|q4_0] [--parts N]
                 [--checkpoint DIR] [--fused] [--mtp]

--type is that of the matrices; what the converter keeps in F32 (norms, router,
convolution, decay) stays so, and matrices whose rows are no whole number of blocks are
F16. --parts writes OUT-00001-of-0000N.gguf and so on. --checkpoint also writes a
safetensors checkpoint in F32 that has exactly the values that the GGUF stands for:
quantized and widened again. --fused (Qwen3-Next only) writes ssm_in as older converters
did. --mtp writes the layer of multi-token prediction, too. Needs Python 3.9 and numpy.
"""
import argparse
import json
import pathlib
import shutil
import struct

import numpy as np

F32, F16, Q4_0, Q8_0, BF16 = 0, 1, 2, 8, 30
TYPES = {"f32": F32, "f16": F16, "q4_0": Q4_0, "q8_0": Q8_0, "bf16": BF16}
ALIGNMENT = 32
ARCHITECTURES = {"qwen3_5_moe": "qwen35moe", "qwen3_5": "qwen35",
                 "qwen3_next": "qwen3next"}


def read_safetensors(path):
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    for name, entry in json.loads(data[8:8 + length]).items():
        if name == "__metadata__":
            continue
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        raw = data[begin:end]
        if entry["dtype"] == "BF16":
            words = np.frombuffer(raw, "<u2").astype(np.uint32) << 16
            values = words.view(np.float32)
        else:
            kind = {"F32": "<f4", "F16": "<f2"}[entry["dtype"]]
            values = np.frombuffer(raw, kind).astype(np.float32)
        yield name, values.reshape(entry["shape"])


def write_safetensors(path, tensors):
    header, offset = {}, 0
    for name, values in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(values.shape),
                        "data_offsets": [offset, offset + 4 * values.size]}
        offset += 4 * values.size
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for values in tensors.values():
            file.write(np.ascontiguousarray(values, "<f4").tobytes())


# Types: each gives the bytes of rows, and the values that the bytes stand for.

def encode_bf16(rows):
    bits = np.ascontiguousarray(rows, np.float32).view(np.uint32)
    words = ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype("<u2")
    return words.tobytes(), (words.astype(np.uint32) << 16).view(np.float32)


def encode_q8_0(rows):
    blocks = rows.reshape(-1, 32)
    scale = (np.abs(blocks).max(1) / 127).astype("<f2")
    inverse = np.where(scale == 0, 0, 1 / np.where(scale == 0, 1, scale.astype(np.float32)))
    codes = np.clip(np.rint(blocks * inverse[:, None]), -127, 127).astype(np.int8)
    values = scale.astype(np.float32)[:, None] * codes
    packed = np.concatenate([scale[:, None].view(np.uint8), codes.view(np.uint8)], 1)
    return packed.tobytes(), values.reshape(rows.shape)


def encode_q4_0(rows):
    blocks = rows.reshape(-1, 32)
    largest = blocks[np.arange(len(blocks)), np.abs(blocks).argmax(1)]
    scale = (largest / -8).astype("<f2")
    inverse = np.where(scale == 0, 0, 1 / np.where(scale == 0, 1, scale.astype(np.float32)))
    codes = np.clip(np.rint(blocks * inverse[:, None]) + 8, 0, 15).astype(np.uint8)
    values = scale.astype(np.float32)[:, None] * (codes.astype(np.float32) - 8)
    nibbles = codes[:, :16] | codes[:, 16:] << 4
    packed = np.concatenate([scale[:, None].view(np.uint8), nibbles], 1)
    return packed.tobytes(), values.reshape(rows.shape)


def encode(values, kind):
    values = np.ascontiguousarray(values, np.float32)
    if kind == F32:
        return values.astype("<f4").tobytes(), values
    if kind == F16:
        half = values.astype("<f2")
        return half.tobytes(), half.astype(np.float32)
    rows = values.reshape(-1, values.shape[-1])
    raw, decoded = {BF16: encode_bf16, Q8_0: encode_q8_0, Q4_0: encode_q4_0}[kind](rows)
    return raw, decoded.reshape(values.shape)


class Converter:
    """The tensors of a GGUF, and the checkpoint that they stand for."""

    def __init__(self, directory, kind, fused, with_mtp=False):
        config = json.loads((directory / "config.json").read_text())
        self.root = config
        self.config = config.get("text_config", config)
        family = self.config["model_type"]
        if family.endswith("_text"):
            family = family[:-len("_text")]
        self.architecture = ARCHITECTURES[family]
        self.kind, self.fused, self.with_mtp = kind, fused, with_mtp
        self.tensors = {}     # name -> (shape, type, bytes), shape slowest first
        self.checkpoint = {}  # name -> values
        files = sorted(directory.glob("*.safetensors"))
        self.source = {n: v for file in files for n, v in read_safetensors(file)}
        self.groups = self.config["linear_num_key_heads"]
        self.heads = self.config["linear_num_value_heads"]
        self.ratio = self.heads // self.groups
        self.key, self.value = (self.config["linear_key_head_dim"],
                                self.config["linear_value_head_dim"])

    def put(self, name, values, big=False):
        """Stores the tensor; the values it stands for."""
        kind = self.kind if big else F32
        if kind in (Q4_0, Q8_0) and values.shape[-1] % 32:
            kind = F16
        raw, decoded = encode(values, kind)
        self.tensors[name] = (values.shape, kind, raw)
        return decoded

    def tile(self, values, size, first=0, axis=0):
        """Value heads from the checkpoint's order to llama.cpp's."""
        if self.architecture == "qwen3next":
            return values
        head, tail = np.split(values, [first], axis)
        shape = tail.shape
        tail = tail.reshape(shape[:axis] + (self.groups, self.ratio, size)
                            + shape[axis + 1:])
        tail = tail.swapaxes(axis, axis + 1).reshape(shape)
        return np.concatenate([head, tail], axis)

    def untile(self, values, size, first=0, axis=0):
        """The inverse of tile."""
        if self.architecture == "qwen3next":
            return values
        head, tail = np.split(values, [first], axis)
        shape = tail.shape
        tail = tail.reshape(shape[:axis] + (self.ratio, self.groups, size)
                            + shape[axis + 1:])
        tail = tail.swapaxes(axis, axis + 1).reshape(shape)
        return np.concatenate([head, tail], axis)

    def take(self, name):
        return self.source.pop(name)

    def plain(self, gguf, name, big=True):
        self.checkpoint[name] = self.put(gguf, self.take(name), big)

    def norm(self, gguf, name):
        values = self.take(name)
        self.put(gguf, values + np.float32(1))
        self.checkpoint[name] = values

    def tiled(self, gguf, name, size, first=0, axis=0, big=False):
        values = self.take(name)
        stored = self.put(gguf, self.tile(values, size, first, axis), big)
        self.checkpoint[name] = self.untile(stored, size, first, axis)

    def delta_inputs(self, blk, hf):
        keys = 2 * self.groups * self.key
        if hf + "in_proj_qkvz.weight" not in self.source:
            self.tiled(blk + "attn_qkv.weight", hf + "in_proj_qkv.weight", self.value,
                       keys, big=True)
            self.tiled(blk + "attn_gate.weight", hf + "in_proj_z.weight", self.value,
                       big=True)
            self.tiled(blk + "ssm_alpha.weight", hf + "in_proj_a.weight", 1, big=True)
            self.tiled(blk + "ssm_beta.weight", hf + "in_proj_b.weight", 1, big=True)
            return
        self.plain(blk + "ssm_ba.weight", hf + "in_proj_ba.weight")
        if self.fused:
            self.plain(blk + "ssm_in.weight", hf + "in_proj_qkvz.weight")
            return
        fused = self.take(hf + "in_proj_qkvz.weight")
        wide = self.ratio * self.value
        grouped = fused.reshape(self.groups, 2 * self.key + 2 * wide, -1)
        cuts = [self.key, 2 * self.key, 2 * self.key + wide]
        q, k, v, z = (part.reshape(-1, fused.shape[1])
                      for part in np.split(grouped, cuts, 1))
        qkv = self.put(blk + "attn_qkv.weight", np.concatenate([q, k, v]), True)
        z = self.put(blk + "attn_gate.weight", z, True)
        q, k, v = np.split(qkv, [len(q), len(q) + len(k)])
        self.checkpoint[hf + "in_proj_qkvz.weight"] = np.concatenate(
            [part.reshape(self.groups, -1, fused.shape[1]) for part in (q, k, v, z)],
            1).reshape(fused.shape)

    def delta_net(self, blk, hf):
        self.delta_inputs(blk, hf)
        keys = 2 * self.groups * self.key
        name = hf + "conv1d.weight"
        values = self.take(name)
        self.put(blk + "ssm_conv1d.weight", self.tile(values[:, 0], self.value, keys))
        self.checkpoint[name] = values
        name = hf + "A_log"
        values = self.take(name)
        self.put(blk + "ssm_a", self.tile(-np.exp(values), 1))
        self.checkpoint[name] = values
        self.tiled(blk + "ssm_dt.bias", hf + "dt_bias", 1)
        self.plain(blk + "ssm_norm.weight", hf + "norm.weight", False)
        self.tiled(blk + "ssm_out.weight", hf + "out_proj.weight", self.value, 0, 1, True)

    def attention(self, blk, hf):
        for gguf, name in (("q", "q_proj"), ("k", "k_proj"), ("v", "v_proj"),
                           ("output", "o_proj")):
            self.plain(f"{blk}attn_{gguf}.weight", f"{hf}{name}.weight")
        for part in ("q_norm", "k_norm"):
            self.norm(f"{blk}attn_{part}.weight", f"{hf}{part}.weight")

    def experts(self, blk, hf):
        self.plain(blk + "ffn_gate_inp.weight", hf + "gate.weight", False)
        count = self.config["num_experts"]
        if hf + "experts.gate_up_proj" in self.source:
            fused = self.take(hf + "experts.gate_up_proj")
            gate, up = np.split(fused, 2, 1)
            self.checkpoint[hf + "experts.gate_up_proj"] = np.concatenate(
                [self.put(blk + "ffn_gate_exps.weight", gate, True),
                 self.put(blk + "ffn_up_exps.weight", up, True)], 1)
            self.plain(blk + "ffn_down_exps.weight", hf + "experts.down_proj")
        else:
            for part in ("gate", "up", "down"):
                names = [f"{hf}experts.{e}.{part}_proj.weight" for e in range(count)]
                stored = self.put(f"{blk}ffn_{part}_exps.weight",
                                  np.stack([self.take(name) for name in names]), True)
                self.checkpoint.update(zip(names, stored))
        name = hf + "shared_expert_gate.weight"
        self.checkpoint[name] = self.put(blk + "ffn_gate_inp_shexp.weight",
                                         self.take(name)[0])[None]
        for part in ("gate", "up", "down"):
            self.plain(f"{blk}ffn_{part}_shexp.weight",
                       f"{hf}shared_expert.{part}_proj.weight")

    def layer(self, blk, hf):
        self.norm(blk + "attn_norm.weight", hf + "input_layernorm.weight")
        self.norm(blk + "post_attention_norm.weight",
                  hf + "post_attention_layernorm.weight")
        if hf + "linear_attn.A_log" in self.source:
            self.delta_net(blk, hf + "linear_attn.")
        else:
            self.attention(blk, hf + "self_attn.")
        if hf + "mlp.gate.weight" in self.source:
            self.experts(blk, hf + "mlp.")
        else:
            for part in ("gate", "up", "down"):
                self.plain(f"{blk}ffn_{part}.weight", f"{hf}mlp.{part}_proj.weight")

    def mtp(self, blk):
        for part, name in (("enorm", "pre_fc_norm_embedding"),
                           ("hnorm", "pre_fc_norm_hidden"),
                           ("shared_head_norm", "norm")):
            self.norm(f"{blk}nextn.{part}.weight", f"mtp.{name}.weight")
        self.plain(blk + "nextn.eh_proj.weight", "mtp.fc.weight")
        self.layer(blk, "mtp.layers.0.")

    def run(self):
        root = next(name for name in self.source if name.endswith("embed_tokens.weight"))
        root = root[:-len("embed_tokens.weight")]
        self.plain("token_embd.weight", root + "embed_tokens.weight")
        self.norm("output_norm.weight", root + "norm.weight")
        if not self.config.get("tie_word_embeddings"):
            self.plain("output.weight", "lm_head.weight")
        for layer in range(self.config["num_hidden_layers"]):
            self.layer(f"blk.{layer}.", f"{root}layers.{layer}.")
        if self.with_mtp:
            self.mtp(f"blk.{self.config['num_hidden_layers']}.")
        left = [n for n in self.source if not n.startswith(("mtp.", "model.visual."))]
        assert not left, left

    def metadata(self):
        """(key, type, value) with the types of the container's format."""
        c, arch = self.config, self.architecture
        U32, FLOAT, STRING, I32S = 4, 6, 8, (9, 5)
        rope = {**c, **(c.get("rope_scaling") or {}), **(c.get("rope_parameters") or {})}
        yield "general.architecture", STRING, arch
        yield "general.alignment", U32, ALIGNMENT
        for key, value in (
                ("block_count", c["num_hidden_layers"] + self.with_mtp),
                ("nextn_predict_layers", 1 if self.with_mtp else None),
                ("context_length", c["max_position_embeddings"]),
                ("embedding_length", c["hidden_size"]),
                ("attention.head_count", c["num_attention_heads"]),
                ("attention.head_count_kv", c["num_key_value_heads"]),
                ("attention.key_length", c["head_dim"]),
                ("attention.value_length", c["head_dim"]),
                ("rope.dimension_count",
                 int(c["head_dim"] * rope.get("partial_rotary_factor", 0.25))),
                ("ssm.conv_kernel", c["linear_conv_kernel_dim"]),
                ("ssm.state_size", self.key), ("ssm.group_count", self.groups),
                ("ssm.time_step_rank", self.heads),
                ("ssm.inner_size", self.heads * self.value),
                ("feed_forward_length", c.get("intermediate_size")),
                ("expert_count", c.get("num_experts")),
                ("expert_used_count", c.get("num_experts_per_tok")),
                ("expert_feed_forward_length", c.get("moe_intermediate_size")),
                ("expert_shared_feed_forward_length",
                 c.get("shared_expert_intermediate_size"))):
            if value is not None:
                yield f"{arch}.{key}", U32, value
        kinds = c.get("layer_types")
        if kinds:
            yield (f"{arch}.full_attention_interval", U32,
                   kinds.index("full_attention") + 1)
        yield f"{arch}.attention.layer_norm_rms_epsilon", FLOAT, c["rms_norm_eps"]
        yield f"{arch}.rope.freq_base", FLOAT, rope["rope_theta"]
        if rope.get("mrope_section"):
            yield (f"{arch}.rope.dimension_sections", I32S,
                   (list(rope["mrope_section"]) + [0] * 4)[:4])
        if rope.get("rope_type") == "yarn":
            yield f"{arch}.rope.scaling.type", STRING, "yarn"
            yield f"{arch}.rope.scaling.factor", FLOAT, rope["factor"]
            yield (f"{arch}.rope.scaling.original_context_length", U32,
                   rope["original_max_position_embeddings"])

    def tokenizer(self, directory):
        U32, BOOL, STRING, I32S, STRINGS = 4, 7, 8, (9, 5), (9, 8)
        tokenizer = json.loads((directory / "tokenizer.json").read_text())
        config = json.loads((directory / "tokenizer_config.json").read_text())
        size = self.config["vocab_size"]
        texts, types = [f"[PAD{i}]" for i in range(size)], [5] * size
        for text, token in tokenizer["model"]["vocab"].items():
            texts[token], types[token] = text, 1
        added = {t["id"]: t for t in tokenizer["added_tokens"]}
        added.update({int(i): t for i, t in config["added_tokens_decoder"].items()})
        for token, entry in added.items():
            texts[token] = entry["content"]
            types[token] = 3 if entry["special"] else 4
        yield "tokenizer.ggml.model", STRING, "gpt2"
        yield "tokenizer.ggml.pre", STRING, "qwen35"
        yield "tokenizer.ggml.tokens", STRINGS, texts
        yield "tokenizer.ggml.token_type", I32S, types
        yield ("tokenizer.ggml.merges", STRINGS,
               [m if isinstance(m, str) else " ".join(m)
                for m in tokenizer["model"]["merges"]])
        yield "tokenizer.ggml.eos_token_id", U32, texts.index(config["eos_token"])
        yield "tokenizer.ggml.bos_token_id", U32, texts.index("<|endoftext|>")
        yield "tokenizer.ggml.add_bos_token", BOOL, False
        chat = directory / "chat_template.jinja"
        if chat.exists():
            yield "tokenizer.chat_template", STRING, chat.read_text()


def string(text):
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def value_bytes(kind, value):
    if kind == 8:
        return string(value)
    return struct.pack({2: "<H", 4: "<I", 5: "<i", 6: "<f", 7: "<?"}[kind], value)


def entry_bytes(key, kind, value):
    if isinstance(kind, tuple):
        head = struct.pack("<IIQ", kind[0], kind[1], len(value))
        return string(key) + head + b"".join(value_bytes(kind[1], v) for v in value)
    return string(key) + struct.pack("<I", kind) + value_bytes(kind, value)


def write_gguf(path, entries, tensors):
    infos, offset = [], 0
    for name, (shape, kind, raw) in tensors.items():
        dims = list(reversed(shape))
        infos.append(string(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims,
                                                kind, offset))
        offset += -(-len(raw) // ALIGNMENT) * ALIGNMENT
    entries = [entry_bytes(*entry) for entry in entries]
    header = (b"GGUF" + struct.pack("<IQQ", 3, len(infos), len(entries))
              + b"".join(entries) + b"".join(infos))
    with open(path, "wb") as file:
        file.write(header + bytes(-len(header) % ALIGNMENT))
        for shape, kind, raw in tensors.values():
            file.write(raw + bytes(-len(raw) % ALIGNMENT))


def convert(directory, out, kind, parts=1, checkpoint=None, fused=False, mtp=False):
    """Converts; the path of the first file."""
    converter = Converter(directory, TYPES[kind], fused, mtp)
    converter.run()
    if checkpoint:
        checkpoint.mkdir(parents=True, exist_ok=True)
        for file in directory.glob("*.json"):
            if not file.name.endswith(".index.json"):
                shutil.copy(file, checkpoint)
        write_safetensors(checkpoint / "model.safetensors", converter.checkpoint)
    entries = [*converter.metadata(), *converter.tokenizer(directory)]
    if parts == 1:
        write_gguf(out, entries, converter.tensors)
        return out
    names = list(converter.tensors)
    paths = [out.with_name(f"{out.stem}-{i + 1:05}-of-{parts:05}.gguf")
             for i in range(parts)]
    for i, path in enumerate(paths):
        split = [("split.no", 2, i), ("split.count", 2, parts),
                 ("split.tensors.count", 5, len(names))]
        part = {name: converter.tensors[name] for name in names[i::parts]}
        write_gguf(path, (entries if i == 0 else []) + split, part)
    return paths[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--type", choices=TYPES, default="bf16")
    parser.add_argument("--parts", type=int, default=1)
    parser.add_argument("--checkpoint", type=pathlib.Path)
    parser.add_argument("--fused", action="store_true")
    parser.add_argument("--mtp", action="store_true")
    arguments = parser.parse_args()
    print(convert(arguments.directory, arguments.out, arguments.type, arguments.parts,
                  arguments.checkpoint, arguments.fused, arguments.mtp))


if __name__ == "__main__":
    main()
