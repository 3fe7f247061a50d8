// Matrix instructions: registers go to the thread's stack, where the emulator
// reads them, and the sums come back from there.
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/LLVMIR/ROCDLDialect.h"
#include "quartet/emulator.h"
#include "targets/gpu/EmulatorCalls.h"

using namespace mlir;
using namespace quartet::gpu;

/// Places of EmulatorCalls::words.
enum { kA, kB, kC, kD };

/// Stores \p registers one behind the other at \p place. Each is a multiple of
/// 32 bits.
static Value spill(EmulatorCalls &e, int place, ValueRange registers) {
  Value base = e.words(place);
  int64_t offset = 0;
  for (Value value : registers) {
    LLVM::StoreOp::create(e.b, value, e.gep(base, offset), /*alignment=*/4);
    auto vector = dyn_cast<VectorType>(value.getType());
    offset += vector ? vector.getNumElements() *
                           int64_t(vector.getElementTypeBitWidth()) / 8
                     : int64_t(value.getType().getIntOrFloatBitWidth()) / 8;
  }
  return base;
}

/// Words of \p type.
static int64_t wordsOf(Type type) {
  if (auto vector = dyn_cast<VectorType>(type))
    return vector.getNumElements() * int64_t(vector.getElementTypeBitWidth()) /
           32;
  return int64_t(type.getIntOrFloatBitWidth()) / 32;
}

/// Multiplies; the sums are at the place that is returned.
static Value multiply(EmulatorCalls &e, int64_t kind, ValueRange a,
                      ValueRange c, ValueRange sums) {
  Value first = spill(e, kA, a), second = spill(e, kB, c);
  Value start = spill(e, kC, sums), result = e.words(kD);
  e.callAtSite("mma", nullptr,
               {e.constant(e.i32(), kind), first, second, start, result});
  return result;
}

/// The emulator's number of \p op; nothing when it has none.
static std::optional<int64_t> kindOf(NVVM::MmaOp op) {
  auto shape = op.getShape();
  if (shape.getM() != 16 || shape.getN() != 8 || op.getOperandA().empty())
    return std::nullopt;
  Type element = op.getOperandA()[0].getType();
  auto a = op.getMultiplicandAPtxType(), b = op.getMultiplicandBPtxType();
  bool floatSums = op.getOperandC()[0].getType().isF32();
  if (shape.getK() == 16 && floatSums) {
    if (a == NVVM::MMATypes::bf16 && b == NVVM::MMATypes::bf16)
      return QUARTET_EMU_MMA_M16N8K16_BF16;
    auto vector = dyn_cast<VectorType>(element);
    if (vector && vector.getElementType().isF16())
      return QUARTET_EMU_MMA_M16N8K16_F16;
  }
  if (shape.getK() == 32 && b == NVVM::MMATypes::s8) {
    if (a == NVVM::MMATypes::s8)
      return QUARTET_EMU_MMA_M16N8K32_S8_S8;
    if (a == NVVM::MMATypes::u8)
      return QUARTET_EMU_MMA_M16N8K32_U8_S8;
  }
  return std::nullopt;
}

static LogicalResult multiply(EmulatorCalls &e, NVVM::MmaOp op) {
  std::optional<int64_t> kind = kindOf(op);
  if (!kind || op.getLayoutA() != NVVM::MMALayout::row ||
      op.getLayoutB() != NVVM::MMALayout::col)
    return e.fail(op, "of this shape and these types; it knows m16n8k32 of s8 "
                      "or u8 by s8, and m16n8k16 of bf16 or f16 to f32");
  Value place =
      multiply(e, *kind, op.getOperandA(), op.getOperandB(), op.getOperandC());
  e.replace(op, e.loadFields(op.getType(), place));
  return success();
}

namespace {
/// An instruction of AMD's.
struct Instruction {
  StringLiteral name;
  int64_t words; ///< of A: families use the same name
  int64_t kind;
};
} // namespace

