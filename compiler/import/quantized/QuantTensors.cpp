// Which tensors belong to which matrix follows from their names; how the matrix
// is quantized from their types and shapes, which the config must confirm.
#include "compiler/import/quantized/QuantTensors.h"
#include "compiler/import/StrictJson.h"
#include "compiler/import/quantized/QuantNames.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"

using namespace llvm;

namespace quartet {
using namespace quantnames;
namespace {

using Shape = std::vector<int64_t>;

constexpr size_t maxListed = 20;

std::string shapeText(ArrayRef<int64_t> shape) {
  return "[" +
         join(map_range(shape, [](int64_t d) { return std::to_string(d); }),
              ", ") +
         "]";
}

int64_t elementCount(ArrayRef<int64_t> shape) {
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  return count;
}

class Mapper {
public:
  Mapper(const Checkpoint &checkpoint, const QuantConfig &config, bool mtp)
      : checkpoint(checkpoint), config(config), mtp(mtp) {}

  Expected<QuantTensors> run();

private:
  const Checkpoint &checkpoint;
  const QuantConfig &config;
  bool mtp; ///< multi-token prediction is not set aside
  QuantTensors result;
  std::vector<std::string> problems;
  // The matrix at hand.
  std::array<const StoredTensor *, partCount> parts;
  QuantMatrix matrix;
  bool failed = false;

  void gather();
  void finish();
  void problem(const Twine &text) {
    problems.push_back(text.str());
    failed = true;
  }
  /// The part, which then is used; null and a problem when it is missing or of
  /// another type.
  const StoredTensor *take(Part part, ArrayRef<StringRef> types);
  const StoredTensor *takeIf(Part part, ArrayRef<StringRef> types) {
    return parts[part] ? take(part, types) : nullptr;
  }
  void wrongShape(const StoredTensor &tensor, const Twine &expected) {
    problem("tensor '" + tensor.name + "' has shape " +
            shapeText(tensor.shape) + "; expected " + expected);
  }
  bool hasShape(const StoredTensor *tensor, const Shape &expected);
  /// Slices, if any, rows and the last extent of the codes.
  bool codeShape(int64_t &rows, int64_t &last);
  Shape withSlices(Shape shape) const {
    if (sliced)
      shape.insert(shape.begin(), matrix.slices);
    return shape;
  }
  bool sliced = false;

