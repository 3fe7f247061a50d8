// The program that every compiled model is: reads the command line and runs a
// command. It gets the compiled parts as an argument, so that tests can run it
// on a model of their own.
#ifndef QUARTET_RUNTIME_APP_APP_H
#define QUARTET_RUNTIME_APP_APP_H
#include "quartet/abi.h"
#include "runtime/src/engine/Engine.h"

namespace quartet::rt {

/// What the compiler put into the executable.
struct Image {
  quartet_blob manifest, tokenizer, chatTemplate, weights;
  const quartet_program *programs; ///< best first
  int64_t numPrograms;
};

/// Exit codes, besides 0.
enum ExitCode {
  ExitFailure = 1,      ///< bad weight file, no memory, failed write, ...
  ExitUsage = 2,        ///< bad command line, prompt or tokens
  ExitKernels = 3,      ///< the emulator found the kernels to be wrong
  ExitInterrupted = 130 ///< Ctrl-C
};

/// Runs the program; \returns its exit code. Messages go to standard error.
int runApp(int argc, char **argv, const Image &image);

} // namespace quartet::rt
#endif
