// The text of a plan: tables for people. Phases of different layers that do the
// same share a line.
#include "compiler/plan/PlanReport.h"
#include "quartet/abi.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"

using namespace quartet;
using llvm::format;

StepShape PlanReport::tableShape(const StepPlan &step) const {
  StepShape shape = step.fullShape();
  if (step.kind == tile::StepKind::Few)
    shape.context = double(context);
  return shape;
}

namespace {
/// Phases that do the same, in the order of the first.
struct Line {
  const PhasePlan *phase;
  std::string layers, rest; ///< "l0", "in"
  int64_t phases = 1;
  int64_t repeat = 0; ///< of all of them
};
} // namespace

static std::vector<Line> linesOf(const StepPlan &step, const StepShape &shape) {
  std::vector<Line> lines;
  for (const PhasePlan &phase : step.phases) {
    auto [layer, rest] = llvm::StringRef(phase.name).split('.');
    bool found = false;
    for (Line &line : lines)
      if (!rest.empty() && line.rest == rest &&
          line.phase->repeat == phase.repeat &&
          line.phase->work == phase.work &&
          line.phase->tasks(shape) == phase.tasks(shape)) {
        line.layers += "," + layer.str();
        line.repeat += phase.repeat;
        ++line.phases;
        found = true;
      }
    if (!found)
      lines.push_back({&phase, layer.str(), rest.str(), 1, phase.repeat});
  }
  return lines;
}

static std::string nameOf(const Line &line) {
  return line.rest.empty() ? line.layers : line.layers + "." + line.rest;
}

static void printStep(const PlanReport &report, const StepPlan &step,
                      llvm::raw_ostream &os) {
  StepShape shape = report.tableShape(step);
  os << "\nbucket " << step.tokens << " (" << tile::stringifyStepKind(step.kind)
     << "): ";
  if (step.kind == tile::StepKind::Few)
    os << format("%.0f sequence%s, one token each, context %.0f",
                 shape.sequences, shape.sequences == 1 ? "" : "s",
                 shape.context);
  else
    os << format("a prompt of %.0f tokens", shape.tokens);
  os << "\n  phase                 times         MB      MFLOP     least us  "
        "bound    tasks  balance\n";
  auto row = [&](llvm::StringRef name, const std::string &times,
                 const PhaseTime &time) {
    os << "  " << llvm::left_justify(name, 20) << format(" %6s", times.c_str())
       << format("%11.3f%11.2f%13.1f  ", time.bytes / 1e6, time.flops / 1e6,
                 time.seconds * 1e6);
  };
  for (const Line &line : linesOf(step, shape)) {
    PhaseTime time = timeOf(*line.phase, shape, report.machine);
    double phases = double(line.phases);
    time.bytes *= phases;
    time.flops *= phases;
    time.seconds *= phases;
    row(nameOf(line), std::to_string(line.repeat), time);
    os << (time.seconds <= 0 ? "-      "
           : time.computes   ? "compute"
                             : "memory ")
       << format("%7lld", (long long)line.phase->tasks(shape));
    double balance = line.phase->balance(shape, report.machine.workers);
    if (balance > 0)
      os << format("%9.2f", balance);
    else
      os << "        -";
    os << "\n";
  }
  row("all", "", timeOf(step, shape, report.machine));
  os << "\n";
}

/// "6.916 GB", "19.317 MB".
static std::string sizeText(double bytes) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (bytes >= 1e9)
    stream << format("%.3f GB", bytes / 1e9);
  else
    stream << format("%.3f MB", bytes / 1e6);
  return text;
}

static void printMemory(const PlanReport &report, llvm::raw_ostream &os) {
  const ProgramPlan &program = report.program;
  os << "memory     weights " << sizeText(double(report.weightFileBytes))
     << "; a sequence " << sizeText(double(program.slotBytes))
     << format(" and %.0f bytes per position\n",
               double(program.pageBytes) / QUARTET_PAGE_TOKENS);
  for (const StepPlan &step : program.steps)
    os << format("           scratch of bucket %lld: %.3f MB, %.3f MB per "
                 "worker, %lld bytes per page of the longest sequence\n",
                 (long long)step.tokens, double(step.scratchBytes) / 1e6,
                 double(step.localBytes) / 1e6,
                 (long long)step.scratchPageBytes);
}

void quartet::printPlan(const PlanReport &report, llvm::raw_ostream &os) {
  const PlanMachine &machine = report.machine;
  os << report.model << ": ";
  if (report.layers != report.checkpointLayers)
    os << report.layers << " of ";
  os << report.checkpointLayers << " layers, " << report.formats << ", for "
     << report.target << " (" << report.cpu << ")\n";
  os << format("machine    %lld worker%s, %.1f GB/s; a worker %.1f GFLOP/s in "
               "%s, %.1f GOP/s in int8\n",
               (long long)machine.workers, machine.workers == 1 ? "" : "s",
               machine.readGBs, machine.f32Gflops, machine.floats.c_str(),
               machine.int8Gops);
  for (const std::string &assumption : report.assumptions)
    os << "assumed    " << assumption << "\n";
  printMemory(report, os);
  for (const StepPlan &step : report.program.steps)
    printStep(report, step, os);
  os << "\nat most\n";
  for (const PlannedPrefill &prefill : report.prefill)
    os << format("  prefill %-6lld                %10.2f tokens/s%11.2f "
                 "MB/token%11.2f MFLOP/token, bound by %s\n",
                 (long long)prefill.tokens,
                 double(prefill.tokens) / prefill.time.seconds,
                 prefill.time.bytes / double(prefill.tokens) / 1e6,
                 prefill.time.flops / double(prefill.tokens) / 1e6,
                 prefill.time.computes ? "compute" : "memory");
  for (const PlannedDecode &decode : report.decode)
    os << format("  decode  %-3lld at context %-6lld%10.2f tokens/s%11.2f "
                 "MB/token%11.2f MFLOP/token, bound by %s",
                 (long long)decode.batch, (long long)decode.context,
                 double(decode.batch) / decode.time.seconds,
                 decode.time.bytes / double(decode.batch) / 1e6,
                 decode.time.flops / double(decode.batch) / 1e6,
                 decode.time.computes ? "compute" : "memory")
       << ", in " << sizeText(double(decode.memory)) << "\n";
}
