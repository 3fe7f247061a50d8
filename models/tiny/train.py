#!/usr/bin/env python3
"""Trains the tiny model of this folder from nothing, on a CPU.

    python train.py tokenizer --work WORK            # text and tokenizer, into WORK
    python train.py train     --work WORK [--minutes 40 | --steps N] [--resume]
    python train.py export    --work WORK --out DIR  # BF16 Hugging Face folder
    python train.py sample    --work WORK --out DIR  # continuations, written by transformers

The text is the King James Bible out of the Debian packages `bible-kjv` and
`bible-kjv-text` (installed, or fetched with `apt-get download` into WORK).

The training model below is written for speed on a CPU and carries the parameter
names of transformers' Qwen3_5MoeForCausalLM, so the export is a plain
load_state_dict. `export` checks that both give the same logits in float32.
"""
import argparse, json, math, os, random, shutil, subprocess, time, unicodedata

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

SEED = 1611
SEQ = 256
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
VOCAB = 2048  # rows of the matrices; all of them have a token
SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}|"
         r" ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def hf_config():
    from transformers import Qwen3_5MoeTextConfig
    return Qwen3_5MoeTextConfig(
        vocab_size=VOCAB, hidden_size=256, num_hidden_layers=8,
        num_attention_heads=4, num_key_value_heads=2, head_dim=64,
        linear_num_key_heads=2, linear_num_value_heads=4,
        linear_key_head_dim=64, linear_value_head_dim=64, linear_conv_kernel_dim=4,
        num_experts=16, num_experts_per_tok=4,
        moe_intermediate_size=32, shared_expert_intermediate_size=64,
        max_position_embeddings=4096, tie_word_embeddings=False,
        attn_output_gate=True, full_attention_interval=4,
        layer_types=(["linear_attention"] * 3 + ["full_attention"]) * 2,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0,
                         "partial_rotary_factor": 0.25,
                         "mrope_interleaved": True, "mrope_section": [3, 3, 2]},
        partial_rotary_factor=0.25, mamba_ssm_dtype="float32",
        bos_token_id=VOCAB - 3, eos_token_id=VOCAB - 3, router_aux_loss_coef=0.01)


# ---------------------------------------------------------------- data

def kjv_lines(work):
    """One line per verse, 'Ge1:1 In the beginning ...', from the Debian package."""
    exe, lib = shutil.which("bible"), "/usr/lib"
    if exe is None or not os.path.exists("/usr/lib/bible.data"):
        deb = os.path.join(work, "deb")
        exe, lib = os.path.join(deb, "usr/bin/bible"), os.path.join(deb, "usr/lib")
        if not os.path.exists(exe):
            os.makedirs(deb, exist_ok=True)
            subprocess.run(["apt-get", "download", "bible-kjv", "bible-kjv-text"], cwd=deb, check=True)
            for f in sorted(os.listdir(deb)):
                if f.endswith(".deb"):
                    subprocess.run(["dpkg-deb", "-x", f, "."], cwd=deb, check=True)
    out = subprocess.run([exe, "-f", "-p", lib, "gen1:1-rev22:21"], stdin=subprocess.DEVNULL,
                         check=True, capture_output=True).stdout.decode("latin-1")
    return [l for l in out.splitlines() if l.strip()]


def chapters(work):
    """[(name, [verse, ...]), ...]"""
    chap = []
    for line in kjv_lines(work):
        ref, verse = line.split(" ", 1)
        name = ref.rsplit(":", 1)[0]
        if not chap or chap[-1][0] != name:
            chap.append((name, []))
        chap[-1][1].append(" ".join(unicodedata.normalize("NFC", verse).split()))
    return chap


def split_chapters(chap):
    held = [v for i, (_, v) in enumerate(chap) if i % 40 == 20]
    train = [v for i, (_, v) in enumerate(chap) if i % 40 != 20]
    return train, held


