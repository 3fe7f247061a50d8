// The commands. Each reads its options from the session and returns the exit
// code of the program.
#ifndef QUARTET_RUNTIME_APP_COMMANDS_H
#define QUARTET_RUNTIME_APP_COMMANDS_H
#include "runtime/src/app/Session.h"

namespace quartet::rt {

int runCommand(const Session &session);
int logitsCommand(const Session &session);
int statesCommand(const Session &session);
int tokenizeCommand(const Session &session);
int detokenizeCommand(const Session &session);
int infoCommand(const Session &session);
int benchCommand(const Session &session);
int profileCommand(const Session &session);
int selfTestCommand(const Session &session);

} // namespace quartet::rt
#endif
