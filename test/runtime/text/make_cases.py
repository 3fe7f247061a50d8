#!/usr/bin/env python3
"""Writes tokenizer.json, tokenizer_config.json and cases.jsonl, beside itself.

The tokenizer is a small byte-level BPE with the normalizer, split pattern and
added tokens of the Qwen3.6 family, trained on text that this script makes up.
Each line of cases.jsonl is an input with what the Python package `tokenizers`
(0.23.3 when the committed files were made) says of it:

  text or hex  the input; hex where it is not UTF-8
  pieces       UTF-8 lengths of the pieces after NFC and the split (no added token
               in the text)
  plain        true: encoded with no added token recognised
  ids          the ids

Needs `pip install tokenizers`. The files are committed, so that the tests need
no Python package: run it only to change the cases.
"""

import json
import pathlib
import random
import sys
import unicodedata

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models
from tokenizers import normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).resolve().parent

PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}"
    r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

SPECIAL = """<|endoftext|> <|im_start|> <|im_end|> <|object_ref_start|>
<|object_ref_end|> <|box_start|> <|box_end|> <|quad_start|> <|quad_end|>
<|vision_start|> <|vision_end|> <|vision_pad|> <|image_pad|> <|video_pad|>""".split()
ORDINARY = """<tool_call> </tool_call> <|fim_prefix|> <|fim_middle|>
<|fim_suffix|> <|fim_pad|> <|repo_name|> <|file_sep|> <tool_response>
</tool_response> <think> </think>""".split()
# The family lists these in tokenizer_config.json only.
CONFIG_ONLY = """<|audio_start|> <|audio_end|> <tts_pad> <tts_text_bos>
<tts_text_eod> <tts_text_bos_single> <|audio_pad|>""".split()

CODE = '''def merge(pairs, ranks=None):
    """Merge the pair of lowest rank."""
    while pairs and (best := min(pairs, key=ranks.get)) is not None:
        pairs = [p for p in pairs if p != best]  # it's gone
    return {"ok": True, 'n': len(pairs) * 1024, "f": 3.14e-10}

#include <stdio.h>
int main(int argc, char **argv) {
\tfor (int i = 0; i < argc; ++i)
\t\tprintf("%s\\n", argv[i]);
\treturn 0;
}
SELECT name, COUNT(*) FROM users WHERE id >= 100 GROUP BY name;
<div class="a b"><p>it&#39;s</p></div>
'''

SENTENCES = """The quick brown fox jumps over the lazy dog; it's what they'll do, I'm sure.
We've seen that you're right and he'd agree. THEY'RE SHOUTING! DON'T.
Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.
Voix ambiguë d'un cœur qui au zéphyr préfère les jattes de kiwis.
El pingüino Wenceslao hizo kilómetros bajo exhaustiva lluvia y frío, añoraba.
Съешь же ещё этих мягких французских булок, да выпей чаю.
我能吞下玻璃而不伤身体。今天天气很好，我们去公园散步吧！
私はガラスを食べられます。それは私を傷つけません。
나는 유리를 먹을 수 있어요. 그래도 아프지 않아요.
أنا قادر على أكل الزجاج و هذا لا يؤلمني.
אני יכול לאכול זכוכית וזה לא מזיק לי.
मैं काँच खा सकता हूँ और मुझे उससे कोई चोट नहीं पहुंचती.
ฉันกินกระจกได้ แต่มันไม่ทำให้ฉันเจ็บ
Tôi có thể ăn thủy tinh mà không hại gì.
Μπορώ να φάω σπασμένα γυαλιά χωρίς να πάθω τίποτα.
"""


def assigned():
    """All characters but surrogates and what has no category."""
    return [
        chr(c)
        for c in range(0x110000)
        if unicodedata.category(chr(c)) not in ("Cs", "Cn", "Co")
    ]


def train():
    rng = random.Random(20)
    names = [unicodedata.name(c, "") for c in assigned()]
    lines = [SENTENCES, CODE] * 4
    for _ in range(3000):
        words = " ".join(rng.choice(names) for _ in range(3)).split()
        lines.append(" ".join(rng.choice((w.lower(), w, w.title())) for w in words))
    for first in (0xC0, 0x370, 0x410, 0x5D0, 0x620, 0x904, 0xE01, 0x3041, 0x30A1,
                  0x4E00, 0xAC00, 0x1F600):
        for _ in range(60):
            lines.append("".join(chr(first + min(rng.randrange(40), rng.randrange(40)))
                                 for _ in range(8)))
    lines += ["\n\n", "    \n", "\t\t", "  ", "\r\n\r\n", " " * 16, "=" * 32, "-" * 40] * 20
    tokenizer = make(Tokenizer(models.BPE()))
    trainer = trainers.BpeTrainer(
        vocab_size=3200,
        min_frequency=2,
        show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    tokenizer.train_from_iterator(lines, trainer)
    return tokenizer


def make(tokenizer):
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), behavior="isolated", invert=False),
            pre_tokenizers.ByteLevel(
                add_prefix_space=False, trim_offsets=False, use_regex=False
            ),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def added(names, special):
    return [AddedToken(n, normalized=False, special=special) for n in names]


