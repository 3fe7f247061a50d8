// Gives the values of weights out of a checkpoint: converts each piece from the
// tensor's type to the weight's, and decodes quantized matrices a few rows at a
// time.
#include "compiler/import/CheckpointSource.h"
#include "compiler/import/Convert.h"
#include "compiler/import/StrictJson.h"
#include "llvm/ADT/StringSwitch.h"

using namespace llvm;

namespace quartet {
namespace {

/// Rows decoded at once. Some layouts interleave rows: it pays to take several.
constexpr int64_t decodedRows = 64;

class CheckpointSource final : public RunSource {
public:
  /// \p tensors may be null: then no matrix is quantized.
  CheckpointSource(const Checkpoint &checkpoint, const QuantTensors *tensors)
      : checkpoint(checkpoint), tensors(tensors) {}

private:
  const Checkpoint &checkpoint;
  const QuantTensors *tensors;

  const QuantMatrix *matrix(StringRef tensor) const {
    if (!tensors)
      return nullptr;
    auto found = tensors->matrices.find(tensor);
    return found == tensors->matrices.end() ? nullptr : &found->second;
  }

  std::optional<OwnTensor> ownTensor(StringRef tensor) const override {
    const QuantMatrix *found = matrix(tensor);
    if (!found)
      return std::nullopt;
    return OwnTensor{
        found->kind, found->format,
        found->requantized ? "requantized, as its columns are in the order of "
                             "activations: desc_act"
        : found->scalesRounded ? "scales times the global one rounded to f32"
                               : ""};
  }

  Error readOwnRows(StringRef tensor, int64_t firstRow, int64_t rows,
                    QuantizedRows &out) override {
    const QuantMatrix *found = matrix(tensor);
    if (!found || firstRow < 0 || rows > found->allRows() - firstRow)
      return RunSource::readOwnRows(tensor, firstRow, rows, out);
    return readMatrixRows(checkpoint, *found, firstRow, rows, out);
  }

  /// Elements [begin, begin + count) of a quantized matrix.
  Error readMatrix(const QuantMatrix &m, const Weight &weight, int64_t begin,
                   int64_t count, uint8_t *out) const {
    auto fail = [&](const Twine &message) {
      return createStringError(checkpoint.fileOf(*m.codes) + ": tensor '" +
                               printable(m.codes->name) + "': " + message);
    };
    int64_t all = m.allRows() * m.columns;
    if (begin < 0 || begin > all || count > all - begin)
      return fail("has " + Twine(all) + " elements, expected at least " +
                  Twine(begin + count) + " for weight '" + weight.name + "'");
    std::vector<float> values;
    for (int64_t end = begin + count; begin < end;) {
      int64_t firstRow = begin / m.columns;
      int64_t rows =
          std::min((end - 1) / m.columns - firstRow + 1, decodedRows);
      values.resize(size_t(rows * m.columns));
      if (Error error =
              readMatrixValues(checkpoint, m, firstRow, rows, values.data()))
        return error;
      int64_t skip = begin - firstRow * m.columns;
      int64_t length = std::min(rows * m.columns - skip, end - begin);
      int64_t bad = convertElements(
          Dtype::F32, reinterpret_cast<const uint8_t *>(values.data() + skip),
          weight.dtype, out, length);
      if (bad >= 0)
        return fail("value " + std::to_string(values[size_t(skip + bad)]) +
                    " found, expected at most " + largest(weight.dtype));
      out += length * byteSize(weight.dtype);
      begin += length;
    }
    return Error::success();
  }

  Error readRun(const Weight &weight, const Run &run, int64_t skip,
                int64_t count, uint8_t *out) override {
    if (const QuantMatrix *found = matrix(run.tensor))
      return readMatrix(*found, weight, run.offset + skip, count, out);
    const StoredTensor *tensor = checkpoint.find(run.tensor);
    if (!tensor)
      return createStringError("weight '" + weight.name + "': tensor '" +
                               printable(run.tensor) +
                               "' not found in the checkpoint, expected it");
    auto fail = [&](const Twine &message) {
      return createStringError(checkpoint.fileOf(*tensor) + ": tensor '" +
                               printable(run.tensor) + "': " + message);
    };
    auto dtype = StringSwitch<std::optional<Dtype>>(tensor->dtype)
                     .Case("F32", Dtype::F32)
                     .Case("F16", Dtype::F16)
                     .Case("BF16", Dtype::BF16)
                     .Default(std::nullopt);
    if (!dtype)
      return fail("type " + tensor->dtype +
                  " found, expected F32, F16 or BF16");
    uint64_t size = uint64_t(byteSize(*dtype));
    uint64_t begin = uint64_t(run.offset + skip);
    if (run.offset < 0 || uint64_t(run.offset) > tensor->bytes / size ||
        uint64_t(run.count) > tensor->bytes / size - uint64_t(run.offset))
      return fail("has " + Twine(tensor->bytes / size) +
                  " elements, expected at least " +
                  Twine(run.offset + run.count) + " for weight '" +
                  weight.name + "'");
    const uint8_t *in = checkpoint.data(run.tensor).data() + begin * size;
    int64_t bad = convertElements(*dtype, in, weight.dtype, out, count);
    if (bad >= 0)
      return fail("element " + Twine(begin + uint64_t(bad)) +
                  " is too large for " + stringify(weight.dtype) +
                  ", expected values up to " + largest(weight.dtype));
    checkpoint.release(run.tensor, begin * size,
                       (begin + uint64_t(count)) * size);
    return Error::success();
  }
};

} // namespace

std::unique_ptr<WeightSource> checkpointSource(const Checkpoint &checkpoint) {
  return std::make_unique<CheckpointSource>(checkpoint, nullptr);
}

std::unique_ptr<RunSource> quantizedSource(const Checkpoint &checkpoint,
                                           const QuantTensors &tensors) {
  return std::make_unique<CheckpointSource>(checkpoint, &tensors);
}

} // namespace quartet
