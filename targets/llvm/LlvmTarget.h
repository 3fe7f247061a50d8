// CPUs: the generic lowering, LLVM's optimiser and code generator.
#ifndef QUARTET_TARGETS_LLVM_LLVMTARGET_H
#define QUARTET_TARGETS_LLVM_LLVMTARGET_H
#include "targets/Target.h"

namespace llvm {
class TargetMachine;
}

namespace quartet {

class LlvmTarget : public Target {
public:
  /// An unknown triple or CPU is an error.
  static llvm::Expected<std::unique_ptr<Target>> create(llvm::StringRef name,
                                                        Capabilities facts);
  ~LlvmTarget() override;

  llvm::StringRef name() const override { return targetName; }
  const Capabilities &capabilities() const override { return facts; }
  llvm::Expected<std::string> emit(mlir::ModuleOp module,
                                   std::string *optimizedIr,
                                   bool quick = false) override;
  llvm::Expected<std::string>
  emitBlobs(const std::vector<Blob> &blobs) override;

  /// The machine that runs the compiler.
  static Capabilities hostCapabilities();
  /// LLVM's names of the CPUs that run code for \p triple, sorted.
  static std::vector<std::string> cpuNames(llvm::StringRef triple);

private:
  LlvmTarget(llvm::StringRef name, Capabilities facts,
             std::unique_ptr<llvm::TargetMachine> machine);

  std::string targetName;
  Capabilities facts;
  std::unique_ptr<llvm::TargetMachine> machine;
};

} // namespace quartet
#endif
