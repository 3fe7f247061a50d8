// The handler runs on a stack of its own and leaves it by the switch back to
// the host: a fault in a kernel is as synchronous as a call.
#include "runtime/src/emulator/Faults.h"
#include "runtime/src/emulator/Machine.h"

using namespace quartet::emu;

static constexpr size_t kStackBytes = 64 << 10;
static constexpr int kSignals[2] = {SIGSEGV, SIGBUS};

static void handle(int signal, siginfo_t *info, void *) {
  Thread *t = current;
  if (!t) { // not a kernel's: happens again, with the default action
    std::signal(signal, SIG_DFL);
    return;
  }
  Machine &m = *t->machine;
  auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  if (m.stacks.inGuard(Machine::stackOf(*t), address))
    m.overflow(*t);
  m.report(ReportKind::Fault, t->site, nullptr,
           "fault: " + nameOf(*t) + " touches " + hexadecimal(address) +
               ", which it did not announce; last seen at " + quoted(t->site));
  m.abandon();
}

FaultHandler::FaultHandler() : stack(new char[kStackBytes]) {
  stack_t own = {};
  own.ss_sp = stack.get();
  own.ss_size = kStackBytes;
  sigaltstack(&own, &stackBefore);
  struct sigaction action = {};
  action.sa_sigaction = handle;
  // The signal stays allowed, since the handler doesn't return.
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  for (int i = 0; i < 2; ++i)
    sigaction(kSignals[i], &action, &before[i]);
}

FaultHandler::~FaultHandler() {
  for (int i = 0; i < 2; ++i)
    sigaction(kSignals[i], &before[i], nullptr);
  sigaltstack(&stackBefore, nullptr);
}
