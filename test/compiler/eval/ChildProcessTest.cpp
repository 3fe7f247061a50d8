// Child processes that succeed, fail, stop too early and say too much.
#include "compiler/eval/ChildProcess.h"
#include "test/compiler/eval/EvalTesting.h"

using namespace llvm;
using namespace quartet;
using ::testing::HasSubstr;

namespace {
struct ChildProcessTest : ::testing::Test {
  std::unique_ptr<ChildProcess> start(StringRef lines, StringRef input = "") {
    auto child = ChildProcess::start({folder.script("child", lines)}, input,
                                     folder.path + "/log");
    EXPECT_TRUE(bool(child));
    return std::move(*child);
  }
  TempFolder folder;
};
} // namespace

TEST_F(ChildProcessTest, ReadsAllOutput) {
  std::string input = folder.file("input", "from the file\n");
  auto text = start("cat; echo and more", input)->readAll();
  ASSERT_TRUE(bool(text));
  EXPECT_EQ(*text, "from the file\nand more\n");
  EXPECT_EQ(*start("cat")->readAll(), ""); // no input is an empty one
}

TEST_F(ChildProcessTest, ReadsPieces) {
  auto child = start("printf abc; sleep 0.1; printf def");
  char bytes[6] = {};
  EXPECT_FALSE(bool(child->read(MutableArrayRef(bytes, 2))));
  EXPECT_FALSE(bool(child->read(MutableArrayRef(bytes + 2, 4))));
  EXPECT_EQ(StringRef(bytes, 6), "abcdef");
  EXPECT_FALSE(bool(child->finish()));
}

TEST_F(ChildProcessTest, ReadsLines) {
  auto child = start("printf 'one\\n\\ntwo'");
  EXPECT_EQ(*child->readLine(), "one\n");
  EXPECT_EQ(*child->readLine(), "\n");
  EXPECT_EQ(*child->readLine(), "two");
  EXPECT_EQ(*child->readLine(), "");
  EXPECT_FALSE(bool(child->finish()));
}

TEST_F(ChildProcessTest, QuotesAProcessThatFails) {
  EXPECT_THAT(messageOf(start("echo no luck >&2; exit 3")->readAll()),
              HasSubstr("'child' failed with exit code 3: no luck"));
  EXPECT_THAT(messageOf(start("kill -9 $$")->readAll()),
              HasSubstr("was ended by the signal 'Killed'"));
  auto child = start("printf ab; echo no luck >&2; exit 3");
  char bytes[3];
  EXPECT_THAT(toString(child->read(bytes)), HasSubstr("no luck"));
}

TEST_F(ChildProcessTest, RefusesTooLittleAndTooMuch) {
  char bytes[3];
  EXPECT_THAT(toString(start("printf ab")->read(bytes)),
              HasSubstr("ended before it had written all"));
  auto child = start("printf abcd");
  EXPECT_FALSE(bool(child->read(bytes)));
  EXPECT_THAT(toString(child->finish()), HasSubstr("has written more"));
}

TEST_F(ChildProcessTest, RefusesWhatIsNoProgram) {
  auto child =
      ChildProcess::start({folder.path + "/nosuch"}, "", folder.path + "/log");
  EXPECT_THAT(messageOf(std::move(child)), HasSubstr("nosuch"));
}

// The destructor ends what still runs; otherwise this test would take a minute.
TEST_F(ChildProcessTest, EndsWhatStillRuns) {
  auto child = start("printf a; exec sleep 60");
  char byte;
  EXPECT_FALSE(bool(child->read(byte)));
}
