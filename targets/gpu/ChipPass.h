// Passes for one GPU, which they get by its facts or by its name.
#ifndef QUARTET_TARGETS_GPU_CHIPPASS_H
#define QUARTET_TARGETS_GPU_CHIPPASS_H
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "targets/Chips.h"
#include <optional>

namespace quartet::gpu {

/// \p Derived has run(module, facts).
template <typename Derived>
class ChipPass
    : public mlir::PassWrapper<Derived, mlir::OperationPass<mlir::ModuleOp>> {
public:
  ChipPass() = default;
  explicit ChipPass(GpuFacts facts) : facts(std::move(facts)) {
    chip = this->facts->name;
  }
  ChipPass(const ChipPass &other)
      : mlir::PassWrapper<Derived, mlir::OperationPass<mlir::ModuleOp>>(other),
        facts(other.facts) {}

  void runOnOperation() override {
    mlir::ModuleOp module = this->getOperation();
    if (!facts) {
      auto found = findGpuFacts(chip);
      if (!found) {
        module.emitError() << llvm::toString(found.takeError());
        return this->signalPassFailure();
      }
      facts = std::move(*found);
    }
    if (failed(static_cast<Derived *>(this)->run(module, *facts)))
      this->signalPassFailure();
  }

protected:
  std::optional<GpuFacts> facts;
  mlir::Pass::Option<std::string> chip{
      *this, "chip", llvm::cl::desc("Name of the GPU, as in quartetc targets")};
};

} // namespace quartet::gpu
#endif
