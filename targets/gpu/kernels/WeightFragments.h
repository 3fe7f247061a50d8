// Weights on their way from panels to matrix instructions: lines are loaded
// straight into registers, 16 bytes (four rows of one line) per lane, and
// unpacked there into words of A.
#ifndef QUARTET_TARGETS_GPU_KERNELS_WEIGHTFRAGMENTS_H
#define QUARTET_TARGETS_GPU_KERNELS_WEIGHTFRAGMENTS_H
#include "targets/gpu/kernels/ColumnPlan.h"
#include <array>

namespace quartet::gpu {

/// Stored integers become signed bytes, multiple * (stored - middle), where
/// multiple * middle is 128 for all widths: a mask and an exclusive or. With a
/// codebook they become its values; multiple is 1.
int64_t byteMultiple(const PackedFormat &format);

/// The words of A in one unit of lines, each of a lane's four rows (4 x i32):
/// [part][word]. Integers have one part, whose words are four columns each, and
/// floats plan.weightParts, whose words are two columns of bf16. The columns of
/// a unit are in order.
llvm::SmallVector<llvm::SmallVector<V>>
weightWords(DeviceBuilder &k, const ColumnPlan &plan, llvm::ArrayRef<V> lines);

/// f32 (a scalar or a vector) as the sum of \p parts bf16: the bits of an f32
/// whose lower half is to be ignored, largest part first. Three parts are all
/// of an f32; if they are fewer, \p rounded says to round the last one.
llvm::SmallVector<V> bf16Parts(DeviceBuilder &k, V value, int parts,
                               bool rounded);

/// A word (or words) of two bf16, from the upper halves of \p low and \p high.
V bf16Pair(V low, V high);

/// Four columns (4 x f32) of an activation as sums of \p parts bf16, which are
/// rounded where they are not all of it: [part][word of two columns].
llvm::SmallVector<std::array<V, 2>> bf16Words(DeviceBuilder &k, V four,
                                              int parts);

/// A load of what nobody writes while the kernel runs: it may be moved in front
/// of barriers and of stores, and need not be kept in the first cache.
V loadConstant(DeviceBuilder &k, mlir::Type type, V pointer, V offset,
               unsigned align);

/// The vector in which memory has four scales (or mins).
mlir::Type fourScalesType(DeviceBuilder &k, ScaleType type);
/// Such a vector, \p stored, as 4 x f32.
V scalesAsFloats(DeviceBuilder &k, ScaleType type, V stored);
/// Four scales (or mins) as 4 x f32; \p load gives them in a vector of the type
/// in which memory has them.
V fourScales(DeviceBuilder &k, ScaleType type,
             llvm::function_ref<V(mlir::Type)> load);
/// The four scales (or mins) at \p pointer as 4 x f32.
V loadFourScales(DeviceBuilder &k, ScaleType type, V pointer, V offset);

/// Bytes of a scale.
constexpr int64_t scaleBytes(ScaleType type) {
  return type == ScaleType::None ? 0 : type == ScaleType::F32 ? 4 : 2;
}

} // namespace quartet::gpu
#endif
