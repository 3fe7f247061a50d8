// Matrix instructions of a warp group (wgmma): four warps multiply 64 rows of
// A, 16 of each warp, from registers, by rows of B that lie in shared memory,
// where the instruction reads them itself.
#ifndef QUARTET_TARGETS_GPU_WARPGROUP_H
#define QUARTET_TARGETS_GPU_WARPGROUP_H
#include "targets/gpu/MatrixUnit.h"

namespace quartet::gpu {

/// Bytes of a row of B in shared memory, of which an instruction takes 32.
constexpr int64_t kGroupRowBytes = 128;
/// On the llvm.inline_asm of a product, for the emulator: {columns, element,
/// offsets}. Its operands are four words of A for each step, then a descriptor,
/// to which each step's offset is added.
constexpr llvm::StringLiteral kWarpGroupAttr = "quartet.warp_group";

/// Where byte \p byte of row \p row of B lies, from the first row on: its
/// pieces of 16 bytes are exchanged, so that neither eight rows of one column
/// nor the pieces of a row meet in a bank ("128-byte swizzle" in the PTX
/// manual).
V groupRowOffset(V row, V byte);

/// Says where B is: \p rows (shared) is the first of its rows, which begin at a
/// multiple of 1024 bytes; i64. 32 bytes further on in all rows are 2 more.
V groupDescriptor(DeviceBuilder &k, V rows);

/// From here on, the columns of a product of bytes are a multiple of it.
constexpr int64_t kManyByteColumns = 16;
/// Whether the instruction has a form for that many columns: up to 256 of them,
/// multiples of 8; of bytes 8, 16, 24, 32 and then every other one only (PTX
/// ISA, "Matrix Shape" of wgmma).
bool hasGroupColumns(MatrixElement element, int64_t columns);

/// Products of \p columns (see hasGroupColumns) rows of B, steps of 32 bytes of
/// their columns: the sum over all steps of A of a step times B at \p
/// descriptor and the step's of \p offsets (constants, so that no registers
/// hold a descriptor of each). \p a: words as of an mma, four for each step.
/// The results are those of columns / 8 mma side by side, four each. All warps
/// of the group come to it together; it waits for the results.
llvm::SmallVector<V> groupMultiply(DeviceBuilder &k, MatrixElement element,
                                   int64_t columns, llvm::ArrayRef<V> a,
                                   V descriptor,
                                   llvm::ArrayRef<int64_t> offsets);

/// What this thread has written to shared memory is there for groupMultiply,
/// behind the next barrier.
void groupFence(DeviceBuilder &k);

} // namespace quartet::gpu
#endif
