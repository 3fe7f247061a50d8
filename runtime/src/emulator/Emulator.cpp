// The interface for the host.
#include "runtime/src/emulator/Emulator.h"
#include "runtime/src/emulator/Machine.h"

using namespace quartet::emu;

Emulator::Emulator(const Options &options) : machine(new Machine(options)) {
  machine->addProgram();
}

Emulator::~Emulator() = default;

bool Emulator::addRegion(const void *base, uint64_t bytes, std::string name,
                         RegionKind kind) {
  return machine->addRegion(reinterpret_cast<uintptr_t>(base), bytes,
                            std::move(name), kind);
}

void Emulator::removeRegion(const void *base) {
  auto address = reinterpret_cast<uintptr_t>(base);
  auto found = machine->regions.upper_bound(address);
  if (found != machine->regions.end() && found->second.begin == address)
    machine->regions.erase(found);
}

void Emulator::setSeed(uint64_t seed) {
  machine->options.seed = seed;
  machine->random = 0;
}

void Emulator::beginStep() {
  // The host waits for what it launched before.
  machine->previousTick = ++machine->now;
  machine->previousEarly = false;
  for (auto &[end, space] : machine->regions)
    if (space.definedSince)
      space.definedSince = machine->now;
}

bool Emulator::launch(const Launch &launch) { return machine->launch(launch); }

const std::vector<Report> &Emulator::reports() const {
  return machine->reports;
}

uint64_t Emulator::dropped() const { return machine->dropped; }

void Emulator::clearReports() {
  machine->reports.clear();
  machine->reportSites.clear();
  machine->dropped = 0;
}
