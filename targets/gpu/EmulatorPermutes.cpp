// Bytes picked from two words (prmt, v_perm_b32): plain arithmetic, for no
// other lane takes part.
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "targets/gpu/EmulatorCalls.h"

using namespace mlir;
using namespace quartet::gpu;

/// Byte i of the result is that of \p low (0 to 3) or \p high (4 to 7) which
/// bits \p bits * i .. of \p selector say; where bit 3 of them is set, all of
/// its bits are the byte's highest.
static Value permute(EmulatorCalls &e, Value low, Value high, Value selector,
                     int64_t bits) {
  auto shiftLeft = [&](Value value, Value amount) {
    return LLVM::ShlOp::create(e.b, value, amount).getResult();
  };
  auto shiftRight = [&](Value value, Value amount) {
    return LLVM::LShrOp::create(e.b, value, amount).getResult();
  };
  auto mask = [&](Value value, int64_t bits) -> Value {
    return LLVM::AndOp::create(e.b, value, e.constant(e.i64(), bits));
  };
  auto number = [&](int64_t value) { return e.constant(e.i64(), value); };
  auto wide = [&](Value word) -> Value {
    return LLVM::ZExtOp::create(e.b, e.i64(), word);
  };
  Value bytes =
      LLVM::OrOp::create(e.b, wide(low), shiftLeft(wide(high), number(32)));
  Value selectors = wide(selector), result = number(0);
  for (int64_t i = 0; i < 4; ++i) {
    Value choice = shiftRight(selectors, number(bits * i));
    Value byte =
        mask(shiftRight(bytes, shiftLeft(mask(choice, 7), number(3))), 0xff);
    Value copied = LLVM::ICmpOp::create(e.b, LLVM::ICmpPredicate::ne,
                                        mask(choice, 8), number(0));
    Value sign =
        LLVM::MulOp::create(e.b, shiftRight(byte, number(7)), number(0xff));
    Value chosen = LLVM::SelectOp::create(e.b, copied, sign, byte);
    result = LLVM::OrOp::create(e.b, result, shiftLeft(chosen, number(8 * i)));
  }
  return LLVM::TruncOp::create(e.b, e.i32(), result);
}

Translated quartet::gpu::emulatePermutes(EmulatorCalls &e, Operation *op) {
  if (auto prmt = dyn_cast<NVVM::PermuteOp>(op)) {
    if (prmt.getMode() != NVVM::PermuteMode::DEFAULT || !prmt.getHi())
      return e.fail(op, "of modes other than 'default'");
    e.replace(op,
              permute(e, prmt.getLo(), prmt.getHi(), prmt.getSelector(), 4));
    return success();
  }
  if (amdInstruction(op) != "perm")
    return std::nullopt;
  // Selectors from 8 on mean signs of other bytes and constants: not used.
  e.replace(op, permute(e, op->getOperand(1), op->getOperand(0),
                        op->getOperand(2), 8));
  return success();
}
