// Who a thread is, what its block waits for, and waits of whole launches.
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/LLVMIR/ROCDLDialect.h"
#include "targets/gpu/DeviceBuilder.h"
#include "targets/gpu/EmulatorCalls.h"

using namespace mlir;
using namespace quartet::gpu;

/// The function that answers \p op; empty: it asks for something else.
static StringRef questionOf(Operation *op) {
  auto alongX = [](auto id) {
    return id && id.getDimension() == mlir::gpu::Dimension::x;
  };
  if (alongX(dyn_cast<mlir::gpu::ThreadIdOp>(op)) ||
      isa<NVVM::ThreadIdXOp, ROCDL::ThreadIdXOp>(op))
    return "thread";
  if (alongX(dyn_cast<mlir::gpu::BlockIdOp>(op)) ||
      isa<NVVM::BlockIdXOp, ROCDL::BlockIdXOp>(op))
    return "block";
  if (alongX(dyn_cast<mlir::gpu::GridDimOp>(op)) || isa<NVVM::GridDimXOp>(op))
    return "blocks";
  return "";
}

/// \p value, an i64, as a result of \p type: index, i64 or i32.
static Value narrow(EmulatorCalls &e, Value value, Type type) {
  if (type == value.getType())
    return value;
  if (type.isIndex())
    return UnrealizedConversionCastOp::create(e.b, type, value).getResult(0);
  return LLVM::TruncOp::create(e.b, type, value);
}

/// Whether \p op is a barrier of all threads of the block.
static bool isBarrier(Operation *op) {
  if (auto barrier = dyn_cast<NVVM::BarrierOp>(op))
    return !barrier.getNumberOfThreads() && !barrier.getReductionOp() &&
           (!barrier.getBarrierId() || constantOf(barrier.getBarrierId()) == 0);
  return isa<mlir::gpu::BarrierOp, NVVM::Barrier0Op, ROCDL::BarrierOp>(op);
}

/// Whether \p op is a barrier of some of the block's warps.
static bool isGroupBarrier(Operation *op) {
  auto barrier = dyn_cast<NVVM::BarrierOp>(op);
  return barrier && barrier.getBarrierId() && barrier.getNumberOfThreads() &&
         !barrier.getReductionOp();
}

/// Hints that change when things happen, not what.
static bool isHint(Operation *op) {
  static constexpr StringLiteral known[] = {"s.sleep", "s.setprio",
                                            "sched.barrier",
                                            "sched.group.barrier", "iglp.opt"};
  return isa<NVVM::NanosleepOp>(op) ||
         llvm::is_contained(known, amdInstruction(op));
}

Translated quartet::gpu::emulateThreads(EmulatorCalls &e, Operation *op) {
  if (StringRef question = questionOf(op); !question.empty()) {
    Value answer = e.call(question, e.i64(), {});
    e.replace(op, narrow(e, answer, op->getResult(0).getType()));
    return success();
  }
  if (auto address = dyn_cast<LLVM::AddressOfOp>(op)) {
    if (address.getGlobalName() == kSharedSymbol)
      e.replace(op, e.call("shared", e.pointer(), {}));
    return success();
  }
  if (auto call = dyn_cast<LLVM::CallIntrinsicOp>(op);
      call && call.getIntrin() == "llvm.readsteadycounter") {
    e.replace(op, e.call("clock", e.i64(), {}));
    return success();
  }
  if (isBarrier(op)) {
    e.callAtSite("barrier", nullptr, {});
  } else if (isGroupBarrier(op)) {
    auto barrier = cast<NVVM::BarrierOp>(op);
    e.callAtSite("group_barrier", nullptr,
                 {barrier.getBarrierId(), barrier.getNumberOfThreads()});
  } else if (auto control = dyn_cast<NVVM::GriddepcontrolOp>(op)) {
    e.call(control.getKind() == NVVM::GridDepActionKind::wait
               ? "dependency_wait"
               : "dependency_launch",
           nullptr, {});
  } else if (!isHint(op)) {
    return std::nullopt;
  }
  op->erase();
  return success();
}
