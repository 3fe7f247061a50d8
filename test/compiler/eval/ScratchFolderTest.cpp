// The scratch folder is gone however the work ends.
#include "compiler/eval/ScratchFolder.h"
#include "test/compiler/eval/EvalTesting.h"
#include "llvm/Support/Path.h"
#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

using namespace llvm;
using namespace quartet;
using ::testing::HasSubstr;

static bool isEmpty(StringRef folder) {
  std::error_code ec;
  return sys::fs::directory_iterator(folder, ec) ==
         sys::fs::directory_iterator();
}

/// Leaves a file in a folder of \p folder.
static void fill(StringRef folder) {
  sys::fs::create_directory(folder + "/inner");
  std::error_code ec;
  raw_fd_ostream(((folder + "/inner/file").str()), ec) << "large";
}

TEST(ScratchFolder, GivesTheCodeAndCleansUp) {
  TempFolder parent;
  auto code = withScratchFolder(parent.path, [](StringRef folder) {
    fill(folder);
    return sys::fs::exists(folder + "/inner/file") ? 7 : 1;
  });
  ASSERT_TRUE(bool(code));
  EXPECT_EQ(*code, 7);
  EXPECT_TRUE(isEmpty(parent.path));
}

TEST(ScratchFolder, CleansUpAfterACrash) {
  TempFolder parent;
  auto code = withScratchFolder(parent.path, [](StringRef folder) {
    fill(folder);
    kill(getpid(), SIGKILL);
    return 0;
  });
  EXPECT_THAT(messageOf(std::move(code)), HasSubstr("signal 'Killed'"));
  EXPECT_TRUE(isEmpty(parent.path));
}

// Ctrl-C on the supervisor ends the work, removes the folder, and only then
// ends the supervisor as the signal says.
TEST(ScratchFolder, CleansUpAfterASignal) {
  for (int signal : {SIGINT, SIGTERM}) {
    TempFolder parent;
    pid_t supervisor = fork();
    if (supervisor == 0) {
      std::signal(signal, SIG_DFL); // tests may run where it is ignored
      auto code = withScratchFolder(parent.path, [](StringRef folder) {
        fill(folder);
        sleep(60);
        return 0;
      });
      consumeError(code.takeError());
      _exit(99);
    }
    while (isEmpty(parent.path))
      usleep(1000);
    kill(supervisor, signal);
    int status = 0;
    waitpid(supervisor, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == signal);
    EXPECT_TRUE(isEmpty(parent.path));
  }
}

TEST(ScratchFolder, TakesARelativeFolder) {
  TempFolder parent;
  SmallString<128> before;
  sys::fs::current_path(before);
  sys::fs::set_current_path(parent.path);
  sys::fs::create_directory("inner");
  auto code = withScratchFolder("inner", [](StringRef folder) {
    return !isEmpty("inner") && sys::path::is_absolute(folder) ? 0 : 1;
  });
  sys::fs::set_current_path(before);
  ASSERT_TRUE(bool(code));
  EXPECT_EQ(*code, 0);
}

TEST(ScratchFolder, RefusesWhatIsNoFolder) {
  auto code = withScratchFolder("/nosuch/folder", [](StringRef) { return 0; });
  EXPECT_THAT(messageOf(std::move(code)),
              HasSubstr("'/nosuch/folder' is not a folder"));
}
