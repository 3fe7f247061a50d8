// Unique names; a signal removes the files too.
#include "targets/llvm/TemporaryFiles.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"

using namespace quartet;
namespace fs = llvm::sys::fs;

TemporaryFiles::~TemporaryFiles() {
  for (const std::string &name : names) {
    fs::remove(name);
    llvm::sys::DontRemoveFileOnSignal(name);
  }
}

void TemporaryFiles::add(llvm::StringRef name) {
  names.push_back(name.str());
  llvm::sys::RemoveFileOnSignal(name);
}

llvm::Expected<std::string> TemporaryFiles::create(const llvm::Twine &tag,
                                                   llvm::StringRef extension,
                                                   llvm::StringRef contents) {
  llvm::SmallString<128> name;
  int fd = -1;
  if (std::error_code ec =
          fs::createTemporaryFile("quartet-" + tag, extension, fd, name))
    return llvm::createStringError(ec, "cannot create a temporary file: " +
                                           ec.message());
  add(name);
  llvm::raw_fd_ostream out(fd, /*shouldClose=*/true);
  out << contents;
  out.close();
  if (!out.has_error())
    return std::string(name);
  std::error_code ec = out.error();
  out.clear_error();
  return llvm::createStringError(ec, "cannot write '" + name +
                                         "': " + ec.message());
}

llvm::Expected<std::string> quartet::readWhole(llvm::StringRef name) {
  auto file = llvm::MemoryBuffer::getFile(name);
  if (!file)
    return llvm::createStringError(file.getError(),
                                   "cannot read '" + name +
                                       "': " + file.getError().message());
  return (*file)->getBuffer().str();
}
