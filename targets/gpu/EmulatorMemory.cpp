// Ordinary accesses: a check of the bytes in front of each. What can only be
// the thread's own stack or a constant of the program needs none.
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Interfaces/DataLayoutInterfaces.h"
#include "targets/gpu/DeviceBuilder.h"
#include "targets/gpu/EmulatorCalls.h"

using namespace mlir;
using namespace quartet::gpu;

/// Whether \p pointer comes from an alloca or a constant of the program.
static bool isPrivate(Value pointer) {
  while (Operation *op = pointer.getDefiningOp()) {
    if (auto global = dyn_cast<LLVM::AddressOfOp>(op))
      return global.getGlobalName() != kSharedSymbol;
    if (isa<LLVM::AllocaOp>(op))
      return true;
    auto gep = dyn_cast<LLVM::GEPOp>(op);
    if (!gep)
      return false;
    pointer = gep.getBase();
  }
  return false;
}

/// Bytes that an access of \p type touches.
static int64_t bytesOf(Operation *op, Type type) {
  if (auto vector = dyn_cast<VectorType>(type))
    return llvm::divideCeil(
        vector.getNumElements() * int64_t(vector.getElementTypeBitWidth()), 8);
  return int64_t(DataLayout::closest(op).getTypeSize(type).getFixedValue());
}

/// What LLVM takes the address of an access of \p type to be a multiple of: the
/// code generators make wide accesses of it, which trap elsewhere.
static int64_t alignmentOf(Operation *op, Type type,
                           std::optional<uint64_t> own) {
  return own ? int64_t(*own)
             : int64_t(DataLayout::closest(op).getTypeABIAlignment(type));
}

static void check(EmulatorCalls &e, StringRef name, Value pointer, Value bytes,
                  int64_t align = 1) {
  if (!isPrivate(pointer))
    e.callAtSite(name, nullptr, {pointer, bytes, e.constant(e.i64(), align)});
}

/// \p length, of any width, as i64.
static Value asI64(EmulatorCalls &e, Value length) {
  if (length.getType() == e.i64())
    return length;
  return LLVM::ZExtOp::create(e.b, e.i64(), length);
}

Translated quartet::gpu::emulateMemory(EmulatorCalls &e, Operation *op) {
  if (auto load = dyn_cast<LLVM::LoadOp>(op)) {
    if (load.getOrdering() != LLVM::AtomicOrdering::not_atomic)
      return std::nullopt;
    check(e, "read", load.getAddr(),
          e.constant(e.i64(), bytesOf(op, load.getType())),
          alignmentOf(op, load.getType(), load.getAlignment()));
    return success();
  }
  if (auto store = dyn_cast<LLVM::StoreOp>(op)) {
    if (store.getOrdering() != LLVM::AtomicOrdering::not_atomic)
      return std::nullopt;
    Type type = store.getValue().getType();
    check(e, "write", store.getAddr(), e.constant(e.i64(), bytesOf(op, type)),
          alignmentOf(op, type, store.getAlignment()));
    return success();
  }
  if (auto copy = dyn_cast<LLVM::MemcpyOp>(op)) {
    Value bytes = asI64(e, copy.getLen());
    check(e, "read", copy.getSrc(), bytes);
    check(e, "write", copy.getDst(), bytes);
    return success();
  }
  if (auto clear = dyn_cast<LLVM::MemsetOp>(op)) {
    check(e, "write", clear.getDst(), asI64(e, clear.getLen()));
    return success();
  }
  if (isa<LLVM::MemmoveOp, LLVM::MemcpyInlineOp, LLVM::MemsetInlineOp>(op))
    return e.fail(op, "yet; use llvm.intr.memcpy and llvm.intr.memset");
  if (isa<LLVM::Prefetch, NVVM::PrefetchOp>(op)) {
    op->erase(); // a hint, also at addresses that nobody may read
    return success();
  }
  if (auto cast = dyn_cast<LLVM::AddrSpaceCastOp>(op)) {
    e.replace(op, cast.getArg()); // there is one space now
    return success();
  }
  return std::nullopt;
}
