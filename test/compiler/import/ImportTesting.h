// What the import tests share: building safetensors bytes, a temporary
// directory, and checks on error messages.
#ifndef QUARTET_TEST_COMPILER_IMPORT_IMPORTTESTING_H
#define QUARTET_TEST_COMPILER_IMPORT_IMPORTTESTING_H
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"
#include <set>
#include <string>

namespace quartet::testing {

/// A file of \p header and \p data with a correct length field.
inline std::string safetensors(llvm::StringRef header, llvm::StringRef data) {
  std::string bytes(8, '\0');
  llvm::support::endian::write64le(bytes.data(), header.size());
  return bytes + header.str() + data.str();
}

/// Removed with all it holds at the end of the test.
class TemporaryDirectory {
public:
  TemporaryDirectory() {
    EXPECT_FALSE(llvm::sys::fs::createUniqueDirectory("quartet-test", path));
  }
  ~TemporaryDirectory() { llvm::sys::fs::remove_directories(path); }

  std::string str() const { return path.str().str(); }
  std::string file(llvm::StringRef name) const {
    llvm::SmallString<128> full(path);
    llvm::sys::path::append(full, name);
    return full.str().str();
  }
  void write(llvm::StringRef name, llvm::StringRef bytes) const {
    std::error_code code;
    llvm::raw_fd_ostream out(file(name), code);
    ASSERT_FALSE(code) << code.message();
    out << bytes;
  }
  std::string read(llvm::StringRef name) const {
    auto buffer = llvm::MemoryBuffer::getFile(file(name));
    return buffer ? (*buffer)->getBuffer().str() : "<no file>";
  }
  std::set<std::string> list() const {
    std::set<std::string> names;
    std::error_code code;
    for (llvm::sys::fs::directory_iterator it(path, code), end;
         !code && it != end; it.increment(code))
      names.insert(llvm::sys::path::filename(it->path()).str());
    return names;
  }

private:
  llvm::SmallString<128> path;
};

/// The message of \p error, which is consumed; "success" without one.
inline std::string message(llvm::Error error) {
  return error ? llvm::toString(std::move(error)) : "success";
}
template <typename T> std::string message(llvm::Expected<T> value) {
  return message(value.takeError());
}

inline ::testing::AssertionResult contains(const std::string &text,
                                           llvm::StringRef part) {
  if (llvm::StringRef(text).contains(part))
    return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << "no \"" << part.str() << "\" in \"" << text << "\"";
}

} // namespace quartet::testing
#endif
