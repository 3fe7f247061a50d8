// Layouts as in the PTX manual ("Matrix fragments for mma.m16n8k32") and in
// AMD's manuals of CDNA 3, RDNA 3 and RDNA 4.
#include "targets/gpu/MatrixUnit.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/LLVMIR/ROCDLDialect.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

MatrixUnit::MatrixUnit(DeviceBuilder &k, MatrixElement element)
    : element(element), k(k) {
  MatrixFamily family = k.machine.matrix;
  bool isMma = family == MatrixFamily::Mma;
  rowsPerLane = isMma ? 2 : 1;
  kLanes = family == MatrixFamily::Wmma11   ? 1
           : family == MatrixFamily::Wmma12 ? 2
                                            : 4;
  int64_t columns =
      element == MatrixElement::Int8 ? k.machine.int8K : k.machine.bf16K;
  kWords = columns / (element == MatrixElement::Int8 ? 4 : 2) / kLanes;
  together = 4 / rowsPerLane;
  tilePanels = together;
  tokens = isMma ? 8 : 16;
  elements = isMma || family == MatrixFamily::Mfma ? 4 : 8;
  tokenPlaces = isMma ? 2 : 1;
  rowPlaces = isMma ? 1 : elements;

  V lane = k.lane();
  V rowLane = isMma ? lane >> 2 : lane & 15;
  rowPanel = rowLane >> 2;
  rowQuad = rowLane & 3;
  kLane = isMma ? lane & 3 : kLanes == 1 ? k.i64(0) : lane >> 4;
  token = rowLane;
}

MatrixUnit::Place MatrixUnit::rowPlace(int64_t place) const {
  V high = k.lane() >> 4;
  switch (k.machine.matrix) {
  case MatrixFamily::Mma:
    return {rowPanel, rowQuad};
  case MatrixFamily::Mfma: // row 4 * high + place of each instruction
    return {high, k.i64(place)};
  case MatrixFamily::Wmma11: // row 2 * place + high
    return {k.i64(place / 2), high + 2 * (place % 2)};
  case MatrixFamily::Wmma12: // row 8 * high + place
    return {high * 2 + place / 4, k.i64(place % 4)};
  }
  return {};
}

V MatrixUnit::resultToken(int64_t place) const {
  return k.machine.matrix == MatrixFamily::Mma ? kLane * 2 + place : token;
}

Type MatrixUnit::sumElement() const {
  return element == MatrixElement::Int8 ? k.i32() : k.f32();
}

MatrixUnit::Sum MatrixUnit::zero() const {
  if (k.machine.matrix == MatrixFamily::Mma)
    return Sum(elements, k.zero(sumElement()));
  return {k.zero(k.vec(elements, sumElement()))};
}

MatrixUnit::Sum MatrixUnit::fromElements(ArrayRef<V> values) const {
  if (k.machine.matrix == MatrixFamily::Mma)
    return Sum(values);
  V vector = k.zero(k.vec(elements, sumElement()));
  for (auto [i, value] : llvm::enumerate(values))
    vector = k.insert(value, vector, int64_t(i));
  return {vector};
}

V MatrixUnit::elementAt(const Sum &sum, int64_t index) const {
  return sum.size() > 1 ? sum[index] : k.extract(sum[0], index);
}

/// Where in instruction `row / rowsPerLane` the result of a quad's \p row is.
int64_t MatrixUnit::elementOf(int64_t row, int64_t rowPlace,
                              int64_t tokenPlace) const {
  return rowsPerLane == 2 ? 2 * (row % 2) + tokenPlace : rowPlace;
}

V MatrixUnit::quad(ArrayRef<Sum> sums, int64_t rowPlace,
                   int64_t tokenPlace) const {
  V rows = k.zero(k.vec(4, sumElement()));
  for (int64_t row = 0; row < 4; ++row)
    rows = k.insert(elementAt(sums[row / rowsPerLane],
                              elementOf(row, rowPlace, tokenPlace)),
                    rows, row);
  return rows;
}

SmallVector<MatrixUnit::Sum> MatrixUnit::sumsOf(ArrayRef<V> quads) const {
  SmallVector<SmallVector<V>> values(together, SmallVector<V>(elements));
  for (int64_t p = 0; p < rowPlaces; ++p)
    for (int64_t t = 0; t < tokenPlaces; ++t)
      for (int64_t row = 0; row < 4; ++row)
        values[row / rowsPerLane][elementOf(row, p, t)] =
            k.extract(quads[p * tokenPlaces + t], row);
  SmallVector<Sum> sums;
  for (ArrayRef<V> each : values)
    sums.push_back(fromElements(each));
  return sums;
}

