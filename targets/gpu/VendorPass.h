// What gpu-to-nvvm and gpu-to-rocdl have in common: the chip, of their vendor.
#ifndef QUARTET_TARGETS_GPU_VENDORPASS_H
#define QUARTET_TARGETS_GPU_VENDORPASS_H
#include "targets/gpu/ChipPass.h"
#include "targets/gpu/VendorPasses.h"

namespace quartet::gpu {

/// \p Derived has kVendor and lower(module, facts).
template <typename Derived> class VendorPass : public ChipPass<Derived> {
public:
  using ChipPass<Derived>::ChipPass;

  mlir::LogicalResult run(mlir::ModuleOp module, const GpuFacts &facts) {
    if (facts.vendor != Derived::kVendor)
      return module.emitError()
             << "'" << facts.name << "' is of another vendor than "
             << this->getArgument() << " is for";
    return static_cast<Derived *>(this)->lower(module, facts);
  }
};

namespace detail {
void registerGpuToNvvm();
void registerGpuToRocdl();
} // namespace detail

} // namespace quartet::gpu
#endif
