// Gives the values of weights out of a GGUF model: decodes row by row, undoes
// what the converter did, and rounds to the weight's type. Needs memory for two
// rows per thread.
#include "compiler/import/Convert.h"
#include "compiler/import/RunSource.h"
#include "compiler/import/StrictJson.h"
#include "compiler/import/gguf/GgufBlocks.h"
#include "compiler/import/gguf/GgufOwn.h"
#include "compiler/import/gguf/GgufTensors.h"
#include "compiler/import/quantized/WidenRows.h"
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

  std::optional<OwnTensor> ownTensor(StringRef tensor) const override {
    auto found = tensors.views.find(tensor);
    if (found == tensors.views.end())
      return std::nullopt;
    const GgufView &view = found->second;
    const GgufOwn *own = ggufOwn(view.tensor->type);
    if (!own || view.change != GgufChange::None)
      return std::nullopt;
    OwnTensor result = {ggufTypeName(view.tensor->type), own->kept, ""};
    if (!keepsGroups(view, own->exact.group)) {
      result.format = requantized;
      result.loss = "requantized, as heads are not whole groups of columns";
    } else if (own->kept != own->exact) {
      result.loss = "block scales rounded to 16 bits";
    }
    return result;
  }

  Error readOwnRows(StringRef tensor, int64_t firstRow, int64_t rows,
                    QuantizedRows &out) override {
    auto found = tensors.views.find(tensor);
    if (found == tensors.views.end() || !ownTensor(tensor) || firstRow < 0 ||
        rows > found->second.rows - firstRow)
      return RunSource::readOwnRows(tensor, firstRow, rows, out);
    const GgufView &view = found->second;
    const GgufOwn &own = *ggufOwn(view.tensor->type);
    if (!keepsGroups(view, own.exact.group))
      return requantize(view, firstRow, rows, out);
    out.reset(own.exact, rows, view.columns);
    QuantizedRows stored; // one row in the file's order of columns
    stored.reset(own.exact, 1, view.columns);
    for (int64_t i = 0; i < rows; ++i) {
      const GgufType &type = *ggufType(view.tensor->type);
      own.decode(rowInFile(view, firstRow + i), stored.values.data(),
                 stored.scales.data(),
                 stored.zeros.empty() ? nullptr : stored.zeros.data(),
                 view.columns / type.blockElements);
      for (const std::vector<float> *numbers : {&stored.scales, &stored.zeros})
        for (float number : *numbers)
          if (!std::isfinite(number))
            return fail(view, "row " + Twine(view.rowInFile(firstRow + i)) +
                                  " has a block scale of " +
                                  std::to_string(number) +
                                  ", expected a finite number");
      placeGroups(view, stored, out, i);
    }
    release(view, firstRow * view.columns, (firstRow + rows) * view.columns);
    return Error::success();
  }

  /// What rows are rounded to when their groups are torn apart.
  static constexpr PackedFormat requantized = {
      ValueType::INT8, 32, ScaleType::F16, ZeroKind::None, Codebook::None};

  /// Does the order of columns move whole groups of \p group?
  static bool keepsGroups(const GgufView &view, int64_t group) {
    if (!view.columnOrder)
      return true;
    const std::vector<int64_t> &order = *view.columnOrder;
    for (size_t i = 0; i < order.size(); ++i)
      if (order[i] % group != int64_t(i) % group ||
          order[i] / group != order[i - i % size_t(group)] / group)
        return false;
    return true;
  }

  /// One row to row \p row of \p out, in the checkpoint's order of columns.
  static void placeGroups(const GgufView &view, const QuantizedRows &stored,
                          QuantizedRows &out, int64_t row) {
    int64_t group = out.format.group;
    for (int64_t g = 0; g < out.groups; ++g) {
      int64_t from =
          view.columnOrder ? (*view.columnOrder)[size_t(g * group)] / group : g;
      std::copy_n(stored.values.begin() + from * group, group,
                  out.values.begin() + row * out.columns + g * group);
      out.scales[size_t(row * out.groups + g)] = stored.scales[size_t(from)];
      if (!stored.zeros.empty())
        out.zeros[size_t(row * out.groups + g)] = stored.zeros[size_t(from)];
    }
  }

  Error requantize(const GgufView &view, int64_t firstRow, int64_t rows,
                   QuantizedRows &out) const {
    std::vector<float> values(size_t(rows * view.columns));
    if (Error error =
            readView(view, firstRow * view.columns, rows * view.columns,
                     Dtype::F32, reinterpret_cast<uint8_t *>(values.data())))
      return error;
    for (float value : values)
      if (!std::isfinite(value))
        return fail(view, "value " + std::to_string(value) +
                              " found, expected a finite number");
    out.reset(requantized, rows, view.columns);
    if (quantizeToInt8(values.data(), out))
      return Error::success();
    return fail(view, "values from row " + Twine(firstRow) +
                          " on are too large for int8 with scales of f16");
  }

  const uint8_t *rowInFile(const GgufView &view, int64_t row) const {
    const GgufType &type = *ggufType(view.tensor->type);
    uint64_t rowBytes =
        uint64_t(view.columns / type.blockElements * type.blockBytes);
    return model.data(*view.tensor).data() +
           uint64_t(view.rowInFile(row)) * rowBytes;
  }

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
                 Dtype dtype, uint8_t *out) const {
    const GgufType &type = *ggufType(view.tensor->type);
    int64_t columns = view.columns, size = byteSize(dtype);
    std::vector<float> row(static_cast<size_t>(columns)), ordered;
    for (int64_t done = 0; done < count;) {
      int64_t index = (begin + done) / columns,
              column = (begin + done) % columns;
      int64_t length = std::min(columns - column, count - done);
      type.decode(rowInFile(view, index), row.data(),
                  columns / type.blockElements);
      std::vector<float> &values = view.columnOrder ? ordered : row;
      if (view.columnOrder)
        putInOrder(*view.columnOrder, row, ordered);
      if (Error error = undo(view, values))
        return error;
      int64_t overflow = convertElements(
          Dtype::F32, reinterpret_cast<const uint8_t *>(values.data() + column),
          dtype, out + done * size, length);
      if (overflow >= 0)
        return fail(
            view, "value " + std::to_string(values[size_t(column + overflow)]) +
                      " found, expected at most " + largest(dtype));
      done += length;
    }
    release(view, begin, begin + count);
    return Error::success();
  }

  /// A row in the checkpoint's order of columns.
  static void putInOrder(const std::vector<int64_t> &order,
                         const std::vector<float> &row,
                         std::vector<float> &ordered) {
    ordered.resize(row.size());
    for (size_t i = 0; i < row.size(); ++i)
      ordered[i] = row[size_t(order[i])];
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
  void release(const GgufView &view, int64_t begin, int64_t end) const {
    const GgufType &type = *ggufType(view.tensor->type);
    uint64_t rowBytes =
        uint64_t(view.columns / type.blockElements * type.blockBytes);
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

std::unique_ptr<RunSource> ggufSource(const GgufModel &model,
                                      const GgufTensors &tensors) {
  return std::make_unique<GgufSource>(model, tensors);
}

} // namespace quartet
