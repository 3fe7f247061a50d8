// Products of four bytes with a sum of 32 bits (dp4a, v_dot4): plain
// arithmetic, for no other lane takes part.
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "targets/gpu/EmulatorCalls.h"

using namespace mlir;
using namespace quartet::gpu;

/// sum + a . b of four bytes each (a word or a vector), signed or not.
static Value dot(EmulatorCalls &e, Value a, bool signedA, Value b, bool signedB,
                 Value sum) {
  auto bytes = VectorType::get(4, e.b.getI8Type());
  auto words = VectorType::get(4, e.i32());
  auto widen = [&](Value value, bool isSigned) -> Value {
    Value lanes = e.bits(value, bytes);
    if (isSigned)
      return LLVM::SExtOp::create(e.b, words, lanes);
    return LLVM::ZExtOp::create(e.b, words, lanes);
  };
  Value products =
      LLVM::MulOp::create(e.b, widen(a, signedA), widen(b, signedB));
  Value total = LLVM::vector_reduce_add::create(e.b, e.i32(), products);
  return LLVM::AddOp::create(e.b, total, sum);
}

Translated quartet::gpu::emulateByteDots(EmulatorCalls &e, Operation *op) {
  if (auto four = dyn_cast<NVVM::DotAccumulate4WayOp>(op)) {
    auto isSigned = [](NVVM::DotAccumulateType type) {
      return type == NVVM::DotAccumulateType::SIGNED;
    };
    e.replace(op, dot(e, four.getA(), isSigned(four.getAType()), four.getB(),
                      isSigned(four.getBType()), four.getC()));
    return success();
  }
  StringRef name = amdInstruction(op);
  if (name != "sdot4" && name != "udot4" && name != "sudot4")
    return std::nullopt;
  if (constantOf(op->getOperands().back()) != 0)
    return op->emitError() << "the emulator has no '" << name
                           << "' that clamps its sum";
  auto operand = [&](unsigned i) { return op->getOperand(i); };
  Value sum;
  if (name == "sudot4") // sign of A, A, sign of B, B, sum, clamp
    sum = dot(e, operand(1), constantOf(operand(0)) != 0, operand(3),
              constantOf(operand(2)) != 0, operand(4));
  else
    sum = dot(e, operand(0), name == "sdot4", operand(1), name == "sdot4",
              operand(2));
  e.replace(op, sum);
  return success();
}
