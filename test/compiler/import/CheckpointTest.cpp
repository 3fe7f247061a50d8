// Checkpoint directories: one file, shards, and one negative test per way in
// which index, shards and directory can disagree.
#include "ImportTesting.h"
#include "compiler/import/Safetensors.h"
#include <sys/stat.h>
#include <unistd.h>

using namespace llvm;
using namespace quartet;
using namespace quartet::testing;

namespace {

/// A file with one U8-sized tensor of type F16 and shape [2] per name.
std::string fileWith(std::initializer_list<StringRef> names,
                     StringRef dtype = "F16") {
  std::string header = "{", data;
  for (StringRef name : names) {
    header += (data.empty() ? "\"" : ",\"") + name.str() + R"(":{"dtype":")" +
              dtype.str() + R"(","shape":[4],"data_offsets":[)" +
              std::to_string(data.size()) + "," +
              std::to_string(data.size() + 8) + "]}";
    data += (name + "--------").str().substr(0, 8);
  }
  return safetensors(header + "}", data);
}

constexpr const char *indexName = "model.safetensors.index.json";

class CheckpointTest : public ::testing::Test {
protected:
  TemporaryDirectory directory;

  std::string problem() { return message(Checkpoint::open(directory.str())); }
  std::string path(StringRef name) { return directory.file(name); }
};

TEST_F(CheckpointTest, ReadsOneFile) {
  directory.write("model.safetensors", fileWith({"a", "b"}));
  Expected<Checkpoint> checkpoint = Checkpoint::open(directory.str());
  ASSERT_TRUE(bool(checkpoint)) << message(std::move(checkpoint));
  EXPECT_EQ(checkpoint->tensors().size(), 2u);
  EXPECT_EQ(toStringRef(checkpoint->data("b")), "b-------");
  EXPECT_TRUE(checkpoint->data("c").empty());
  EXPECT_EQ(checkpoint->find("c"), nullptr);
  Expected<TensorTable> table = checkpoint->table();
  ASSERT_TRUE(bool(table)) << message(std::move(table));
  ASSERT_EQ(table->count("a"), 1u);
  EXPECT_EQ(table->at("a").dtype, Dtype::F16);
  EXPECT_EQ(table->at("a").shape, std::vector<int64_t>{4});
}

TEST_F(CheckpointTest, ReadsShards) {
  directory.write("s1.safetensors", fileWith({"a", "c"}));
  directory.write("s2.safetensors", fileWith({"b"}));
  directory.write(indexName, R"({"metadata":{"total_size":24,"x":[[{}]]},)"
                             R"("weight_map":{"a":"s1.safetensors",)"
                             R"("b":"s2.safetensors","c":"s1.safetensors"}})");
  Expected<Checkpoint> checkpoint = Checkpoint::open(directory.str());
  ASSERT_TRUE(bool(checkpoint)) << message(std::move(checkpoint));
  EXPECT_EQ(toStringRef(checkpoint->data("a")), "a-------");
  EXPECT_EQ(toStringRef(checkpoint->data("b")), "b-------");
  EXPECT_EQ(toStringRef(checkpoint->data("c")), "c-------");
  EXPECT_EQ(checkpoint->fileOf(*checkpoint->find("b")), path("s2.safetensors"));
}

TEST_F(CheckpointTest, ReleasedTensorsCanBeReadAgain) {
  std::string data(1 << 20, '\0');
  for (size_t i = 0; i < data.size(); ++i)
    data[i] = char(i * 7);
  directory.write(
      "model.safetensors",
      safetensors(
          R"({"t":{"dtype":"U8","shape":[1048576],"data_offsets":[0,1048576]}})",
          data));
  Expected<Checkpoint> checkpoint = Checkpoint::open(directory.str());
  ASSERT_TRUE(bool(checkpoint)) << message(std::move(checkpoint));
  checkpoint->release("t", 5000, 100000);
  checkpoint->release("t", 2 << 20, 3 << 20);
  checkpoint->release("t");
  checkpoint->release("no such tensor");
  EXPECT_TRUE(toStringRef(checkpoint->data("t")) == data);
}

TEST_F(CheckpointTest, RejectsAMissingDirectory) {
  EXPECT_EQ(message(Checkpoint::open(path("none"))),
            path("none") + ": no such directory");
  directory.write("file", "");
  EXPECT_TRUE(
      contains(message(Checkpoint::open(path("file"))), "not a directory"));
}

TEST_F(CheckpointTest, SaysWhatItLookedForAndFound) {
  std::string looked = directory.str() +
                       ": neither model.safetensors nor "
                       "model.safetensors.index.json found, expected one of "
                       "them";
  EXPECT_EQ(problem(), looked);
  directory.write("config.json", "{}");
  directory.write("adapter.safetensors", "");
  EXPECT_EQ(problem(), looked + "; found adapter.safetensors");
  directory.write("q4.gguf", "");
  directory.write("pytorch_model.bin", "");
  EXPECT_EQ(problem(),
            looked + "; found adapter.safetensors, pytorch_model.bin, q4.gguf "
                     "(of a directory only safetensors are read; give a .gguf "
                     "file by its own path)");
  directory.write("model-00001-of-00002.safetensors", "");
  directory.write("model-00002-of-00002.safetensors", "");
  EXPECT_TRUE(contains(problem(), "and 1 more (shards without their index"));
}

TEST_F(CheckpointTest, NamesABadFile) {
  directory.write("model.safetensors", "short");
  EXPECT_TRUE(contains(problem(), path("model.safetensors") + ": found 5"));
}

// Opening a pipe would wait for a writer for ever.
TEST_F(CheckpointTest, RejectsAPipe) {
  ASSERT_EQ(mkfifo(path("model.safetensors").c_str(), 0600), 0);
  EXPECT_TRUE(contains(problem(), "not a regular file"));
  ASSERT_EQ(unlink(path("model.safetensors").c_str()), 0);
}

TEST_F(CheckpointTest, RejectsAMissingShard) {
  directory.write("s1.safetensors", fileWith({"a"}));
  directory.write(indexName, R"({"weight_map":{"a":"s1.safetensors",)"
                             R"("b":"s2.safetensors"}})");
  EXPECT_TRUE(contains(problem(), path(indexName) +
                                      ": tensor 'b': its file s2.safetensors "
                                      "is missing"));
}

TEST_F(CheckpointTest, RejectsATensorAbsentFromItsShard) {
  directory.write("s1.safetensors", fileWith({"a"}));
  directory.write(indexName, R"({"weight_map":{"a":"s1.safetensors",)"
                             R"("b":"s1.safetensors"}})");
  EXPECT_TRUE(contains(problem(), path("s1.safetensors") +
                                      ": tensor 'b': not found here"));
}

TEST_F(CheckpointTest, RejectsATensorInAnotherShard) {
  directory.write("s1.safetensors", fileWith({"a", "b"}));
  directory.write("s2.safetensors", fileWith({"c"}));
  directory.write(indexName, R"({"weight_map":{"a":"s1.safetensors",)"
                             R"("b":"s2.safetensors","c":"s2.safetensors"}})");
  EXPECT_TRUE(contains(problem(), "s1.safetensors: tensor 'b': found here, "
                                  "expected in s2.safetensors"));
}

TEST_F(CheckpointTest, RejectsATensorThatIsNotListed) {
  directory.write("s1.safetensors", fileWith({"a", "extra"}));
  directory.write(indexName, R"({"weight_map":{"a":"s1.safetensors"}})");
  EXPECT_TRUE(contains(problem(), "s1.safetensors: tensor 'extra': found here, "
                                  "expected only tensors that"));
}

TEST_F(CheckpointTest, RejectsATensorInTwoShards) {
  directory.write("s1.safetensors", fileWith({"a", "b"}));
  directory.write("s2.safetensors", fileWith({"b"}));
  directory.write(indexName, R"({"weight_map":{"a":"s1.safetensors",)"
                             R"("b":"s2.safetensors"}})");
  EXPECT_TRUE(contains(problem(), path("s2.safetensors") +
                                      ": tensor 'b': found here and in " +
                                      path("s1.safetensors")));
}

std::string indexProblem(StringRef text) {
  return message(parseShardIndex(text, "i.json"));
}

TEST(ShardIndex, RejectsNamesThatLeaveTheDirectory) {
  for (const char *name : {"../s", "/etc/passwd", "..", ".", "", "a/b",
                           "a\\\\b", "s\\u0000", "s\\n"}) {
    std::string text = R"({"weight_map":{"t":")" + std::string(name) + "\"}}";
    EXPECT_TRUE(contains(indexProblem(text), "i.json: tensor 't': shard '"))
        << name;
  }
}

TEST(ShardIndex, RejectsDuplicates) {
  EXPECT_EQ(indexProblem(R"({"weight_map":{"t":"a","t":"a"}})"),
            "i.json: tensor 't': found twice in weight_map, expected once");
  EXPECT_EQ(indexProblem(R"({"weight_map":{"t":"a"},"weight_map":{}})"),
            "i.json: member 'weight_map' found twice, expected once");
}

TEST(ShardIndex, RejectsOtherShapesOfJson) {
  EXPECT_EQ(indexProblem("[]"),
            "i.json: the index is an array, expected an object");
  EXPECT_EQ(indexProblem("7"),
            "i.json: the index is a number, expected an object");
  EXPECT_TRUE(contains(indexProblem("{}"), "no weight_map found"));
  EXPECT_TRUE(
      contains(indexProblem(R"({"weight_map":{}})"), "empty weight_map found"));
  EXPECT_EQ(indexProblem(R"({"weight_map":[]})"),
            "i.json: weight_map is an array, expected an object");
  EXPECT_EQ(indexProblem(R"({"weight_map":{"t":1}})"),
            "i.json: tensor 't': a number found in weight_map, expected a file "
            "name");
  EXPECT_EQ(indexProblem(R"({"weight_map":{"t":{}}})"),
            "i.json: tensor 't': an object found in weight_map, expected a "
            "file name");
  EXPECT_TRUE(contains(indexProblem(R"({"weight_map":{"t":"a"})"),
                       "i.json: invalid JSON at byte"));
  EXPECT_TRUE(contains(indexProblem("\xef\xbb\xbf{}"), "byte-order mark"));
  EXPECT_TRUE(contains(indexProblem("{\"metadata\":" + std::string(50, '[')),
                       "nested deeper than 16 levels"));
}

TEST_F(CheckpointTest, TableRejectsOtherTypes) {
  directory.write("model.safetensors", fileWith({"w", "x"}, "I16"));
  Expected<Checkpoint> checkpoint = Checkpoint::open(directory.str());
  ASSERT_TRUE(bool(checkpoint)) << message(std::move(checkpoint));
  EXPECT_TRUE(contains(message(checkpoint->table()),
                       path("model.safetensors") +
                           ": tensor 'w': type I16 found, as in 1 more, "
                           "expected F32, F16 or BF16"));
}

TEST_F(CheckpointTest, TableTakesOtherTypesUnderNamesThatAreSetAside) {
  directory.write("model.safetensors",
                  fileWith({"mtp.fc", "visual.a", "model.visual.b"}, "I16"));
  Expected<Checkpoint> checkpoint = Checkpoint::open(directory.str());
  ASSERT_TRUE(bool(checkpoint)) << message(std::move(checkpoint));
  Expected<TensorTable> table = checkpoint->table();
  ASSERT_TRUE(bool(table)) << message(std::move(table));
  EXPECT_EQ(table->size(), 3u);
}

} // namespace
