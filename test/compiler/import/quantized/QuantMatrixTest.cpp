// Each format of quantized matrices against the formula that defines it, the
// traps of each, and one damaged file per rule.
#include "QuantTesting.h"
#include "compiler/import/quantized/QuantTensors.h"
#include "compiler/import/quantized/WidenRows.h"

using namespace llvm;
using namespace quartet;
using namespace quartet::testing;

namespace {

const char *fp8Config = R"({"quantization_config": {"quant_method": "fp8",
  "fmt": "e4m3", "weight_block_size": [128, 128],
  "modules_to_not_convert": ["lm_head", "x.y.gate"]}})";
const char *gptqConfig = R"({"quantization_config": {"quant_method": "gptq",
  "bits": 4, "group_size": 128, "sym": true, "desc_act": false}})";
const char *awqConfig = R"({"quantization_config": {"quant_method": "awq",
  "bits": 4, "group_size": 128, "zero_point": true, "version": "gemm"}})";
const char *modelOptConfig = R"({"quantization_config": {
  "quant_method": "modelopt", "quant_algo": "MIXED_PRECISION"}})";

std::string compressedConfig(StringRef format, StringRef weights = "") {
  std::string text = R"({"quantization_config": {"quant_method":
    "compressed-tensors", "format": ")" +
                     format.str() + "\"";
  if (!weights.empty())
    text += R"(, "config_groups": {"group_0": {"targets": ["Linear"],
      "weights": )" +
            weights.str() + "}}";
  return text + "}}";
}

/// Checkpoints around the matrix "x.y.weight".
class QuantMatrixTest : public ::testing::Test {
protected:
  TemporaryDirectory directory;
  TensorFile file;
  std::string config;
  PackedFormat format; ///< of the last read()
  bool requantized = false, scalesRounded = false;

  /// All values as f32, through the rows of the packed format; or the problem.
  Expected<std::vector<float>> tryRead() {
    directory.write("model.safetensors", file.bytes());
    Expected<Checkpoint> checkpoint = Checkpoint::open(directory.str());
    if (!checkpoint)
      return checkpoint.takeError();
    Expected<QuantConfig> read = parseQuantConfig(config, "dir/config.json");
    if (!read)
      return read.takeError();
    Expected<QuantTensors> tensors = mapQuantTensors(*checkpoint, *read);
    if (!tensors)
      return tensors.takeError();
    auto it = tensors->matrices.find("x.y.weight");
    if (it == tensors->matrices.end())
      return createStringError("not quantized");
    QuantMatrix &matrix = it->second;
    if (Error error = analyze(*checkpoint, matrix))
      return std::move(error);
    format = matrix.format;
    requantized = matrix.requantized;
    scalesRounded = matrix.scalesRounded;
    int64_t count = matrix.allRows() * matrix.columns;
    std::vector<float> values(static_cast<size_t>(count));
    if (Error error = readMatrixValues(*checkpoint, matrix, 0, matrix.allRows(),
                                       values.data()))
      return std::move(error);
    // Row by row, and by threes, it is the same.
    QuantizedRows rows;
    std::vector<float> some(size_t(3 * matrix.columns));
    for (int64_t step : {1, 3})
      for (int64_t row = 0; row + step <= matrix.allRows(); row += step) {
        if (Error error = readMatrixRows(*checkpoint, matrix, row, step, rows))
          return std::move(error);
        EXPECT_EQ(rows.format, matrix.format);
        if (requantized)
          continue;
        dequantizeRows(rows, some.data());
        EXPECT_EQ(std::memcmp(some.data(), values.data() + row * matrix.columns,
                              size_t(step * matrix.columns) * 4),
                  0)
            << "row " << row;
      }
    return values;
  }
  std::vector<float> read() {
    Expected<std::vector<float>> values = tryRead();
    if (values)
      return *values;
    ADD_FAILURE() << toString(values.takeError());
    return {};
  }
  std::string problem() { return message(tryRead()); }

