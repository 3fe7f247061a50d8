// What LLVM gives up on.
#ifndef QUARTET_COMPILER_TOOLS_FATALERRORS_H
#define QUARTET_COMPILER_TOOLS_FATALERRORS_H

namespace quartet {

/// From now on an error that LLVM cannot return, such as an instruction that it
/// cannot select, is said as ours: what LLVM said, in which function and for
/// which machine, and that it is a defect to report. Unfinished files are
/// removed and the exit status is 1.
void handleFatalErrors();

} // namespace quartet
#endif
