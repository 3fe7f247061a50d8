// A supervising process waits for the working one and removes the folder. An
// exit handler or a signal handler could not: linking, packing and compiled
// models end in too many ways.
#include "compiler/eval/ScratchFolder.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <sys/wait.h>
#include <unistd.h>

using namespace llvm;
using namespace quartet;

static std::atomic<int> received{0};
static std::atomic<pid_t> worker{-1};
static_assert(std::atomic<int>::is_always_lock_free &&
                  std::atomic<pid_t>::is_always_lock_free,
              "a signal handler may only use lock-free atomics");

static constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};

/// Ctrl-C reaches both processes; a signal to this one alone is passed on.
static void passOn(int signal) {
  received.store(signal);
  kill(worker.load(), signal);
}

static Expected<std::string> makeFolder(StringRef parent) {
  SmallString<128> model(parent);
  if (parent.empty())
    sys::path::system_temp_directory(/*ErasedOnReboot=*/true, model);
  if (!sys::fs::is_directory(model))
    return createStringError("'" + model +
                             "' is not a folder: create it, or name another "
                             "one with --scratch");
  // Not MakeAbsolute: that would put a relative path into the system's folder.
  sys::fs::make_absolute(model);
  sys::path::append(model, "quartet-scratch-%%%%%%%%");
  SmallString<128> folder;
  sys::fs::createUniquePath(model, folder, /*MakeAbsolute=*/false);
  if (std::error_code ec = sys::fs::create_directory(
          folder, /*IgnoreExisting=*/false, sys::fs::owner_all))
    return createStringError(ec, "cannot create '" + folder +
                                     "': " + ec.message() +
                                     "; name another folder with --scratch");
  return folder.str().str();
}

Expected<int> quartet::withScratchFolder(StringRef parent,
                                         function_ref<int(StringRef)> work) {
  // A signal that comes before the handlers stand waits for them.
  sigset_t signals, before;
  sigemptyset(&signals);
  for (int signal : kSignals)
    sigaddset(&signals, signal);
  sigprocmask(SIG_BLOCK, &signals, &before);
  auto folder = makeFolder(parent);
  if (!folder) {
    sigprocmask(SIG_SETMASK, &before, nullptr);
    return folder.takeError();
  }
  outs().flush();
  received.store(0);
  pid_t child = fork();
  if (child == 0) {
    sigprocmask(SIG_SETMASK, &before, nullptr);
    int code = work(*folder);
    outs().flush();
    errs().flush();
    _exit(code);
  }
  if (child < 0) {
    int problem = errno;
    sigprocmask(SIG_SETMASK, &before, nullptr);
    sys::fs::remove_directories(*folder);
    return createStringError(Twine("cannot start a process: ") +
                             strerror(problem));
  }
  worker.store(child);
  struct sigaction action = {}, old[std::size(kSignals)];
  action.sa_handler = passOn;
  for (auto [i, signal] : enumerate(kSignals)) {
    sigaction(signal, &action, &old[i]);
    if (old[i].sa_handler == SIG_IGN) // as in the background, and under nohup
      sigaction(signal, &old[i], nullptr);
  }
  sigprocmask(SIG_SETMASK, &before, nullptr);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR)
    ;
  std::error_code ec = sys::fs::remove_directories(*folder);
  for (auto [i, signal] : enumerate(kSignals))
    sigaction(signal, &old[i], nullptr);
  if (int signal = received.load())
    raise(signal);
  if (ec)
    return createStringError(ec, "cannot remove '" + *folder +
                                     "': " + ec.message());
  if (WIFEXITED(status))
    return WEXITSTATUS(status);
  if (WTERMSIG(status) == SIGINT)
    raise(SIGINT);
  return createStringError("the work was ended by the signal '" +
                           Twine(strsignal(WTERMSIG(status))) + "'");
}