  /// fp8 codes without NaN; [rows, columns] with one of \p scales for each
  /// block.
  std::vector<uint8_t> addFp8(int64_t rows, int64_t columns) {
    std::vector<uint8_t> codes;
    for (int64_t i = 0; i < rows * columns; ++i) {
      uint8_t code = uint8_t(mixed(uint32_t(i)));
      codes.push_back((code & 0x7f) == 0x7f ? 0x42 : code);
    }
    file.add("x.y.weight", "F8_E4M3", {rows, columns}, rawBytes(codes));
    return codes;
  }
  /// Codes and group scales of fp4, and the values without a global scale.
  std::vector<float> addFp4(const std::string &codesName, int64_t rows,
                            int64_t columns, int64_t group) {
    std::vector<uint8_t> codes, scales;
    std::vector<float> values;
    bool isNv = group == 16;
    for (int64_t n = 0; n < rows; ++n) {
      for (int64_t k = 0; k < columns; k += 2)
        codes.push_back(uint8_t(mixed(uint32_t(n), uint32_t(k))));
      for (int64_t g = 0; g < columns / group; ++g)
        scales.push_back(
            uint8_t(isNv ? 0x30 + (n + 3 * g) % 0x30 : 120 + (n + g) % 12));
      for (int64_t k = 0; k < columns; ++k) {
        uint8_t byte = codes[size_t((n * columns + k) / 2)];
        uint8_t scale = scales[size_t(n * (columns / group) + k / group)];
        values.push_back(e2m1(k % 2 ? byte >> 4 : byte & 15) *
                         (isNv ? e4m3(scale) : std::ldexp(1.0f, scale - 127)));
      }
    }
    file.add(codesName, "U8", {rows, columns / 2}, rawBytes(codes));
    file.add("x.y.weight_scale", isNv ? "F8_E4M3" : "U8",
             {rows, columns / group}, rawBytes(scales));
    return values;
  }
};

TEST_F(QuantMatrixTest, Fp8Blocks) {
  // Not square, not whole blocks: a transposed grid would not fit.
  constexpr int64_t rows = 130, columns = 272;
  config = fp8Config;
  for (const char *type : {"F32", "BF16"}) {
    file = {};
    std::vector<uint8_t> codes = addFp8(rows, columns);
    std::vector<float> scales = {0.5f, 0.25f, 3, 1.5f, 0.125f, 7};
    file.floats("x.y.weight_scale_inv", type, {2, 3}, scales);
    std::vector<float> values = read();
    EXPECT_EQ(format.str(), "fp8:128:f32");
    for (int64_t n = 0; n < rows; ++n)
      for (int64_t k = 0; k < columns; ++k)
        ASSERT_EQ(values[size_t(n * columns + k)],
                  e4m3(codes[size_t(n * columns + k)]) *
                      scales[size_t(n / 128 * 3 + k / 128)]);
  }
  file.at("x.y.weight_scale_inv").shape = {3, 2};
  EXPECT_TRUE(contains(problem(),
                       "tensor 'x.y.weight_scale_inv' has shape [3, 2]; "
                       "expected one of [2, 3], "));
}

TEST_F(QuantMatrixTest, Fp8ScalePerTensorOrRow) {
  constexpr int64_t rows = 3, columns = 40;
  config = modelOptConfig;
  std::vector<uint8_t> codes = addFp8(rows, columns);
  file.floats("x.y.weight_scale", "F32", {}, {0.375f});
  file.floats("x.y.input_scale", "F32", {}, {1});
  std::vector<float> values = read();
  EXPECT_EQ(format.str(), "fp8:128:f32");
  for (size_t i = 0; i < values.size(); ++i)
    ASSERT_EQ(values[i], e4m3(codes[i]) * 0.375f);
  file.remove("x.y.weight_scale");
  file.floats("x.y.weight_scale", "BF16", {rows, 1}, {1, 2, 3});
  values = read();
  for (size_t i = 0; i < values.size(); ++i)
    ASSERT_EQ(values[i], e4m3(codes[i]) * float(1 + i / columns));
}

TEST_F(QuantMatrixTest, RejectsNumbersThatAreNone) {
  config = fp8Config;
  addFp8(2, 32);
  file.floats("x.y.weight_scale_inv", "F32", {1, 1}, {1});
  for (char bits : {char(0x7f), char(0xff)}) {
    std::string good = file.at("x.y.weight").data;
    file.at("x.y.weight").data[35] = bits;
    EXPECT_TRUE(contains(problem(), "tensor 'x.y.weight': NaN found in row 1, "
                                    "column 3, expected a number"));
    file.at("x.y.weight").data = good;
  }
  for (auto [scale, found] : {std::pair(-1.0f, "scale -1.000000"),
                              {NAN, "scale nan"},
                              {INFINITY, "scale inf"},
                              {0.0f, "scale 0 found"}}) {
    file.at("x.y.weight_scale_inv").data = rawBytes(std::vector<float>{scale});
    EXPECT_TRUE(contains(problem(), found));
    EXPECT_TRUE(contains(problem(), "tensor 'x.y.weight_scale_inv'"));
  }
  // A block of zeros may have the scale zero.
  file.at("x.y.weight").data.assign(64, '\0');
  EXPECT_EQ(read(), std::vector<float>(64, 0));
}

