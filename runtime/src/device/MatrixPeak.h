// How fast a device multiplies matrices: the bound of steps of many tokens
// there, measured in the same run.
#ifndef QUARTET_RUNTIME_DEVICE_MATRIXPEAK_H
#define QUARTET_RUNTIME_DEVICE_MATRIXPEAK_H
#include "runtime/src/device/Device.h"

namespace quartet::rt {

/// Operations per second of matrix instructions; a multiply-add counts as two.
/// 0: unknown.
struct MatrixPeaks {
  double int8 = 0, bf16 = 0;

  /// What so many operations, \p int8Operations of them with bytes, take at
  /// least; 0 where it is unknown.
  double seconds(double operations, double int8Operations) const {
    if (int8 <= 0 || bf16 <= 0)
      return 0;
    return int8Operations / int8 + (operations - int8Operations) / bf16;
  }
};

/// By the device's clock, the best of several runs of \p program.peaks; unknown
/// where there are none and on the emulator, whose time says nothing. Uses
/// events 0 and 1.
bool measureMatrixPeaks(Device &device, const quartet_device &program,
                        MatrixPeaks &peaks, std::string *error);

} // namespace quartet::rt
#endif
