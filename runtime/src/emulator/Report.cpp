// The texts of reports, and which of them are kept.
#include "runtime/src/emulator/Machine.h"
#include <cstdio>

using namespace quartet::emu;

const char *quartet::emu::toString(ReportKind kind) {
  switch (kind) {
  case ReportKind::OutOfBounds:
    return "out of bounds";
  case ReportKind::Race:
    return "race";
  case ReportKind::Unwritten:
    return "read of unwritten memory";
  case ReportKind::MissingWait:
    return "missing wait";
  case ReportKind::SourceChanged:
    return "source changed";
  case ReportKind::Divergence:
    return "divergence";
  case ReportKind::Deadlock:
    return "deadlock";
  case ReportKind::StackOverflow:
    return "stack overflow";
  case ReportKind::Fault:
    return "fault";
  case ReportKind::BadInstruction:
    return "bad instruction";
  case ReportKind::BadLaunch:
    return "bad launch";
  }
  return "unknown";
}

std::string quartet::emu::quoted(const char *site) {
  return "'" + std::string(site ? site : "unknown") + "'";
}

std::string quartet::emu::hexadecimal(uintptr_t address) {
  char text[32];
  std::snprintf(text, sizeof text, "0x%llx", (unsigned long long)address);
  return text;
}

std::string quartet::emu::nameOf(const Thread &thread) {
  return "thread " + std::to_string(thread.index) + " of block " +
         std::to_string(thread.block->index);
}

std::string quartet::emu::nameOf(const Machine &machine, uint32_t who) {
  if (who::block(who) >= machine.blocks.size() &&
      (who & who::kKind) != who::kBlocks)
    return "a bulk copy";
  std::string block = " of block " + std::to_string(who::block(who));
  uint32_t thread = who::thread(who);
  switch (who & who::kKind) {
  case who::kThread:
    return "thread " + std::to_string(thread) + block;
  case who::kWarp:
    return "threads of warp " + std::to_string(thread / machine.options.lanes) +
           block;
  case who::kBlock:
    if (who & who::kGroup)
      return "threads of the warp group of thread " + std::to_string(thread) +
             block;
    return "threads" + block;
  default:
    return "threads of several blocks";
  }
}

std::string quartet::emu::placeOf(const Space &space, uint64_t offset) {
  return "byte " + std::to_string(int64_t(offset + space.base - space.begin)) +
         " of " + space.name;
}

void quartet::emu::badInstruction(Thread &t, const char *site, const char *kind,
                                  const std::string &what) {
  t.machine->report(ReportKind::BadInstruction, site, nullptr,
                    "bad " + std::string(kind) + ": " + nameOf(t) + " at " +
                        quoted(site) + " " + what);
  t.machine->abandon();
}

void Machine::report(ReportKind kind, const char *site, const char *otherSite,
                     const std::string &message) {
  // Copies, for a site may be gone when the next launch comes.
  std::pair<std::string, std::string> sites(site ? site : "",
                                            otherSite ? otherSite : "");
  for (size_t i = 0; i < reports.size(); ++i)
    if (reports[i].kind == kind && reportSites[i] == sites) {
      ++reports[i].times;
      return;
    }
  if (int64_t(reports.size()) >= options.maxReports) {
    ++dropped;
    return;
  }
  std::string where = " [launch '" + std::string(what.name ? what.name : "") +
                      "', layer " + std::to_string(what.layer) + "]";
  reports.push_back({kind, message + where, 1});
  reportSites.push_back(std::move(sites));
}