static constexpr Instruction kInstructions[] = {
    {"mfma.i32.16x16x16i8", 1, QUARTET_EMU_MFMA_16X16X16_I8},
    {"mfma.i32.16x16x32.i8", 2, QUARTET_EMU_MFMA_16X16X32_I8},
    {"mfma.i32.16x16x64.i8", 4, QUARTET_EMU_MFMA_16X16X64_I8},
    {"mfma.f32.16x16x16bf16.1k", 2, QUARTET_EMU_MFMA_16X16X16_BF16},
    {"mfma.f32.16x16x32.bf16", 4, QUARTET_EMU_MFMA_16X16X32_BF16},
    {"wmma.f32.16x16x16.bf16", 8, QUARTET_EMU_WMMA11_16X16X16_BF16},
    {"wmma.f32.16x16x16.bf16", 4, QUARTET_EMU_WMMA12_16X16X16_BF16},
    {"wmma.i32.16x16x16.iu8", 4, QUARTET_EMU_WMMA11_16X16X16_IU8},
    {"wmma.i32.16x16x16.iu8", 2, QUARTET_EMU_WMMA12_16X16X16_IU8},
};

/// \p kind with A unsigned; nothing when the emulator has it not.
static std::optional<int64_t> unsignedOf(int64_t kind) {
  if (kind == QUARTET_EMU_WMMA11_16X16X16_IU8)
    return QUARTET_EMU_WMMA11_16X16X16_UI8;
  if (kind == QUARTET_EMU_WMMA12_16X16X16_IU8)
    return QUARTET_EMU_WMMA12_16X16X16_UI8;
  return std::nullopt;
}

namespace {
/// The operands of an instruction, whether ROCDL's op or a call.
struct Registers {
  SmallVector<Value, 3> abc;
  bool plain = true; ///< no broadcast, no clamp
  bool signedA = true, signedB = true;
};
} // namespace

static Registers registersOf(Operation *op) {
  Registers found;
  SmallVector<Value> signs;
  for (Value operand : op->getOperands()) {
    // Vectors are registers, and so are A and B of one or two words.
    Type type = operand.getType();
    if (isa<VectorType>(type) || (found.abc.size() < 2 && !type.isInteger(1)))
      found.abc.push_back(operand);
    else if (type.isInteger(1))
      signs.push_back(operand);
    else
      found.plain &= constantOf(operand) == 0;
  }
  if (signs.size() == 3) { // of A, of B, clamp
    found.signedA = constantOf(signs[0]).value_or(0) != 0;
    found.signedB = constantOf(signs[1]).value_or(0) != 0;
    found.plain &= constantOf(signs[2]) == 0;
  }
  if (auto wmma = dyn_cast<ROCDL::wmma_i32_16x16x16_iu8>(op)) {
    found.signedA = wmma.getSignA();
    found.signedB = wmma.getSignB();
    found.plain &= !wmma.getClamp();
  }
  return found;
}

static Translated multiplyAmd(EmulatorCalls &e, Operation *op) {
  StringRef name = amdInstruction(op);
  if (!name.starts_with("mfma.") && !name.starts_with("wmma."))
    return std::nullopt;
  Registers in = registersOf(op);
  if (in.abc.size() != 3)
    return e.fail(op, "with other operands than three registers");
  int64_t words = wordsOf(in.abc[0].getType());
  // An intrinsic's name may end with its types.
  const Instruction *known =
      llvm::find_if(kInstructions, [&](const Instruction &candidate) {
        StringRef rest = name;
        return rest.consume_front(candidate.name) &&
               (rest.empty() || rest.starts_with(".v")) &&
               candidate.words == words;
      });
  if (known == std::end(kInstructions))
    return op->emitError() << "the emulator has no '" << name << "' with "
                           << words << " words of A";
  std::optional<int64_t> kind = known->kind;
  if (!in.signedA)
    kind = unsignedOf(*kind);
  if (!in.plain || !in.signedB || !kind)
    return op->emitError() << "the emulator has no '" << name
                           << "' with broadcasts, clamping or an unsigned B";
  Value place = multiply(e, *kind, in.abc[0], in.abc[1], in.abc[2]);
  e.replace(op, LLVM::LoadOp::create(e.b, op->getResult(0).getType(), place,
                                     /*alignment=*/4)
                    .getResult());
  return success();
}

Translated quartet::gpu::emulateMatrices(EmulatorCalls &e, Operation *op) {
  if (auto mma = dyn_cast<NVVM::MmaOp>(op))
    return multiply(e, mma);
  return multiplyAmd(e, op);
}