TEST_F(QuantMatrixTest, GptqSymmetric) {
  config = gptqConfig;
  IntegerMatrix matrix{24, 256, 128};
  matrix.addGptq(file, "x.y");
  EXPECT_EQ(read(), matrix.values());
  EXPECT_EQ(format.str(), "int4:128"); // the zeros say nothing more
}

TEST_F(QuantMatrixTest, GptqZerosAreStoredLessOne) {
  // One word each, by hand: codes 0..7, zero nibble 4 means 5.
  config = R"({"quantization_config": {"quant_method": "gptq", "bits": 4,
    "group_size": -1}})";
  std::vector<uint32_t> codes(2 * 8, 0x76543210), zeros(1, 0x44444444);
  file.add("x.y.qweight", "I32", {2, 8}, rawBytes(codes));
  file.add("x.y.qzeros", "I32", {1, 1}, rawBytes(zeros));
  file.floats("x.y.scales", "F16", {1, 8}, std::vector<float>(8, 0.5f));
  std::vector<float> values = read();
  EXPECT_EQ(format.str(), "int4:128:point");
  for (size_t i = 0; i < values.size(); ++i)
    ASSERT_EQ(values[i], (float(i % 8) - 5) * 0.5f);
  config = R"({"quantization_config": {"quant_method": "gptq", "bits": 4,
    "group_size": -1, "checkpoint_format": "gptq_v2"}})";
  values = read();
  for (size_t i = 0; i < values.size(); ++i)
    ASSERT_EQ(values[i], (float(i % 8) - 4) * 0.5f);
}

TEST_F(QuantMatrixTest, GptqZeroPointsAndOtherForms) {
  // Rules for single modules: the tensors alone say what they are.
  config = R"({"quantization_config": {"quant_method": "gptq", "bits": 4,
    "group_size": 128, "dynamic": {"+:x.y": {"bits": 8, "group_size": 32}}}})";
  for (int bits : {4, 8}) {
    file = {};
    IntegerMatrix matrix{16, 128, 32, bits};
    matrix.scaleType = "BF16";
    matrix.addGptq(file, "x.y");
    EXPECT_EQ(read(), matrix.values());
    EXPECT_EQ(format.str(), bits == 4 ? "int4:32:bf16" : "int8:32:bf16");
    matrix.symmetric = false;
    file = {};
    matrix.addGptq(file, "x.y");
    EXPECT_EQ(read(), matrix.values());
    EXPECT_EQ(format.str(),
              bits == 4 ? "int4:32:point:bf16" : "int8:32:point:bf16");
  }
  // 255 stored is 256, which is no u8: a minimum instead.
  file.at("x.y.qzeros").data.assign(4 * 16, '\xff');
  std::vector<float> values = read();
  EXPECT_EQ(format.str(), "int8:32:min:f32");
  IntegerMatrix matrix{16, 128, 32, 8, false};
  EXPECT_EQ(values[130],
            float(int(matrix.code(1, 2)) - 256) * matrix.scale(1, 0));
}

TEST_F(QuantMatrixTest, GptqInTheOrderOfActivations) {
  config = gptqConfig;
  IntegerMatrix matrix{8, 256, 128};
  matrix.addGptq(file, "x.y");
  std::vector<int32_t> order(256);
  for (int k = 0; k < 256; ++k)
    order[size_t(k)] = k % 2;
  file.at("x.y.g_idx").data = rawBytes(order);
  std::vector<float> values = read();
  EXPECT_TRUE(requantized);
  EXPECT_EQ(format.str(), "int8:32");
  for (int64_t n = 0; n < 8; ++n)
    for (int64_t k = 0; k < 256; ++k)
      ASSERT_EQ(values[size_t(n * 256 + k)],
                float(int(matrix.code(n, k)) - 8) * matrix.scale(n, k % 2));
  order[77] = 2;
  file.at("x.y.g_idx").data = rawBytes(order);
  EXPECT_TRUE(contains(problem(), "tensor 'x.y.g_idx': entry 77 is 2, expected "
                                  "a group from 0 to 1"));
  order[77] = -1;
  file.at("x.y.g_idx").data = rawBytes(order);
  EXPECT_TRUE(contains(problem(), "entry 77 is -1"));
}

