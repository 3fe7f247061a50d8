// Feeds arbitrary bytes to the importer of quantized checkpoints: config.json,
// a zero byte, and a safetensors file. It must answer with matrices whose rows
// can be read and packed, or with an error that is safe to print.
#include "compiler/import/CheckpointSource.h"
#include "compiler/import/quantized/WidenRows.h"
#include "llvm/ADT/StringExtras.h"
#include <cmath>

using namespace llvm;
using namespace quartet;

static void check(bool condition) {
  if (!condition)
    __builtin_trap();
}

/// Messages end up on a terminal; lists of problems have several lines.
static void checkMessage(Error error) {
  std::string text = toString(std::move(error));
  check(!text.empty() && text.size() < 65536);
  for (unsigned char byte : text)
    check((byte >= 0x20 && byte != 0x7f) || byte == '\n');
}

/// All rows, as a weight of one run.
static void readMatrix(const Checkpoint &checkpoint,
                       const QuantTensors &tensors, const QuantMatrix &matrix) {
  int64_t rows = matrix.allRows(), columns = matrix.columns;
  check(tensors.table.count(matrix.name) == 1 && rows > 0 && columns > 0);
  if (rows * columns > 1 << 16)
    return;
  Weight weight{"w", WeightRole::Matrix, {rows, columns}, Dtype::BF16, {}};
  weight.runs.push_back({matrix.name, 0, rows * columns});
  auto source = quantizedSource(checkpoint, tensors);
  std::optional<PackedFormat> format = source->ownFormat(weight);
  check(format && format->whyInvalid().empty());
  QuantizedRows out;
  out.reset(*format, rows, columns);
  std::vector<float> values(size_t(rows * columns)), own(values.size());
  if (Error error = source->readF32(weight, 0, values))
    return checkMessage(std::move(error));
  if (Error error = source->readOwn(weight, 0, rows, out))
    return checkMessage(std::move(error));
  dequantizeRows(out, own.data());
  for (size_t i = 0; i < own.size(); ++i)
    check(matrix.requantized || own[i] == values[i] ||
          !std::isfinite(values[i]));
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  StringRef bytes(reinterpret_cast<const char *>(data), size);
  auto [text, file] = bytes.split('\0');
  Expected<QuantConfig> config = parseQuantConfig(text, "fuzz/config.json");
  if (!config) {
    checkMessage(config.takeError());
    return 0;
  }
  Expected<Checkpoint> checkpoint = Checkpoint::fromBuffer(
      MemoryBuffer::getMemBuffer(file, "fuzz.safetensors", false));
  if (!checkpoint) {
    checkMessage(checkpoint.takeError());
    return 0;
  }
  Expected<QuantTensors> tensors = mapQuantTensors(*checkpoint, *config);
  if (!tensors) {
    checkMessage(tensors.takeError());
    return 0;
  }
  for (auto &[name, matrix] : tensors->matrices) {
    if (Error error = analyze(*checkpoint, matrix)) {
      checkMessage(std::move(error));
      continue;
    }
    readMatrix(*checkpoint, *tensors, matrix);
  }
  return 0;
}
