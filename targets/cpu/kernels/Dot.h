// Matrix micro-kernels: panels of 16 packed rows times staged rows of
// activations. One function per format and number of tokens; the loops over
// panels and tokens around them are here too.
#ifndef QUARTET_TARGETS_CPU_KERNELS_DOT_H
#define QUARTET_TARGETS_CPU_KERNELS_DOT_H
#include "dialects/Quartet/PackedFormat.h"
#include "targets/cpu/KernelBuilder.h"

namespace quartet::cpu {

/// The numbers of tokens that one kernel takes at once on \p isa, descending;
/// the last is 1. Results have the same bits for all of them.
llvm::ArrayRef<int> tokenBlocks(const Isa &isa, const PackedFormat &format);

/// How many neighbouring panels a block of \p tokens takes at once: 1 or 2.
int panelsTogether(const Isa &isa, const PackedFormat &format, int tokens);

/// void dot_<format>_t<tokens>[_p<panels>](ptr panel, ptr rows, i64 rowStride,
///                             i64 columns, ptr out, i64 outStride
///                             [, ptr ahead, i64 aheadShift])
/// out[t * outStride + 4 * r] = panel row r (of 16) times staged row t, f32,
/// and with \p panels 2 the same for the next panel at out + 64. \p columns is
/// PanelLayout::paddedColumns; strides are in bytes; panel and rows are 64-byte
/// aligned. Two panels also ask memory for the 2^-aheadShift'th part of as many
/// bytes, from ahead on.
mlir::func::FuncOp dotKernel(KernelBuilder &k, const PackedFormat &format,
                             int tokens, int panels = 1);

/// Code for out[t * outStride + 4 * (16 p + r)] = row r of panel p times staged
/// row t, for all \p panelCount panels and \p tokens tokens (none is fine).
/// Each panel is read from memory once. \p next: see matmulKernel.
void emitMatmul(KernelBuilder &k, const PackedFormat &format, V panels,
                V panelCount, V panelBytes, V rows, V rowStride, V columns,
                V tokens, V out, V outStride, V next = V());

/// void matmul_<format>(ptr panels, i64 panelCount, ptr rows, i64 rowStride,
///                      i64 columns, i64 tokens, ptr out, i64 outStride)
/// emitMatmul as a function.
/// \p followed: one more argument, ptr next, the panels that this core will
/// multiply with afterwards, which it asks memory for.
mlir::func::FuncOp matmulKernel(KernelBuilder &k, const PackedFormat &format,
                                bool followed = false);

/// PanelLayout::bytes for \p columns (padded) that are known only at run time.
V panelBytes(KernelBuilder &k, const PackedFormat &format, V columns);

} // namespace quartet::cpu
#endif
