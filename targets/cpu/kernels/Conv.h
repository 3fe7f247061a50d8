// The causal depthwise convolution over time in front of the delta rule.
#ifndef QUARTET_TARGETS_CPU_KERNELS_CONV_H
#define QUARTET_TARGETS_CPU_KERNELS_CONV_H
#include "targets/cpu/KernelBuilder.h"

namespace quartet::cpu {

/// void conv(x, xStride, window, windowStride, weight, channels, tokens,
///           out, outStride)        "pipipiipi"
/// For a range of \p channels of one sequence: out[t,c] = silu(sum_j
/// weight[c,j] * r[t-(taps-1)+j, c]), where r is the window's taps-1 rows
/// followed by the step's rows x, rounded to \p stateType. The window is then
/// the last taps-1 rows of r. x f32 [tokens, channels], window \p stateType
/// [taps-1, channels], weight f32 [channels, taps] contiguous, out f32
/// [tokens, channels]; strides in bytes between rows.
mlir::func::FuncOp convKernel(KernelBuilder &k, int64_t taps,
                              mlir::Type stateType);

} // namespace quartet::cpu
#endif
