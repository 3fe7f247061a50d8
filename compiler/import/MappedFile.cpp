// Maps a file of a model into memory, and lets go of what was read.
#include "compiler/import/MappedFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/Process.h"
#include <algorithm>
#include <sys/mman.h>

using namespace llvm;

Expected<std::unique_ptr<MemoryBuffer>> quartet::mapFile(StringRef path) {
  sys::fs::file_status status;
  if (std::error_code code = sys::fs::status(path, status))
    return createStringError(code, path + ": " + code.message());
  if (!sys::fs::is_regular_file(status))
    return createStringError(path + ": not a regular file, expected one");
  ErrorOr<std::unique_ptr<MemoryBuffer>> file = MemoryBuffer::getFile(
      path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!file)
    return createStringError(file.getError(),
                             path + ": " + file.getError().message());
  return std::move(*file);
}

void quartet::releasePages(const MemoryBuffer &file, ArrayRef<uint8_t> part,
                           uint64_t begin, uint64_t end) {
  // On memory that is no file mapping, the kernel would zero the pages.
  if (file.getBufferKind() != MemoryBuffer::MemoryBuffer_MMap)
    return;
  auto start = reinterpret_cast<uintptr_t>(part.data());
  uint64_t page = sys::Process::getPageSizeEstimate();
  uint64_t from = alignTo(start + std::min<uint64_t>(begin, part.size()), page);
  uint64_t to = alignDown(start + std::min<uint64_t>(end, part.size()), page);
  if (from < to)
    madvise(reinterpret_cast<void *>(from), to - from, MADV_DONTNEED);
}
