// What Dot.cpp needs from the two kinds of kernels: integers and floats.
#ifndef QUARTET_TARGETS_CPU_KERNELS_DOTPARTS_H
#define QUARTET_TARGETS_CPU_KERNELS_DOTPARTS_H
#include "dialects/Quartet/PackedFormat.h"
#include "targets/cpu/KernelBuilder.h"

namespace quartet::cpu {

/// Everything that the code of one block works on.
struct DotBlock {
  PackedFormat format;
  int tokens; ///< rows of activations in the block
  int panels; ///< panels next to each other, panelBytes apart
  V panel, panelBytes;
  V rows, rowStride; ///< staged rows
  V columns;         ///< padded columns
  V out, outStride;  ///< f32; panel p goes to out + 64 p
  /// With several panels: this block's part of the bytes that come next, which
  /// is 2^-aheadShift of as many as the panels have.
  V ahead, aheadShift;
};

/// Byte offsets in a panel whose number of columns is only known when it runs.
struct PanelOffsets {
  PanelOffsets(KernelBuilder &k, const PackedFormat &format, V columns);
  V groups, zeros, values; ///< groups: of columns, undefined without scales
};

/// \p size rounded up to a multiple of 64.
V alignTo64(V size);
/// Where each token's row and each panel begins.
llvm::SmallVector<V> stagedRows(const DotBlock &block);
llvm::SmallVector<V> panelsOf(const DotBlock &block);
/// Writes 16 x f32 [token][panel].
void storeTotals(KernelBuilder &k, const DotBlock &block,
                 llvm::ArrayRef<V> totals);
/// Asks memory for what follows \p line.
void prefetchAhead(KernelBuilder &k, const DotBlock &block, V line);

class ByteDotBuilder;
/// Whether blocks of \p tokens are multiplied by AMX.
bool usesTiles(const Isa &isa, const PackedFormat &format, int tokens);
/// Bytes of memory in the frame that tileSums works in.
int64_t tileMemory(const DotBlock &block);
/// The sums of products of one group, [token][panel] of 16 x i32, by AMX:
/// panels at \p values, the first token's int8 at \p activations. Zero points
/// are left out.
llvm::SmallVector<V> tileSums(KernelBuilder &k, const DotBlock &block,
                              const ByteDotBuilder &dots,
                              llvm::ArrayRef<V> values, V activations,
                              V memory);

/// Code for integers. Sums of \p block are exact per group.
void emitIntegerDot(KernelBuilder &k, const DotBlock &block);
/// Code for f32, bf16, f16 and fp8. Products are added up in blocks of 16
/// columns, the blocks in ascending order.
void emitFloatDot(KernelBuilder &k, const DotBlock &block);

} // namespace quartet::cpu
#endif
