// Calibration: which columns of which matrix matter, measured on a text.
#ifndef QUARTET_COMPILER_EVAL_CALIBRATE_H
#define QUARTET_COMPILER_EVAL_CALIBRATE_H
#include "compiler/Driver.h"

namespace quartet {

struct CalibrateCommand {
  std::string model;
  ConfigOptions config;
  std::optional<Dtype> dtype; ///< of the matrices; absent: as they come
  std::string text;           ///< file
  int64_t tokens = 2048;      ///< most tokens of the text, read as one sequence
  bool quiet = false;
};

/// Builds an executable in \p folder that records, runs the text through it and
/// writes mean squared activations to \p output, as ActivationStats reads them.
llvm::Error calibrate(const CalibrateCommand &command, llvm::StringRef folder,
                      llvm::StringRef output);

/// What calibration found, for the user.
struct CalibrationSummary {
  int64_t matrices = 0; ///< each expert of each repetition is one
  int64_t unseen = 0;   ///< of these, those that no token came to
};

/// Turns the states `*.squares` of the safetensors file \p states (sums of
/// squares, then their count, in each row) into means in \p output. Fails when
/// the file is none of these, or a sum is not finite.
llvm::Expected<CalibrationSummary> meanSquaresOf(llvm::StringRef states,
                                                 llvm::StringRef output);

} // namespace quartet
#endif
