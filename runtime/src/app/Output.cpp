// Plain write() and read(). SIGPIPE is ignored by runApp, so that a closed pipe
// is an error code here.
#include "runtime/src/app/Output.h"
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace quartet::rt {

bool Output::write(std::string_view text) {
  while (ok() && !text.empty()) {
    ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0) {
      if (errno != EINTR)
        lastError = errno;
      continue;
    }
    lineOpen = written ? text[size_t(written) - 1] != '\n' : lineOpen;
    text.remove_prefix(size_t(written));
  }
  return ok();
}

bool Output::closed() const { return lastError == EPIPE; }

std::string Output::problem() const {
  return ok() ? ""
              : std::string("cannot write to standard output: ") +
                    strerror(lastError);
}

void Output::finishLine() {
  if (lineOpen)
    write("\n");
}

bool readAll(const std::string &path, std::string &text, std::string *error) {
  bool standard = path == "-";
  auto fail = [&] {
    if (error)
      *error = "cannot read " +
               (standard ? "standard input" : "'" + path + "'") + ": " +
               strerror(errno);
    return false;
  };
  int fd = standard ? STDIN_FILENO : open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return fail();
  text.clear();
  char buffer[65536];
  ssize_t count = 0;
  do {
    count = read(fd, buffer, sizeof(buffer));
    if (count > 0)
      text.append(buffer, size_t(count));
  } while (count > 0 || (count < 0 && errno == EINTR));
  int readError = errno;
  if (!standard)
    close(fd);
  errno = readError;
  return count == 0 || fail();
}

} // namespace quartet::rt
