// What the lanes of a warp tell each other. The emulator lets all lanes of the
// warp meet, so masks and widths must say just that.
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/LLVMIR/ROCDLDialect.h"
#include "targets/gpu/EmulatorCalls.h"

using namespace mlir;
using namespace quartet::gpu;

/// Exchanges \p value by \p function ("shuffle_xor", "shuffle_index") with
/// \p operand, which says from where. Null after an error.
static Value exchange(EmulatorCalls &e, Operation *op, StringRef function,
                      Value value, Value operand) {
  Type type = value.getType();
  auto vector = dyn_cast<VectorType>(type);
  int64_t bits = vector ? vector.getNumElements() *
                              int64_t(vector.getElementTypeBitWidth())
                 : type.isIntOrFloat() ? int64_t(type.getIntOrFloatBitWidth())
                                       : 0;
  if (bits != 32) {
    (void)e.fail(op, "of values other than 32 bits");
    return {};
  }
  Value word =
      e.callAtSite(function, e.i32(), {e.bits(value, e.i32()), operand});
  return e.bits(word, type);
}

/// Whether \p mask is all lanes of a warp.
static bool isWholeWarp(Value mask) { return constantOf(mask) == -1; }

static LogicalResult shuffle(EmulatorCalls &e, mlir::gpu::ShuffleOp op) {
  std::optional<int64_t> width = constantOf(op.getWidth());
  if (!width || (e.lanes && *width != e.lanes) ||
      (*width != 32 && *width != 64))
    return e.fail(op, "of parts of a warp; expected a width of all lanes");
  StringRef function;
  if (op.getMode() == mlir::gpu::ShuffleMode::XOR)
    function = "shuffle_xor";
  else if (op.getMode() == mlir::gpu::ShuffleMode::IDX)
    function = "shuffle_index";
  else
    return e.fail(op, "of modes other than 'xor' and 'idx'");
  Value got = exchange(e, op, function, op.getValue(), op.getOffset());
  if (!got)
    return failure();
  e.replace(op, {got, e.constant(e.b.getI1Type(), 1)});
  return success();
}

static LogicalResult shuffle(EmulatorCalls &e, NVVM::ShflOp op) {
  bool xors = op.getKind() == NVVM::ShflKind::bfly;
  if ((!xors && op.getKind() != NVVM::ShflKind::idx) ||
      !isWholeWarp(op.getThreadMask()) ||
      constantOf(op.getMaskAndClamp()) != 31 || op.getReturnValueAndIsValid())
    return e.fail(op, "other than 'bfly' and 'idx' of all lanes (mask -1, "
                      "clamp 31) for a value alone");
  Value got = exchange(e, op, xors ? "shuffle_xor" : "shuffle_index",
                       op.getVal(), op.getOffset());
  if (!got)
    return failure();
  e.replace(op, got);
  return success();
}

/// The lanes' \p predicate (i1) as \p type, i32 or i64.
static Value ballot(EmulatorCalls &e, Value predicate, Type type) {
  Value wide = LLVM::ZExtOp::create(e.b, e.i32(), predicate);
  Value mask = e.callAtSite("ballot", e.i64(), {wide});
  return type == e.i64() ? mask
                         : LLVM::TruncOp::create(e.b, type, mask).getResult();
}

static LogicalResult vote(EmulatorCalls &e, NVVM::VoteSyncOp op) {
  if (!isWholeWarp(op.getMask()))
    return e.fail(op, "of parts of a warp; expected the mask -1");
  Value mask = ballot(e, op.getPred(), e.i32());
  auto compare = [&](LLVM::ICmpPredicate how, int64_t with) {
    e.replace(op,
              LLVM::ICmpOp::create(e.b, how, mask, e.constant(e.i32(), with))
                  .getResult());
    return success();
  };
  switch (op.getKind()) {
  case NVVM::VoteSyncKind::ballot:
    e.replace(op, mask);
    return success();
  case NVVM::VoteSyncKind::any:
    return compare(LLVM::ICmpPredicate::ne, 0);
  case NVVM::VoteSyncKind::all:
    return compare(LLVM::ICmpPredicate::eq, -1);
  default:
    return e.fail(op, "of kind 'uni'");
  }
}

/// Of AMD, by the instruction's name.
static Translated exchange(EmulatorCalls &e, Operation *op, StringRef name) {
  Value from, value;
  if (name == "ds_bpermute" || name == "ds.bpermute") {
    Value four = e.constant(e.i32(), 2); // the index counts bytes
    from = LLVM::LShrOp::create(e.b, op->getOperand(0), four);
    value = op->getOperand(1);
  } else if (name.starts_with("readlane")) {
    value = op->getOperand(0);
    from = op->getOperand(1);
  } else if (name.starts_with("readfirstlane")) {
    value = op->getOperand(0);
    from = e.constant(e.i32(), 0); // all lanes meet, so lane 0 is active
  } else if (name.starts_with("ballot")) {
    e.replace(op, ballot(e, op->getOperand(0), op->getResult(0).getType()));
    return success();
  } else if (name == "wave.barrier") {
    e.callAtSite("warp_barrier", nullptr, {e.constant(e.i64(), -1)});
    op->erase();
    return success();
  } else {
    return std::nullopt;
  }
  Value got = exchange(e, op, "shuffle_index", value, from);
  if (!got)
    return failure();
  e.replace(op, got);
  return success();
}

Translated quartet::gpu::emulateLanes(EmulatorCalls &e, Operation *op) {
  if (auto swap = dyn_cast<mlir::gpu::ShuffleOp>(op))
    return shuffle(e, swap);
  if (auto swap = dyn_cast<NVVM::ShflOp>(op))
    return shuffle(e, swap);
  if (auto ask = dyn_cast<NVVM::VoteSyncOp>(op))
    return vote(e, ask);
  if (auto barrier = dyn_cast<NVVM::SyncWarpOp>(op)) {
    Value mask = LLVM::ZExtOp::create(e.b, e.i64(), barrier.getMask());
    e.callAtSite("warp_barrier", nullptr, {mask});
    op->erase();
    return success();
  }
  return exchange(e, op, amdInstruction(op));
}
