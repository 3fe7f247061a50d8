// posix_spawn with a pipe; a process that fails is quoted.
#include "compiler/eval/ChildProcess.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace llvm;
using namespace quartet;

extern char **environ;

/// What the process may write ahead of its reader.
static constexpr int kPipeBytes = 1 << 20;

Expected<std::unique_ptr<ChildProcess>>
ChildProcess::start(const std::vector<std::string> &arguments, StringRef input,
                    StringRef log) {
  std::unique_ptr<ChildProcess> child(new ChildProcess);
  child->command = sys::path::filename(arguments.front()).str();
  if (arguments.size() > 1)
    child->command += " " + arguments[1];
  child->log = log.str();
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return createStringError(Twine("cannot create a pipe: ") + strerror(errno));
  child->output = ends[0];
#ifdef F_SETPIPE_SZ
  fcntl(ends[0], F_SETPIPE_SZ, kPipeBytes); // smaller only costs time
#endif
  std::string from = input.empty() ? "/dev/null" : input.str();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, from.c_str(),
                                   O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, child->log.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  std::vector<char *> words;
  for (const std::string &argument : arguments)
    words.push_back(const_cast<char *>(argument.c_str()));
  words.push_back(nullptr);
  int failed = posix_spawn(&child->process, words[0], &actions, nullptr,
                           words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (failed == 0)
    return std::move(child);
  child->process = -1;
  return createStringError("cannot run '" + arguments.front() +
                           "': " + strerror(failed));
}

ChildProcess::~ChildProcess() {
  if (output >= 0)
    close(output);
  if (process < 0)
    return;
  kill(process, SIGKILL);
  while (waitpid(process, nullptr, 0) < 0 && errno == EINTR)
    ;
}

Expected<size_t> ChildProcess::readSome(char *bytes, size_t size) {
  while (true) {
    ssize_t count = ::read(output, bytes, size);
    if (count >= 0)
      return size_t(count);
    if (errno != EINTR)
      return createStringError("cannot read the output of '" + command +
                               "': " + strerror(errno));
  }
}

Error ChildProcess::read(MutableArrayRef<char> bytes) {
  size_t done = 0;
  while (done != bytes.size()) {
    auto count = readSome(bytes.data() + done, bytes.size() - done);
    if (!count)
      return count.takeError();
    if (*count == 0) {
      if (Error error = wait())
        return error;
      return createStringError("'" + command +
                               "' ended before it had written "
                               "all that was asked for");
    }
    done += *count;
  }
  return Error::success();
}

Expected<std::string> ChildProcess::readLine() {
  std::string line;
  while (line.empty() || line.back() != '\n') {
    char next = 0;
    auto count = readSome(&next, 1);
    if (!count)
      return count.takeError();
    if (*count == 0)
      break;
    line += next;
  }
  return line;
}

Error ChildProcess::finish() {
  char more = 0;
  auto count = readSome(&more, 1);
  if (!count)
    return count.takeError();
  if (*count != 0)
    return createStringError("'" + command +
                             "' has written more than was asked for");
  return wait();
}

Expected<std::string> ChildProcess::readAll() {
  std::string text;
  char buffer[16384];
  while (true) {
    auto count = readSome(buffer, sizeof(buffer));
    if (!count)
      return count.takeError();
    if (*count == 0)
      break;
    text.append(buffer, *count);
  }
  if (Error error = wait())
    return std::move(error);
  return text;
}

Error ChildProcess::wait() {
  int status = 0;
  while (waitpid(process, &status, 0) < 0 && errno == EINTR)
    ;
  process = -1;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
    return Error::success();
  std::string how =
      WIFSIGNALED(status)
          ? "was ended by the signal '" +
                std::string(strsignal(WTERMSIG(status))) + "'"
          : "failed with exit code " + std::to_string(WEXITSTATUS(status));
  std::string said;
  if (auto text = MemoryBuffer::getFile(log))
    said = (*text)->getBuffer().trim().take_back(2000).str();
  return createStringError("'" + command + "' " + how +
                           (said.empty() ? "" : ": " + said));
}
