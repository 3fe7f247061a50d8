# Copies the checkpoint folder argv[2] to argv[3], damaged in the way argv[1] names.
import json
import pathlib
import shutil
import struct
import sys

how, source, target = sys.argv[1:]
shutil.copytree(source, target)
path = pathlib.Path(target, "model.safetensors")
data = path.read_bytes()
length = struct.unpack("<Q", data[:8])[0]
header = json.loads(data[8 : 8 + length])
body = data[8 + length :]


def rename(old, new):
    header[new] = header.pop(old)


if how == "truncated":
    body = body[:-100]
elif how == "missing":
    rename("model.norm.weight", "mtp.unused")
elif how == "unknown":
    rename("model.norm.weight", "model.normal.weight")
elif how == "shape":
    header["model.norm.weight"]["shape"] = [8, 8]
elif how == "no-header":
    data = data[:4]
else:
    sys.exit(f"unknown damage {how}")
text = json.dumps(header).encode()
whole = struct.pack("<Q", len(text)) + text + body
path.chmod(0o644)
path.write_bytes(data if how == "no-header" else whole)
