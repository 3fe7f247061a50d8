// What the parts of gpu-to-emulator share: calls of quartet_emu_* functions,
// texts that say where in the schedule an op belongs, and registers as memory.
#ifndef QUARTET_TARGETS_GPU_EMULATORCALLS_H
#define QUARTET_TARGETS_GPU_EMULATORCALLS_H
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/StringMap.h"
#include <optional>

namespace quartet::gpu {

/// What a part of the pass says about an op: nothing when the op is not its
/// business; success when it has replaced the op or leaves it as it is; failure
/// after an error at the op.
using Translated = std::optional<llvm::LogicalResult>;

class EmulatorCalls {
public:
  /// \p lanes of a warp; 0: unknown.
  EmulatorCalls(mlir::ModuleOp module, int64_t lanes);

  /// What follows is made in front of \p op, at its location.
  void at(mlir::Operation *op);

  /// Calls quartet_emu_\p name, declared on first use. \returns its result;
  /// null when \p result is.
  mlir::Value call(llvm::StringRef name, mlir::Type result,
                   mlir::ValueRange arguments);
  /// The same with the site of the op that at() named as last argument.
  mlir::Value callAtSite(llvm::StringRef name, mlir::Type result,
                         llvm::SmallVector<mlir::Value> arguments);

  mlir::Type pointer() { return mlir::LLVM::LLVMPointerType::get(context()); }
  mlir::Type i32() { return b.getI32Type(); }
  mlir::Type i64() { return b.getI64Type(); }
  mlir::Value constant(mlir::Type type, int64_t value);
  /// \p value of 32 bits as \p type of 32 bits.
  mlir::Value bits(mlir::Value value, mlir::Type type);
  mlir::Value gep(mlir::Value pointer, int64_t bytes);

  /// A place of 8 words on the stack of the function that the op is in; the
  /// same one on every call. \p place: 0 to 3.
  mlir::Value words(int place);
  /// The same of kGroupWords words, for the operands of warp groups.
  mlir::Value groupWords();
  static constexpr int64_t kGroupWords = 192;

  /// A structure of 32-bit fields, or one such value, from memory at \p place.
  mlir::Value loadFields(mlir::Type type, mlir::Value place);

  /// Replaces \p op by \p values and erases it.
  void replace(mlir::Operation *op, mlir::ValueRange values);
  llvm::LogicalResult fail(mlir::Operation *op, const llvm::Twine &why);

  const int64_t lanes;
  mlir::ImplicitLocOpBuilder b;

private:
  mlir::MLIRContext *context() { return b.getContext(); }
  mlir::Value site();

  mlir::ModuleOp module;
  mlir::Operation *current = nullptr;
  llvm::StringMap<mlir::LLVM::GlobalOp> sites;
  mlir::Value frame(llvm::DenseMap<mlir::Operation *, mlir::Value> &places,
                    int64_t count);
  /// By function.
  llvm::DenseMap<mlir::Operation *, mlir::Value> scratch, groupScratch;
};

/// The integer that \p value always is, if so.
std::optional<int64_t> constantOf(mlir::Value value);

/// Name of an instruction in the form of LLVM's intrinsic without the vendor's
/// prefix: "mfma.i32.16x16x32.i8" for rocdl.mfma.i32.16x16x32.i8 and for a call
/// of llvm.amdgcn.mfma.i32.16x16x32.i8. Empty for other ops.
llvm::StringRef amdInstruction(mlir::Operation *op);

// The parts; each knows some ops.
Translated emulateMemory(EmulatorCalls &e, mlir::Operation *op);
Translated emulateAtomics(EmulatorCalls &e, mlir::Operation *op);
Translated emulateThreads(EmulatorCalls &e, mlir::Operation *op);
Translated emulateLanes(EmulatorCalls &e, mlir::Operation *op);
Translated emulateCopies(EmulatorCalls &e, mlir::Operation *op);
Translated emulateMatrices(EmulatorCalls &e, mlir::Operation *op);
Translated emulateTransfers(EmulatorCalls &e, mlir::Operation *op);
Translated emulateWarpGroups(EmulatorCalls &e, mlir::Operation *op);
Translated emulateByteDots(EmulatorCalls &e, mlir::Operation *op);
Translated emulatePermutes(EmulatorCalls &e, mlir::Operation *op);

} // namespace quartet::gpu
#endif
