// The emulator as a device: memory of this machine, kernels as functions of
// this program. Everything "queued" is done at once. What the emulator finds is
// printed and ends the step with an error: a wrong kernel must fail, also where
// its results look right. Only in executables with emulated kernels.
#include "runtime/src/device/DeviceKinds.h"
#include "runtime/src/device/MemoryUse.h"
#include "runtime/src/emulator/Emulator.h"
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

namespace quartet::rt {

namespace {
constexpr int64_t defaultBlocks = 3; ///< enough for work to be shared unevenly
constexpr size_t alignment = 256;    ///< as drivers give it

class EmulatorDevice : public Device {
public:
  EmulatorDevice(const quartet_device &program, uint64_t seed)
      : program(program), seed(seed) {
    facts.kind = QUARTET_DEVICE_EMULATOR;
    facts.name = "the emulator";
    facts.arch = program.arch;
    facts.driver = "this CPU";
    facts.units = 1;
    workerCount = defaultBlocks;
  }
  ~EmulatorDevice() override {
    for (const auto &entry : memory)
      free(asPointer(entry.first));
  }

  bool allocate(const std::string &name, uint64_t bytes, DeviceAccess access,
                DeviceAddress &address, std::string *error) override;
  void release(DeviceAddress address) override;
  void seal(DeviceAddress address) override;
  uint64_t freeBytes() override { return availableBytes(); }
  void *allocateStaging(uint64_t bytes, std::string *error) override;
  void releaseStaging(void *staging) override { free(staging); }
  bool upload(DeviceAddress to, const void *from, uint64_t bytes,
              std::string *) override {
    memcpy(asPointer(to), from, bytes);
    return true;
  }
  bool download(void *to, DeviceAddress from, uint64_t bytes,
                std::string *) override {
    memcpy(to, asPointer(from), bytes);
    return true;
  }
  bool copy(DeviceAddress to, DeviceAddress from, uint64_t bytes,
            std::string *) override {
    memmove(asPointer(to), asPointer(from), bytes);
    return true;
  }
  bool fillZero(DeviceAddress address, uint64_t bytes, std::string *) override {
    memset(asPointer(address), 0, bytes);
    return true;
  }
  bool synchronize(std::string *) override { return true; }
  bool record(size_t event, std::string *) override;
  bool await(size_t, std::string *) override { return true; }
  bool seconds(size_t from, size_t to, double &result, std::string *) override;
  int64_t prepare(const DeviceStep &step, std::string *error) override;
  bool run(int64_t step, std::string *error) override;
  bool launch(int64_t step, int64_t index, std::string *error) override;

private:
  using Clock = std::chrono::steady_clock;
  struct Piece {
    std::string name;
    uint64_t bytes;
    emu::RegionKind kind;
  };
  bool start(std::string *error);
  bool addRegion(DeviceAddress address, const Piece &piece, std::string *error);
  bool failed(bool finished, std::string *error);

