// The causal depthwise convolution over time in front of the delta rule, of the
// channels of one key head, for groups of tokens that follow each other.
#ifndef QUARTET_TARGETS_GPU_KERNELS_CONV_H
#define QUARTET_TARGETS_GPU_KERNELS_CONV_H
#include "targets/gpu/kernels/Delta.h"

namespace quartet::gpu {

/// Where a token's channels are in shared memory, in bytes: q at 0.
struct DeltaRow {
  int64_t key, value, bytes; ///< bytes: from a token to the next
};

/// out[t,c] = silu(sum_j taps[c,j] * r[t-(taps-1)+j, c]), where r is the
/// window's rows followed by the step's rows, rounded to the window's type. A
/// thread has the same channels throughout, so that the window, which stays in
/// shared memory between groups of tokens, needs no barrier.
class Conv {
public:
  /// Takes shared memory.
  Conv(DeviceBuilder &k, const DeltaShape &shape, const DeltaArgs &args);

  /// Reads the window. Meets where a key head has several parts.
  void begin();
  /// Tokens [first, first + count) of the step into \p rows, shared, f32, laid
  /// out as \p row says; each group follows the last.
  void run(V first, V count, V rows, const DeltaRow &row);
  /// Writes the window.
  void end();

private:
  V column(V c, const DeltaRow &row);
  /// The number among all channels of the part's channel \p c.
  V channelOf(V c);

  DeviceBuilder &k;
  DeltaShape shape;
  DeltaArgs args;
  V window;     ///< shared: [width()][taps - 1] f32
  V writesKeys; ///< i1: this part writes the window of q and k; null: yes
};

// What this and ConvChunk share. Channels are numbers among all of a token.
/// Channel \p c of the key head's q, and of k behind them.
V vectorChannel(DeviceBuilder &k, const DeltaShape &shape,
                const DeltaArgs &args, V c);
/// Of the part's value element \p row.
V valueChannel(const DeltaShape &shape, const DeltaArgs &args, V row);
/// Where the window has \p channel in row \p row.
V windowOf(const DeltaShape &shape, const DeltaArgs &args, V channel, V row);
/// \p value, f32, rounded as the window has it.
V asInWindow(DeviceBuilder &k, const DeltaShape &shape, V value);
/// The weights of \p channel, f32.
llvm::SmallVector<V> loadTaps(DeviceBuilder &k, const DeltaShape &shape,
                              const DeltaArgs &args, V channel);

} // namespace quartet::gpu
#endif
