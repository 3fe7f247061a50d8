#!/usr/bin/env python3
"""Writes a GGUF file of random weights with the shapes of a model of the family.

    random_gguf.py models/Qwen3.6-35B-A3B OUT.gguf --layers 12 --head q6_k

The model is a folder with a config.json. Norms, router, convolution and decay are F32, as
llama.cpp's converter leaves them; the embedding and all matrices are of --matrices, the
head of --head. Values are of the size that training leaves (a matrix of K columns has
deviation 1/sqrt(K)), so that activations stay finite and the router spreads its tokens.
The tokenizer has the 256 bytes and three control tokens. The same arguments give the same
bytes. Memory stays below 100 MB; standard library of Python 3.9 only.
"""
import argparse
import array
import json
import math
import pathlib
import random
import struct
import sys
import time

ALIGNMENT = 32
PIECE = 4 << 20  # bytes made at a time
# Container types of metadata.
U32, I32, FLOAT, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9


class Failure(Exception):
    """A message for the user."""


# A kind of tensor: ggml's number, values and bytes of a block.

class F32:
    number, values, size = 0, 1, 4


def half_with_random_sign(source, count, value):
    """Two bytearrays, low and high bytes of `count` halves: `value` with a random sign,
    up to 12 % smaller or larger. The value must be a normal half, from 6.2e-5."""
    high = struct.pack("<e", value)[1]
    # The low byte is the lower 8 of 10 bits of mantissa: leave it to chance, and take the
    # upper two bits from the value.
    signs = bytes((high & 0x7F) | (byte & 0x80) for byte in range(256))
    return source.randbytes(count), source.randbytes(count).translate(signs)


class Q4_0:
    number, values, size = 2, 32, 18
    deviation = 4.61  # of a code in -8..7

    @classmethod
    def blocks(cls, source, count, deviation):
        data = bytearray(source.randbytes(count * cls.size))
        data[0::18], data[1::18] = half_with_random_sign(
            source, count, deviation / cls.deviation)
        return data


class Q8_0:
    number, values, size = 8, 32, 34
    deviation = 73.3  # of a code in -127..127

    @classmethod
    def blocks(cls, source, count, deviation):
        inside = bytes(0x81 if byte == 0x80 else byte for byte in range(256))
        data = bytearray(source.randbytes(count * cls.size).translate(inside))
        data[0::34], data[1::34] = half_with_random_sign(
            source, count, deviation / cls.deviation)
        return data


class Q6_K:
    number, values, size = 14, 256, 210
    # Of a code in -32..31 times a scale in 4..7 of either sign. Larger scales would need
    # halves below the normal ones.
    deviation = 18.5 * 5.61

    @classmethod
    def blocks(cls, source, count, deviation):
        data = bytearray(source.randbytes(count * cls.size))
        scales = bytes(4 + byte % 4 if byte < 128 else 252 - byte % 4
                       for byte in range(256))
        for i in range(192, 208):
            data[i::210] = data[i::210].translate(scales)
        data[208::210], data[209::210] = half_with_random_sign(
            source, count, deviation / cls.deviation)
        return data


KINDS = {"q4_0": Q4_0, "q8_0": Q8_0, "q6_k": Q6_K}