SmallVector<V> MatrixUnit::operandA(int64_t index, ArrayRef<V> words) const {
  SmallVector<V> operand;
  for (V word : words)
    for (int64_t row = 0; row < rowsPerLane; ++row)
      operand.push_back(k.extract(word, index * rowsPerLane + row));
  return operand;
}

MatrixUnit::Sum MatrixUnit::multiplyMma(ArrayRef<V> a, ArrayRef<V> b,
                                        const Sum &sum) const {
  bool bytes = element == MatrixElement::Int8;
  auto type = bytes ? NVVM::MMATypes::s8 : NVVM::MMATypes::bf16;
  std::optional<NVVM::MMAIntOverflow> overflow;
  if (bytes)
    overflow = NVVM::MMAIntOverflow::wrapped;
  SmallVector<Type> results(elements, sumElement());
  SmallVector<Value> aWords(a.begin(), a.end()), bWords(b.begin(), b.end()),
      sums(sum.begin(), sum.end());
  auto op = NVVM::MmaOp::create(
      k.b, LLVM::LLVMStructType::getLiteral(k.b.getContext(), results), aWords,
      bWords, sums, ArrayRef<int64_t>{16, 8, bytes ? 32 : 16}, std::nullopt,
      overflow, std::array<NVVM::MMATypes, 2>{type, type},
      std::array<NVVM::MMALayout, 2>{NVVM::MMALayout::row,
                                     NVVM::MMALayout::col});
  Sum result;
  for (int64_t i = 0; i < elements; ++i)
    result.push_back(k.wrap(LLVM::ExtractValueOp::create(k.b, op.getRes(), i)));
  return result;
}

MatrixUnit::Sum MatrixUnit::multiplyMfma(V a, V b, const Sum &sum) const {
  Type type = sum[0].type();
  Value none = k.i32(0); // no broadcasts
  SmallVector<Value> operands{a, b, sum[0], none, none, none};
  auto emit = [&](auto op) { return Sum{k.wrap(op.getRes())}; };
  if (element == MatrixElement::Int8) {
    if (kWords == 1)
      return emit(ROCDL::mfma_i32_16x16x16i8::create(k.b, type, operands));
    if (kWords == 2)
      return emit(ROCDL::mfma_i32_16x16x32_i8::create(k.b, type, operands));
    return emit(ROCDL::mfma_i32_16x16x64_i8::create(k.b, type, operands));
  }
  if (kWords == 2)
    return emit(ROCDL::mfma_f32_16x16x16bf16_1k::create(k.b, type, operands));
  return emit(ROCDL::mfma_f32_16x16x32_bf16::create(k.b, type, operands));
}

MatrixUnit::Sum MatrixUnit::multiplyWmma(V a, V b, const Sum &sum) const {
  Type type = sum[0].type();
  if (element == MatrixElement::Int8)
    return {k.wrap(ROCDL::wmma_i32_16x16x16_iu8::create(
                       k.b, type, /*signA=*/true, a, /*signB=*/true, b, sum[0],
                       /*clamp=*/false)
                       .getRes())};
  return {k.wrap(
      ROCDL::wmma_f32_16x16x16_bf16::create(k.b, type, a, b, sum[0]).getRes())};
}

MatrixUnit::Sum MatrixUnit::multiply(ArrayRef<V> a, ArrayRef<V> b,
                                     const Sum &sum) const {
  if (k.machine.matrix == MatrixFamily::Mma)
    return multiplyMma(a, b, sum);
  bool isMfma = k.machine.matrix == MatrixFamily::Mfma;
  // The type of the registers of A and B in the op.
  int64_t words = int64_t(a.size());
  Type type;
  if (element == MatrixElement::Int8)
    type = isMfma && words == 1   ? k.i32()
           : isMfma && words == 2 ? k.i64()
                                  : Type(k.vec(words, k.i32()));
  else
    type = k.vec(2 * words, isMfma && words == 4 ? k.bf16() : k.i16());
  auto join = [&](ArrayRef<V> words) {
    if (words.size() == 1)
      return words[0];
    V vector = k.zero(k.vec(words.size(), k.i32()));
    for (auto [i, word] : llvm::enumerate(words))
      vector = k.insert(word, vector, int64_t(i));
    return vector.type() == type ? vector : k.bitcast(vector, type);
  };
  V joinedA = join(a), joinedB = join(b);
  return isMfma ? multiplyMfma(joinedA, joinedB, sum)
                : multiplyWmma(joinedA, joinedB, sum);
}
