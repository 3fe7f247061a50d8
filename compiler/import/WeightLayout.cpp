// Places the weights in the file without gaps and names the result by a hash.
#include "compiler/import/WeightLayout.h"
#include "compiler/import/StrictJson.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/BLAKE3.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>
#include <numeric>

using namespace llvm;
using namespace quartet;

static constexpr uint64_t alignment = 64; // a cache line, the widest vector
static constexpr uint64_t dataAlignment = 4096; // a page: the file is mapped

StringRef PackedWeight::storedType() const {
  return format ? "U8" : stringify(dtype);
}

std::vector<int64_t> PackedWeight::storedShape() const {
  if (!format)
    return shape;
  return {shape[0], shape[1], panelCount(shape[2]),
          PanelLayout(*format, shape[3]).bytes};
}

std::vector<size_t> quartet::fileOrder(const WeightLayout &layout) {
  std::vector<size_t> order(layout.weights.size());
  std::iota(order.begin(), order.end(), size_t(0));
  // Empty weights share the offset of their successor and come first.
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const PackedWeight &x = layout.weights[a], &y = layout.weights[b];
    return std::tie(x.offset, x.bytes, a) < std::tie(y.offset, y.bytes, b);
  });
  return order;
}

static std::string jsonString(StringRef text) {
  using Json = nlohmann::json;
  return Json(text.str())
      .dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

FileHeader quartet::makeHeader(const WeightLayout &layout,
                               StringRef modelName) {
  FileHeader header;
  std::string &text = header.bytes;
  text.assign(8, '\0');
  text += R"({"__metadata__":{"format":"quartet","quartet.weights_id":")";
  header.weightsIdOffset = text.size();
  text += std::string(64, '0') + R"(","quartet.layout_id":)" +
          jsonString(layout.layoutId) + R"(,"quartet.model":)" +
          jsonString(modelName) + "}";
  for (size_t index : fileOrder(layout)) {
    const PackedWeight &weight = layout.weights[index];
    text += "," + jsonString(weight.name) + R"(:{"dtype":")" +
            weight.storedType().str() + R"(","shape":[)" +
            join(map_range(weight.storedShape(),
                           [](int64_t d) { return std::to_string(d); }),
                 ",") +
            R"(],"data_offsets":[)" + std::to_string(weight.offset) + "," +
            std::to_string(weight.offset + weight.bytes) + "]}";
  }
  text += "}";
  text.resize(alignTo(text.size(), dataAlignment), ' ');
  support::endian::write64le(text.data(), text.size() - 8);
  return header;
}

static PackedWeight place(const PackedMatrix &matrix, const Weight &weight) {
  PackedWeight placed{matrix.name,  weight.dtype, weight.shape,
                      /*offset=*/0, /*bytes=*/0,  matrix.format};
  if (matrix.format)
    placed.shape = {matrix.repeat, matrix.experts, matrix.rows, matrix.columns};
  placed.bytes = matrix.format ? 1 : uint64_t(byteSize(weight.dtype));
  for (int64_t dimension : placed.storedShape())
    placed.bytes = SaturatingMultiply(placed.bytes, uint64_t(dimension));
  return placed;
}

/// What the layout's name depends on: all that a program assumes about the
/// entry.
static std::string describe(const PackedMatrix &matrix,
                            const PackedWeight &weight) {
  std::string line =
      weight.name + " " +
      (weight.format ? weight.format->str() : stringify(weight.dtype).str());
  for (int64_t dimension : weight.shape)
    line += " " + std::to_string(dimension);
  if (!weight.format)
    return line;
  for (const PackedPart &part : matrix.parts) {
    line += "; " + part.source;
    for (int64_t number : {part.sourceRow, part.rows, part.sourceColumn,
                           part.columns, part.row, part.expert, part.experts})
      line += " " + std::to_string(number);
  }
  return line;
}

WeightLayout quartet::layoutWeights(const PackPlan &plan,
                                    const WeightPlan &weights) {
  StringMap<const Weight *> byName;
  for (const Weight &weight : weights.weights)
    byName[weight.name] = &weight;
  WeightLayout layout;
  // A packed matrix may have no parts, then its type is of no weight.
  const Weight none;
  for (const PackedMatrix &matrix : plan)
    layout.weights.push_back(place(
        matrix,
        matrix.parts.empty() ? none : *byName.lookup(matrix.parts[0].source)));
  // Without gaps, a weight starts where the sizes before it end. With the sizes
  // that 64 divides first, then those that 32 divides, and so on, every weight
  // is aligned as far as its own size allows, so at least to its element.
  auto evenness = [&](size_t index) {
    return MinAlign(layout.weights[index].bytes, alignment);
  };
  std::vector<size_t> order(layout.weights.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    uint64_t x = evenness(a), y = evenness(b);
    return x != y ? x > y : a < b;
  });
  // The order of the file is hashed, since offsets follow from it.
  BLAKE3 hash;
  for (size_t index : order) {
    PackedWeight &weight = layout.weights[index];
    weight.offset = layout.dataBytes;
    layout.dataBytes = SaturatingAdd(layout.dataBytes, weight.bytes);
    hash.update(describe(plan[index], weight) + "\n");
  }
  BLAKE3Result<> digest = hash.final();
  layout.layoutId = toHex(ArrayRef<uint8_t>(digest.data(), digest.size()),
                          /*LowerCase=*/true);
  return layout;
}
