// What the lowering of micro-kernels needs to know about a GPU. Passes read
// these fields and never compare names of chips.
#ifndef QUARTET_TARGETS_GPU_GPUFACTS_H
#define QUARTET_TARGETS_GPU_GPUFACTS_H
#include <cstdint>
#include <string>

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

struct GpuFacts {
  std::string name;   ///< "sm_90a", "gfx942"
  std::string triple; ///< "nvptx64-nvidia-cuda", "amdgcn-amd-amdhsa"
  Vendor vendor = Vendor::Nvidia;
  int64_t lanes = 32;         ///< of a warp (wave)
  int64_t threads = 256;      ///< of a block, which is a worker
  int64_t sharedBytes = 0;    ///< that a block may have
  int64_t units = 0;          ///< multiprocessors (compute units)
  int64_t blocksPerUnit = 1;  ///< workers per unit
  int64_t registers = 255;    ///< that a thread may have
  MatrixFamily matrix = MatrixFamily::Mma;
  int64_t int8K = 32, bf16K = 16; ///< columns of one matrix instruction
  CopyEngine copy = CopyEngine::None;
  bool wgmma = false;           ///< warp-group matrix instructions
  bool dependentLaunch = false; ///< programmatic dependent launch
  int64_t warps() const { return threads / lanes; }
};

} // namespace quartet::gpu
#endif
