// Atomic operations and fences: 32-bit words, as wide as the device.
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "targets/gpu/EmulatorCalls.h"

using namespace mlir;
using namespace quartet::gpu;
using LLVM::AtomicOrdering;

/// quartet/emulator.h's number of \p ordering.
static int64_t orderOf(AtomicOrdering ordering) {
  switch (ordering) {
  case AtomicOrdering::acquire:
    return 1;
  case AtomicOrdering::release:
    return 2;
  case AtomicOrdering::acq_rel:
  case AtomicOrdering::seq_cst:
    return 3;
  default:
    return 0;
  }
}

/// Whether \p scope reaches all threads of the device: LLVM's names for NVIDIA
/// and AMD, and the whole system.
static bool ofDevice(std::optional<StringRef> scope) {
  return !scope || scope->empty() || *scope == "device" || *scope == "agent";
}

/// Whether the emulator can do an atomic operation on \p type; otherwise
/// reports it.
static LogicalResult check(EmulatorCalls &e, Operation *op, Type type,
                           std::optional<StringRef> scope,
                           AtomicOrdering ordering) {
  if (!type.isIntOrFloat() || type.getIntOrFloatBitWidth() != 32)
    return e.fail(op, "of a type other than 32-bit words");
  // Within a block, order comes from barriers; what is left is atomicity.
  if (!ofDevice(scope) && ordering != AtomicOrdering::monotonic)
    return e.fail(op, "that orders memory in scope '" + *scope +
                          "'; expected the device's");
  return success();
}

static LogicalResult add(EmulatorCalls &e, LLVM::AtomicRMWOp op) {
  if (op.getBinOp() != LLVM::AtomicBinOp::add)
    return e.fail(op, "of operations other than 'add'");
  if (failed(check(e, op, op.getVal().getType(), op.getSyncscope(),
                   op.getOrdering())))
    return failure();
  Value order = e.constant(e.i32(), orderOf(op.getOrdering()));
  e.replace(op, e.callAtSite("atomic_add", e.i32(),
                             {op.getPtr(), op.getVal(), order}));
  return success();
}

static LogicalResult load(EmulatorCalls &e, LLVM::LoadOp op) {
  if (failed(check(e, op, op.getType(), op.getSyncscope(), op.getOrdering())))
    return failure();
  Value order = e.constant(e.i32(), orderOf(op.getOrdering()));
  Value word = e.callAtSite("atomic_load", e.i32(), {op.getAddr(), order});
  e.replace(op, e.bits(word, op.getType()));
  return success();
}

static LogicalResult store(EmulatorCalls &e, LLVM::StoreOp op) {
  if (failed(check(e, op, op.getValue().getType(), op.getSyncscope(),
                   op.getOrdering())))
    return failure();
  Value order = e.constant(e.i32(), orderOf(op.getOrdering()));
  e.callAtSite("atomic_store", nullptr,
               {op.getAddr(), e.bits(op.getValue(), e.i32()), order});
  op.erase();
  return success();
}

Translated quartet::gpu::emulateAtomics(EmulatorCalls &e, Operation *op) {
  if (auto update = dyn_cast<LLVM::AtomicRMWOp>(op))
    return add(e, update);
  if (isa<LLVM::AtomicCmpXchgOp>(op))
    return e.fail(op, "yet");
  // Those that are not atomic are emulateMemory's, which comes first.
  if (auto atomic = dyn_cast<LLVM::LoadOp>(op))
    return load(e, atomic);
  if (auto atomic = dyn_cast<LLVM::StoreOp>(op))
    return store(e, atomic);
  if (auto fence = dyn_cast<LLVM::FenceOp>(op)) {
    if (!ofDevice(fence.getSyncscope()))
      return e.fail(op, "of scope '" + *fence.getSyncscope() +
                            "'; expected the device's, or a barrier");
  } else if (auto fence = dyn_cast<NVVM::MembarOp>(op)) {
    if (fence.getScope() != NVVM::MemScopeKind::GPU &&
        fence.getScope() != NVVM::MemScopeKind::SYS)
      return e.fail(op, "of scope '" +
                            NVVM::stringifyMemScopeKind(fence.getScope()) +
                            "'; expected the device's, or a barrier");
  } else {
    return std::nullopt;
  }
  e.callAtSite("fence", nullptr, {});
  op->erase();
  return success();
}
