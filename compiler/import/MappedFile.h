// Maps a file of a model into memory.
#ifndef QUARTET_COMPILER_IMPORT_MAPPEDFILE_H
#define QUARTET_COMPILER_IMPORT_MAPPEDFILE_H
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"
#include <memory>

namespace quartet {

/// Maps \p path; small files are read. Pipes and devices are refused, since
/// reading one could wait for ever.
llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>>
mapFile(llvm::StringRef path);

} // namespace quartet
#endif
