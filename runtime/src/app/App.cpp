// From main to a command: the manifest first, because the command line's help
// and ranges depend on the model.
#include "runtime/src/app/App.h"
#include "runtime/src/app/Commands.h"
#include <csignal>

namespace quartet::rt {

static int runCommandOf(const Session &session) {
  switch (session.line.command) {
  case Command::Run:
    return runCommand(session);
  case Command::Logits:
    return logitsCommand(session);
  case Command::States:
    return statesCommand(session);
  case Command::Tokenize:
    return tokenizeCommand(session);
  case Command::Detokenize:
    return detokenizeCommand(session);
  case Command::Info:
    return infoCommand(session);
  case Command::Bench:
    return benchCommand(session);
  case Command::Profile:
    return profileCommand(session);
  case Command::SelfTest:
    return selfTestCommand(session);
  case Command::None:
    break;
  }
  return ExitUsage;
}

int runApp(int argc, char **argv, const Image &image) {
  Session session;
  session.start = std::chrono::steady_clock::now();
  session.image = image;
  // A reader that goes away is an error code of write(), not a signal.
  signal(SIGPIPE, SIG_IGN);
  const char *argv0 = argc > 0 ? argv[0] : nullptr;
  session.executable = executablePath(argv0);
  std::string path = argv0 && *argv0 ? argv0 : session.executable;
  session.program = path.substr(path.rfind('/') + 1);

  std::string error;
  std::string_view text(static_cast<const char *>(image.manifest.data),
                        image.manifest.data ? image.manifest.size : 0);
  std::optional<Manifest> manifest = parseManifest(text, &error);
  if (!manifest)
    return session.fail("this executable is damaged or was compiled for "
                        "another runtime: " +
                        error);
  session.manifest = std::move(*manifest);
  if (std::optional<int> code =
          parseCommandLine(argc, argv, session.manifest, session.line))
    return *code;
  int code = runCommandOf(session);
  return code && kernelsAreFaulty() ? ExitKernels : code;
}

} // namespace quartet::rt
