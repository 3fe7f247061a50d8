// How the weight file is laid out, for the packer: the order of its data and
// its header.
#ifndef QUARTET_COMPILER_IMPORT_WEIGHTLAYOUT_H
#define QUARTET_COMPILER_IMPORT_WEIGHTLAYOUT_H
#include "compiler/import/Pack.h"

namespace quartet {

/// Indices of the weights in the order of the file.
std::vector<size_t> fileOrder(const WeightLayout &layout);

/// The file's first bytes: length, JSON, spaces up to the data. The weights_id
/// is not known yet; 64 zeros stand for it.
struct FileHeader {
  std::string bytes;
  uint64_t weightsIdOffset = 0;
};
FileHeader makeHeader(const WeightLayout &layout, llvm::StringRef modelName);

} // namespace quartet
#endif
