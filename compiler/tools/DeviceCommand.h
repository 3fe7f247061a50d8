// `quartetc device`: kernels in MLIR to a GPU's code, for people who look into
// the compiler and for its tests.
#ifndef QUARTET_COMPILER_TOOLS_DEVICECOMMAND_H
#define QUARTET_COMPILER_TOOLS_DEVICECOMMAND_H
#include "CLI/CLI.hpp"
#include "targets/gpu/DeviceTarget.h"

namespace quartet {

struct DeviceCommand {
  std::string input, target, output = "-";
  std::string emit = "report"; ///< llvm, isa, image, report
  gpu::DeviceOptions options;
};

/// Adds the command "device", which help does not list.
void addDevice(CLI::App &app, DeviceCommand &command);

/// Compiles the kernels of a file (as tile-to-gpu leaves them) and writes what
/// was asked for; warnings about kernels go to standard error.
llvm::Error runDevice(const DeviceCommand &command);

} // namespace quartet
#endif