TEST_F(QuantMatrixTest, AwqOrder) {
  config = awqConfig;
  // By hand: nibble i of a word belongs to output 0, 2, 4, 6, 1, 3, 5, 7.
  std::vector<uint32_t> codes(128, 0x76543210), zeros(1, 0);
  file.add("x.y.qweight", "I32", {128, 1}, rawBytes(codes));
  file.add("x.y.qzeros", "I32", {1, 1}, rawBytes(zeros));
  file.floats("x.y.scales", "F16", {1, 8}, std::vector<float>(8, 1));
  std::vector<float> values = read();
  EXPECT_EQ(format.str(), "int4:128:point");
  const float expected[] = {0, 4, 1, 5, 2, 6, 3, 7};
  for (size_t n = 0; n < 8; ++n)
    EXPECT_EQ(values[n * 128 + 5], expected[n]);
  // The same order for zero points, without one added.
  file.at("x.y.qzeros").data = rawBytes(std::vector<uint32_t>{0x76543210});
  values = read();
  for (size_t n = 0; n < 8; ++n)
    EXPECT_EQ(values[n * 128 + 5], 0);

  IntegerMatrix matrix{16, 256, 128, 4, false};
  file = {};
  matrix.addAwq(file, "x.y");
  EXPECT_EQ(read(), matrix.values());
}

TEST_F(QuantMatrixTest, TellsLayoutsApart) {
  IntegerMatrix matrix{16, 256, 128};
  matrix.addGptq(file, "x.y");
  file.remove("x.y.g_idx");
  config = awqConfig;
  EXPECT_TRUE(contains(problem(), "tensor 'x.y.scales' has shape [2, 16]; "
                                  "expected groups and 128 outputs"));
  file = {};
  matrix.addAwq(file, "x.y");
  config = gptqConfig;
  EXPECT_TRUE(contains(problem(), "expected groups and 2 outputs"));
}

TEST_F(QuantMatrixTest, CompressedIntegers) {
  auto weights = [](int bits, StringRef rest) {
    return "{\"num_bits\": " + std::to_string(bits) + ", \"type\": \"int\", " +
           rest.str() + "}";
  };
  for (int bits : {4, 8})
    for (bool symmetric : {true, false}) {
      // Rows that are no whole word of zero points, a row that ends in a word.
      IntegerMatrix matrix{13, 150, 32, bits, symmetric};
      matrix.scaleType = "BF16";
      file = {};
      matrix.addPacked(file, "x.y");
      config = compressedConfig(
          "pack-quantized",
          weights(bits, R"("strategy": "group", "group_size": 32)"));
      EXPECT_EQ(read(), matrix.values());
      EXPECT_EQ(format.str(), "int" + std::to_string(bits) + ":32" +
                                  (symmetric ? ":bf16" : ":point:bf16"));
    }
  IntegerMatrix channel{5, 300, 300};
  file = {};
  channel.addPacked(file, "x.y");
  config = compressedConfig("pack-quantized",
                            weights(4, R"("strategy": "channel")"));
  EXPECT_EQ(read(), channel.values());
  EXPECT_EQ(format.str(), "int4:128");
}

TEST_F(QuantMatrixTest, PlainInt8) {
  config = compressedConfig("int-quantized",
                            R"({"num_bits": 8, "strategy": "channel"})");
  std::vector<int8_t> codes = {-128, -1, 0, 127};
  codes.resize(32);
  file.add("x.y.weight", "I8", {2, 16}, rawBytes(codes));
  file.floats("x.y.weight_scale", "BF16", {2, 1}, {0.5f, 2});
  std::vector<float> values = read();
  EXPECT_EQ(format.str(), "int8:128:bf16");
  EXPECT_EQ(std::vector<float>(values.begin(), values.begin() + 4),
            (std::vector<float>{-64, -0.5f, 0, 63.5f}));
  file.add("x.y.weight_zero_point", "I8", {2, 1},
           rawBytes(std::vector<int8_t>{-3, 0}));
  values = read();
  EXPECT_EQ(format.str(), "int8:128:point:bf16");
  EXPECT_EQ(values[1], (-1 + 3) * 0.5f);
}

