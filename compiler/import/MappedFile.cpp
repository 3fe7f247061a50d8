// Maps a file of a model into memory.
#include "compiler/import/MappedFile.h"
#include "llvm/Support/FileSystem.h"

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
