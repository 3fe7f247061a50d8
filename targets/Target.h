// The interface of a target: what the driver needs to turn a lowered module
// into an object file for one machine.
#ifndef QUARTET_TARGETS_TARGET_H
#define QUARTET_TARGETS_TARGET_H
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <string>
#include <vector>

namespace quartet {

/// Facts about a machine that passes may read; they never compare chip names.
struct Capabilities {
  std::string triple;   ///< e.g. "x86_64-unknown-linux-gnu"
  std::string cpu;      ///< LLVM's name, e.g. "znver5"
  std::string features; ///< "+a,-b"; empty = those of the CPU
  int workers = 0;      ///< threads of the step; 0 = all cores of the machine
  /// Peaks of one worker, for plans; 0 = unknown.
  double readGBs = 0, f32Gflops = 0, int8Gops = 0;
};

/// A read-only constant of the executable (quartet_blob in the runtime's ABI).
struct Blob {
  std::string symbol;
  llvm::StringRef data; ///< empty: the blob is absent (null, 0)
};

class Target {
public:
  virtual ~Target() = default;
  /// What the user asked for, e.g. "host".
  virtual llvm::StringRef name() const = 0;
  virtual const Capabilities &capabilities() const = 0;

  /// Optimises and compiles a module in the LLVM dialect. \p optimizedIr, when
  /// not null, receives the LLVM IR as text after optimisation. \p quick: for
  /// code that calls more than it computes, optimise little.
  virtual llvm::Expected<std::string>
  emit(mlir::ModuleOp module, std::string *optimizedIr, bool quick = false) = 0;
  /// An object file that defines \p blobs.
  virtual llvm::Expected<std::string>
  emitBlobs(const std::vector<Blob> &blobs) = 0;
};

/// The target called \p name ("host", "x86-64-v3", "aarch64", ... see
/// targetNames) with LLVM CPU \p cpu (empty = the target's own), which features
/// may follow: "x86-64-v3+amx-tile". An unknown
/// name is an error that lists the known ones, an unknown CPU one with the
/// closest; so is a GPU, see targets/gpu/DeviceTarget.h.
llvm::Expected<std::unique_ptr<Target>> createTarget(llvm::StringRef name,
                                                     llvm::StringRef cpu);

/// The CPUs that createTarget accepts for target \p name, sorted; none for a
/// GPU.
llvm::Expected<std::vector<std::string>> cpuNames(llvm::StringRef name);

/// Names of createTarget with a line about each.
std::vector<std::pair<std::string, std::string>> targetNames();

} // namespace quartet
#endif