class Reference:
    """The package's answers, in the form of a case."""

    def __init__(self, plain, full):
        self.plain, self.full = plain, full
        self.split = pre_tokenizers.Split(Regex(PATTERN), behavior="isolated")

    def case(self, data, plain=False):
        if isinstance(data, str):
            case, text = {"text": data}, data
        else:
            case, text = {"hex": data.hex()}, data.decode("utf-8", errors="replace")
        tokenizer = self.plain if plain else self.full
        if plain:
            case["plain"] = True
        if plain or not any(n in text for n in SPECIAL + ORDINARY + CONFIG_ONLY):
            normal = tokenizer.normalizer.normalize_str(text)
            case["pieces"] = [
                len(p.encode()) for p, _ in self.split.pre_tokenize_str(normal)
            ]
        case["ids"] = tokenizer.encode(text, add_special_tokens=False).ids
        return case


def build():
    tokenizer = train()
    plain = Tokenizer.from_str(tokenizer.to_str())
    tokenizer.add_tokens(added(SPECIAL, True))
    tokenizer.add_tokens(added(ORDINARY, False))
    saved = tokenizer.to_str(pretty=False)
    tokenizer.add_tokens(added(CONFIG_ONLY, True))
    config = {
        str(tokenizer.token_to_id(name)): {
            "content": name, "lstrip": False, "normalized": False, "rstrip": False,
            "single_word": False, "special": name not in ORDINARY,
        }
        for name in SPECIAL + ORDINARY + CONFIG_ONLY
    }
    return saved, {"added_tokens_decoder": config}, Reference(plain, tokenizer)


