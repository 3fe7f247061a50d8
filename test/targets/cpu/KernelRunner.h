// Builds micro-kernels in a module of their own, compiles them for this machine
// and returns them as C functions.
#ifndef QUARTET_TEST_CPU_KERNELRUNNER_H
#define QUARTET_TEST_CPU_KERNELRUNNER_H
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "targets/cpu/KernelBuilder.h"
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace llvm::orc {
class LLJIT;
}

namespace quartet::test {

/// One module and its code. Add every kernel, then get them:
///   KernelRunner runner;
///   std::string name = runner.add(dotKernel(runner.k(), format, 4));
///   auto *dot = runner.get<void(const void *, int64_t)>(name);
/// Functions live as long as the runner. Errors end the program with a message.
class KernelRunner {
public:
  /// \p cpu is an LLVM name that this machine can run, "x86-64-v3" say; empty
  /// is the machine itself with all it has. \p features, "+a,-b", are added to
  /// a CPU that has a name.
  explicit KernelRunner(llvm::StringRef cpu = "",
                        llvm::StringRef features = "");
  /// This machine's code with kernels written for \p isa.
  explicit KernelRunner(const cpu::Isa &isa);
  ~KernelRunner();

  cpu::KernelBuilder &k() { return *builder; }
  const cpu::Isa &isa() const { return instructions; }

  /// Makes \p function one that get() finds; returns its name.
  std::string add(mlir::func::FuncOp function);
  /// The function \p name; the first call compiles the module.
  template <typename Signature> Signature *get(const std::string &name) {
    return reinterpret_cast<Signature *>(address(name));
  }
  /// What calls of the undefined function \p symbol reach. Before the first
  /// get().
  void define(const std::string &symbol, void (*function)());
  mlir::ModuleOp kernels() { return *module; }
  /// LLVM's IR after optimization, for a look at what became of a kernel. Only
  /// before the first get().
  std::string optimizedIr();

  /// What this machine has.
  static cpu::Isa hostIsa();
  /// Whether this machine can run code for \p cpu.
  static bool canRun(llvm::StringRef cpu);

private:
  void *address(const std::string &name);
  void start();
  void compile();

  std::string cpu, features;
  cpu::Isa instructions;
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::optional<cpu::KernelBuilder> builder;
  std::vector<std::pair<std::string, void (*)()>> definitions;
  std::unique_ptr<llvm::orc::LLJIT> jit;
};

/// CPUs whose code this machine runs, by LLVM name: itself, and an older one
/// with narrower vectors.
inline std::vector<std::string> kernelCpus() {
  std::vector<std::string> cpus = {""};
  if (KernelRunner::canRun("x86-64-v3"))
    cpus.push_back("x86-64-v3");
  return cpus;
}

/// The assembly of the kernels that \p build makes, for a CPU that need not be
/// this machine.
std::string
kernelAssembly(llvm::StringRef triple, llvm::StringRef cpu,
               llvm::function_ref<void(cpu::KernelBuilder &)> build);

} // namespace quartet::test
#endif
