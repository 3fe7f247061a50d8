// The NumPy file has the format's bytes, and appears only when it is complete.
#include "runtime/src/app/NpyFile.h"
#include "../engine/TestManifest.h"
#include <cstring>
#include <filesystem>
#include <gtest/gtest.h>
#include <sys/stat.h>

using namespace quartet::rt;
using quartet::rt::test::TempDir;

namespace {
size_t filesIn(const TempDir &dir) {
  size_t count = 0;
  for (const auto &entry : std::filesystem::directory_iterator(dir.path)) {
    (void)entry;
    ++count;
  }
  return count;
}

TEST(NpyFile, WritesRowsInAnyOrder) {
  TempDir dir;
  std::string path = dir.path + "/m.npy", error;
  auto file = NpyFile::create(path, 2, 3, &error);
  ASSERT_TRUE(file) << error;
  float rows[2][3] = {{1, 2, 3}, {4, 5, 6}};
  EXPECT_TRUE(file->writeRow(1, rows[1], &error)) << error;
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_TRUE(file->writeRow(0, rows[0], &error)) << error;
  EXPECT_TRUE(file->finish(&error)) << error;
  file.reset();
  EXPECT_EQ(filesIn(dir), 1u);

  std::string content = TempDir::read(path);
  EXPECT_EQ(content.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
  size_t header = uint8_t(content[8]) + 256 * uint8_t(content[9]);
  EXPECT_EQ((10 + header) % 64, 0u);
  EXPECT_EQ(content[10 + header - 1], '\n');
  std::string dictionary = content.substr(10, header);
  EXPECT_EQ(dictionary.find("{'descr': '<f4', 'fortran_order': False, "
                            "'shape': (2, 3), }"),
            0u)
      << dictionary;
  ASSERT_EQ(content.size(), 10 + header + sizeof(rows));
  EXPECT_EQ(memcmp(content.data() + 10 + header, rows, sizeof(rows)), 0);
}

TEST(NpyFile, LeavesNothingWhenAbandoned) {
  TempDir dir;
  std::string error;
  NpyFile::create(dir.path + "/m.npy", 1, 1, &error).reset();
  EXPECT_EQ(filesIn(dir), 0u);
  EXPECT_FALSE(NpyFile::create(dir.path + "/none/m.npy", 1, 1, &error));
  EXPECT_NE(error.find("none/m.npy"), std::string::npos) << error;
}

// Whoever may write the folder could otherwise lose a device to the rename.
TEST(NpyFile, ReplacesFilesOnly) {
  TempDir dir;
  std::string pipe = dir.path + "/pipe", error;
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_FALSE(NpyFile::create(pipe, 1, 1, &error));
  EXPECT_NE(error.find("no regular file"), std::string::npos) << error;
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));
  EXPECT_FALSE(NpyFile::create(dir.path, 1, 1, &error));
  EXPECT_NE(error.find("a folder"), std::string::npos) << error;
  EXPECT_EQ(filesIn(dir), 1u);
}

TEST(NpyFile, WritesWhereALinkPoints) {
  TempDir dir;
  std::string target = dir.write("target", "old"), link = dir.path + "/link";
  std::filesystem::create_symlink(target, link);
  std::string error;
  float value = 1;
  auto file = NpyFile::create(link, 1, 1, &error);
  ASSERT_TRUE(file) << error;
  EXPECT_TRUE(file->writeRow(0, &value, &error)) << error;
  EXPECT_TRUE(file->finish(&error)) << error;
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(TempDir::read(target).substr(1, 5), "NUMPY");
}
} // namespace
