// What wide products of all formats have in common: passes of weights and
// tokens, slabs of columns on their way, and the sums of groups of warps.
#ifndef QUARTET_TARGETS_GPU_KERNELS_WIDEPRODUCT_H
#define QUARTET_TARGETS_GPU_KERNELS_WIDEPRODUCT_H
#include "targets/gpu/kernels/SlabCopies.h"

namespace quartet::gpu {

/// A pass takes 128 rows of weights and some tokens. Groups of four warps share
/// the columns, slab by slab; each goes through its own at its own pace, so
/// that one unpacks or converts while the other has the matrix unit.
class WideProduct {
public:
  /// Of passes of \p tokens tokens, as mostPassTokens has them. Floats multiply
  /// as \p parts bf16.
  WideProduct(DeviceBuilder &k, MatrixElement element,
              const PackedFormat &format, int64_t columns,
              const WeightsOperand &weights, const RowsOperand &rows,
              int64_t tokens, V acc, V accStride);
  virtual ~WideProduct() = default;
  /// Shared memory holds as much as it needs.
  bool fits() const { return stages > 0; }
  void all(int64_t mostPanels);

protected:
  /// What the thread brings of the tokens' rows of slab \p number, before its
  /// group meets: none where copies bring all of it.
  virtual llvm::SmallVector<V> loadRows(V number) const { return {}; }
  /// Writes them, behind the meeting.
  virtual void storeRows(llvm::ArrayRef<V> rows) const {}
  /// \p before + the products of slab \p number, whose copies are at \p stage:
  /// the lane's results as of mma, [half of the rows][eight tokens][4].
  virtual llvm::SmallVector<V> multiplySlab(V number, V stage,
                                            llvm::ArrayRef<V> before) const = 0;

  int64_t blocks() const { return tokens / 8; } ///< of eight tokens
  V ownRows() const { return scratch + group * groupBytes(); }

  DeviceBuilder &k;
  MatrixUnit unit;
  ColumnPlan plan;
  const PackedFormat &format;
  WeightsOperand weights;
  RowsOperand rows;
  int64_t tokens; ///< of a pass
  Slab slab;
  bool ragged; ///< some slab reaches beyond the columns
  V group;     ///< of the warp
  V warpPanel; ///< of the thread's rows of weights in the pass
  V firstPanel;
  V offsets; ///< shared: of the tokens' rows, i64

private:
  int64_t groupBytes() const { return slab.ownBytes + stages * slab.bytes; }

  void pass(V token);
  void copy(V slabOfGroup, V stage) const;
  /// The barrier of stage \p stage (i64) of the thread's group.
  V barrierOf(V stage) const;
  void finish(V firstToken, llvm::ArrayRef<V> totals);

  V acc, accStride;
  int64_t share;      ///< slabs of a group of warps
  int64_t warpGroups; ///< of the block
  int64_t sumsBytes;  ///< of the partial sums that meet
  int64_t stages = 0; ///< slabs of each in shared memory; 0: no room
  std::optional<SlabCopies> copies;
  V scratch;  ///< shared: rows and stages of all groups
  V barriers; ///< shared: one for each stage, of bulk copies
};

/// Tokens of a pass of integers, and of floats: their sums are half of the
/// registers of a thread.
constexpr int64_t kWideIntegerTokens = 64, kWideFloatTokens = 128;

/// The most tokens of a pass of products of up to \p rows rows, and a smaller
/// number to try where it does not fit; 0 behind the least.
int64_t mostPassTokens(const GpuFacts &machine, const PackedFormat &format,
                       int64_t rows);
int64_t fewerPassTokens(const GpuFacts &machine, const PackedFormat &format,
                        int64_t tokens);

/// Of integers (WideIntegers.cpp), and of floats (WideFloats.cpp).
std::unique_ptr<WideProduct>
makeWideIntegers(DeviceBuilder &k, const PackedFormat &format, int64_t columns,
                 const WeightsOperand &weights, const RowsOperand &rows,
                 int64_t tokens, V acc, V accStride);
std::unique_ptr<WideProduct>
makeWideFloats(DeviceBuilder &k, const PackedFormat &format, int64_t columns,
               const WeightsOperand &weights, const RowsOperand &rows,
               int64_t tokens, V acc, V accStride);

} // namespace quartet::gpu
#endif