  void plainCodes(CodeLayout layout, Part scalePart);
  bool scaleGrid(const StoredTensor &scales);
  void wordCodes(CodeLayout layout);
  void packedCodes();
  bool packedShape(int64_t words);
  void fp4(Part codes, Part global);
  bool groups(const StoredTensor &scales, int64_t count);
  void order(Part part);
};

const StoredTensor *Mapper::take(Part part, ArrayRef<StringRef> types) {
  const StoredTensor *tensor = parts[part];
  std::string wanted = join(types, " or ");
  if (!tensor) {
    problem("missing tensor '" + partName(matrix.name, part) + "' (" + wanted +
            ") of the quantized '" + matrix.name + "'");
    return nullptr;
  }
  parts[part] = nullptr;
  result.parts[matrix.name].push_back(tensor->name);
  if (is_contained(types, tensor->dtype))
    return tensor;
  problem("tensor '" + tensor->name + "' has type " + tensor->dtype +
          "; expected " + wanted);
  return nullptr;
}

bool Mapper::hasShape(const StoredTensor *tensor, const Shape &expected) {
  if (!tensor)
    return false;
  if (tensor->shape == expected)
    return true;
  wrongShape(*tensor, shapeText(expected));
  return false;
}

bool Mapper::codeShape(int64_t &rows, int64_t &last) {
  const Shape &shape = matrix.codes->shape;
  sliced = shape.size() == 3;
  if ((shape.size() != 2 && !sliced) ||
      any_of(shape, [](int64_t extent) { return extent < 1; })) {
    wrongShape(*matrix.codes, "two dimensions of at least 1, or three");
    return false;
  }
  matrix.slices = sliced ? shape[0] : 1;
  rows = shape[shape.size() - 2];
  last = shape.back();
  return true;
}

/// Which part of the codes a scale of fp8 or plain int8 is for.
bool Mapper::scaleGrid(const StoredTensor &scales) {
  QuantMatrix &m = matrix;
  auto grid = [&](int64_t rows, int64_t columns, int64_t blockRows,
                  int64_t blockColumns) {
    m.scaleRows = rows;
    m.scaleColumns = columns;
    m.blockRows = blockRows;
    m.blockColumns = blockColumns;
    return true;
  };
  std::string expected;
  auto matches = [&](const Shape &shape) {
    expected += (expected.empty() ? "" : ", ") + shapeText(shape);
    return scales.shape == shape;
  };
  if (config.blockRows) {
    int64_t rows = divideCeil(m.rows, config.blockRows);
    int64_t columns = divideCeil(m.columns, config.blockColumns);
    if (matches(withSlices({rows, columns})))
      return grid(rows, columns, config.blockRows, config.blockColumns);
  }
  if (matches({}) || matches({1})) {
    m.rows *= m.slices; // one scale for all slices
    m.slices = 1;
    return grid(1, 1, m.rows, m.columns);
  }
  if (matches(withSlices({1})) || matches(withSlices({1, 1})) ||
      (sliced && matches({m.slices})))
    return grid(1, 1, m.rows, m.columns);
  if (matches(withSlices({m.rows, 1})) || matches(withSlices({m.rows})))
    return grid(m.rows, 1, 1, m.columns);
  for (const QuantConfig::Integers &form : config.integers) {
    if (m.layout != CodeLayout::Int8 || form.bits != 8 || form.group == 0 ||
        form.group % 16 != 0)
      continue;
    int64_t columns = divideCeil(m.columns, form.group);
    if (matches(withSlices({m.rows, columns})))
      return grid(m.rows, columns, 1, form.group);
  }
  wrongShape(scales, "one of " + expected);
  return false;
}

/// fp8 or int8, one code per element.
void Mapper::plainCodes(CodeLayout layout, Part scalePart) {
  matrix.layout = layout;
  bool isFp8 = layout == CodeLayout::Fp8;
  matrix.kind = isFp8 ? "fp8" : "int8";
  matrix.codes = take(Itself, {isFp8 ? "F8_E4M3" : "I8"});
  matrix.scales = take(scalePart, {"F32", "BF16", "F16"});
  if (!matrix.codes || !matrix.scales ||
      !codeShape(matrix.rows, matrix.columns) || !scaleGrid(*matrix.scales))
    return;
  if (!isFp8)
    matrix.zeros = takeIf(ZeroPoint, {"I8"});
  if (matrix.zeros)
    hasShape(matrix.zeros, matrix.scales->shape);
}

/// The group size of \p count scales per row; one that the config announces.
bool Mapper::groups(const StoredTensor &scales, int64_t count) {
  QuantMatrix &m = matrix;
  m.scaleColumns = count;
  std::string announced;
  for (const QuantConfig::Integers &form : config.integers) {
    int64_t group = form.group ? form.group : m.columns;
    announced += (announced.empty() ? "" : ", or ") +
                 std::to_string(form.bits) + " bits with " +
                 (form.group ? "groups of " + std::to_string(form.group)
                             : std::string("one scale per row"));
    if (form.bits != m.bits || count != int64_t(divideCeil(m.columns, group)))
      continue;
    m.blockColumns = group;
    if (count == 1 || group % 16 == 0)
      return true;
    problem("tensor '" + scales.name + "' has groups of " + Twine(group) +
            "; expected a multiple of 16");
    return false;
  }
  if (!announced.empty()) {
    problem("tensor '" + scales.name + "' has " + Twine(count) +
            " scales for rows of " + Twine(m.columns) + " codes of " +
            Twine(m.bits) + " bits; expected what " + config.file +
            " says: " + announced);
    return false;
  }
  m.blockColumns = m.columns / count;
  if (m.columns % count == 0 && (count == 1 || m.blockColumns % 16 == 0))
    return true;
  problem("tensor '" + scales.name + "' has " + Twine(count) +
          " scales for rows of " + Twine(m.columns) +
          "; expected one for each 16 columns, or a multiple of 16");
  return false;
}

void Mapper::order(Part part) {
  matrix.order = takeIf(part, {"I32"});
  if (!matrix.order)
    return;
  if (matrix.slices != 1)
    problem("tensor '" + matrix.order->name +
            "' found; expected none beside slices of experts");
  else
    hasShape(matrix.order, {matrix.columns});
}

/// GPTQ and AWQ: words along the input or along the output.
void Mapper::wordCodes(CodeLayout layout) {
  QuantMatrix &m = matrix;
  m.layout = layout;
  bool isAwq = layout == CodeLayout::Awq;
  m.codes = take(QWeight, {"I32"});
  m.scales = take(Scales, {"F16", "BF16", "F32"});
  m.zeros = take(QZeros, {"I32"});
  int64_t words, last;
  if (!m.codes || !m.scales || !m.zeros || !codeShape(words, last))
    return;
  m.rows = isAwq ? last * 8 : last;
  const Shape &scaleShape = m.scales->shape, &zeroShape = m.zeros->shape;
  size_t rank = m.codes->shape.size();
  if (scaleShape.size() != rank || scaleShape.back() != m.rows ||
      scaleShape[rank - 2] < 1 || (sliced && scaleShape[0] != m.slices))
    return wrongShape(*m.scales, "groups and " + Twine(m.rows) +
                                     " outputs, as '" + m.codes->name +
                                     "' of shape " + shapeText(m.codes->shape) +
                                     " has in the layout of " +
                                     (isAwq ? "AWQ" : "GPTQ"));
  int64_t count = scaleShape[rank - 2];
  m.bits = zeroShape.size() == rank && zeroShape.back() * 4 == m.rows   ? 8
           : zeroShape.size() == rank && zeroShape.back() * 8 == m.rows ? 4
                                                                        : 0;
  if (m.bits == 0 || (isAwq && m.bits != 4))
    return wrongShape(
        *m.zeros, shapeText(withSlices({count, m.rows / 8})) +
                      (isAwq ? ""
                             : " (4 bits) or " +
                                   shapeText(withSlices({count, m.rows / 4})) +
                                   " (8 bits)"));
  if (!hasShape(m.zeros, withSlices({count, m.rows * m.bits / 32})))
    return;
  m.columns = isAwq ? words : words * (32 / m.bits);
  m.kind = (isAwq ? "AWQ int" : "GPTQ int") + std::to_string(m.bits);
  m.zeroAdded = !isAwq && config.zerosLessOne ? 1 : 0;
  m.scaleRows = m.rows;
  if (groups(*m.scales, count))
    order(GIdx);
}

/// Rows, columns and bits of packed codes, whose last extent is \p words.
bool Mapper::packedShape(int64_t words) {
  QuantMatrix &m = matrix;
  const StoredTensor *shape = take(ShapeOf, {"I64", "I32"});
  if (!shape)
    return false;
  int64_t count = elementCount(shape->shape);
  if (shape->shape.size() != 1 || (count != 2 && !(sliced && count == 3)))
    return wrongShape(*shape, "[2]"), false;
  ArrayRef<uint8_t> data = checkpoint.data(shape->name);
  auto entry = [&](int64_t i) {
    return shape->dtype == "I64"
               ? int64_t(support::endian::read64le(data.data() + 8 * i))
               : int32_t(support::endian::read32le(data.data() + 4 * i));
  };
  int64_t rows = entry(count - 2), columns = entry(count - 1);
  m.columns = columns;
  if (rows == m.rows && columns > 0 && columns <= words * 8)
    for (int64_t bits : {4, 8})
      if (int64_t(divideCeil(columns * bits, 32)) == words &&
          (config.integers.empty() ||
           any_of(config.integers,
                  [&](const auto &form) { return form.bits == bits; }))) {
        m.bits = bits;
        return true;
      }
  problem("tensor '" + shape->name + "' holds [" + Twine(rows) + ", " +
          Twine(columns) + "]; expected the rows and columns of '" +
          m.codes->name + "', whose shape is " + shapeText(m.codes->shape));
  return false;
}

/// compressed-tensors: words along the input of each row.
void Mapper::packedCodes() {
  QuantMatrix &m = matrix;
  m.layout = CodeLayout::Packed;
  m.codes = take(Packed, {"I32"});
  m.scales = take(Scale, {"BF16", "F16", "F32"});
  int64_t words;
  if (!m.codes || !m.scales || !codeShape(m.rows, words) || !packedShape(words))
    return;
  m.kind = "packed int" + std::to_string(m.bits);
  m.scaleRows = m.rows;
  int64_t count = m.scales->shape.empty() ? 0 : m.scales->shape.back();
  if (m.scales->shape != withSlices({m.rows, count}) || count < 1)
    return wrongShape(*m.scales, Twine(m.rows) + " rows with a scale for each "
                                                 "group");
  if (!groups(*m.scales, count))
    return;
  m.zeros = takeIf(ZeroPoint, {"I32"});
  if (m.zeros)
    hasShape(m.zeros,
             withSlices({int64_t(divideCeil(m.rows * m.bits, 32)), count}));
  order(WeightGIdx);
}

/// NVFP4 and MXFP4.
void Mapper::fp4(Part codes, Part global) {
  QuantMatrix &m = matrix;
  m.layout = CodeLayout::Fp4;
  m.codes = take(codes, {"U8"});
  m.scales = take(Scale, {"F8_E4M3", "U8", "F8_E8M0"});
  int64_t bytes;
  if (!m.codes || !m.scales || !codeShape(m.rows, bytes))
    return;
  m.columns = bytes * 2;
  m.bits = 4;
  m.scaleRows = m.rows;
  bool isNv = m.scales->dtype == "F8_E4M3";
  m.kind = isNv ? "NVFP4" : "MXFP4";
  m.blockColumns = isNv ? 16 : 32;
  m.scaleColumns = divideCeil(m.columns, m.blockColumns);
  if (!hasShape(m.scales, withSlices({m.rows, m.scaleColumns})) || !isNv)
    return;
  m.globalDivides = global == GlobalScale;
  m.global = take(global, {"F32"});
  if (!m.global)
    return;
  int64_t count = elementCount(m.global->shape);
  if (count != 1 && count != m.slices)
    wrongShape(*m.global, sliced ? "[1] or " + shapeText({m.slices}) : "[1]");
}

/// Turns the parts into an entry of the table.
void Mapper::finish() {
  const StoredTensor *plain = parts[Itself];
  StringRef type = plain ? StringRef(plain->dtype) : "";
  bool words = parts[QWeight] || parts[QZeros] || parts[Scales] || parts[GIdx];
  failed = false;
  switch (config.method) {
  case QuantMethod::None:
    break;
  case QuantMethod::Fp8:
    if (type == "F8_E4M3" || parts[ScaleInv])
      plainCodes(CodeLayout::Fp8,
                 parts[Scale] && !parts[ScaleInv] ? Scale : ScaleInv);
    break;
  case QuantMethod::Gptq:
  case QuantMethod::Awq:
    if (words)
      wordCodes(config.method == QuantMethod::Awq ? CodeLayout::Awq
                                                  : CodeLayout::Gptq);
    break;
  case QuantMethod::CompressedTensors:
    if (parts[Packed] && parts[Packed]->dtype == "U8")
      fp4(Packed, GlobalScale);
    else if (parts[Packed] || parts[ShapeOf])
      packedCodes();
    else if (type == "F8_E4M3" || type == "I8" || parts[Scale])
      plainCodes(type == "I8" ? CodeLayout::Int8 : CodeLayout::Fp8, Scale);
    break;
  case QuantMethod::ModelOpt:
    if (type == "U8" || parts[Scale2])
      fp4(Itself, Scale2);
    else if (type == "F8_E4M3" || parts[Scale])
      plainCodes(CodeLayout::Fp8, Scale);
    break;
  }
  if (failed)
    return; // the parts that were not come to are no problem of their own
  for (const StoredTensor *left : ArrayRef(parts).drop_front())
    if (left)
      problem("unknown tensor '" + left->name + "' (" + left->dtype + " " +
              shapeText(left->shape) + ") beside " +
              (matrix.codes ? matrix.kind : std::string("no quantized")) +
              " '" + matrix.name + "'; a checkpoint of " + config.name +
              " has no such tensor there");
  if (matrix.codes && parts[Itself])
    problem("tensors '" + matrix.codes->name + "' and '" + matrix.name +
            "' are both there; expected one of them");
  StringRef module = matrix.name;
  module.consume_back(".weight");
  if (matrix.codes && config.plainModules.count(module))
    problem("tensor '" + matrix.codes->name + "' is quantized (" +
            matrix.codes->dtype + "); expected a plain one because " +
            config.file + " lists '" + module + "' in " + config.plainField);
  if (failed)
    return;
  if (matrix.codes) {
    int64_t rows = matrix.rows, slices = matrix.slices;
    if (sliced && slices == 1 && matrix.codes->shape[0] != 1) {
      slices = matrix.codes->shape[0]; // one scale for all
      rows /= slices;
    }
    Shape shape = {rows, matrix.columns};
    if (sliced)
      shape.insert(shape.begin(), slices);
    result.table[matrix.name] = {Dtype::BF16, shape};
    result.matrices[matrix.name] = matrix;
    return;
  }
  if (!plain)
    return;
  auto dtype = StringSwitch<std::optional<Dtype>>(type)
                   .Case("F32", Dtype::F32)
                   .Case("F16", Dtype::F16)
                   .Case("BF16", Dtype::BF16)
                   .Default(std::nullopt);
  if (!dtype)
    return problem("tensor '" + plain->name + "' has type " + type +
                   "; expected F32, F16 or BF16, as it is no quantized matrix "
                   "of " +
                   config.name);
  result.table[plain->name] = {*dtype, plain->shape};
}

void Mapper::gather() {
  std::map<std::string, std::array<const StoredTensor *, partCount>> all;
  for (const StoredTensor &tensor : checkpoint.tensors()) {
    if (!setAsideByName(tensor.name, mtp).empty()) {
      result.table[tensor.name] = {Dtype::BF16, tensor.shape};
      continue;
    }
    if (isActivationScale(tensor.name)) {
      result.setAside.push_back({tensor.name, "scale of activations"});
      continue;
    }
    auto [name, part] = matrixOf(tensor.name);
    all.try_emplace(name).first->second[part] = &tensor;
  }
  for (auto &[name, found] : all) {
    parts = found;
    matrix = QuantMatrix();
    matrix.name = name;
    sliced = false;
    finish();
  }
}

Expected<QuantTensors> Mapper::run() {
  gather();
  if (problems.empty())
    return std::move(result);
  std::string text = "the checkpoint does not fit the " + config.name +
                     " quantization of " + config.file + ":";
  for (const std::string &problem : ArrayRef(problems).take_front(maxListed))
    text += "\n  " + printable(problem, 400);
  if (problems.size() > maxListed)
    text += "\n  and " + std::to_string(problems.size() - maxListed) + " more";
  return createStringError(text);
}

} // namespace

Expected<QuantTensors> mapQuantTensors(const Checkpoint &checkpoint,
                                       const QuantConfig &config, bool mtp) {
  return Mapper(checkpoint, config, mtp).run();
}

Error analyzePlanned(const Checkpoint &checkpoint, const WeightPlan &plan,
                     QuantTensors &tensors) {
  StringSet<> done;
  for (const Weight &weight : plan.weights)
    for (const Run &run : weight.runs) {
      auto it = tensors.matrices.find(run.tensor);
      if (it == tensors.matrices.end() || !done.insert(run.tensor).second)
        continue;
      if (Error error = analyze(checkpoint, it->second))
        return error;
    }
  return Error::success();
}

} // namespace quartet
