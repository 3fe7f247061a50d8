// Writes beside the target and renames, with errors that name the file.
#include "compiler/import/NewFile.h"
#include "compiler/import/Progress.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Signals.h"
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

using namespace llvm;
using namespace quartet;

static Error systemError(const std::string &what) {
  std::error_code code(errno, std::generic_category());
  return createStringError(code, what + ": " + code.message());
}

Error quartet::checkTarget(StringRef path, uint64_t bytes) {
  if (sys::fs::exists(path) && !sys::fs::is_regular_file(path))
    return createStringError(path + ": exists and is not a regular file, "
                                    "expected a file or nothing");
  SmallString<256> directory(path);
  sys::path::remove_filename(directory);
  if (directory.empty())
    directory = ".";
  struct statvfs disk;
  if (::statvfs(directory.c_str(), &disk) != 0) {
    std::error_code code(errno, std::generic_category());
    return createStringError(code, path + ": cannot use the directory " +
                                       directory + ": " + code.message());
  }
  uint64_t free = SaturatingMultiply<uint64_t>(disk.f_bavail, disk.f_frsize);
  if (free < bytes)
    return createStringError(path + ": " + formatBytes(bytes) + " needed, " +
                             formatBytes(free) + " available in " + directory +
                             " (free some space or write to another disk)");
  return Error::success();
}

NewFile::NewFile(StringRef path)
    : path(path.str()),
      temporary((path + ".tmp-" + Twine(sys::Process::getProcessId())).str()) {}

NewFile::~NewFile() {
  if (descriptor >= 0)
    ::close(descriptor);
  if (!created)
    return;
  ::unlink(temporary.c_str());
  sys::DontRemoveFileOnSignal(temporary);
}

Error NewFile::create() {
  // A process of the same number may have died and left one.
  ::unlink(temporary.c_str());
  descriptor =
      ::open(temporary.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
  if (descriptor < 0)
    return systemError(temporary + ": cannot create the file");
  created = true;
  sys::RemoveFileOnSignal(temporary);
  return Error::success();
}

Error NewFile::write(ArrayRef<uint8_t> bytes, uint64_t offset) {
  while (!bytes.empty()) {
    ssize_t count =
        ::pwrite(descriptor, bytes.data(), bytes.size(), off_t(offset));
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return systemError(path + ": cannot write at byte " +
                         std::to_string(offset));
    bytes = bytes.drop_front(size_t(count));
    offset += uint64_t(count);
  }
  return Error::success();
}

Error NewFile::keep() {
  if (::fsync(descriptor) != 0)
    return systemError(path + ": cannot write the data to disk");
  int closed = ::close(descriptor);
  descriptor = -1;
  if (closed != 0)
    return systemError(path + ": cannot close the file");
  if (::rename(temporary.c_str(), path.c_str()) != 0)
    return systemError(path + ": cannot rename " + temporary + " to it");
  created = false;
  sys::DontRemoveFileOnSignal(temporary);
  return Error::success();
}
