// Kernels of a GPU, built in a module of their own, compiled for the emulator
// and run there.
#ifndef QUARTET_TEST_GPU_DEVICERUNNER_H
#define QUARTET_TEST_GPU_DEVICERUNNER_H
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "runtime/src/emulator/Emulator.h"
#include "targets/gpu/DeviceBuilder.h"
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace llvm::orc {
class LLJIT;
}

namespace quartet::test {

/// One module and its code. Add every kernel, then launch:
///   DeviceRunner runner(facts);
///   runner.add("double", "pi", [](auto &k, auto a) { ... a[0] ... });
///   runner.launch("double", 1, {memory.data(), count});
/// Whatever the emulator reports is a failure of the test. Errors of the
/// compiler end the program with a message.
class DeviceRunner {
public:
  explicit DeviceRunner(const gpu::GpuFacts &machine);
  ~DeviceRunner();

  gpu::DeviceBuilder &k() { return *builder; }
  const gpu::GpuFacts machine;

  /// A kernel with arguments by letters: "p" global pointer, "i" i64, "f" f32.
  /// \p alone: see DeviceBuilder::kernel.
  void add(const std::string &name, llvm::StringRef letters,
           llvm::function_ref<void(llvm::ArrayRef<V>)> body,
           bool alone = false);

  /// A kernel that k() has been given already takes \p sharedBytes.
  void added(const std::string &name, int64_t sharedBytes) {
    sharedOf.push_back({name, sharedBytes});
  }

  /// An argument of launch().
  struct Argument {
    Argument(const void *pointer) : bits(reinterpret_cast<int64_t>(pointer)) {}
    Argument(int64_t value) : bits(value) {}
    Argument(float value);
    int64_t bits;
  };
  /// Memory that kernels may touch until forget(): "r" read, "w" read and
  /// written, "s" written before it is read.
  void know(const void *base, int64_t bytes, const char *name,
            emu::RegionKind kind);
  template <typename T>
  void know(const std::vector<T> &memory, const char *name,
            emu::RegionKind kind = emu::RegionKind::ReadOnly) {
    know(memory.data(), int64_t(memory.size() * sizeof(T)), name, kind);
  }
  void forget();
  /// Runs \p name with \p blocks blocks, in an order that \p seed chooses.
  void launch(const std::string &name, int64_t blocks,
              llvm::ArrayRef<Argument> arguments, uint64_t seed = 0);
  /// Shared memory of \p name in bytes.
  int64_t sharedBytes(const std::string &name) const;

private:
  struct Region {
    const void *base;
    int64_t bytes;
    std::string name;
    emu::RegionKind kind;
  };
  void compile();

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::optional<gpu::DeviceBuilder> builder;
  std::vector<std::pair<std::string, int64_t>> sharedOf;
  std::vector<Region> regions;
  std::unique_ptr<llvm::orc::LLJIT> jit;
  /// By the number of their blocks: stacks for all threads take longer to make
  /// than most kernels run.
  std::map<int64_t, emu::Emulator> emulators;
};

/// GPUs whose kernels are tested: warps of 32 and of 64.
std::vector<gpu::GpuFacts> kernelGpus();

} // namespace quartet::test
#endif
