# Checks the JSON of `quartetc inspect` for Qwen3.6-35B-A3B against the numbers
# published with the model, and prints a few of its other fields.
import json
import sys

report = json.load(open(sys.argv[1]))
parameters = report["parameters"]
assert parameters["text"] == 34660610688, parameters["text"]
assert parameters["multi_token_prediction"] == 844640768
parts = sum(part["count"] for part in parameters["components"].values())
assert parts == parameters["text"], parts
read = sum(part["per_token"] for part in parameters["components"].values())
assert read == parameters["per_token"] == 2946431616, read
assert report["state"]["delta_bytes_per_sequence"] == 30 * 32 * 128 * 128 * 4
assert report["state"]["cache_bytes_per_token"] == 10 * 2 * 2 * 256 * 2
print("layers", report["model"]["layers"])
print("experts", report["model"]["experts"]["count"])
print("weights", "none" if report["weights"] is None else "some")
