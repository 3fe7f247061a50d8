// AMD GPUs, by the HIP library of ROCm. A step is a graph that is captured from
// the launches of its kernels.
#include "runtime/src/device/DeviceKinds.h"
#include "runtime/src/device/HipApi.h"
#include "runtime/src/device/Library.h"
#include <algorithm>

namespace quartet::rt {

namespace {
using namespace hip;

constexpr int oldestRuntime = 60000000; ///< HIP 6.0, for gfx942
constexpr const char *newRuntime =
    "; install a newer ROCm (rocminfo shows that it works)";

std::string hipVersionText(int version) {
  return versionText(version, 10000000, 100000);
}

/// Finds the library's functions and starts it.
bool startRuntime(Api &api, int &version, std::string *error) {
  Library library;
  std::string reason;
  if (!library.open("QUARTET_HIP_LIBRARY",
                    {"libamdhip64.so.7", "libamdhip64.so.6", "libamdhip64.so",
                     "/opt/rocm/lib/libamdhip64.so"},
                    &reason)) {
    *error = "this machine has no ROCm (" + reason +
             "); install it, or set QUARTET_HIP_LIBRARY to its libamdhip64.so";
    return false;
  }
  const char *missing = nullptr;
  auto find = [&](auto &member, const char *symbol) {
    member = reinterpret_cast<std::remove_reference_t<decltype(member)>>(
        library.find(symbol));
    if (!member && !missing)
      missing = symbol;
  };
#define QUARTET_FIND(member, symbol, parameters) find(api.member, #symbol);
  QUARTET_HIP_FUNCTIONS(QUARTET_FIND)
#undef QUARTET_FIND
  find(api.errorName, "hipGetErrorName");
  find(api.errorString, "hipGetErrorString");
  version = 0;
  if (api.runtimeVersion)
    api.runtimeVersion(&version);
  if (missing || version < oldestRuntime) {
    *error = "ROCm is too old: it has HIP " + hipVersionText(version) +
             ", expected " + hipVersionText(oldestRuntime) + " or newer" +
             (missing ? std::string(" (it has no ") + missing + ")" : "") +
             newRuntime;
    return false;
  }
  return true;
}

std::string explain(const Api &api, int result) {
  const char *name = api.errorName(result), *text = api.errorString(result);
  return std::string(name ? name : "an unknown error") + " (" +
         std::to_string(result) + ")" + (text ? ": " : "") + (text ? text : "");
}

void *asPointer(DeviceAddress address) {
  return reinterpret_cast<void *>(uintptr_t(address));
}

class HipDevice : public Device {
public:
  HipDevice(const Api &api, const quartet_device &program,
            const DeviceInfo &info)
      : api(api), program(program) {
    facts = info;
    workerCount = info.units * program.blocks_per_unit;
  }
  ~HipDevice() override;
  bool open(std::string *error);

  bool allocate(const std::string &name, uint64_t bytes, DeviceAccess access,
                DeviceAddress &address, std::string *error) override;
  void release(DeviceAddress address) override {
    if (address)
      api.release(asPointer(address));
  }
  uint64_t freeBytes() override;
  void *allocateStaging(uint64_t bytes, std::string *error) override;
  void releaseStaging(void *staging) override { api.releaseHost(staging); }
  bool upload(DeviceAddress to, const void *from, uint64_t bytes,
              std::string *error) override {
    return !bytes || good(api.upload(asPointer(to), const_cast<void *>(from),
                                     bytes, stream),
                          "copy to the GPU", error);
  }
  bool download(void *to, DeviceAddress from, uint64_t bytes,
                std::string *error) override {
    return !bytes || good(api.download(to, asPointer(from), bytes, stream),
                          "copy from the GPU", error);
  }
  bool copy(DeviceAddress to, DeviceAddress from, uint64_t bytes,
            std::string *error) override {
    return !bytes ||
           good(api.copy(asPointer(to), asPointer(from), bytes, stream),
                "copy on the GPU", error);
  }
  bool fillZero(DeviceAddress address, uint64_t bytes,
                std::string *error) override {
    return !bytes || good(api.fill(asPointer(address), 0, bytes, stream),
                          "clear memory of the GPU", error);
  }
  bool synchronize(std::string *error) override {
    return good(api.synchronize(stream), "run on the GPU", error);
  }
  bool record(size_t event, std::string *error) override;
  bool await(size_t event, std::string *error) override {
    return good(api.await(events[event]), "run on the GPU", error);
  }
  bool seconds(size_t from, size_t to, double &result,
               std::string *error) override;
  int64_t prepare(const DeviceStep &step, std::string *error) override;
  bool run(int64_t step, std::string *error) override;
  bool launch(int64_t step, int64_t index, std::string *error) override;

private:
  struct Step {
    DeviceStep what;
    std::vector<Function> functions; ///< of the launches
    Graph graph = nullptr;           ///< null: launched one by one
    GraphExec exec = nullptr;
  };
  /// Says that it could not \p doing, unless \p result is success.
  bool good(int result, const char *doing, std::string *error) const {
    if (result == Success)
      return true;
    *error = facts.name + " could not " + doing + ": " + explain(api, result);
    return false;
  }
  bool loadImages(std::string *error);
  bool findKernel(const quartet_launch &launch, int64_t workers,
                  Function &function, std::string *error);
  bool capture(size_t number, std::string *error);