def inputs():
    """Yields (data, plain)."""
    rng = random.Random(36)
    everything = assigned()
    by_category = {}
    for c in everything:
        by_category.setdefault(unicodedata.category(c), []).append(c)
    by_category["Co"] = ["\ue000", "\U000f0000", "\U0010fffd"]
    by_category["Cn"] = ["\u0378", "\ufdd0", "\uffff", "\U000e0fff"]
    for category in sorted(by_category):
        chars = by_category[category]
        for c in rng.sample(chars, min(4, len(chars))):
            for text in (c, "a" + c + "b", " " + c, c + "'s", c + c + "1" + c + "\n" + c):
                yield text, False

    spaces = "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u180e" + "".join(
        map(chr, range(0x2000, 0x2010))) + "\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
    for s in spaces:
        for text in (s, s * 2, s * 3 + "a", "a" + s * 2 + "b", " " + s + " x", s + "\n" + s, "." + s):
            yield text, False
    for _ in range(150):
        yield "".join(rng.choice(spaces + "  \n\nab.1") for _ in range(rng.randrange(2, 12))), False

    for text in (
        "", " ", "a", "\0", "a\0b", CODE, *SENTENCES.splitlines(),
        "Hello, how are you?", "it's IT'S It'S 'S'T'RE'VE'M'LL'D 'Re we'Ve x'lL",
        "'\u017f'\u017f's '\u017fa", "I'\u017f", "'\u212a '\u0130 '\u0131 '\xdf '\ufb06 '\ufb05",
        "\u2019s \u2019t can\u2019t", "''s'''t 'sss 'ds 'ts", "1234567890" * 10, "1,234.56 ½ ² Ⅳ ٣٤ 〇 ① 𝟘𝟙",
        "👨‍👩‍👧‍👦 👍🏽 🏳️‍🌈 🇩🇪🇫🇷 ❤️ 1️⃣ 😀😀", "e\u0301 e\u0301\u0323 \u1e69 s\u0323\u0307 s\u0307\u0323 \u0344 \u212b \u2126 \u0958",
        "\u1100\u1161\u11a8 \u1112\u1161\u11ab\u1100\u1173\u11af \uac00\u11a8 \u1100\u1100\u1161", "\u0301a \u0301\u0301", "a\u0345\u0334\u0323\u0301b",
        "\u0b47\u0b3e \u09c7\u09be \u0cc6\u0cc2\u0cd5 \u0dd9\u0dcf\u0dca", "\u2add\u0338 \u0f71\u0f72 \u0f73 \u1f71 \uf900 \U0002f800 \ufb1d \U0001d15e",
        "a\u200bb a\u200cb a\u200db \u200e\u202a \u2060 \ufeff", "क्षि न्‍ कि ँ ์ ก็ ที่",
        "café naïve Ångström ﬁ ﬂ Ǆ ǅ İi ıI ẞß", "Привет, мир! Γειά σου Κόσμε 世界你好 こんにちは 안녕",
        "line\r\nline\r\r\nline\n\n\n  indented\n\t\ttabs \n trailing  \n", "a \n b  \n  c   \n", "x" * 300, " " * 300 + "x", "\n" * 100, "ab" * 200,
        "= " * 20 + "==!!??\n\n...", "https://example.com/a?b=c&d=%20#e", "a_b __init__ $x @y #z ^~`|", "\U0001f3fb\U0001f3fb \ufe0f\ufe0f",
        # Newer than the data of the package or of the C libraries.
        "\u1ac1\u0345 \u0898a \u1c89\u1c8a \U00011f02x \U0001e4ec\u0334 \U000323af \U00010d40 \U00011935\U00011930 \U00011938",
        "\U000113c2\U000113c2 \U00016d63\U00016d67 \U000105d2\u0307\u0334 q\u0345\u1ac1 q\u0345\u0307\u1ac1\u0334",
    ):
        yield text, False

    for name in SPECIAL + ORDINARY + CONFIG_ONLY:
        yield name, False
        yield "a" + name + " b" + name + name + "\n", False
        yield "a" + name + " b", True
    for text in (
        "<|im_start|>user\nHello, how are you?<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
        "<|im_start|>user\ncafe\u0301<|im_end|>\n<tool_call>\n{\"a\": 1}\n</tool_call>",
        "<|im_start|", "<|im_start|><", "<|im_start<|im_end|>|>", "<<|im_end|>>", "<think></think", "e<|im_end|>\u0301", "  <think>  ",
        "<tts_text_bos><tts_text_bos_single><tts_text_bos_", "<|IM_START|>", "<|im_\u017ftart|>", "x<|endoftext|>" * 5,
    ):
        yield text, False
        yield text, True

    bad = ["ff", "80", "c3", "c328", "a0a1", "e228a1", "e282", "e28228", "f0288cbc", "f09028bc", "f0908c", "f0908c41",
           "f8a1a1a1a1", "fca1a1a1a1a1", "c080", "c1bf", "e08080", "e09fbf", "eda080", "edbfbf", "f0808080", "f48fbfbf", "f4908080", "f5808080",
           "61e28261", "f09f98", "20f09f98f09f9880", "efbfbd", "efbfbdff", "00ff00", "61cc", "cc8161", "65cc"]
    for text in bad:
        yield bytes.fromhex(text), False
        yield b"ab " + bytes.fromhex(text) + b"'s", False
    leads = bytes(range(0x7e, 0x82)) + bytes(range(0xbe, 0x100)) + b"aaa  \n"
    for _ in range(250):
        data = bytes(rng.choice(leads) if rng.random() < .6 else rng.randrange(0x80, 0xc0)
                     for _ in range(rng.randrange(1, 9)))
        yield data, False

    for _ in range(2000):
        chars = [rng.choice(everything if rng.random() < .6 else "ab zA'st1. \n") for _ in range(rng.randrange(2, 8))]
        yield "".join(chars), False
    # Marks and letters that compose, and Hangul.
    marks = by_category["Mn"]
    latin = [c for c in map(chr, range(0x41, 0x250)) if c.isalpha()]
    for _ in range(200):
        yield "".join(rng.choice(latin) + "".join(rng.choice(marks[:120] if rng.random() < .7 else marks)
                                                  for _ in range(rng.randrange(4))) for _ in range(3)), False


def main():
    saved, config, reference = build()
    (HERE / "tokenizer.json").write_text(saved + "\n", encoding="utf-8")
    (HERE / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")
    lines = []
    for data, plain in inputs():
        case = reference.case(data, plain)
        # ASCII only, since line separators of Unicode split lines for some tools.
        lines.append(json.dumps(case, separators=(",", ":"), ensure_ascii=True))
    (HERE / "cases.jsonl").write_text("\n".join(lines) + "\n")
    print(len(lines), "cases,", (HERE / "cases.jsonl").stat().st_size, "bytes")


if __name__ == "__main__":
    sys.exit(main())
