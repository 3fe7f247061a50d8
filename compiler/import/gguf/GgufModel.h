// A GGUF model: one file or the parts of a split one, with its metadata and
// tensors. Data stay in the files (mmap).
#ifndef QUARTET_COMPILER_IMPORT_GGUF_GGUFMODEL_H
#define QUARTET_COMPILER_IMPORT_GGUF_GGUFMODEL_H
#include "compiler/import/gguf/GgufReader.h"
#include "llvm/Support/MemoryBuffer.h"
#include <memory>

namespace quartet {

class GgufModel {
public:
  /// Opens \p path. Of a split model (NAME-00001-of-0000N.gguf) this is the
  /// first part, and the others are beside it: each must say that it is the
  /// part its name says, and together they must have the tensors they
  /// announce.
  static llvm::Expected<GgufModel> open(llvm::StringRef path);

  /// A model of one file from its bytes, for tests and fuzzing.
  static llvm::Expected<GgufModel>
  fromBuffer(std::unique_ptr<llvm::MemoryBuffer> buffer, llvm::StringRef path);

  /// Path of the (first) file, and the same without folder, ".gguf" and part
  /// number.
  const std::string &path() const { return paths.front(); }
  std::string name() const;

  const std::vector<std::string> &files() const { return paths; }
  const std::vector<GgufTensor> &tensors() const { return all; }
  /// \returns null when there is no such tensor.
  const GgufTensor *find(llvm::StringRef name) const;
  const std::string &fileOf(const GgufTensor &tensor) const {
    return paths[tensor.file];
  }
  llvm::ArrayRef<uint8_t> data(const GgufTensor &tensor) const;
  /// Tells the kernel that the pages wholly inside bytes [begin, end) of the
  /// tensor are not needed soon; they can still be read.
  void release(const GgufTensor &tensor, uint64_t begin, uint64_t end) const;

  // Metadata of the first file. \returns null when \p key is absent.
  const GgufValue *value(llvm::StringRef key) const;
  /// The error of a value of the wrong kind.
  llvm::Error wrongKind(llvm::StringRef key, llvm::StringRef expected) const;
  /// Scalars; absent when the key is, an error when it has another kind.
  llvm::Expected<std::optional<int64_t>> integer(llvm::StringRef key) const;
  llvm::Expected<std::optional<double>> number(llvm::StringRef key) const;
  llvm::Expected<std::optional<bool>> boolean(llvm::StringRef key) const;
  llvm::Expected<std::optional<std::string>> string(llvm::StringRef key) const;

private:
  llvm::Expected<GgufHeader> addFile(const std::string &path);
  llvm::Expected<GgufHeader>
  addBuffer(std::unique_ptr<llvm::MemoryBuffer> buffer,
            const std::string &path);
  llvm::Error addParts(int64_t count);
  llvm::Error index();

  std::vector<std::string> paths;
  std::vector<std::unique_ptr<llvm::MemoryBuffer>> buffers;
  std::vector<GgufTensor> all;
  std::map<std::string, size_t, std::less<>> byName;
  std::map<std::string, GgufValue, std::less<>> metadata;
};

} // namespace quartet
#endif
