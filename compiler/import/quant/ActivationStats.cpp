// Reads statistics as hostile input, as any safetensors file, and makes them
// weights.
#include "compiler/import/quant/ActivationStats.h"
#include "compiler/import/PackPlan.h"
#include "compiler/import/Safetensors.h"
#include "compiler/import/StrictJson.h"
#include <cmath>
#include <cstring>

using namespace llvm;
using namespace quartet;

/// Added to each column, as a part of the row's mean: a column that calibration
/// did not see must not take any error.
static constexpr double kFloor = 1e-3;

Expected<ActivationStats> ActivationStats::open(StringRef path) {
  auto file = MemoryBuffer::getFile(path, /*IsText=*/false,
                                    /*RequiresNullTerminator=*/false);
  if (!file)
    return createStringError(
        file.getError(),
        path + ": cannot read the file: " + file.getError().message());
  ArrayRef<uint8_t> bytes(
      reinterpret_cast<const uint8_t *>((*file)->getBufferStart()),
      (*file)->getBufferSize());
  auto header = parseSafetensors(bytes, path);
  if (!header)
    return header.takeError();
  ActivationStats stats;
  stats.path = path.str();
  for (const StoredTensor &tensor : header->tensors) {
    auto fail = [&](const Twine &message) {
      return createStringError(path + ": tensor '" + printable(tensor.name) +
                               "': " + message);
    };
    if (tensor.dtype != "F32" || tensor.shape.empty() || !tensor.bytes)
      return fail("type " + tensor.dtype + " of shape with " +
                  Twine(tensor.shape.size()) +
                  " dimensions found, expected F32 [columns] or "
                  "[experts, columns], not empty");
    Table &table = stats.tables[tensor.name];
    table.shape = tensor.shape;
    table.values.resize(tensor.bytes / sizeof(float));
    std::memcpy(table.values.data(),
                bytes.data() + header->dataStart + tensor.offset, tensor.bytes);
    size_t columns = size_t(tensor.shape.back());
    for (size_t row = 0; row < table.values.size(); row += columns) {
      double sum = 0;
      for (size_t i = row; i < row + columns; ++i) {
        float value = table.values[i];
        if (!(value >= 0) || std::isinf(value))
          return fail("value " + std::to_string(value) + " at " + Twine(i) +
                      " found, expected a mean square: finite, at least 0");
        sum += value;
      }
      // With a mean of one, the smallest weight stays a normal number.
      double mean = sum / double(columns);
      for (size_t i = row; mean > 0 && i < row + columns; ++i)
        table.values[i] = float(table.values[i] / mean + kFloor);
    }
  }
  return stats;
}

/// The statistics' shape for a weight, before dimensions are left out.
static std::vector<int64_t> fullShape(const Weight &weight) {
  std::vector<int64_t> shape = weight.shape;
  shape.erase(shape.end() - 2); // rows
  return shape;
}

Error ActivationStats::check(const WeightPlan &weights) const {
  StringMap<const Weight *> byName;
  for (const Weight &weight : weights.weights)
    byName[weight.name] = &weight;
  for (const auto &entry : tables) {
    auto fail = [&](const Twine &message) {
      return createStringError(path + ": tensor '" + printable(entry.getKey()) +
                               "': " + message);
    };
    const Weight *weight = byName.lookup(entry.getKey());
    if (!weight || weight->shape.size() < 2)
      return fail("the model has no matrix of this name");
    std::vector<int64_t> full = fullShape(*weight);
    ArrayRef<int64_t> found = entry.getValue().shape;
    if (found.size() > full.size() ||
        ArrayRef<int64_t>(full).take_back(found.size()) != found) {
      auto text = [](ArrayRef<int64_t> shape) {
        std::string list;
        for (int64_t extent : shape)
          list += (list.empty() ? "" : ", ") + std::to_string(extent);
        return "[" + list + "]";
      };
      return fail("shape " + text(found) + " found, expected " + text(full) +
                  " or its last dimensions");
    }
  }
  return Error::success();
}

ArrayRef<float> ActivationStats::columnWeights(const Weight &weight,
                                               int64_t repeat,
                                               int64_t expert) const {
  auto entry = tables.find(weight.name);
  if (entry == tables.end())
    return {};
  const Table &table = entry->getValue();
  MatrixShape shape = matrixShape(weight);
  // The leading dimensions that the table has are the innermost ones.
  int64_t rows = int64_t(table.values.size()) / shape.columns;
  int64_t row = (repeat * shape.experts + expert) % rows;
  ArrayRef<float> values =
      ArrayRef<float>(table.values)
          .slice(size_t(row * shape.columns), size_t(shape.columns));
  bool seen = values.front() > 0; // kFloor is everywhere, or nowhere
  return seen ? values : ArrayRef<float>();
}
