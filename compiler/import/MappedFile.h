// Maps a file of a model into memory, and lets go of what was read.
#ifndef QUARTET_COMPILER_IMPORT_MAPPEDFILE_H
#define QUARTET_COMPILER_IMPORT_MAPPEDFILE_H
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"
#include <memory>

namespace quartet {

/// Maps \p path; small files are read. Pipes and devices are refused, since
/// reading one could wait for ever.
llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>>
mapFile(llvm::StringRef path);

/// Tells the kernel that bytes [begin, end) of \p part, a piece of \p file, are
/// not needed again. Only whole pages go; a file that was read stays.
void releasePages(const llvm::MemoryBuffer &file, llvm::ArrayRef<uint8_t> part,
                  uint64_t begin, uint64_t end);

} // namespace quartet
#endif
