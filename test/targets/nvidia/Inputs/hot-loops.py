"""Checks the innermost loops with matrix instructions of a cubin that nvdisasm prints: at most
one of a hundred instructions may touch local memory, which is where registers are spilled."""
import re
import subprocess
import sys

MATRIX = re.compile(r"\b(I|H|Q|B)?(G)?MMA\b")
LOCAL = re.compile(r"\b(STL|LDL)\b")


def functions(text):
    """For each section of code its instructions, and where its labels are."""
    found, code, labels = {}, None, None
    for line in text.splitlines():
        if section := re.match(r"\s*\.section\s+\.text\.([^\s,]+),", line):
            code, labels = [], {}
            found[section[1]] = code, labels
        elif code is not None and (label := re.match(r"(\.L\S+):", line)):
            labels[label[1]] = len(code)
        elif code is not None and (word := re.search(r"/\*[0-9a-f]{4,}\*/\s+(.*?);", line)):
            code.append(word[1])
    return found


def innermost_loops(code, labels):
    """(first, last) of the loops that hold matrix instructions. Of those that share some, as
    a loop and the rest of the one around it do, the shortest."""
    loops = []
    for last, word in enumerate(code):
        to = re.search(r"BRA.*`\((\.L\S+?)\)", word)
        first = labels.get(to[1]) if to else None
        if first is not None and first <= last:
            if any(MATRIX.search(w) for w in code[first:last + 1]):
                loops.append((first, last))
    kept = []
    for loop in sorted(loops, key=lambda l: l[1] - l[0]):
        if all(loop[1] < other[0] or other[1] < loop[0] for other in kept):
            kept.append(loop)
    return kept


def main():
    nvdisasm, cubin = sys.argv[1:]
    text = subprocess.run([nvdisasm, "-c", cubin], check=True, capture_output=True,
                          text=True).stdout
    loops, bad = 0, []
    for name, (code, labels) in functions(text).items():
        for first, last in innermost_loops(code, labels):
            loops += 1
            words = [w for w in code[first:last + 1] if LOCAL.search(w)]
            if len(words) * 100 > last + 1 - first:
                bad.append(f"{name}: {len(words)} of {last + 1 - first} instructions of a "
                           f"loop touch local memory: {words[0]}")
    print(*bad, f"{loops} loops with matrix instructions", sep="\n")
    return 1 if bad or not loops else 0


if __name__ == "__main__":
    sys.exit(main())
