// A source of weights that walks a weight's runs (models/Weights.h).
#ifndef QUARTET_COMPILER_IMPORT_RUNSOURCE_H
#define QUARTET_COMPILER_IMPORT_RUNSOURCE_H
#include "compiler/import/Pack.h"

namespace quartet {

class RunSource : public WeightSource {
public:
  llvm::Error read(const Weight &weight, int64_t begin,
                   llvm::MutableArrayRef<uint8_t> out) final;

protected:
  /// Writes elements [skip, skip + count) of \p run to \p out, converted to
  /// weight.dtype.
  virtual llvm::Error readRun(const Weight &weight, const Run &run,
                              int64_t skip, int64_t count, uint8_t *out) = 0;

  /// What to do about a value that \p dtype cannot hold, for messages.
  static llvm::StringRef largest(Dtype dtype);
};

} // namespace quartet
#endif