class Tensor:
    """dims fastest first. `fill` tells how values are made: a deviation for matrices, a
    function of the random source for small ones."""

    def __init__(self, name, kind, dims, fill):
        self.name, self.kind, self.dims, self.fill = name, kind, dims, fill
        if dims[0] % kind.values:
            raise Failure(f"tensor '{name}' has rows of {dims[0]} values, expected a multiple "
                          f"of {kind.values} for {kind.__name__}; choose another --head or "
                          "--matrices")
        self.elements = math.prod(dims)
        self.size = self.elements // kind.values * kind.size

    def pieces(self, source, normal):
        if self.kind is not F32:
            left, most = self.elements // self.kind.values, PIECE // self.kind.size
            while left:
                count = min(left, most)
                yield self.kind.blocks(source, count, self.fill)
                left -= count
        elif callable(self.fill):
            yield little_endian(array.array("f", (self.fill(source)
                                                  for _ in range(self.elements))))
        else:  # rows of a stretch of normal numbers each
            columns = self.dims[0]
            for _ in range(self.elements // columns):
                first = source.randrange(len(normal) - columns)
                yield little_endian(array.array(
                    "f", (self.fill * v for v in normal[first:first + columns])))


def little_endian(values):
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


def near_one(source):
    return source.gauss(1, 0.05)


def one_of_decay(source):
    """-exp(A_log), as the family initialises it."""
    return -source.uniform(1, 16)


def step_bias(source):
    """The inverse softplus of a time step between 0.001 and 0.1."""
    step = math.exp(source.uniform(math.log(0.001), math.log(0.1)))
    return step + math.log(-math.expm1(-step))


class Model:
    def __init__(self, folder, layers, matrices, head):
        path = pathlib.Path(folder) / "config.json"
        try:
            root = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise Failure(f"{path}: {error}; give a folder with a config.json, like "
                          "models/Qwen3.6-35B-A3B") from error
        self.config = config = root.get("text_config", root)
        family = config.get("model_type", "").removesuffix("_text")
        if family != "qwen3_5_moe":
            raise Failure(f"{path}: model_type is '{family}', expected qwen3_5_moe")
        whole = config["num_hidden_layers"]
        self.layers = layers or whole
        if not 1 <= self.layers <= whole:
            raise Failure(f"--layers {layers}: expected 1 to {whole}, the layers of {path}")
        if config["vocab_size"] < 260:
            raise Failure(f"{path}: vocab_size is {config['vocab_size']}, expected at least "
                          "260 for the tokenizer of bytes")
        kinds = config.get("layer_types") or [
            "linear_attention" if (i + 1) % config.get("full_attention_interval", 4)
            else "full_attention" for i in range(whole)]
        self.layer_kinds = kinds[:self.layers]
        self.matrices, self.head = KINDS[matrices], KINDS[head]
        self.name = f"{pathlib.Path(folder).resolve().name}-{self.layers}-{matrices}-{head}"
        try:
            self.tensors = list(self.make_tensors())
            self.start = self.header()
        except KeyError as error:
            raise Failure(f"{path}: no field {error}, expected it") from error

    def matrix(self, name, *dims, kind=None):
        return Tensor(name, kind or self.matrices, dims, 1 / math.sqrt(dims[0]))

    def norm(self, name, width):
        return Tensor(name, F32, (width,), near_one)

    def make_tensors(self):
        c = self.config
        hidden, vocabulary = c["hidden_size"], c["vocab_size"]
        yield Tensor("token_embd.weight", self.matrices, (hidden, vocabulary), 1.0)
        yield self.norm("output_norm.weight", hidden)
        yield self.matrix("output.weight", hidden, vocabulary, kind=self.head)
        for layer in range(self.layers):
            blk = f"blk.{layer}."
            yield self.norm(blk + "attn_norm.weight", hidden)
            yield self.norm(blk + "post_attention_norm.weight", hidden)
            if self.layer_kinds[layer] == "full_attention":
                yield from self.attention(blk)
            else:
                yield from self.delta_net(blk)
            yield from self.experts(blk)

    def attention(self, blk):
        c = self.config
        hidden, dim = c["hidden_size"], c["head_dim"]
        queries, keys = c["num_attention_heads"] * dim, c["num_key_value_heads"] * dim
        yield self.matrix(blk + "attn_q.weight", hidden, 2 * queries)
        yield self.matrix(blk + "attn_k.weight", hidden, keys)
        yield self.matrix(blk + "attn_v.weight", hidden, keys)
        yield self.matrix(blk + "attn_output.weight", queries, hidden)
        yield self.norm(blk + "attn_q_norm.weight", dim)
        yield self.norm(blk + "attn_k_norm.weight", dim)

    def delta_net(self, blk):
        c = self.config
        hidden, heads = c["hidden_size"], c["linear_num_value_heads"]
        keys = c["linear_num_key_heads"] * c["linear_key_head_dim"]
        values, taps = heads * c["linear_value_head_dim"], c["linear_conv_kernel_dim"]
        yield self.matrix(blk + "attn_qkv.weight", hidden, 2 * keys + values)
        yield self.matrix(blk + "attn_gate.weight", hidden, values)
        yield self.matrix(blk + "ssm_alpha.weight", hidden, heads, kind=F32)
        yield self.matrix(blk + "ssm_beta.weight", hidden, heads, kind=F32)
        yield Tensor(blk + "ssm_a", F32, (heads,), one_of_decay)
        yield Tensor(blk + "ssm_dt.bias", F32, (heads,), step_bias)
        yield self.matrix(blk + "ssm_conv1d.weight", taps, 2 * keys + values, kind=F32)
        yield self.norm(blk + "ssm_norm.weight", c["linear_value_head_dim"])
        yield self.matrix(blk + "ssm_out.weight", values, hidden)

    def experts(self, blk):
        c = self.config
        hidden, count = c["hidden_size"], c["num_experts"]
        width, shared = c["moe_intermediate_size"], c["shared_expert_intermediate_size"]
        yield self.matrix(blk + "ffn_gate_inp.weight", hidden, count, kind=F32)
        yield self.matrix(blk + "ffn_gate_exps.weight", hidden, width, count)
        yield self.matrix(blk + "ffn_up_exps.weight", hidden, width, count)
        yield self.matrix(blk + "ffn_down_exps.weight", width, hidden, count)
        yield self.matrix(blk + "ffn_gate_inp_shexp.weight", hidden, kind=F32)
        yield self.matrix(blk + "ffn_gate_shexp.weight", hidden, shared)
        yield self.matrix(blk + "ffn_up_shexp.weight", hidden, shared)
        yield self.matrix(blk + "ffn_down_shexp.weight", shared, hidden)

    def metadata(self):
        c, arch = self.config, "qwen35moe"
        rope = {**c, **(c.get("rope_parameters") or {})}
        heads = c["linear_num_value_heads"]
        yield "general.architecture", STRING, arch
        yield "general.name", STRING, self.name
        yield "general.alignment", U32, ALIGNMENT
        for key, value in (
                ("block_count", self.layers),
                ("context_length", c["max_position_embeddings"]),
                ("embedding_length", c["hidden_size"]),
                ("attention.head_count", c["num_attention_heads"]),
                ("attention.head_count_kv", c["num_key_value_heads"]),
                ("attention.key_length", c["head_dim"]),
                ("attention.value_length", c["head_dim"]),
                ("rope.dimension_count",
                 int(c["head_dim"] * rope.get("partial_rotary_factor", 0.25))),
                ("ssm.conv_kernel", c["linear_conv_kernel_dim"]),
                ("ssm.state_size", c["linear_key_head_dim"]),
                ("ssm.group_count", c["linear_num_key_heads"]),
                ("ssm.time_step_rank", heads),
                ("ssm.inner_size", heads * c["linear_value_head_dim"]),
                ("full_attention_interval", c.get("full_attention_interval", 4)),
                ("expert_count", c["num_experts"]),
                ("expert_used_count", c["num_experts_per_tok"]),
                ("expert_feed_forward_length", c["moe_intermediate_size"]),
                ("expert_shared_feed_forward_length",
                 c["shared_expert_intermediate_size"])):
            yield f"{arch}.{key}", U32, value
        yield f"{arch}.attention.layer_norm_rms_epsilon", FLOAT, c["rms_norm_eps"]
        yield f"{arch}.rope.freq_base", FLOAT, rope["rope_theta"]
        sections = list(rope.get("mrope_section") or []) + [0] * 4
        yield f"{arch}.rope.dimension_sections", (ARRAY, I32), sections[:4]
        yield from self.tokenizer()

    def tokenizer(self):
        visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
        others = [byte for byte in range(256) if byte not in visible]
        texts = [chr(byte) for byte in visible] + [chr(256 + i) for i in range(len(others))]
        texts.append("\u0120t")  # a space and a t: llama.cpp expects at least one merge
        control = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
        types = [1] * len(texts) + [3] * len(control)
        texts += control
        padding = self.config["vocab_size"] - len(texts)
        texts += [f"[PAD{i}]" for i in range(padding)]
        yield "tokenizer.ggml.model", STRING, "gpt2"
        yield "tokenizer.ggml.pre", STRING, "qwen35"
        yield "tokenizer.ggml.tokens", (ARRAY, STRING), texts
        yield "tokenizer.ggml.token_type", (ARRAY, I32), types + [5] * padding
        yield "tokenizer.ggml.merges", (ARRAY, STRING), ["\u0120 t"]
        yield "tokenizer.ggml.eos_token_id", U32, texts.index("<|im_end|>")
        yield "tokenizer.ggml.bos_token_id", U32, texts.index("<|endoftext|>")
        yield "tokenizer.ggml.add_bos_token", BOOL, False

    def header(self):
        infos, offset = [], 0
        for tensor in self.tensors:
            infos.append(string(tensor.name) + struct.pack(
                f"<I{len(tensor.dims)}QIQ", len(tensor.dims), *tensor.dims,
                tensor.kind.number, offset))
            offset += tensor.size + padding_after(tensor.size)
        entries = [entry_bytes(*entry) for entry in self.metadata()]
        data = (b"GGUF" + struct.pack("<IQQ", 3, len(infos), len(entries))
                + b"".join(entries) + b"".join(infos))
        return data + bytes(padding_after(len(data)))

    def bytes_of_file(self):
        return (len(self.start)
                + sum(t.size + padding_after(t.size) for t in self.tensors))

    def bytes_per_token(self):
        """Of weights that a token reads: a row of the embedding, and its experts."""
        c, total = self.config, 0
        for tensor in self.tensors:
            size = tensor.size
            if tensor.name == "token_embd.weight":
                size //= c["vocab_size"]
            elif tensor.name.endswith("_exps.weight"):
                size = size * c["num_experts_per_tok"] // c["num_experts"]
            total += size
        return total


def padding_after(size):
    return -size % ALIGNMENT


def string(text):
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def value_bytes(kind, value):
    if kind == STRING:
        return string(value)
    return struct.pack({U32: "<I", I32: "<i", FLOAT: "<f", BOOL: "<?"}[kind], value)


def entry_bytes(key, kind, value):
    if isinstance(kind, tuple):
        head = struct.pack("<IIQ", kind[0], kind[1], len(value))
        return string(key) + head + b"".join(value_bytes(kind[1], v) for v in value)
    return string(key) + struct.pack("<I", kind) + value_bytes(kind, value)


def write(model, path, seed=1, report=None):
    """Writes the file under another name first; nothing is left if this fails."""
    path = pathlib.Path(path)
    part = path.with_name(path.name + ".part")
    source = random.Random(seed)
    normal = [source.gauss(0, 1) for _ in range(1 << 17)]
    done, total, last = 0, model.bytes_of_file(), time.monotonic()
    try:
        with open(part, "wb") as file:
            done += file.write(model.start)
            for tensor in model.tensors:
                for piece in tensor.pieces(source, normal):
                    done += file.write(piece)
                    if report and time.monotonic() - last > 5:
                        last = time.monotonic()
                        report(done, total)
                done += file.write(bytes(padding_after(tensor.size)))
        part.replace(path)
    except OSError as error:
        raise Failure(f"{part}: {error.strerror or error}; {total / 1e9:.1f} GB are "
                      "needed, name another place") from error
    finally:
        part.unlink(missing_ok=True)
    return total


def show_progress(done, total):
    print(f"  {done / 1e9:.1f} of {total / 1e9:.1f} GB", file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="folder with a config.json")
    parser.add_argument("out", type=pathlib.Path, help="file to write")
    parser.add_argument("--layers", type=int, help="the first N layers (default: all)")
    parser.add_argument("--matrices", choices=["q4_0", "q8_0"], default="q4_0")
    parser.add_argument("--head", choices=list(KINDS), default="q4_0")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    try:
        model = Model(arguments.model, arguments.layers, arguments.matrices, arguments.head)
        write(model, arguments.out, arguments.seed,
              show_progress)
    except Failure as error:
        sys.exit(f"random_gguf.py: error: {error}")


if __name__ == "__main__":
    main()
