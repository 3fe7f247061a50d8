// What the lowering of micro-kernels needs to know about a GPU. Passes read
// these fields and never compare names of chips.
#ifndef QUARTET_TARGETS_GPU_GPUFACTS_H
#define QUARTET_TARGETS_GPU_GPUFACTS_H
#include <cstdint>
#include <string>
#include <vector>

namespace quartet::gpu {

/// Whose dialect and object format.
enum class Vendor { Nvidia, Amd };

/// The family of the matrix instructions: it decides which lane has what.
enum class MatrixFamily {
  Mma,    ///< PTX mma.sync m16n8, warps of 32
  Mfma,   ///< v_mfma_*_16x16, waves of 64
  Wmma11, ///< v_wmma_*_16x16x16 of gfx11, waves of 32
  Wmma12, ///< v_wmma_*_16x16x16 of gfx12, waves of 32
};

/// How memory comes into shared memory without passing through registers.
enum class CopyEngine {
  None,
  CpAsync, ///< cp.async, 16 bytes a thread
  Bulk,    ///< cp.async and bulk (tensor) copies with mbarriers
};

/// How a step's phases become launches.
enum class LaunchMode {
  Graph,     ///< one kernel per phase
  Persistent ///< one kernel per step, whose blocks wait for each other
};

/// What a step took on the card in both modes.
struct LaunchRecord {
  std::string model; ///< with its quantization: for those who read it
  int64_t tokens = 0;
  double graphUs = 0, persistentUs = 0;
};

/// What CUDA calls a multiprocessor and HIP counts as one (a compute unit of
/// CDNA, a pair of them on RDNA) is a unit.
struct GpuFacts {
  std::string name;     ///< "sm_90a", "gfx942": also LLVM's name of the CPU
  std::string card;     ///< whose units and peaks these are
  std::string triple;   ///< "nvptx64-nvidia-cuda", "amdgcn-amd-amdhsa"
  std::string features; ///< LLVM's, "+ptx80"
  Vendor vendor = Vendor::Nvidia;
  int64_t lanes = 32;    ///< of a warp (wave)
  int64_t threads = 256; ///< of a block, which is a worker
  int64_t units = 0;     ///< of the card
  int64_t dies = 1;      ///< that blocks are dealt over, one after the other
  int64_t blocksPerUnit = 1; ///< workers per unit
  /// What a block and a thread may have so that blocksPerUnit fit in a unit.
  int64_t sharedBytes = 0, registers = 255;
  /// The same for a block that has a unit for itself.
  int64_t loneSharedBytes = 0, loneRegisters = 255;
  MatrixFamily matrix = MatrixFamily::Mma;
  int64_t int8K = 32, bf16K = 16; ///< columns of one matrix instruction
  CopyEngine copy = CopyEngine::None;
  bool wgmma = false; ///< warp-group matrix instructions
  /// bf16 whose sum an activation is in front of floats in steps of many
  /// tokens: two keep 16 of its bits, one is half of the work.
  int activationParts = 2;
  bool dependentLaunch = false; ///< programmatic dependent launch
  /// Of the clock that all units read (%globaltimer, s_memrealtime).
  int64_t clockHertz = 0;

  /// What the blocks of a unit share. A unit of either vendor has four
  /// schedulers, each with a quarter of the registers (32 bits, counted over
  /// all lanes) and threads, which take the warps of a block in turn.
  static constexpr int64_t schedulers = 4;
  int64_t unitThreads = 2048, unitRegisters = 65536, unitSharedBytes = 0;
  int64_t registerGranule = 8; ///< a warp gets multiples of it per lane
  int64_t sharedReserved = 0;  ///< taken by the system in each block

  std::vector<LaunchRecord> launchRecords;
  /// The mode that took less time, by the geometric mean of the records; Graph
  /// without any.
  LaunchMode fasterLaunch() const;

  /// Peaks of the card; matrix instructions where there are some.
  double readGBs = 0, f32Gflops = 0, bf16Gflops = 0, int8Gops = 0;

  int64_t warps() const { return threads / lanes; }
};

} // namespace quartet::gpu
#endif