  const quartet_device &program;
  uint64_t seed;
  std::unique_ptr<emu::Emulator> emulator; ///< from the first prepare on
  std::map<DeviceAddress, Piece> memory;
  std::vector<DeviceStep> steps;
  std::vector<Clock::time_point> events;
};

emu::RegionKind kindOf(DeviceAccess access) {
  switch (access) {
  case DeviceAccess::ReadOnly:
    return emu::RegionKind::ReadOnly;
  case DeviceAccess::ReadWrite:
    return emu::RegionKind::ReadWrite;
  case DeviceAccess::Scratch:
    break;
  }
  return emu::RegionKind::Scratch;
}

bool EmulatorDevice::addRegion(DeviceAddress address, const Piece &piece,
                               std::string *error) {
  if (emulator->addRegion(asPointer(address), piece.bytes, piece.name,
                          piece.kind))
    return true;
  *error = "the emulator has no place for " + piece.name;
  return false;
}

bool EmulatorDevice::allocate(const std::string &name, uint64_t bytes,
                              DeviceAccess access, DeviceAddress &address,
                              std::string *error) {
  bytes = std::max<uint64_t>(bytes, 1);
  void *base = nullptr;
  if (bytes <= uint64_t(INT64_MAX) - alignment)
    base = aligned_alloc(
        alignment, size_t((bytes + alignment - 1) / alignment) * alignment);
  if (!base) {
    *error = notEnoughMemory(facts, name, bytes, freeBytes());
    return false;
  }
  address = reinterpret_cast<uintptr_t>(base);
  Piece piece = {name, bytes, kindOf(access)};
  memory[address] = piece;
  return !emulator || addRegion(address, piece, error);
}

void EmulatorDevice::release(DeviceAddress address) {
  if (memory.erase(address) == 0)
    return;
  if (emulator)
    emulator->removeRegion(asPointer(address));
  free(asPointer(address));
}

void EmulatorDevice::seal(DeviceAddress address) {
  Piece &piece = memory.at(address);
  piece.kind = emu::RegionKind::ReadOnly;
  if (!emulator)
    return;
  std::string none; // its own place is free again
  emulator->removeRegion(asPointer(address));
  addRegion(address, piece, &none);
}

void *EmulatorDevice::allocateStaging(uint64_t bytes, std::string *error) {
  void *staging = malloc(std::max<size_t>(size_t(bytes), 1));
  if (!staging)
    *error = notEnoughMemory(facts, "staging", bytes, freeBytes());
  return staging;
}

bool EmulatorDevice::record(size_t event, std::string *) {
  if (events.size() <= event)
    events.resize(event + 1);
  events[event] = Clock::now();
  return true;
}

bool EmulatorDevice::seconds(size_t from, size_t to, double &result,
                             std::string *) {
  result = std::chrono::duration<double>(events[to] - events[from]).count();
  return true;
}

/// Makes the emulator, for the number of blocks is known only now.
bool EmulatorDevice::start(std::string *error) {
  emu::Options options;
  options.lanes = program.lanes;
  options.threads = program.threads;
  options.blocks = workerCount;
  options.seed = seed;
  emulator = std::make_unique<emu::Emulator>(options);
  for (const auto &[address, piece] : memory)
    if (!addRegion(address, piece, error))
      return false;
  return true;
}

int64_t EmulatorDevice::prepare(const DeviceStep &step, std::string *error) {
  if (!emulator && !start(error))
    return -1;
  for (int64_t i = 0; i != step.count; ++i)
    if (!step.launches[i].host) {
      *error = std::string("kernel '") + step.launches[i].kernel +
               "' is not in this executable";
      return -1;
    }
  steps.push_back(step);
  return int64_t(steps.size()) - 1;
}

/// Prints what was found, if anything.
bool EmulatorDevice::failed(bool finished, std::string *error) {
  const std::vector<emu::Report> &reports = emulator->reports();
  if (finished && reports.empty())
    return false;
  for (const emu::Report &report : reports)
    fprintf(stderr, "%s%s\n", report.message.c_str(),
            report.times > 1
                ? (" (" + std::to_string(report.times) + " times)").c_str()
                : "");
  uint64_t more = emulator->dropped();
  if (more)
    fprintf(stderr, "and %llu more\n", static_cast<unsigned long long>(more));
  *error = "the emulator found " + std::to_string(reports.size() + more) +
           " faults in the kernels of this step";
  emulator->clearReports();
  setKernelsFaulty();
  return true;
}

bool EmulatorDevice::launch(int64_t number, int64_t index, std::string *error) {
  const DeviceStep &step = steps[size_t(number)];
  const quartet_launch &from = step.launches[index];
  if (index == 0)
    emulator->beginStep();
  emu::Launch launch;
  launch.kernel = from.host;
  launch.name = from.kernel;
  launch.args = static_cast<const quartet_step_args *>(asPointer(step.args));
  launch.layer = from.layer;
  launch.stamps = static_cast<int64_t *>(asPointer(step.stampsOf(index)));
  launch.sharedBytes = from.shared_bytes;
  launch.overlap = from.overlap != 0;
  bool finished = emulator->launch(launch);
  // Reports of earlier launches wait for the end of the step.
  if (finished && index + 1 != step.count)
    return true;
  return !failed(finished, error);
}

bool EmulatorDevice::run(int64_t number, std::string *error) {
  int64_t count = steps[size_t(number)].count;
  for (int64_t i = 0; i != count; ++i)
    if (!launch(number, i, error))
      return false;
  return true;
}
} // namespace

} // namespace quartet::rt

quartet::rt::Device *quartet_emulator_device(const quartet_device *program,
                                             uint64_t seed) {
  return new quartet::rt::EmulatorDevice(*program, seed);
}
