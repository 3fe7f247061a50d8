// Gives the values of weights out of a GGUF model: decodes row by row, undoes
// what the converter did, and rounds to the weight's type. Needs memory for two
// rows.
#include "compiler/import/Convert.h"
#include "compiler/import/RunSource.h"
#include "compiler/import/StrictJson.h"
#include "compiler/import/gguf/GgufBlocks.h"
#include "compiler/import/gguf/GgufTensors.h"
#include <algorithm>
#include <cmath>

using namespace llvm;

namespace quartet {

float undoNegExp(float stored) {
  double wanted = -double(stored);
  float exact = float(std::log(wanted));
  float rounded = bf16ToFloat(floatToBf16(exact));
  // One unit in the last place: the converter's exp need not be correctly
  // rounded.
  float given = float(std::exp(double(rounded)));
  bool reproduces = given >= std::nextafter(-stored, 0.0f) &&
                    given <= std::nextafter(-stored, INFINITY);
  return reproduces ? rounded : exact;
}

namespace {

class GgufSource final : public RunSource {
public:
  GgufSource(const GgufModel &model, const GgufTensors &tensors)
      : model(model), tensors(tensors) {}

private:
  const GgufModel &model;
  const GgufTensors &tensors;
  std::vector<float> row, ordered;

  Error readRun(const Weight &weight, const Run &run, int64_t skip,
                int64_t count, uint8_t *out) override {
    auto view = tensors.views.find(run.tensor);
    if (view == tensors.views.end())
      return createStringError("weight '" + weight.name + "': tensor '" +
                               printable(run.tensor) +
                               "' not found in the GGUF, expected it");
    return readView(view->second, run.offset + skip, count, weight.dtype, out);
  }

  Error fail(const GgufView &view, const Twine &message) const {
    return createStringError(model.fileOf(*view.tensor) + ": tensor '" +
                             printable(view.tensor->name) + "': " + message);
  }

  /// Elements [begin, begin + count) of the checkpoint's tensor.
  Error readView(const GgufView &view, int64_t begin, int64_t count,
                 Dtype dtype, uint8_t *out) {
    const GgufType &type = *ggufType(view.tensor->type);
    int64_t columns = view.columns, size = byteSize(dtype);
    uint64_t rowBytes =
        uint64_t(columns / type.blockElements * type.blockBytes);
    const uint8_t *data = model.data(*view.tensor).data();
    for (int64_t done = 0; done < count;) {
      int64_t index = (begin + done) / columns,
              column = (begin + done) % columns;
      int64_t length = std::min(columns - column, count - done);
      row.resize(size_t(columns));
      type.decode(data + uint64_t(view.rowInFile(index)) * rowBytes, row.data(),
                  columns / type.blockElements);
      const float *values = inOrder(view);
      if (Error error = undo(view, row.data() == values ? row : ordered))
        return error;
      int64_t overflow = convertElements(
          Dtype::F32, reinterpret_cast<const uint8_t *>(values + column), dtype,
          out + done * size, length);
      if (overflow >= 0)
        return fail(view, "value " + std::to_string(values[column + overflow]) +
                              " found, expected at most " + largest(dtype));
      done += length;
    }
    release(view, begin, begin + count, rowBytes);
    return Error::success();
  }

  /// The row in the checkpoint's order of columns.
  const float *inOrder(const GgufView &view) {
    if (!view.columnOrder)
      return row.data();
    ordered.resize(row.size());
    for (size_t i = 0; i < row.size(); ++i)
      ordered[i] = row[size_t((*view.columnOrder)[i])];
    return ordered.data();
  }

  Error undo(const GgufView &view, std::vector<float> &values) const {
    if (view.change == GgufChange::PlusOne)
      for (float &value : values)
        value = undoPlusOne(value);
    if (view.change == GgufChange::NegExp)
      for (float &value : values) {
        if (!(value < 0 && std::isfinite(value)))
          return fail(view, "value " + std::to_string(value) +
                                " found, expected a negative number: the "
                                "decay, -exp(A_log)");
        value = undoNegExp(value);
      }
    return Error::success();
  }

  /// Lets go of the pages that elements [begin, end) came from; rows in another
  /// order only when the whole tensor is read.
  void release(const GgufView &view, int64_t begin, int64_t end,
               uint64_t rowBytes) const {
    if (!view.rowOrder)
      return model.release(
          *view.tensor,
          uint64_t(view.firstRow + begin / view.columns) * rowBytes,
          uint64_t(view.firstRow + end / view.columns) * rowBytes);
    if (end == view.rows * view.columns)
      model.release(*view.tensor, 0, view.tensor->bytes);
  }
};

} // namespace

std::unique_ptr<WeightSource> ggufSource(const GgufModel &model,
                                         const GgufTensors &tensors) {
  return std::make_unique<GgufSource>(model, tensors);
}

} // namespace quartet