TEST_F(QuantMatrixTest, Nvfp4) {
  constexpr int64_t rows = 5, columns = 64;
  // 1 / 2^k and a factor of few bits are exact; 1 / 3 is not.
  for (auto [global, exact] : {std::pair(8.0f, true), {3.0f, false}}) {
    file = {};
    config = compressedConfig("nvfp4-pack-quantized");
    std::vector<float> expected =
        addFp4("x.y.weight_packed", rows, columns, 16);
    file.floats("x.y.weight_global_scale", "F32", {1}, {global});
    file.floats("x.y.input_global_scale", "F32", {1}, {9});
    std::vector<float> values = read();
    EXPECT_EQ(format.str(), "int4:16:e2m1:f32");
    EXPECT_EQ(scalesRounded, !exact);
    for (size_t i = 0; i < values.size(); ++i)
      ASSERT_NEAR(values[i], expected[i] / global,
                  exact ? 0 : std::fabs(expected[i]) * 1e-7);
  }
  // ModelOpt multiplies.
  for (auto [global, exact] : {std::pair(0.75f, true), {0.1f, false}}) {
    file = {};
    config = modelOptConfig;
    std::vector<float> expected = addFp4("x.y.weight", rows, columns, 16);
    file.floats("x.y.weight_scale_2", "F32", {}, {global});
    std::vector<float> values = read();
    EXPECT_EQ(scalesRounded, !exact);
    for (size_t i = 0; i < values.size(); ++i)
      ASSERT_NEAR(values[i], expected[i] * global,
                  exact ? 0 : std::fabs(expected[i]) * 1e-7);
  }
  for (float global : {0.0f, -1.0f, NAN}) {
    file.at("x.y.weight_scale_2").data = rawBytes(std::vector<float>{global});
    EXPECT_TRUE(contains(problem(), "tensor 'x.y.weight_scale_2': value "));
  }
  file.remove("x.y.weight_scale_2");
  EXPECT_TRUE(contains(problem(), "missing tensor 'x.y.weight_scale_2' (F32) "
                                  "of the quantized 'x.y.weight'"));
}

TEST_F(QuantMatrixTest, Mxfp4) {
  config = compressedConfig("mxfp4-pack-quantized");
  std::vector<float> expected = addFp4("x.y.weight_packed", 5, 64, 32);
  EXPECT_EQ(read(), expected);
  EXPECT_EQ(format.str(), "int4:32:e2m1:bf16");
  file.at("x.y.weight_scale").data[3] = '\xff';
  EXPECT_TRUE(contains(problem(), "scale nan found for row 1, column 32"));
}

TEST_F(QuantMatrixTest, SlicesOfExperts) {
  // [2 experts, 16 rows, 64 columns]; the name without ".weight".
  config = compressedConfig("pack-quantized");
  IntegerMatrix a{16, 64, 32}, b{16, 64, 32};
  b.seed = 5;
  TensorFile parts[2];
  a.addPacked(parts[0], "m");
  b.addPacked(parts[1], "m");
  for (const char *part : {"_packed", "_scale"}) {
    TensorFile::Tensor &first = parts[0].at(std::string("m.weight") + part);
    std::vector<int64_t> shape = first.shape;
    shape.insert(shape.begin(), 2);
    file.add(std::string("m.experts.down_proj") + part, first.dtype, shape,
             first.data + parts[1].at(first.name).data);
  }
  file.add("m.experts.down_proj_shape", "I64", {3},
           rawBytes(std::vector<int64_t>{2, 16, 64}));
  directory.write("model.safetensors", file.bytes());
  Expected<Checkpoint> checkpoint = Checkpoint::open(directory.str());
  Expected<QuantConfig> read = parseQuantConfig(config, "c");
  Expected<QuantTensors> tensors = mapQuantTensors(*checkpoint, *read);
  ASSERT_TRUE(bool(tensors)) << message(tensors.takeError());
  EXPECT_EQ(tensors->table["m.experts.down_proj"].shape,
            (std::vector<int64_t>{2, 16, 64}));
  QuantMatrix &matrix = tensors->matrices["m.experts.down_proj"];
  EXPECT_EQ(message(analyze(*checkpoint, matrix)), "success");
  std::vector<float> values(2 * 16 * 64);
  EXPECT_EQ(
      message(readMatrixValues(*checkpoint, matrix, 0, 32, values.data())),
      "success");
  std::vector<float> expected = a.values(), second = b.values();
  expected.insert(expected.end(), second.begin(), second.end());
  EXPECT_EQ(values, expected);
}

