// What a machine can do, from the user, else from the target's description,
// else by an assumption that is said.
#include "compiler/plan/PlanMachine.h"
#include "targets/Chips.h"
#include "targets/cpu/Isa.h"
#include "llvm/Support/Format.h"
#include <thread>

using namespace quartet;
using llvm::StringRef;

/// What is taken where nobody knows better: two channels of DDR5-5600, and
/// cores that start two fused multiply-adds per cycle at 3 GHz.
static constexpr double kAssumedReadGBs = 60;
static constexpr double kAssumedFmasPerSecond = 2 * 3e9;

/// Chooses the user's figure, else the target's, else one that is assumed and
/// \p said so.
static double choose(double asked, double known, double assumed,
                     const std::string &said, std::vector<std::string> &list) {
  if (asked > 0)
    return asked;
  if (known > 0)
    return known;
  list.push_back(said);
  return assumed;
}

static std::string printed(const char *text, double value) {
  std::string result;
  llvm::raw_string_ostream(result) << llvm::format(text, value);
  return result;
}

/// A block is a worker; the description has the peaks of the whole card.
static void findGpu(const gpu::GpuFacts &facts, const PlanCommand &command,
                    PlanReport &report) {
  report.target = facts.name;
  report.cpu = facts.card;
  PlanMachine &machine = report.machine;
  std::vector<std::string> &assumed = report.assumptions;
  machine.workers =
      command.workers ? command.workers : facts.units * facts.blocksPerUnit;
  double workers = double(machine.workers);
  machine.readGBs = command.readGBs > 0 ? command.readGBs : facts.readGBs;
  machine.int8Gops =
      command.int8Gops > 0 ? command.int8Gops : facts.int8Gops / workers;
  if (command.f32Gflops > 0) {
    machine.f32Gflops = command.f32Gflops;
    return;
  }
  machine.floats = "bf16";
  machine.f32Gflops = facts.bf16Gflops / workers;
  assumed.push_back("all floats multiply at the peak of the matrix units in "
                    "bf16; work outside of matrices takes longer");
}

static llvm::Error findCpu(const PlanCommand &command, PlanReport &report) {
  auto target = createTarget(command.target, command.cpu);
  if (!target)
    return target.takeError();
  const Capabilities &facts = (*target)->capabilities();
  report.target = (*target)->name().str();
  report.cpu = facts.cpu;
  auto isa = cpu::Isa::of(facts.triple, facts.cpu, facts.features);
  if (!isa)
    return isa.takeError();
  if (!isa->fusedMultiplyAdd)
    return llvm::createStringError(
        "target '" + report.target + "' (" + facts.cpu +
        ") has no fused multiply-add, which the step program needs: its "
        "builds use the generic lowering, which has no plan; choose another "
        "--target or --mcpu");
  PlanMachine &machine = report.machine;
  std::vector<std::string> &assumed = report.assumptions;
  machine.workers = command.workers ? command.workers : facts.workers;
  if (!machine.workers && command.target == "host")
    machine.workers = std::max(1u, std::thread::hardware_concurrency());
  if (!machine.workers) {
    machine.workers = 1;
    assumed.push_back("1 worker: the target names none; --workers says how "
                      "many the machine has");
  }
  double together = facts.readGBs * double(machine.workers);
  machine.readGBs = choose(
      command.readGBs, together, kAssumedReadGBs,
      printed("memory reads %.0f GB/s (two channels of DDR5): unknown for this "
              "target; --bandwidth says it, 'bench' of an executable measures "
              "it",
              kAssumedReadGBs),
      assumed);
  if (together > 0 && command.readGBs <= 0)
    assumed.push_back(
        printed("every worker reads %.1f GB/s of its own, as the target's "
                "description says; --bandwidth says what the machine's memory "
                "can do",
                facts.readGBs));
  double f32 = kAssumedFmasPerSecond * 2 * isa->lanes / 1e9;
  machine.f32Gflops =
      choose(command.f32Gflops, facts.f32Gflops, f32,
             printed("a worker multiplies f32 at %.0f GFLOP/s: 2 fused "
                     "multiply-adds of its widest register per cycle at 3 GHz",
                     f32),
             assumed);
  // A dot product of bytes makes 4 products where f32 makes one; without one,
  // bytes are widened to 16 bits.
  double int8 = f32 * (isa->byteDot == cpu::ByteDot::Vnni ||
                               isa->byteDot == cpu::ByteDot::Neon
                           ? 4
                           : 2);
  machine.int8Gops = choose(
      command.int8Gops, facts.int8Gops, int8,
      printed("a worker multiplies int8 at %.0f GOP/s, by its instructions at "
              "the same rate",
              int8),
      assumed);
  return llvm::Error::success();
}

llvm::Expected<bool> quartet::findMachine(const PlanCommand &command,
                                          PlanReport &report) {
  StringRef name = command.target;
  if (name == "emulator" || name.starts_with("emulator:"))
    return llvm::createStringError(
        "target '" + name +
        "': plans are of machines, and the emulator's "
        "time says nothing of its GPU's; plan for the GPU itself, --target "
        "sm_90a say");
  auto chip = findChip(name);
  if (!chip)
    return chip.takeError();
  if (!chip->gpu) {
    if (llvm::Error error = findCpu(command, report))
      return std::move(error);
    return false;
  }
  if (!command.cpu.empty())
    return llvm::createStringError("--mcpu names a CPU, but target '" + name +
                                   "' is a GPU; leave out --mcpu " +
                                   command.cpu);
  findGpu(*chip->gpu, command, report);
  return true;
}
