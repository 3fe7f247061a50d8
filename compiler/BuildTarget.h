// What --target asks for: machines, and which executables hold their programs.
#ifndef QUARTET_COMPILER_BUILDTARGET_H
#define QUARTET_COMPILER_BUILDTARGET_H
#include "passes/Lower/ProgramTable.h"
#include "targets/Target.h"
#include "targets/gpu/GpuFacts.h"
#include <optional>

namespace quartet {

/// One machine that a build makes a program for; the last members are filled by
/// the build's stages.
struct BuildTarget {
  std::string name; ///< "x86-64-v4", "sm_90a", "emulator:gfx942"
  /// Makes object files: of a CPU that CPU, else one that all hosts of this
  /// machine's kind have.
  std::unique_ptr<Target> host;
  std::optional<gpu::GpuFacts> gpu; ///< none: the CPU
  bool emulated = false;            ///< the GPU's code runs on the host

  std::string object; ///< contents of an object file
  ProgramPart part;   ///< of a program that shares its executable with others
  std::string plan;   ///< for the manifest, JSON; empty: none

  const Capabilities &hostFacts() const { return host->capabilities(); }
  /// The name as part of file names: "emulator-gfx942".
  std::string tag() const;
};

/// One file that the build writes.
struct Executable {
  std::string path;
  std::vector<size_t> targets; ///< indices, the one to prefer first
};

/// The targets that \p names lists, separated by commas, in its order: those of
/// targetNames(), and emulator:CHIP (emulator: emulator:sm_90a). \p cpu is
/// --mcpu: a CPU for the one target, which then may not be a GPU.
llvm::Expected<std::vector<BuildTarget>> parseTargets(llvm::StringRef names,
                                                      llvm::StringRef cpu);

/// Puts the targets of one executable into the order in which the runtime shall
/// try them: GPUs as they stand, then CPUs, those first that have all that
/// another one has and more, then emulators, which fit everywhere.
llvm::Error orderTargets(std::vector<BuildTarget> &targets);

/// Whether there are GPUs, emulated ones included.
bool anyGpu(const std::vector<BuildTarget> &targets);

} // namespace quartet
#endif