TEST_F(QuantMatrixTest, NamesWhatDoesNotFit) {
  auto broken = [&](const std::function<void()> &change) {
    file = {};
    config = gptqConfig;
    IntegerMatrix{16, 256, 128}.addGptq(file, "x.y");
    change();
    return problem();
  };
  EXPECT_TRUE(contains(broken([&] { file.remove("x.y.scales"); }),
                       "missing tensor 'x.y.scales' (F16 or BF16 or F32) of "
                       "the quantized 'x.y.weight'"));
  EXPECT_TRUE(contains(broken([&] { file.remove("x.y.qweight"); }),
                       "missing tensor 'x.y.qweight' (I32)"));
  EXPECT_TRUE(contains(broken([&] { file.at("x.y.qzeros").dtype = "F32"; }),
                       "tensor 'x.y.qzeros' has type F32; expected I32"));
  EXPECT_TRUE(
      contains(broken([&] {
                 file.at("x.y.g_idx").shape = {16, 16};
               }),
               "tensor 'x.y.g_idx' has shape [16, 16]; expected [256]"));
  EXPECT_TRUE(contains(broken([&] {
                         file.at("x.y.qzeros").shape = {4, 1};
                       }),
                       "tensor 'x.y.qzeros' has shape [4, 1]; expected [2, 2] "
                       "(4 bits) or [2, 4] (8 bits)"));
  EXPECT_TRUE(contains(
      broken([&] {
        config = R"({"quantization_config": {"quant_method": "gptq",
                     "bits": 4, "group_size": 64}})";
      }),
      "tensor 'x.y.scales' has 2 scales for rows of 256 codes of 4 bits; "
      "expected what dir/config.json says: 4 bits with groups of 64"));
  EXPECT_TRUE(
      contains(broken([&] { file.floats("x.y.weight", "BF16", {1}, {1}); }),
               "tensors 'x.y.qweight' and 'x.y.weight' are both there"));
  EXPECT_TRUE(contains(
      broken([&] { file.floats("x.y.weight_scale", "BF16", {1}, {1}); }),
      "unknown tensor 'x.y.weight_scale' (BF16 [1]) beside GPTQ int4"));
  EXPECT_TRUE(
      contains(broken([&] { file.add("z", "I64", {1}, std::string(8, '\0')); }),
               "tensor 'z' has type I64; expected F32, F16 or BF16"));
  EXPECT_TRUE(contains(broken([&] {
                         config =
                             R"({"quantization_config": {"quant_method": "gptq",
                     "bits": 4, "modules_to_not_convert": ["x.y"]}})";
                       }),
                       "lists 'x.y' in modules_to_not_convert"));
  EXPECT_TRUE(contains(broken([&] {
                         for (int i = 0; i < 30; ++i)
                           file.add("z" + std::to_string(i), "BOOL", {0}, "");
                       }),
                       "and 10 more"));
}

TEST_F(QuantMatrixTest, DoesNotTrustStoredShapes) {
  config = compressedConfig("pack-quantized");
  IntegerMatrix matrix{16, 64, 32};
  auto with = [&](std::vector<int64_t> shape) {
    file = {};
    matrix.addPacked(file, "x.y");
    file.at("x.y.weight_shape").data = rawBytes(shape);
    return problem();
  };
  EXPECT_EQ(with({16, 64}), "success");
  for (std::vector<int64_t> shape : {std::vector<int64_t>{16, 65},
                                     {15, 64},
                                     {16, 0},
                                     {16, -64},
                                     {INT64_MAX, INT64_MAX},
                                     {16, INT64_MIN}})
    EXPECT_TRUE(contains(with(shape), "tensor 'x.y.weight_shape' holds ["));
}

// The traps of the exclusion list: a module is matched by its whole name.
TEST_F(QuantMatrixTest, PlainModulesByWholeName) {
  config = fp8Config; // lists x.y.gate
  addFp8(2, 32);
  file.floats("x.y.weight_scale_inv", "F32", {1, 1}, {1});
  for (TensorFile::Tensor &tensor : file.tensors)
    tensor.name = "x.y.gate_proj." + StringRef(tensor.name).substr(4).str();
  EXPECT_EQ(problem(), "not quantized"); // that is, x.y.weight: no complaint
  for (TensorFile::Tensor &tensor : file.tensors)
    tensor.name = "x.y.gate." + StringRef(tensor.name).substr(14).str();
  EXPECT_TRUE(contains(problem(), "lists 'x.y.gate' in modules_to_not"));
}

} // namespace
