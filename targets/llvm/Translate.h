// From the LLVM dialect to LLVM IR and from there to code, for CPUs and GPUs
// alike. What happens between the two is the target's business.
#ifndef QUARTET_TARGETS_LLVM_TRANSLATE_H
#define QUARTET_TARGETS_LLVM_TRANSLATE_H
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/CodeGen.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <string>

namespace llvm {
class LLVMContext;
class Module;
class TargetMachine;
} // namespace llvm

namespace quartet {

/// LLVM IR of \p op, which is in the LLVM dialect, for \p machine, whose CPU
/// and features its functions get. An error when there are other ops.
llvm::Expected<std::unique_ptr<llvm::Module>>
translate(mlir::ModuleOp op, llvm::LLVMContext &context,
          const llvm::TargetMachine &machine);

/// The contents of an object file, or assembly, of \p module.
llvm::Expected<std::string>
generateCode(llvm::Module &module, llvm::TargetMachine &machine,
             llvm::CodeGenFileType type = llvm::CodeGenFileType::ObjectFile);

} // namespace quartet
#endif