def make_tokenizer(train, work):
    from tokenizers import Tokenizer, Regex, models, normalizers, pre_tokenizers, processors, decoders, trainers, AddedToken
    tok = Tokenizer(models.BPE())
    tok.normalizer = normalizers.NFC()
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), behavior="isolated", invert=False),
        pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)])
    tok.post_processor = processors.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
    tok.decoder = decoders.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
    # The two role names of chat prompts are not in the text: give BPE a reason to merge them.
    extra = ["user\nassistant\nsystem\n"] * 200
    tok.train_from_iterator(["\n".join(v) for v in train] + extra, trainers.BpeTrainer(
        vocab_size=VOCAB - len(SPECIAL), min_frequency=2, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tok.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in SPECIAL])
    assert tok.get_vocab_size() == VOCAB and tok.token_to_id("<|endoftext|>") == VOCAB - 3
    path = os.path.join(work, "tokenizer.json")
    tok.save(path)
    with open(path) as f:                        # the family writes the flags of the decoder as false too
        j = json.load(f)
    j["decoder"] = dict(j["post_processor"])
    with open(path, "w") as f:
        json.dump(j, f, ensure_ascii=False, indent=1)
        f.write("\n")
    return Tokenizer.from_file(path)


def chat_doc(rng, verses):
    """A user turn with the opening words of a verse (or a whole verse), and what follows."""
    i = rng.randrange(len(verses))
    n = rng.randint(1, 3)
    if rng.random() < 0.6:
        words = verses[i].split(" ")
        user = " ".join(words[:rng.randint(2, max(2, min(8, len(words) - 1)))])
        reply = verses[i:i + n]
    else:
        user, reply = verses[i], verses[i + 1:i + 1 + n]
        if not reply:
            user, reply = verses[0], verses[1:2] or verses[:1]
    return (f"<|im_start|>user\n{user}<|im_end|>\n"
            f"<|im_start|>assistant\n" + "\n".join(reply) + "<|im_end|>\n")