  Api api;
  const quartet_device &program;
  Stream stream = nullptr;
  Module module = nullptr;
  std::vector<Event> events;
  std::vector<Step> steps;
};

HipDevice::~HipDevice() {
  if (stream)
    api.synchronize(stream);
  for (Step &step : steps) {
    if (step.exec)
      api.destroyExec(step.exec);
    if (step.graph)
      api.destroyGraph(step.graph);
  }
  for (Event event : events)
    if (event)
      api.destroyEvent(event);
  if (module)
    api.unloadModule(module);
  if (stream)
    api.destroyStream(stream);
}

bool HipDevice::open(std::string *error) {
  constexpr unsigned notWithOthers = 1; // hipStreamNonBlocking
  return good(api.setDevice(int(facts.index)), "be opened", error) &&
         good(api.createStream(&stream, notWithOthers), "be opened", error) &&
         loadImages(error);
}

bool HipDevice::loadImages(std::string *error) {
  std::string reasons;
  for (int64_t i = 0; i != program.num_images; ++i) {
    if (!runsOn(program, program.images[i], facts.arch))
      continue;
    int result = api.loadModule(&module, program.images[i].data);
    if (result == Success)
      return true;
    module = nullptr;
    reasons += (reasons.empty() ? "" : "; ") + std::string(program.arch) +
               ": " + explain(api, result);
  }
  *error = facts.driver + " does not load the kernels on " + facts.name + " (" +
           reasons + ")" + newRuntime;
  return false;
}

bool HipDevice::allocate(const std::string &name, uint64_t bytes, DeviceAccess,
                         DeviceAddress &address, std::string *error) {
  void *pointer = nullptr;
  int result = api.allocate(&pointer, size_t(std::max<uint64_t>(bytes, 1)));
  if (result == OutOfMemory) {
    *error = notEnoughMemory(facts, name, bytes, freeBytes());
    return false;
  }
  address = reinterpret_cast<uintptr_t>(pointer);
  return good(result, "give memory", error);
}

uint64_t HipDevice::freeBytes() {
  size_t free = 0, total = 0;
  return api.memoryInfo(&free, &total) == Success ? free : 0;
}

void *HipDevice::allocateStaging(uint64_t bytes, std::string *error) {
  void *staging = nullptr;
  if (!good(api.allocateHost(&staging, size_t(std::max<uint64_t>(bytes, 1)), 0),
            "pin memory of this machine", error))
    return nullptr;
  return staging;
}

bool HipDevice::record(size_t event, std::string *error) {
  if (events.size() <= event)
    events.resize(event + 1, nullptr);
  if (!events[event] &&
      !good(api.createEvent(&events[event], 0), "make an event", error))
    return false;
  return good(api.record(events[event], stream), "record an event", error);
}

bool HipDevice::seconds(size_t from, size_t to, double &result,
                        std::string *error) {
  float milliseconds = 0;
  if (!await(to, error) ||
      !good(api.elapsed(&milliseconds, events[from], events[to]),
            "tell the time", error))
    return false;
  result = double(milliseconds) * 1e-3;
  return true;
}

/// Finds the kernel of \p launch and checks that its blocks have room.
bool HipDevice::findKernel(const quartet_launch &launch, int64_t workers,
                           Function &function, std::string *error) {
  std::string name = std::string("kernel '") + launch.kernel + "'";
  int result = api.getFunction(&function, module, launch.kernel);
  if (result != Success) {
    *error = name + " is not in the images of this executable: " +
             explain(api, result);
    return false;
  }
  int blocks = 0;
  if (!good(api.occupancy(&blocks, function, int(program.threads),
                          size_t(launch.shared_bytes)),
            ("place " + name).c_str(), error))
    return false;
  int64_t wanted = launch.cooperative ? workers : 1;
  if (int64_t(blocks) * facts.units >= wanted)
    return true;
  *error = name + " has no room on " + facts.name + ": " +
           std::to_string(int64_t(blocks) * facts.units) +
           " blocks run at once, expected " + std::to_string(wanted) +
           " (blocks of " + std::to_string(program.threads) + " threads with " +
           std::to_string(launch.shared_bytes) +
           " bytes of shared memory); compile the model for " + facts.arch +
           ", or choose fewer with --blocks";
  return false;
}

/// Records the launches of a step as a graph instead of running them.
bool HipDevice::capture(size_t number, std::string *error) {
  Step &step = steps[number];
  if (!good(api.beginCapture(stream, CaptureThreadLocal), "build a graph",
            error))
    return false;
  bool launched = true;
  for (int64_t i = 0; launched && i != step.what.count; ++i)
    launched = launch(int64_t(number), i, error);
  // The capture ends on every way out.
  std::string ended;
  bool captured =
      good(api.endCapture(stream, &step.graph), "build a graph", &ended);
  if (!launched)
    return false;
  if (!captured) {
    *error = ended;
    return false;
  }
  return good(api.instantiate(&step.exec, step.graph, 0), "build a graph",
              error);
}

int64_t HipDevice::prepare(const DeviceStep &what, std::string *error) {
  steps.emplace_back();
  Step &step = steps.back();
  step.what = what;
  bool cooperative = false;
  for (int64_t i = 0; i != what.count; ++i) {
    Function function = nullptr;
    if (!findKernel(what.launches[i], what.workers, function, error))
      return -1;
    step.functions.push_back(function);
    cooperative |= what.launches[i].cooperative != 0;
  }
  // Graphs have no cooperative launches; those are few and large.
  if (what.count > 1 && !cooperative && !capture(steps.size() - 1, error))
    return -1;
  return int64_t(steps.size()) - 1;
}

bool HipDevice::run(int64_t number, std::string *error) {
  const Step &step = steps[size_t(number)];
  if (step.exec)
    return good(api.launchGraph(step.exec, stream), "start a step", error);
  for (int64_t i = 0; i != step.what.count; ++i)
    if (!launch(number, i, error))
      return false;
  return true;
}

bool HipDevice::launch(int64_t number, int64_t index, std::string *error) {
  const Step &step = steps[size_t(number)];
  const quartet_launch &launch = step.what.launches[index];
  DeviceAddress args = step.what.args;
  int64_t layer = launch.layer;
  void *parameters[] = {&args, &layer};
  auto blocks = unsigned(step.what.workers);
  auto threads = unsigned(program.threads);
  auto shared = unsigned(launch.shared_bytes);
  Function function = step.functions[size_t(index)];
  int result = launch.cooperative
                   ? api.launchCooperative(function, blocks, 1, 1, threads, 1,
                                           1, shared, stream, parameters)
                   : api.launch(function, blocks, 1, 1, threads, 1, 1, shared,
                                stream, parameters, nullptr);
  return good(result, "start a kernel", error);
}
} // namespace

bool listHip(std::vector<DeviceInfo> &devices, std::string *error) {
  Api api;
  int version = 0;
  if (!startRuntime(api, version, error))
    return false;
  int result = api.init(0), count = 0;
  if (result == Success)
    result = api.deviceCount(&count);
  if (result == NoDevice || (result == Success && count == 0)) {
    *error = "this program sees no AMD GPU; rocminfo lists those that there "
             "are, the user must be in the groups 'render' and 'video', and "
             "HIP_VISIBLE_DEVICES may hide them";
    return false;
  }
  if (result != Success) {
    *error = "ROCm does not start: " + explain(api, result) +
             "; does rocminfo work?";
    return false;
  }
  for (int i = 0; i != count; ++i) {
    Properties properties = {};
    if (api.properties(&properties, i) != Success)
      continue;
    DeviceInfo info;
    info.kind = QUARTET_DEVICE_HIP;
    info.index = i;
    properties.name[sizeof(properties.name) - 1] = 0;
    properties.arch[sizeof(properties.arch) - 1] = 0;
    info.name = *properties.name ? properties.name : "an AMD GPU";
    std::string arch = properties.arch;
    info.arch = arch.substr(0, arch.find(':'));
    info.units = properties.units;
    info.bytes = properties.bytes;
    info.driver = "HIP " + hipVersionText(version);
    devices.push_back(info);
  }
  return true;
}

std::unique_ptr<Device> openHip(const quartet_device &program,
                                const DeviceInfo &info, std::string *error) {
  Api api;
  int version = 0;
  if (!startRuntime(api, version, error))
    return nullptr;
  if (int result = api.init(0); result != Success) {
    *error = "ROCm does not start: " + explain(api, result);
    return nullptr;
  }
  auto device = std::make_unique<HipDevice>(api, program, info);
  if (!device->open(error))
    return nullptr;
  return device;
}

} // namespace quartet::rt
