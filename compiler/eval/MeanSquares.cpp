// From sums and counts, as the recording model leaves them in its states, to a
// file of statistics.
#include "compiler/OutputFile.h"
#include "compiler/eval/Calibrate.h"
#include "compiler/import/Safetensors.h"
#include "nlohmann/json.hpp"
#include "llvm/Support/Endian.h"
#include <cmath>
#include <cstring>

using namespace llvm;
using namespace quartet;

static constexpr StringRef kSuffix = ".squares";

/// Appends the means of \p sums, rows of \p columns sums and a count, to
/// \p bytes; a row without a count becomes zero.
static Error appendMeans(ArrayRef<uint8_t> sums, int64_t columns,
                         std::string &bytes, CalibrationSummary &summary) {
  std::vector<float> row(size_t(columns) + 1);
  size_t rowBytes = row.size() * sizeof(float);
  for (size_t at = 0; at != sums.size(); at += rowBytes) {
    std::memcpy(row.data(), sums.data() + at, rowBytes);
    double count = row.back();
    ++summary.matrices;
    summary.unseen += count == 0;
    for (float &value : MutableArrayRef(row).drop_back()) {
      value = count > 0 ? float(value / count) : 0;
      if (!std::isfinite(value) || value < 0)
        return createStringError(
            "a sum of squared activations is not finite: the model "
            "computes values that are no numbers, or larger than 1e19, "
            "for this text");
    }
    bytes.append(reinterpret_cast<const char *>(row.data()),
                 rowBytes - sizeof(float));
  }
  return Error::success();
}

Expected<CalibrationSummary> quartet::meanSquaresOf(StringRef states,
                                                    StringRef output) {
  auto file = MemoryBuffer::getFile(states, /*IsText=*/false,
                                    /*RequiresNullTerminator=*/false);
  if (!file)
    return createStringError(
        file.getError(),
        states + ": cannot read the file: " + file.getError().message());
  ArrayRef<uint8_t> bytes(
      reinterpret_cast<const uint8_t *>((*file)->getBufferStart()),
      (*file)->getBufferSize());
  auto header = parseSafetensors(bytes, states);
  if (!header)
    return header.takeError();
  nlohmann::ordered_json json = {
      {"__metadata__",
       {{"quartet.statistics", "mean squared activations per column"}}}};
  std::string data;
  CalibrationSummary summary;
  for (const StoredTensor &tensor : header->tensors) {
    StringRef name = tensor.name;
    if (!name.consume_back(kSuffix) || tensor.dtype != "F32" ||
        tensor.shape.empty() || tensor.shape.back() < 2)
      return createStringError(states + ": found tensor '" + tensor.name +
                               "' of type " + tensor.dtype +
                               ", expected sums of squares: NAME" + kSuffix +
                               " of type F32 with a column for the count");
    size_t begin = data.size();
    if (Error error = appendMeans(
            bytes.slice(header->dataStart + tensor.offset, tensor.bytes),
            tensor.shape.back() - 1, data, summary))
      return createStringError(name + ": " + toString(std::move(error)));
    std::vector<int64_t> shape = tensor.shape;
    --shape.back();
    json[name.str()] = {{"dtype", "F32"},
                        {"shape", shape},
                        {"data_offsets", {begin, data.size()}}};
  }
  std::string text = json.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  char length[8];
  support::endian::write64le(length, text.size());
  if (Error error = writeOutput(output, std::string(length, 8) + text + data))
    return std::move(error);
  return summary;
}
