// Files that the driver writes: checked before the work, complete when they
// appear.
#include "compiler/OutputFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"

using namespace quartet;
using llvm::StringRef;
namespace fs = llvm::sys::fs;
namespace path = llvm::sys::path;

llvm::Error quartet::checkOutput(StringRef name,
                                 llvm::ArrayRef<std::string> inputs) {
  if (name == "-")
    return llvm::Error::success();
  if (fs::is_directory(name))
    return llvm::createStringError("output '" + name +
                                   "' is a folder; choose a file with -o");
  fs::file_status status;
  if (!fs::status(name, status) && !fs::is_regular_file(status))
    return llvm::createStringError(
        "output '" + name +
        "' is a device or a pipe, which a finished file would replace; choose "
        "another name with -o (- is standard output)");
  StringRef folder = path::parent_path(name);
  if (folder.empty())
    folder = ".";
  if (!fs::is_directory(folder))
    return llvm::createStringError("cannot write '" + name +
                                   "': there is no folder '" + folder + "'");
  if (std::error_code ec = fs::access(folder, fs::AccessMode::Write))
    return llvm::createStringError(ec, "cannot write in folder '" + folder +
                                           "': " + ec.message());
  if (!fs::exists(name))
    return llvm::Error::success();
  for (const std::string &input : inputs)
    if (fs::equivalent(name, input))
      return llvm::createStringError(
          "output '" + name +
          "' would replace a file of the checkpoint; "
          "choose another name with -o");
  return llvm::Error::success();
}

static llvm::Error writeStandardOutput(StringRef bytes) {
  llvm::outs() << bytes;
  llvm::outs().flush();
  if (!llvm::outs().has_error())
    return llvm::Error::success();
  std::error_code ec = llvm::outs().error();
  llvm::outs().clear_error();
  return llvm::createStringError(ec, "cannot write to standard output: " +
                                         ec.message());
}

llvm::Error quartet::writeOutput(StringRef name, StringRef bytes) {
  if (name == "-")
    return writeStandardOutput(bytes);
  std::string temporary =
      (name + ".tmp-" + llvm::Twine(llvm::sys::Process::getProcessId())).str();
  llvm::sys::RemoveFileOnSignal(temporary);
  std::error_code ec;
  {
    llvm::raw_fd_ostream out(temporary, ec);
    if (!ec) {
      out << bytes;
      out.close();
      ec = out.error();
      out.clear_error();
    }
  }
  if (!ec)
    ec = fs::rename(temporary, name);
  if (ec)
    fs::remove(temporary);
  llvm::sys::DontRemoveFileOnSignal(temporary);
  if (ec)
    return llvm::createStringError(ec, "cannot write '" + name +
                                           "': " + ec.message());
  return llvm::Error::success();
}
