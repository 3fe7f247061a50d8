#!/usr/bin/env python3
"""Prints the examples in the op descriptions of .td files as one MLIR module.

    extract-op-examples.py dialects/Quartet/*.td | quartet-opt

The examples are fragments: values they use and don't define become arguments
of a function, or poison where a "..." stands for the ops that define them;
symbols they use are declared. Fails when an op has no example.
"""
import re
import sys


def split_types(text):
    """Splits "tensor<?x4xf32>, !quartet.packed<4x4, "bf16">" between the types."""
    types = re.split(r",(?![^<]*>)", text.replace("\n", " "))
    return [t.strip() for t in types if t.strip()]


def operand_types(example):
    """Maps each value that an op of the example takes to its type."""
    types = {}
    # quartet.op %a, %b(%c) ... : (types) -> results
    for match in re.finditer(
        r"quartet\.\w+ ([^:{]*?)\s*:\s*\(([^)]*)\)\s*->", example
    ):
        names = re.findall(r"%\w+", match[1])
        found = split_types(match[2])
        if len(names) != len(found):
            sys.exit(f"{len(names)} operands but {len(found)} types in:\n{example}")
        types.update(zip(names, found))
    # quartet.return, yield, store_state: operands : types
    for match in re.finditer(
        r"quartet\.(?:return|yield|store_state) ([^:]*?) : ([^\n]*)", example
    ):
        types.update(zip(re.findall(r"%\w+", match[1]), split_types(match[2])))
    for match in re.finditer(r"init\((%\w+)\) \{.*\} : ([^\n]*)", example, re.S):
        types[match[1]] = match[2].strip()
    return types


def defined_values(example):
    results = re.findall(r"^\s*((?:%\w+(?:, )?)+) =", example, re.M)
    values = {v for line in results for v in re.findall(r"%\w+", line)}
    return values | set(re.findall(r"(%\w+):", example))


STEP = """quartet.step {
  ^bb0(%a: tensor<?xi32>, %b: tensor<3x?xi32>, %c: tensor<?xi32>,
       %d: tensor<?xi32>, %e: tensor<?xi32>, %f: tensor<?xi32>,
       %g: tensor<?x?xi32>, %i: tensor<?xi32>, %j: tensor<?xf32>,
       %k: tensor<?xi32>, %l: tensor<?xf32>, %m: tensor<?xf32>,
       %n: tensor<?xf32>):
BODY
    %logits = ub.poison : tensor<?x8xf32>
    %sampled = ub.poison : tensor<?xi32>
    quartet.return %logits, %sampled : tensor<?x8xf32>, tensor<?xi32>
  }"""


def whole(example, number):
    """The example with what it needs around it to be a module's op."""
    types = operand_types(example)
    free = [v for v in types if v not in defined_values(example)]
    elided = free if "..." in example else []
    if elided:
        # What the block takes is defined before it, the rest where "..." stands.
        elided = [v for v in free if f"init({v})" not in example]
        poison = "\n".join(f"  {v} = ub.poison : {types[v]}" for v in elided)
        example = example.replace("...", poison)
        free = [v for v in free if v not in elided]
    if example.startswith("quartet.model"):
        return example
    if example.startswith("quartet.return "):
        body = "".join(f"    {v} = ub.poison : {types[v]}\n" for v in free) + example
        head = STEP[: STEP.index("BODY")]
        return f"quartet.model @example{number} {{\n{head}{body}\n  }}\n}}"
    if re.match(r"quartet\.(weight|state) ", example):
        return f"quartet.model @example{number} {{\n{example}\n{STEP.replace('BODY', '')}\n}}"
    symbol = re.search(
        r"quartet\.\w+_(weight|state) (@[\w.]+).* : ([^\n]*)", example
    )
    if symbol:
        kind = " slots" if symbol[1] == "state" else ""
        decl = f"quartet.{symbol[1]} {symbol[2]}{kind} : {symbol[3]}"
        body = "".join(f"    {v} = ub.poison : {types[v]}\n" for v in free) + example
        return (
            f"quartet.model @example{number} {{\n{decl}\n{STEP.replace('BODY', body)}\n}}"
        )
    arguments = ", ".join(f"{v}: {types[v]}" for v in free)
    return f"func.func @example{number}({arguments}) {{\n{example}\nreturn\n}}"


def main(paths):
    ops, examples = set(), []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        ops |= set(re.findall(r'Quartet_Op<"(\w+)"', text))
        for block in re.findall(r"```mlir\n(.*?)```", text, re.S):
            lines = block.rstrip().split("\n")
            indent = len(lines[0]) - len(lines[0].lstrip())
            examples.append("\n".join(line[indent:] for line in lines))
    missing = sorted(op for op in ops if not any(f"quartet.{op} " in e for e in examples))
    if missing or not ops:
        sys.exit(f"no example of: {', '.join(missing) or 'any op'}")
    for number, example in enumerate(examples):
        print(whole(example, number) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
