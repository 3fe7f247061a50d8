// A folder that is gone at the end, and what an error says.
#ifndef QUARTET_TEST_COMPILER_EVAL_EVALTESTING_H
#define QUARTET_TEST_COMPILER_EVAL_EVALTESTING_H
#include "llvm/Support/Error.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

class TempFolder {
public:
  TempFolder() {
    llvm::SmallString<128> made;
    llvm::sys::fs::createUniqueDirectory("quartet-eval-test", made);
    path = made.str().str();
  }
  ~TempFolder() { llvm::sys::fs::remove_directories(path); }

  /// Writes a file; \returns its path.
  std::string file(const std::string &name, llvm::StringRef content) {
    std::error_code ec;
    llvm::raw_fd_ostream out(path + "/" + name, ec);
    out << content;
    return path + "/" + name;
  }
  /// Writes a shell script; \returns its path.
  std::string script(const std::string &name, llvm::StringRef lines) {
    std::string made = file(name, ("#!/bin/sh\n" + lines).str());
    llvm::sys::fs::setPermissions(made, llvm::sys::fs::all_all);
    return made;
  }

  std::string path;
};

template <typename T> std::string messageOf(llvm::Expected<T> value) {
  return value ? "" : llvm::toString(value.takeError());
}

#endif
