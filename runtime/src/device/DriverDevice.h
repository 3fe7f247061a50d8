// What devices behind the driver of a maker have in common. AMD's interface
// follows NVIDIA's, so that memory, copies, events and steps are the same
// calls; the drivers' libraries, graphs and launches differ, and are in
// Cuda.cpp and Hip.cpp.
#ifndef QUARTET_RUNTIME_DEVICE_DRIVERDEVICE_H
#define QUARTET_RUNTIME_DEVICE_DRIVERDEVICE_H
#include "runtime/src/device/DeviceKinds.h"
#include "runtime/src/device/DriverApi.h"
#include <algorithm>
#include <string_view>

namespace quartet::rt {

/// What a kernel is launched with, and where the driver finds it.
struct KernelParameters {
  KernelParameters(const DeviceStep &step, int64_t index)
      : args(step.args), stamps(step.stampsOf(index)),
        layer(step.launches[index].layer) {}
  KernelParameters(const KernelParameters &) = delete;
  KernelParameters &operator=(const KernelParameters &) = delete;

  DeviceAddress args, stamps;
  int64_t layer;
  void *places[3] = {&args, &layer, &stamps};
};

/// A device of \p Driver, which is the maker's functions (an Api of CudaApi.h
/// or HipApi.h) and
///   Pointer: what the functions take as an address of the device,
///   kind: QUARTET_DEVICE_*, startsNot, tool, noDevice: words for messages,
///   start(error): finds the functions,
///   explain(result): says what a result means,
///   describe(index, info): the device with this index; false: there is none,
///   enter(index): makes it this thread's; returns a result; left at the end,
///   pin(memory, bytes): allocates memory of the host; returns a result,
///   load(module, image, log): returns a result, and what the driver says of
///   it, imageText(program, image), whyNotLoaded(info, reasons): for messages.
template <typename Driver> class DriverDevice : public Device {
public:
  DriverDevice(const quartet_device &program, const DeviceInfo &info,
               const DeviceWish &wish)
      : program(program), wish(wish) {
    facts = info;
    workerCount = info.units * program.blocks_per_unit;
  }
  ~DriverDevice() override;
  bool open(std::string *error);

  bool allocate(const std::string &name, uint64_t bytes, DeviceAccess access,
                DeviceAddress &address, std::string *error) override;
  void release(DeviceAddress address) override {
    if (address)
      api.release(at(address));
  }
  uint64_t freeBytes() override {
    size_t free = 0, total = 0;
    return api.memoryInfo(&free, &total) == driver::Success ? free : 0;
  }
  void *allocateStaging(uint64_t bytes, std::string *error) override {
    void *staging = nullptr;
    int result = api.pin(&staging, size_t(std::max<uint64_t>(bytes, 1)));
    return good(result, "pin memory of this machine", error) ? staging
                                                             : nullptr;
  }
  void releaseStaging(void *staging) override { api.releaseHost(staging); }
  bool upload(DeviceAddress to, const void *from, uint64_t bytes,
              std::string *error) override {
    return !bytes || good(api.upload(at(to), from, bytes, stream),
                          "copy to the GPU", error);
  }
  bool download(void *to, DeviceAddress from, uint64_t bytes,
                std::string *error) override {
    return !bytes || good(api.download(to, at(from), bytes, stream),
                          "copy from the GPU", error);
  }
  bool copy(DeviceAddress to, DeviceAddress from, uint64_t bytes,
            std::string *error) override {
    return !bytes || good(api.copy(at(to), at(from), bytes, stream),
                          "copy on the GPU", error);
  }
  bool fillZero(DeviceAddress address, uint64_t bytes,
                std::string *error) override {
    return !bytes || good(api.fill(at(address), 0, bytes, stream),
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

protected:
  struct Step {
    DeviceStep what;
    std::vector<driver::Function> functions; ///< of the launches
    driver::Graph graph = nullptr;           ///< null: launched one by one
    driver::GraphExec exec = nullptr;
  };
  /// Says that it could not \p doing, unless \p result is success.
  bool good(int result, std::string_view doing, std::string *error) const {
    if (result == driver::Success)
      return true;
    *error = facts.name + " could not " + std::string(doing) + ": " +
             api.explain(result);
    return false;
  }
  /// Makes a graph of the step with this number, which has several launches,
  /// where the driver has graphs of such ones.
  virtual bool buildGraph(int64_t number, std::string *error) = 0;
  /// Lets the function have the shared memory of its launch, where the driver
  /// wants to be asked.
  virtual bool permitShared(const quartet_launch &, driver::Function,
                            std::string *) {
    return true;
  }
  static std::string nameOf(const quartet_launch &launch) {
    return std::string("kernel '") + launch.kernel + "'";
  }

  Driver api;
  const quartet_device &program;
  DeviceWish wish;
  driver::Stream stream = nullptr;
  std::vector<Step> steps;

private:
  using Pointer = typename Driver::Pointer;
  /// A pointer, or a number, as the driver's functions want it.
  static Pointer at(DeviceAddress address) { return Pointer(address); }
  bool loadImages(std::string *error);
  bool findKernel(const quartet_launch &launch, int64_t workers,
                  driver::Function &function, std::string *error);

  driver::Module module = nullptr;
  std::vector<driver::Event> events;
};

template <typename Driver> DriverDevice<Driver>::~DriverDevice() {
  if (stream)
    api.synchronize(stream);
  for (Step &step : steps) {
    if (step.exec)
      api.destroyExec(step.exec);
    if (step.graph)
      api.destroyGraph(step.graph);
  }
  for (driver::Event event : events)
    if (event)
      api.destroyEvent(event);
  if (module)
    api.unloadModule(module);
  if (stream)
    api.destroyStream(stream);
}

template <typename Driver> bool DriverDevice<Driver>::open(std::string *error) {
  if (!api.start(error))
    return false;
  if (int result = api.init(0); result != driver::Success) {
    *error = Driver::startsNot + api.explain(result);
    return false;
  }
  constexpr unsigned notWithOthers = 1; // a stream that waits for no other one
  return good(api.enter(int(facts.index)), "be opened", error) &&
         good(api.createStream(&stream, notWithOthers), "be opened", error) &&
         loadImages(error);
}

/// Loads the first image that the driver takes.
template <typename Driver>
bool DriverDevice<Driver>::loadImages(std::string *error) {
  std::string reasons;
  for (int64_t i = 0; i != program.num_images; ++i) {
    const quartet_image &image = program.images[i];
    if (!runsOn(program, image, facts.arch))
      continue;
    std::string log;
    int result = api.load(module, image, log);
    if (result == driver::Success)
      return true;
    module = nullptr;
    reasons += (reasons.empty() ? "" : "; ") +
               Driver::imageText(program, image) + ": " + api.explain(result) +
               (log.empty() ? "" : ": " + log);
  }
  *error = Driver::whyNotLoaded(facts, reasons);
  return false;
}

template <typename Driver>
bool DriverDevice<Driver>::allocate(const std::string &name, uint64_t bytes,
                                    DeviceAccess, DeviceAddress &address,
                                    std::string *error) {
  Pointer pointer = {};
  int result = api.allocate(&pointer, size_t(std::max<uint64_t>(bytes, 1)));
  if (result == driver::OutOfMemory) {
    *error = notEnoughMemory(facts, name, bytes, freeBytes());
    return false;
  }
  address = DeviceAddress(pointer);
  return good(result, "give memory", error);
}

template <typename Driver>
bool DriverDevice<Driver>::record(size_t event, std::string *error) {
  if (events.size() <= event)
    events.resize(event + 1, nullptr);
  if (!events[event] &&
      !good(api.createEvent(&events[event], 0), "make an event", error))
    return false;
  return good(api.record(events[event], stream), "record an event", error);
}

template <typename Driver>
bool DriverDevice<Driver>::seconds(size_t from, size_t to, double &result,
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
template <typename Driver>
bool DriverDevice<Driver>::findKernel(const quartet_launch &launch,
                                      int64_t workers,
                                      driver::Function &function,
                                      std::string *error) {
  std::string name = nameOf(launch);
  int result = api.getFunction(&function, module, launch.kernel);
  if (result != driver::Success) {
    *error = name +
             " is not in the images of this executable: " + api.explain(result);
    return false;
  }
  int blocks = 0;
  if (!permitShared(launch, function, error) ||
      !good(api.occupancy(&blocks, function, int(program.threads),
                          size_t(launch.shared_bytes)),
            "place " + name, error))
    return false;
  int64_t wanted = launch.cooperative ? workers : 1;
  if (int64_t(blocks) * facts.units >= wanted)
    return true;
  *error =
      name + " has no room on " + facts.name + ": " +
      std::to_string(int64_t(blocks) * facts.units) +
      " blocks run at once, expected " + std::to_string(wanted) +
      " (blocks of " + std::to_string(program.threads) + " threads with " +
      std::to_string(launch.shared_bytes) +
      " bytes of shared memory); compile the model for this device (quartetc "
      "targets lists them), or choose fewer blocks with --blocks";
  return false;
}

template <typename Driver>
int64_t DriverDevice<Driver>::prepare(const DeviceStep &what,
                                      std::string *error) {
  auto number = int64_t(steps.size());
  steps.emplace_back();
  Step &step = steps.back();
  step.what = what;
  for (int64_t i = 0; i != what.count; ++i) {
    driver::Function function = nullptr;
    if (!findKernel(what.launches[i], what.workers, function, error))
      return -1;
    step.functions.push_back(function);
  }
  bool single = what.count == 1 || !wish.graph;
  return !single && !buildGraph(number, error) ? -1 : number;
}

template <typename Driver>
bool DriverDevice<Driver>::run(int64_t number, std::string *error) {
  const Step &step = steps[size_t(number)];
  if (step.exec)
    return good(api.launchGraph(step.exec, stream), "start a step", error);
  for (int64_t i = 0; i != step.what.count; ++i)
    if (!launch(number, i, error))
      return false;
  return true;
}

/// What listDevices says of the devices of \p Driver.
template <typename Driver>
bool listDriver(std::vector<DeviceInfo> &devices, std::string *error) {
  Driver api;
  if (!api.start(error))
    return false;
  int result = api.init(0), count = 0;
  if (result == driver::Success)
    result = api.deviceCount(&count);
  if (result == driver::NoDevice || (result == driver::Success && count == 0)) {
    *error = Driver::noDevice;
    return false;
  }
  if (result != driver::Success) {
    *error = Driver::startsNot + api.explain(result) + "; does " +
             Driver::tool + " work?";
    return false;
  }
  for (int i = 0; i != count; ++i) {
    DeviceInfo info;
    info.kind = Driver::kind;
    info.index = i;
    if (api.describe(i, info))
      devices.push_back(info);
  }
  return true;
}

/// A \p Made, which is a DriverDevice, for \p program; null on an error.
template <typename Made>
std::unique_ptr<Device> openDriver(const quartet_device &program,
                                   const DeviceInfo &info,
                                   const DeviceWish &wish, std::string *error) {
  auto device = std::make_unique<Made>(program, info, wish);
  if (!device->open(error))
    return nullptr;
  return device;
}

} // namespace quartet::rt
#endif
