// NumPy's format 1.0: a magic string, the length of a header that is a Python
// dictionary padded to a multiple of 64 bytes, then the values.
#include "runtime/src/app/NpyFile.h"
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace quartet::rt {

static bool fail(std::string *error, const std::string &what,
                 const std::string &path) {
  if (error)
    *error = what + " '" + path + "': " + strerror(errno);
  return false;
}

/// Finds out which file \p path means, so that the rename at the end replaces
/// what a link points to and never a device or a pipe. \returns false, with
/// \p error set, when it can't be a file.
static bool resolve(std::string &path, std::string *error) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0)
    return true; // Not there yet, or creating it says why not.
  if (!S_ISREG(info.st_mode)) {
    if (error)
      *error = "cannot write '" + path + "': it is " +
               (S_ISDIR(info.st_mode) ? "a folder" : "no regular file") +
               ", expected the name of a file";
    return false;
  }
  char *real = realpath(path.c_str(), nullptr);
  if (!real)
    return fail(error, "cannot write", path);
  path = real;
  free(real);
  return true;
}

std::unique_ptr<NpyFile> NpyFile::create(const std::string &name, int64_t rows,
                                         int64_t columns, std::string *error) {
  std::string path = name;
  if (!resolve(path, error))
    return nullptr;
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" +
                       std::to_string(rows) + ", " + std::to_string(columns) +
                       "), }";
  constexpr size_t prefix = 10; // magic, version and length
  header.append(63 - (prefix + header.size()) % 64, ' ');
  header += '\n';
  std::string start("\x93NUMPY\x01\x00", 8);
  start += char(header.size() & 0xff);
  start += char(header.size() >> 8);
  start += header;

  std::unique_ptr<NpyFile> file(new NpyFile);
  file->path = path;
  file->columns = columns;
  file->dataStart = start.size();
  std::string temporary = path + ".tmp-" + std::to_string(getpid());
  file->fd =
      open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file->fd < 0) {
    fail(error, "cannot write", temporary);
    return nullptr;
  }
  file->temporary = temporary;
  if (!file->write(start.data(), start.size(), 0, error))
    return nullptr;
  return file;
}

NpyFile::~NpyFile() {
  if (fd >= 0)
    close(fd);
  if (!temporary.empty())
    unlink(temporary.c_str());
}

bool NpyFile::write(const void *data, size_t size, uint64_t offset,
                    std::string *error) {
  const char *at = static_cast<const char *>(data);
  while (size != 0) {
    ssize_t written = pwrite(fd, at, size, off_t(offset));
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return fail(error, "cannot write", temporary);
    at += written;
    offset += uint64_t(written);
    size -= size_t(written);
  }
  return true;
}

bool NpyFile::writeRow(int64_t index, const float *values, std::string *error) {
  size_t bytes = size_t(columns) * sizeof(float);
  return write(values, bytes, dataStart + uint64_t(index) * bytes, error);
}

bool NpyFile::finish(std::string *error) {
  int result = close(fd);
  fd = -1;
  if (result != 0)
    return fail(error, "cannot write", temporary);
  if (rename(temporary.c_str(), path.c_str()) != 0)
    return fail(error, "cannot write", path);
  temporary.clear();
  return true;
}

} // namespace quartet::rt