def epoch_rows(tok, train, epoch):
    """Shuffled chapters and, between them, chat documents; cut into rows of SEQ + 1."""
    rng = random.Random(SEED * 1000 + epoch)
    docs = ["\n".join(v) + "\n<|endoftext|>" for v in train]
    for v in train:
        for _ in range(max(1, len(v) // 10)):
            docs.append(chat_doc(rng, v) + "<|endoftext|>")
    rng.shuffle(docs)
    ids = np.concatenate([np.array(e.ids, dtype=np.int32) for e in tok.encode_batch(docs)])
    ids = ids[rng.randrange(SEQ):]
    n = (len(ids) - 1) // SEQ
    rows = np.stack([ids[i * SEQ:i * SEQ + SEQ + 1] for i in range(n)])
    return rows[np.random.RandomState(SEED + epoch).permutation(n)]


def held_rows(tok, held):
    ids = tok.encode("".join("\n".join(v) + "\n<|endoftext|>" for v in held)).ids
    n = (len(ids) - 1) // SEQ
    rows = np.stack([ids[i * SEQ:i * SEQ + SEQ + 1] for i in range(n)])
    nbytes = len(tok.decode(ids[1:n * SEQ + 1], skip_special_tokens=False).replace("<|endoftext|>", "").encode())
    return rows, nbytes


# ---------------------------------------------------------------- model

class Inverse(torch.autograd.Function):
    """(I + L)^-1 for strictly lower L, by doubling; backward needs the result only."""
    @staticmethod
    def forward(ctx, L):
        n = L.shape[-1]
        P = -L
        T = P + torch.eye(n)
        for _ in range(max(0, math.ceil(math.log2(n)) - 1)):
            P = P @ P
            T = T + T @ P
        ctx.save_for_backward(T)
        return T

    @staticmethod
    def backward(ctx, dT):
        T, = ctx.saved_tensors
        Tt = T.transpose(-1, -2)
        return -(Tt @ dT @ Tt).tril(-1)


class Conv(torch.autograd.Function):
    """Causal depthwise convolution with 4 taps; x [B,T,C], w [C,1,4], tap 3 is the current token."""
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        y = x * w[:, 0, 3]
        for d in (1, 2, 3):
            y[:, d:].addcmul_(x[:, :-d], w[:, 0, 3 - d])
        return y

    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        dx, dw = dy * w[:, 0, 3], torch.empty_like(w)
        dw[:, 0, 3] = (dy * x).sum((0, 1))
        for d in (1, 2, 3):
            dx[:, :-d].addcmul_(dy[:, d:], w[:, 0, 3 - d])
            dw[:, 0, 3 - d] = (dy[:, d:] * x[:, :-d]).sum((0, 1))
        return dx, dw


def delta_rule(q, k, v, g, beta, C=32):
    """Chunked gated delta rule. q,k [B,T,nk,dk] raw, v [B,T,nv,dv], g,beta [B,T,nv] -> [B,T,nv,dv]."""
    B, T, nk, dk = k.shape
    nv, dv = v.shape[2:]
    N = T // C
    q = q * torch.rsqrt(q.square().sum(-1, True) + 1e-6) * dk ** -0.5
    k = k * torch.rsqrt(k.square().sum(-1, True) + 1e-6)
    ch = lambda x: x.view(B, N, C, x.shape[2], -1).permute(0, 3, 1, 2, 4)          # [B,h,N,C,d]
    q, k, v = ch(q), ch(k), ch(v)
    r = nv // nk
    kk = (k @ k.transpose(-1, -2)).repeat_interleave(r, 1)
    qk = (q @ k.transpose(-1, -2)).repeat_interleave(r, 1)
    q, k = q.repeat_interleave(r, 1), k.repeat_interleave(r, 1)
    c = ch(g.unsqueeze(-1)).squeeze(-1).cumsum(-1)                                   # [B,h,N,C]
    b = ch(beta.unsqueeze(-1))                                                       # [B,h,N,C,1]
    low = torch.ones(C, C, dtype=torch.bool).tril()
    D = (c.unsqueeze(-1) - c.unsqueeze(-2)).masked_fill(~low, float("-inf")).exp()
    Tm = Inverse.apply((b * kk * D).tril(-1))
    ec = c.exp().unsqueeze(-1)
    U = Tm @ (b * v)
    W = Tm @ (b * ec * k)
    P = qk * D
    qe = q * ec
    ke = (k * (c[..., -1:] - c).exp().unsqueeze(-1)).transpose(-1, -2)
    S, out = None, []
    # unbind, because the backward of indexing writes a whole zero tensor per index
    for U, W, P, qe, ke, last in zip(*(x.unbind(2) for x in (U, W, P, qe, ke, ec[..., -1:, :]))):
        if S is None:
            out.append(P @ U)
            S = ke @ U
        else:
            X = U - W @ S
            out.append(qe @ S + P @ X)
            S = last * S + ke @ X
    o = torch.stack(out, 2)                                                          # [B,h,N,C,dv]
    return o.permute(0, 2, 3, 1, 4).reshape(B, T, nv, dv)


class Norm(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(d))

    def forward(self, x):
        x = x.float()
        return x * torch.rsqrt(x.square().mean(-1, True) + 1e-6) * (1 + self.weight)


def linear(i, o):
    return nn.Linear(i, o, bias=False)


class DeltaNet(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        H = c.hidden_size
        self.kd, self.vd = c.linear_num_key_heads * c.linear_key_head_dim, c.linear_num_value_heads * c.linear_value_head_dim
        nv = c.linear_num_value_heads
        self.in_proj_qkv, self.in_proj_z = linear(H, 2 * self.kd + self.vd), linear(H, self.vd)
        self.in_proj_b, self.in_proj_a = linear(H, nv), linear(H, nv)
        ch = 2 * self.kd + self.vd
        self.conv1d = nn.Conv1d(ch, ch, 4, groups=ch, bias=False)
        dt = torch.exp(torch.rand(nv) * (math.log(0.1) - math.log(0.001)) + math.log(0.001))
        self.dt_bias = nn.Parameter(dt + torch.log(-torch.expm1(-dt)))
        self.A_log = nn.Parameter(torch.empty(nv).uniform_(1, 16).log())
        self.norm = nn.Module()
        self.norm.weight = nn.Parameter(torch.ones(c.linear_value_head_dim))
        self.out_proj = linear(self.vd, H)

    def forward(self, h):
        B, T, _ = h.shape
        c = self.c
        x = F.silu(Conv.apply(self.in_proj_qkv(h).float(), self.conv1d.weight))
        q, k, v = x.split([self.kd, self.kd, self.vd], -1)
        heads = lambda y, n: y.reshape(B, T, n, -1)
        g = -self.A_log.exp() * F.softplus(self.in_proj_a(h).float() + self.dt_bias)
        beta = self.in_proj_b(h).float().sigmoid()
        with torch.autocast("cpu", enabled=False):
            o = delta_rule(heads(q, c.linear_num_key_heads), heads(k, c.linear_num_key_heads),
                           heads(v, c.linear_num_value_heads), g, beta)
        o = self.norm.weight * (o * torch.rsqrt(o.square().mean(-1, True) + 1e-6))
        o = o * F.silu(heads(self.in_proj_z(h).float(), c.linear_num_value_heads))
        return self.out_proj(o.reshape(B, T, self.vd))


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c, H, d = c, c.hidden_size, c.head_dim
        self.q_proj = linear(H, c.num_attention_heads * d * 2)
        self.k_proj = linear(H, c.num_key_value_heads * d)
        self.v_proj = linear(H, c.num_key_value_heads * d)
        self.o_proj = linear(c.num_attention_heads * d, H)
        self.q_norm, self.k_norm = Norm(d), Norm(d)

    def forward(self, h, cos, sin):
        B, T, _ = h.shape
        c, d = self.c, self.c.head_dim
        q, gate = self.q_proj(h).view(B, T, c.num_attention_heads, 2 * d).split(d, -1)
        q = self.q_norm(q).transpose(1, 2)
        k = self.k_norm(self.k_proj(h).view(B, T, c.num_key_value_heads, d)).transpose(1, 2)
        v = self.v_proj(h).view(B, T, c.num_key_value_heads, d).transpose(1, 2)

        def rope(x):
            n = cos.shape[-1]
            a, b, rest = x[..., :n], x[..., n:2 * n], x[..., 2 * n:]
            return torch.cat([a * cos - b * sin, b * cos + a * sin, rest], -1)
        r = c.num_attention_heads // c.num_key_value_heads
        q, k = rope(q).to(v.dtype), rope(k).to(v.dtype)
        o = F.scaled_dot_product_attention(q, k.repeat_interleave(r, 1), v.repeat_interleave(r, 1), is_causal=True)
        o = o.transpose(1, 2).reshape(B, T, -1) * torch.sigmoid(gate.reshape(B, T, -1))
        return self.o_proj(o)


class MLP(nn.Module):
    def __init__(self, H, I):
        super().__init__()
        self.gate_proj, self.up_proj, self.down_proj = linear(H, I), linear(H, I), linear(I, H)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class MoE(nn.Module):
    """All experts are computed for all tokens as one wide MLP whose columns are scaled by
    the routing weights: at this size that beats gathering tokens per expert."""
    def __init__(self, c):
        super().__init__()
        self.c, H, E, I = c, c.hidden_size, c.num_experts, c.moe_intermediate_size
        self.gate = nn.Module()
        self.gate.weight = nn.Parameter(torch.empty(E, H))
        self.experts = nn.Module()
        self.experts.gate_up_proj = nn.Parameter(torch.empty(E, 2 * I, H))
        self.experts.down_proj = nn.Parameter(torch.empty(E, H, I))
        self.shared_expert = MLP(H, c.shared_expert_intermediate_size)
        self.shared_expert_gate = linear(H, 1)

    def forward(self, h):
        c, E, I, K = self.c, self.c.num_experts, self.c.moe_intermediate_size, self.c.num_experts_per_tok
        with torch.autocast("cpu", enabled=False):
            p = F.linear(h, self.gate.weight).softmax(-1)
        top, idx = p.topk(K, -1)
        w = torch.zeros_like(p).scatter(-1, idx, top / top.sum(-1, keepdim=True))
        aux = E / K * ((w > 0).float().mean((0, 1)) * p.mean((0, 1))).sum()
        gu = self.experts.gate_up_proj
        a = F.linear(h, gu[:, :I].reshape(E * I, -1))
        u = F.linear(h, gu[:, I:].reshape(E * I, -1))
        x = (F.silu(a) * u).unflatten(-1, (E, I)) * w.to(a.dtype).unsqueeze(-1)
        y = F.linear(x.flatten(-2), self.experts.down_proj.permute(1, 0, 2).reshape(-1, E * I))
        return y + torch.sigmoid(self.shared_expert_gate(h)) * self.shared_expert(h), aux


class Layer(nn.Module):
    def __init__(self, c, i):
        super().__init__()
        self.linear = c.layer_types[i] == "linear_attention"
        if self.linear:
            self.linear_attn = DeltaNet(c)
        else:
            self.self_attn = Attention(c)
        self.mlp = MoE(c)
        self.input_layernorm, self.post_attention_layernorm = Norm(c.hidden_size), Norm(c.hidden_size)

    def forward(self, x, cos, sin, drop):
        h = self.input_layernorm(x)
        h = self.linear_attn(h) if self.linear else self.self_attn(h, cos, sin)
        x = x + self.dropout(h.float(), drop)
        y, aux = self.mlp(self.post_attention_layernorm(x))
        return x + self.dropout(y.float(), drop), aux

    def dropout(self, y, drop):
        """One mask per sequence: the random numbers of ordinary dropout cost 10% of a step here."""
        if not (self.training and drop):
            return y
        return y * ((torch.rand(y.shape[0], 1, y.shape[2]) >= drop).float() / (1 - drop))


class Model(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.model = nn.Module()
        self.model.embed_tokens = nn.Embedding(c.vocab_size, c.hidden_size)
        self.model.layers = nn.ModuleList([Layer(c, i) for i in range(c.num_hidden_layers)])
        self.model.norm = Norm(c.hidden_size)
        self.lm_head = linear(c.hidden_size, c.vocab_size)
        rd = int(c.head_dim * 0.25)
        f = 1.0 / (c.rope_parameters["rope_theta"] ** (torch.arange(0, rd, 2).float() / rd))
        t = torch.arange(SEQ).float()[:, None] * f
        self.register_buffer("cos", t.cos(), persistent=False)
        self.register_buffer("sin", t.sin(), persistent=False)
        self.drop = 0.0
        self.init()

    @torch.no_grad()
    def init(self):
        for n, p in self.named_parameters():
            if n == "model.embed_tokens.weight":
                p.normal_(0, 0.5)
            elif n.endswith("conv1d.weight"):
                p.uniform_(-0.5, 0.5)
            elif n.endswith(("out_proj.weight", "o_proj.weight", "down_proj.weight", "experts.down_proj", "lm_head.weight")):
                p.normal_(0, 0.2 * p.shape[-1] ** -0.5)
            elif p.dim() >= 2:
                p.normal_(0, 0.7 * p.shape[-1] ** -0.5)
            if n.endswith("mlp.gate.weight"):
                p.normal_(0, 0.02)

    def forward(self, ids, targets=None):
        x = self.model.embed_tokens(ids)
        T = ids.shape[1]
        aux = 0.0
        for layer in self.model.layers:
            x, a = layer(x, self.cos[:T], self.sin[:T], self.drop)
            aux = aux + a
        logits = self.lm_head(self.model.norm(x))
        if targets is None:
            return logits
        return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten()), aux / len(self.model.layers)


# ---------------------------------------------------------------- optimiser

class Muon:
    """Orthogonalised momentum for the weight matrices (experts one by one), AdamW for the rest."""
    def __init__(self, model, lr=0.02, adam_lr=0.004, wd=0.05):
        self.groups, adam = {}, []
        for n, p in model.named_parameters():
            small = n.endswith(("mlp.gate.weight", "in_proj_a.weight", "in_proj_b.weight", "shared_expert_gate.weight"))
            if p.dim() < 2 or small or "conv1d" in n or "embed_tokens" in n or "lm_head" in n:
                adam.append(p)
            else:
                self.groups.setdefault(tuple(p.shape), []).append(p)
        self.adam = torch.optim.AdamW([{"params": [p for p in adam if p.dim() >= 2], "weight_decay": 0.01},
                                       {"params": [p for p in adam if p.dim() < 2], "weight_decay": 0.0}],
                                      lr=adam_lr, betas=(0.9, 0.95), eps=1e-9)
        self.lr, self.adam_lr, self.wd = lr, adam_lr, wd
        self.mom = {s: torch.zeros(len(ps), *s) for s, ps in self.groups.items()}

    @torch.no_grad()
    def step(self, scale, momentum=0.95):
        for gr in self.adam.param_groups:
            gr["lr"] = self.adam_lr * scale
        self.adam.step()
        for s, ps in self.groups.items():
            g = torch.stack([p.grad for p in ps])
            m = self.mom[s].mul_(momentum).add_(g, alpha=1 - momentum)
            g = g.lerp_(m, momentum)
            r, c = s[-2:]
            x = g.reshape(-1, r, c).bfloat16()
            if r > c:
                x = x.transpose(-1, -2)
            x = x / (x.float().norm(dim=(-2, -1), keepdim=True) + 1e-7).bfloat16()
            for _ in range(5):
                a = x @ x.transpose(-1, -2)
                x = 3.4445 * x + (-4.7750 * a + 2.0315 * (a @ a)) @ x
            if r > c:
                x = x.transpose(-1, -2)
            x = x.reshape(g.shape).float()
            lr = self.lr * scale
            for p, u in zip(ps, x):
                p.mul_(1 - lr * self.wd).add_(u, alpha=-lr * max(1, r / c) ** 0.5)

    def state(self):
        return {"mom": self.mom, "adam": self.adam.state_dict()}

    def load(self, state):
        self.mom = state["mom"]
        self.adam.load_state_dict(state["adam"])

    def zero_grad(self, model):
        for p in model.parameters():
            p.grad = None


# ---------------------------------------------------------------- commands

@torch.no_grad()
def evaluate(model, rows, bs=16):
    model.eval()
    tot = 0.0
    rows = torch.from_numpy(np.asarray(rows)).long()
    for i in range(0, len(rows), bs):
        r = rows[i:i + bs]
        tot += model(r[:, :-1], r[:, 1:])[0].item() * len(r)
    model.train()
    return tot / len(rows)


def load_tok(work):
    from tokenizers import Tokenizer
    return Tokenizer.from_file(os.path.join(work, "tokenizer.json"))


def cmd_tokenizer(a):
    train, held = split_chapters(chapters(a.work))
    tok = make_tokenizer(train, a.work)
    rows, nbytes = held_rows(tok, held)
    n = sum(len(e.ids) for e in tok.encode_batch(["\n".join(v) for v in train]))
    print(f"chapters {len(train)} train {len(held)} held out; {n} training tokens; "
          f"{nbytes / rows.shape[0] / SEQ:.3f} bytes per token; role tokens "
          f"{tok.encode('<|im_start|>user').tokens} {tok.encode('<|im_start|>assistant').tokens}")


class Pace:
    """A thread that shares its core with another program makes every parallel region wait for it
    (ten times slower steps were seen). So: use all threads only while the other programs are idle."""
    def __init__(self, threads):
        self.n = self.use = threads
        self.last = self.now()

    @staticmethod
    def now():
        try:
            with open("/proc/stat") as f:
                t = [int(x) for x in f.readline().split()[1:9]]
            busy = (sum(t) - t[3] - t[4]) / os.sysconf("SC_CLK_TCK")
        except OSError:
            busy = 0.0
        return time.time(), busy, time.process_time()

    def tick(self):
        now = self.now()
        wall, busy, own = (b - a for a, b in zip(self.last, now))
        if wall < 1:
            return
        self.last = now
        self.use = 1 if (busy - own) / wall > 0.3 else self.n
        torch.set_num_threads(self.use)


def cmd_train(a):
    torch.manual_seed(SEED)
    torch.set_num_threads(a.threads)
    train, held = split_chapters(chapters(a.work))
    tok = load_tok(a.work)
    val, nbytes = held_rows(tok, held)
    model = Model(hf_config())
    model.drop = a.dropout
    n = sum(p.numel() for p in model.parameters())
    print(f"{n} parameters, {len(val)} held-out rows, {nbytes} bytes", flush=True)
    opt = Muon(model, lr=a.lr, adam_lr=a.adam_lr, wd=a.wd)
    start = time.time()
    step, epoch, seen, rows, at, ema = 0, 0, 0, [], 0, None
    if a.resume:
        ck = torch.load(os.path.join(a.work, "ckpt.pt"))
        model.load_state_dict(ck["model"])
        if "opt" in ck:
            opt.load(ck["opt"])
        step, seen, epoch = (ck["info"][k] for k in ("step", "tokens", "epochs"))
        start -= ck["info"]["seconds"]
        warm = step
        print("resumed", ck["info"], flush=True)
    else:
        warm = 0
    last_save = time.time()
    pace = Pace(a.threads)
    while True:
        # The schedule runs on the clock unless --steps fixes it.
        frac = step / a.steps if a.steps else (time.time() - start) / (a.minutes * 60)
        if frac >= 1:
            break
        if at + a.batch > len(rows):
            rows, at = epoch_rows(tok, train, epoch), 0
            epoch += 1
        r = torch.from_numpy(rows[at:at + a.batch]).long()
        at += a.batch
        scale = min(1.0, (step - warm + 1) / (20 if warm else 50)) * (1 if frac < 0.3 else max(0.02, (1 - frac) / 0.7))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss, aux = model(r[:, :-1], r[:, 1:])
        opt.zero_grad(model)
        (loss + 0.01 * aux).backward()
        opt.step(scale, momentum=0.85 + 0.10 * min(1, step / 200))
        pace.tick()
        step += 1
        seen += r.shape[0] * SEQ
        ema = loss.item() if ema is None else 0.95 * ema + 0.05 * loss.item()
        if step in (1, 5) or step % 20 == 0:
            print(f"step {step} epoch {epoch} tokens {seen} loss {ema:.4f} aux {aux.item():.3f} "
                  f"threads {pace.use} t {time.time() - start:.0f}s frac {frac:.3f}", flush=True)
        if step % 500 == 0 or time.time() - last_save > 200:
            last_save = time.time()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                v = evaluate(model, val[::3])
            print(f"  held-out (third) {v:.4f}", flush=True)
            save(model, opt, a.work, dict(step=step, tokens=seen, epochs=epoch, seconds=time.time() - start))
        if a.max_steps and step >= a.max_steps:
            break
    v = evaluate(model, val)
    info = dict(step=step, tokens=seen, epochs=epoch, seconds=time.time() - start, held_out=v,
                bits_per_byte=v * val.shape[0] * SEQ / math.log(2) / nbytes)
    print(info, flush=True)
    save(model, opt, a.work, info)


def save(model, opt, work, info):
    tmp = os.path.join(work, "ckpt.tmp")
    torch.save({"model": {k: v.detach().clone() for k, v in model.state_dict().items()},
                "opt": opt.state(), "info": info}, tmp)
    os.replace(tmp, os.path.join(work, "ckpt.pt"))


CHAT = """{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""


def cmd_export(a):
    from transformers import Qwen3_5MoeForCausalLM, AutoModelForCausalLM, GenerationConfig
    torch.set_num_threads(a.threads)
    ck = torch.load(os.path.join(a.work, "ckpt.pt"))
    c = hf_config()
    mine = Model(c).eval()
    mine.load_state_dict(ck["model"])
    hf = Qwen3_5MoeForCausalLM(c).eval()
    sd = {k: (v.view(hf.state_dict()[k].shape)) for k, v in mine.state_dict().items()}
    hf.load_state_dict(sd, strict=True)
    train, held = split_chapters(chapters(a.work))
    val, nbytes = held_rows(load_tok(a.work), held)
    x = torch.from_numpy(val[:2, :-1]).long()
    with torch.no_grad():
        l1, l2 = mine(x), hf(x).logits
    print(f"float32 logits, this file against transformers: max difference {(l1 - l2).abs().max():.2e} "
          f"(logits up to {l2.abs().max():.1f})")
    hf = hf.to(torch.bfloat16)
    eot, start, end = VOCAB - 3, VOCAB - 2, VOCAB - 1
    hf.generation_config = GenerationConfig(bos_token_id=eot, pad_token_id=eot, eos_token_id=[end, eot],
                                            do_sample=True, temperature=0.7, top_k=20, top_p=0.95)
    os.makedirs(a.out, exist_ok=True)
    hf.save_pretrained(a.out)
    shutil.copyfile(os.path.join(a.work, "tokenizer.json"), os.path.join(a.out, "tokenizer.json"))
    with open(os.path.join(a.out, "chat_template.jinja"), "w") as f:
        f.write(CHAT)
    with open(os.path.join(a.out, "tokenizer_config.json"), "w") as f:
        json.dump({"tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": False, "add_prefix_space": False,
                   "bos_token": None, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "unk_token": None,
                   "clean_up_tokenization_spaces": False, "model_max_length": 4096,
                   "added_tokens_decoder": {str(eot + i): {"content": s, "lstrip": False, "normalized": False,
                                                           "rstrip": False, "single_word": False, "special": True}
                                            for i, s in enumerate(SPECIAL)}}, f, indent=2)
        f.write("\n")
    for f in os.listdir(a.out):
        os.chmod(os.path.join(a.out, f), 0o644)
    model = AutoModelForCausalLM.from_pretrained(a.out, dtype=torch.bfloat16).eval()
    x = torch.from_numpy(np.asarray(val)).long()
    tot = 0.0
    with torch.no_grad():
        for i in range(0, len(x), 16):
            r = x[i:i + 16]
            tot += F.cross_entropy(model(r[:, :-1]).logits.float().flatten(0, 1), r[:, 1:].flatten(), reduction="sum").item()
    print("info", ck["info"])
    print(f"transformers, BF16 file: held-out {tot / x.shape[0] / SEQ:.4f} nats/token, "
          f"{tot / math.log(2) / nbytes:.4f} bits/byte")


def cmd_sample(a):
    from transformers import AutoTokenizer, AutoModelForCausalLM
    torch.set_num_threads(a.threads)
    tok = AutoTokenizer.from_pretrained(a.out)
    model = AutoModelForCausalLM.from_pretrained(a.out, dtype=torch.bfloat16).eval()
    torch.manual_seed(SEED)
    for prompt in ["In the beginning", "And the king said", "The LORD is my shepherd"]:
        ids = tok(prompt, return_tensors="pt")
        for label, kw in (("greedy", dict(do_sample=False, temperature=None, top_k=None, top_p=None)), ("temperature 0.7", {})):
            out = model.generate(**ids, max_new_tokens=70, **kw)
            print(f"--- {prompt!r}, {label}\n{tok.decode(out[0], skip_special_tokens=True)}", flush=True)
    for user in ["In the beginning", "Who is the king?"]:
        text = tok.apply_chat_template([{"role": "user", "content": user}], tokenize=False, add_generation_prompt=True)
        ids = tok(text, return_tensors="pt")
        out = model.generate(**ids, max_new_tokens=70)
        print(f"--- chat, user {user!r}\n{tok.decode(out[0][ids.input_ids.shape[1]:])}", flush=True)


if __name__ == "__main__":
    ap = argparse.ArgumentParser()
    ap.add_argument("cmd", choices=["tokenizer", "train", "export", "sample"])
    ap.add_argument("--work", required=True)
    ap.add_argument("--out")
    ap.add_argument("--minutes", type=float, default=40)
    ap.add_argument("--steps", type=int, default=0)
    ap.add_argument("--max-steps", type=int, default=0)
    ap.add_argument("--batch", type=int, default=16)
    ap.add_argument("--lr", type=float, default=0.02)
    ap.add_argument("--adam-lr", type=float, default=0.004)
    ap.add_argument("--wd", type=float, default=0.1)
    ap.add_argument("--dropout", type=float, default=0.05)
    ap.add_argument("--resume", action="store_true", help="go on from WORK/ckpt.pt")
    ap.add_argument("--threads", type=int, default=2)
    a = ap.parse_args()
    os.makedirs(a.work, exist_ok=True)
    globals()["cmd_" + a.cmd](a)
