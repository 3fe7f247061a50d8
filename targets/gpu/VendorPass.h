// What gpu-to-nvvm and gpu-to-rocdl have in common: the chip, by its facts or
// by its name.
#ifndef QUARTET_TARGETS_GPU_VENDORPASS_H
#define QUARTET_TARGETS_GPU_VENDORPASS_H
#include "mlir/IR/BuiltinOps.h"
#include "targets/Chips.h"
#include "targets/gpu/VendorPasses.h"

namespace quartet::gpu {

/// \p Derived has kVendor and lower(module, facts).
template <typename Derived>
class VendorPass
    : public mlir::PassWrapper<Derived, mlir::OperationPass<mlir::ModuleOp>> {
public:
  VendorPass() = default;
  explicit VendorPass(GpuFacts facts) : facts(std::move(facts)) {
    chip = this->facts->name;
  }
  VendorPass(const VendorPass &other)
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
    if (facts->vendor != Derived::kVendor) {
      module.emitError() << "'" << facts->name << "' is of another vendor than "
                         << this->getArgument() << " is for";
      return this->signalPassFailure();
    }
    if (failed(static_cast<Derived *>(this)->lower(module, *facts)))
      this->signalPassFailure();
  }

private:
  std::optional<GpuFacts> facts;
  mlir::Pass::Option<std::string> chip{
      *this, "chip", llvm::cl::desc("Name of the GPU, as in quartetc targets")};
};

namespace detail {
void registerGpuToNvvm();
void registerGpuToRocdl();
} // namespace detail

} // namespace quartet::gpu
#endif
