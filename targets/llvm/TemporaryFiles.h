// Files between this process and a tool that reads or writes files only.
#ifndef QUARTET_TARGETS_LLVM_TEMPORARYFILES_H
#define QUARTET_TARGETS_LLVM_TEMPORARYFILES_H
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace quartet {

/// Files that go away with the scope, or when the process is interrupted.
class TemporaryFiles {
public:
  TemporaryFiles() = default;
  TemporaryFiles(const TemporaryFiles &) = delete;
  TemporaryFiles &operator=(const TemporaryFiles &) = delete;
  ~TemporaryFiles();

  /// From now on \p name is one of them.
  void add(llvm::StringRef name);
  /// A new file "quartet-TAG-....EXTENSION" in the system's folder that holds
  /// \p contents. \returns its name.
  llvm::Expected<std::string> create(const llvm::Twine &tag,
                                     llvm::StringRef extension,
                                     llvm::StringRef contents = "");
  const std::vector<std::string> &all() const { return names; }

private:
  std::vector<std::string> names;
};

/// The contents of file \p name.
llvm::Expected<std::string> readWhole(llvm::StringRef name);

} // namespace quartet
#endif
