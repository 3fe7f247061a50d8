// Model -> IR -> object -> linked executable and weight file.
#ifndef QUARTET_COMPILER_DRIVER_H
#define QUARTET_COMPILER_DRIVER_H
#include "models/Config.h"
#include "targets/gpu/GpuFacts.h"

namespace quartet {

enum class Emit {
  Executable,
  Quartet,
  Phases,
  Tile,
  Kernels, ///< of a GPU
  Isa,     ///< of a GPU: PTX, or AMD's assembly
  Linalg,
  Llvm,
  Object
};

/// How the model's ops become code. Auto: Step where the target's CPU has fused
/// multiply-add, else Generic.
enum class Lowering { Auto, Step, Generic };

struct BuildCommand {
  std::string model; ///< directory with config.json, or *.gguf
  /// Empty: the model's name, in this folder. Of several executables each gets
  /// its target's name behind it: "qwen.sm_90a".
  std::string output;
  /// See parseTargets(). Several CPUs are one executable with a program for
  /// each; several GPUs an executable each, or with `fat` one for all, which
  /// may have CPUs beside them.
  std::string target = "host";
  bool fat = false;
  std::optional<gpu::LaunchMode> launch; ///< of GPUs; absent: as measured
  /// bf16 that an activation is in steps of many tokens; absent: GpuFacts'.
  std::optional<int> activationParts;
  bool report = false;        ///< print what a GPU's kernels take
  std::string cpu;            ///< LLVM CPU; empty: the target's own
  std::optional<Dtype> dtype; ///< absent: as in the checkpoint
  std::string quant;          ///< format, recipe or file; empty: as it comes
  std::optional<int64_t> quantGroup;
  std::string activationStats;  ///< file of --calibrate; empty: none
  std::vector<int64_t> buckets; ///< tokens; empty: the target's choice
  Lowering lowering = Lowering::Auto;
  std::optional<uint64_t> syntheticSeed;
  bool withoutWeights = false, embedWeights = false;
  bool withPtx = false; ///< beside the cubin of an NVIDIA GPU
  bool mtp = false;     ///< compile the layer of multi-token prediction, too
  ConfigOptions config;
  std::string dumpStages; ///< folder for the IR after each stage
  Emit emit = Emit::Executable;
  /// Adds a state per matrix that sums its squared inputs (calibration).
  bool recordActivations = false;
  bool quick = false; ///< compile in less time; the code is slower
  bool quiet = false; ///< no progress on standard error
  /// Element type of the KV cache; absent: that of the matrices.
  std::optional<KvType> kvType;
};

/// Runs the whole build. Outputs appear under their final name only when
/// complete; on an error nothing is replaced (of several executables, none
/// behind the one that fails to link).
llvm::Error build(const BuildCommand &command);

} // namespace quartet
#endif
