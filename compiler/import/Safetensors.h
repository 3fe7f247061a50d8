// Reads safetensors files as hostile input: every offset, size and shape is
// checked before a byte of data is touched. Data stay in the file (mmap).
#ifndef QUARTET_COMPILER_IMPORT_SAFETENSORS_H
#define QUARTET_COMPILER_IMPORT_SAFETENSORS_H
#include "models/Weights.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/MemoryBuffer.h"
#include <memory>

namespace quartet {

/// One tensor of a file; `offset` counts from the start of the data part.
struct StoredTensor {
  std::string name, dtype; ///< dtype in safetensors spelling
  std::vector<int64_t> shape;
  uint64_t offset = 0, bytes = 0;
  unsigned file = 0; ///< index in Checkpoint::files
};

/// Header of a safetensors file, parsed and checked against the file's size.
struct SafetensorsHeader {
  uint64_t dataStart = 0; ///< bytes from the start of the file
  std::vector<StoredTensor> tensors;
  std::map<std::string, std::string> metadata;
};

/// Checks: header length (<= 100 MB, within the file), JSON (depth, duplicate
/// names), known dtypes, shape times type = length without overflow, offsets in
/// range, no overlap, no gap. \p fileName is for messages only.
llvm::Expected<SafetensorsHeader>
parseSafetensors(llvm::ArrayRef<uint8_t> bytes, llvm::StringRef fileName);

/// Reads the text of model.safetensors.index.json. \returns tensor name ->
/// shard file name, each of them a plain name without a folder.
llvm::Expected<std::map<std::string, std::string>>
parseShardIndex(llvm::StringRef text, llvm::StringRef fileName);

/// All tensors of a directory: model.safetensors, or the shards listed by
/// model.safetensors.index.json (each listed tensor in its shard, no other).
class Checkpoint {
public:
  static llvm::Expected<Checkpoint> open(llvm::StringRef directory);

  /// A checkpoint of one file from its bytes, for tests and fuzzing.
  static llvm::Expected<Checkpoint>
  fromBuffer(std::unique_ptr<llvm::MemoryBuffer> file);

  /// For planWeights. Tensors of other types than F32, F16, BF16 are an error
  /// here, except under the names that planWeights sets aside (visual.*,
  /// model.visual.* and without \p mtp mtp.*), whose type nobody looks at; they
  /// are given as BF16.
  llvm::Expected<TensorTable> table(bool mtp = false) const;
  const std::vector<StoredTensor> &tensors() const { return stored; }
  /// \returns null when there is no such tensor.
  const StoredTensor *find(llvm::StringRef tensor) const;
  /// Path of the file that \p tensor is in, for messages.
  llvm::StringRef fileOf(const StoredTensor &tensor) const;
  /// Bytes of a tensor that is in tensors(); empty for another name.
  llvm::ArrayRef<uint8_t> data(llvm::StringRef tensor) const;
  /// Tells the kernel that the pages wholly inside bytes [begin, end) of the
  /// tensor are not needed soon; they can still be read. The default is all.
  void release(llvm::StringRef tensor, uint64_t begin = 0,
               uint64_t end = UINT64_MAX) const;

private:
  llvm::Error addFile(llvm::StringRef path);
  llvm::Error addBuffer(std::unique_ptr<llvm::MemoryBuffer> file,
                        llvm::StringRef path);

  std::vector<std::unique_ptr<llvm::MemoryBuffer>> files;
  std::vector<uint64_t> dataStarts;
  std::vector<StoredTensor> stored;
  std::map<std::string, size_t, std::less<>> byName;
};

} // namespace quartet
#endif
