# Builds the model IR of every configuration in the folder $1, whole and cut to one
# block of four layers; prints each model's name and how often its block repeats.
set -e
for config in "$1"/*/config.json; do
  model=$(dirname "$config")
  quartetc build "$model" -q --no-weights --layers 4 --emit=quartet -o - |
    grep -q 'quartet.block repeat 1 '
  repeat=$(quartetc build "$model" -q --no-weights --emit=quartet -o - |
    grep -o 'block repeat [0-9]*' | cut -d' ' -f2,3)
  echo "$(basename "$model"): $repeat"
done
