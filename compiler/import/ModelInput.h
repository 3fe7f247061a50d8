// What a build reads, whatever holds it: a Hugging Face directory or a GGUF
// file.
#ifndef QUARTET_COMPILER_IMPORT_MODELINPUT_H
#define QUARTET_COMPILER_IMPORT_MODELINPUT_H
#include "compiler/import/Pack.h"

namespace quartet {

/// A tensor as it is stored, for reports.
struct InputTensor {
  std::string name, dtype;
  std::vector<int64_t> shape;
  int64_t bytes = 0;
};

class ModelInput {
public:
  /// Reads the configuration of \p path: a file that ends in ".gguf", or a
  /// directory with config.json.
  static llvm::Expected<std::unique_ptr<ModelInput>>
  open(llvm::StringRef path, const ConfigOptions &options);

  virtual ~ModelInput() = default;
  const ModelConfig &config() const { return modelConfig; }

  /// Are there files of weights, whatever is in them?
  virtual bool hasWeights() const = 0;
  /// Opens the weights; before the functions below.
  virtual llvm::Error openWeights() = 0;
  /// The weights and their sources; see planWeights. Names of tensors are those
  /// of a Hugging Face checkpoint, also in a GGUF, but for those set aside.
  virtual llvm::Expected<WeightPlan> plan(const WeightOptions &options) = 0;
  /// The values of a plan; the input must outlive it.
  virtual std::unique_ptr<WeightSource> source() = 0;
  virtual std::vector<InputTensor> tensors() const = 0;
  /// Names in tensors() of what a tensor that a plan's run names is made of:
  /// quantized ones have several parts.
  virtual std::vector<llvm::StringRef>
  storedNames(llvm::StringRef tensor) const {
    return {tensor};
  }
  /// Files that hold weights, which no output may replace.
  virtual std::vector<std::string> files() const = 0;
  /// A line for the user on the quantized tensors in \p plan: how many of them
  /// can be kept exactly in which format, and what the others lose; empty when
  /// there are none.
  virtual std::string note(const WeightPlan &) const { return ""; }

  /// The tokenizer's blob; without a tokenizer the error has the code
  /// std::errc::no_such_file_or_directory.
  virtual llvm::Expected<std::vector<uint8_t>> tokenizer() = 0;
  /// For messages: where the tokenizer is.
  virtual std::string tokenizerName() const = 0;
  /// Empty when there is none.
  virtual llvm::Expected<std::string> chatTemplate() = 0;

protected:
  ModelConfig modelConfig;
};

/// For ModelInput::open.
llvm::Expected<std::unique_ptr<ModelInput>>
openGgufInput(llvm::StringRef path, const ConfigOptions &options);

} // namespace quartet
#endif
