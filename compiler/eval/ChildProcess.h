// A compiled model that runs as a child process, and whose standard output is
// read piece by piece.
#ifndef QUARTET_COMPILER_EVAL_CHILDPROCESS_H
#define QUARTET_COMPILER_EVAL_CHILDPROCESS_H
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

namespace quartet {

class ChildProcess {
public:
  /// Starts \p arguments, the first being the program's path. Its standard
  /// input is the file \p input (empty: nothing), its messages go to the new
  /// file \p log, from which errors quote.
  static llvm::Expected<std::unique_ptr<ChildProcess>>
  start(const std::vector<std::string> &arguments, llvm::StringRef input,
        llvm::StringRef log);
  /// Ends the process if it still runs.
  ~ChildProcess();
  ChildProcess(const ChildProcess &) = delete;
  ChildProcess &operator=(const ChildProcess &) = delete;

  /// Fills all of \p bytes; an output that ends before is an error.
  llvm::Error read(llvm::MutableArrayRef<char> bytes);
  /// The next line, with its end; empty when the output is at its end.
  llvm::Expected<std::string> readLine();
  /// Fails unless the output is at its end and the process succeeded.
  llvm::Error finish();
  /// All output, then finish().
  llvm::Expected<std::string> readAll();

private:
  ChildProcess() = default;
  /// Bytes read, 0 at the end.
  llvm::Expected<size_t> readSome(char *bytes, size_t size);
  /// Waits for the end; fails unless it is a success.
  llvm::Error wait();

  std::string command, log; ///< for messages
  pid_t process = -1;
  int output = -1;
};

} // namespace quartet
#endif
