// A file that has its name only once it is complete.
#ifndef QUARTET_COMPILER_IMPORT_NEWFILE_H
#define QUARTET_COMPILER_IMPORT_NEWFILE_H
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace quartet {

/// Fails when a file of \p bytes cannot be at \p path: something else than a
/// file is there, no such directory, or too little free space. A full disk is
/// better found before gigabytes are read.
llvm::Error checkTarget(llvm::StringRef path, uint64_t bytes);

/// The file under its temporary name, PATH.tmp-<pid>. Unless kept, it is
/// removed when this goes out of scope or when a signal ends the process.
class NewFile {
public:
  explicit NewFile(llvm::StringRef path);
  ~NewFile();
  NewFile(const NewFile &) = delete;
  NewFile &operator=(const NewFile &) = delete;

  llvm::Error create();
  llvm::Error write(llvm::ArrayRef<uint8_t> bytes, uint64_t offset);
  /// Gives the finished file its name. Syncs first, so that neither a late
  /// write error nor a power cut leaves a bad file under that name.
  llvm::Error keep();

private:
  std::string path, temporary;
  int descriptor = -1;
  bool created = false;
};

} // namespace quartet
#endif
