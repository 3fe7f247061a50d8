// NVIDIA GPUs, by the driver's own library. A step is a graph whose edges let a
// launch start early where the kernels are made for that.
#include "runtime/src/device/CudaApi.h"
#include "runtime/src/device/DeviceKinds.h"
#include "runtime/src/device/Library.h"
#include <algorithm>
#include <cstring>
#include <map>

namespace quartet::rt {

namespace {
using namespace cuda;

constexpr int oldestDriver = 12000;       ///< CUDA 12.0, for sm_90
constexpr int64_t plainShared = 48 << 10; ///< bytes that need no permission
constexpr const char *newDriver =
    "; install a newer NVIDIA driver (nvidia-smi shows which one is there)";

/// Finds the driver's functions and starts it.
bool startDriver(Api &api, int &version, std::string *error) {
  Library library;
  std::string reason;
  if (!library.open("QUARTET_CUDA_LIBRARY",
                    {"libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1"},
                    &reason)) {
    *error = "this machine has no NVIDIA driver (" + reason +
             "); install it, or set QUARTET_CUDA_LIBRARY to its libcuda.so.1";
    return false;
  }
  const char *missing = nullptr;
#define QUARTET_FIND(member, symbol, parameters)                               \
  api.member = reinterpret_cast<decltype(api.member)>(library.find(#symbol));  \
  if (!api.member && !missing)                                                 \
    missing = #symbol;
  QUARTET_CUDA_FUNCTIONS(QUARTET_FIND)
  const char *required = missing;
  QUARTET_CUDA_OPTIONAL_FUNCTIONS(QUARTET_FIND)
#undef QUARTET_FIND
  version = 0;
  if (api.driverVersion)
    api.driverVersion(&version);
  if (required || version < oldestDriver) {
    *error = "the NVIDIA driver is too old: it is for CUDA " +
             versionText(version, 1000, 10) + ", expected " +
             versionText(oldestDriver, 1000, 10) + " or newer" +
             (required ? std::string(" (it has no ") + required + ")" : "") +
             newDriver;
    return false;
  }
  return true;
}

std::string explain(const Api &api, int result) {
  const char *name = nullptr, *text = nullptr;
  if (api.errorName(result, &name) != Success || !name)
    name = "an unknown error";
  if (api.errorString(result, &text) != Success || !text)
    text = "";
  return std::string(name) + " (" + std::to_string(result) + ")" +
         (*text ? ": " : "") + text;
}

class CudaDevice : public Device {
public:
  CudaDevice(const Api &api, const quartet_device &program,
             const DeviceInfo &info)
      : api(api), program(program) {
    facts = info;
    workerCount = info.units * program.blocks_per_unit;
  }
  ~CudaDevice() override;
  bool open(std::string *error);

  bool allocate(const std::string &name, uint64_t bytes, DeviceAccess access,
                DeviceAddress &address, std::string *error) override;
  void release(DeviceAddress address) override {
    if (address)
      api.release(address);
  }
  uint64_t freeBytes() override;
  void *allocateStaging(uint64_t bytes, std::string *error) override;
  void releaseStaging(void *staging) override { api.releaseHost(staging); }
  bool upload(DeviceAddress to, const void *from, uint64_t bytes,
              std::string *error) override {
    return !bytes ||
           good(api.upload(to, from, bytes, stream), "copy to the GPU", error);
  }
  bool download(void *to, DeviceAddress from, uint64_t bytes,
                std::string *error) override {
    return !bytes || good(api.download(to, from, bytes, stream),
                          "copy from the GPU", error);
  }
  bool copy(DeviceAddress to, DeviceAddress from, uint64_t bytes,
            std::string *error) override {
    return !bytes ||
           good(api.copy(to, from, bytes, stream), "copy on the GPU", error);
  }
  bool fillZero(DeviceAddress address, uint64_t bytes,
                std::string *error) override {
    return !bytes || good(api.fill(address, 0, bytes, stream),
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
    Graph graph = nullptr;           ///< null: one launch
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
  bool buildGraph(Step &step, std::string *error);
  bool addNode(Step &step, size_t index, std::vector<GraphNode> &nodes,
               std::string *error);

  Api api;
  const quartet_device &program;
  bool retained = false;
  Stream stream = nullptr;
  Module module = nullptr;
  std::vector<Event> events;
  std::vector<Step> steps;
};

CudaDevice::~CudaDevice() {
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
  if (retained)
    api.releaseContext(int(facts.index));
}

bool CudaDevice::open(std::string *error) {
  Context context = nullptr;
  int device = 0;
  if (!good(api.deviceGet(&device, int(facts.index)), "be opened", error) ||
      !good(api.retainContext(&context, device), "be opened", error))
    return false;
  retained = true;
  constexpr unsigned notWithOthers = 1; // CU_STREAM_NON_BLOCKING
  return good(api.setContext(context), "be opened", error) &&
         good(api.createStream(&stream, notWithOthers), "be opened", error) &&
         loadImages(error);
}

/// Loads the first image that the driver takes.
bool CudaDevice::loadImages(std::string *error) {
  std::string reasons;
  for (int64_t i = 0; i != program.num_images; ++i) {
    const quartet_image &image = program.images[i];
    if (!runsOn(program, image, facts.arch))
      continue;
    int result = api.loadModule(&module, image.data);
    if (result == Success)
      return true;
    module = nullptr;
    reasons += (reasons.empty() ? "" : "; ") +
               std::string(image.kind == QUARTET_IMAGE_PTX ? "PTX" : "cubin") +
               " for " + program.arch + ": " + explain(api, result);
  }
  *error = "the driver of " + facts.name + " (" + facts.driver +
           ") does not load the kernels (" + reasons + ")" + newDriver;
  return false;
}

bool CudaDevice::allocate(const std::string &name, uint64_t bytes, DeviceAccess,
                          DeviceAddress &address, std::string *error) {
  Pointer pointer = 0;
  int result = api.allocate(&pointer, size_t(std::max<uint64_t>(bytes, 1)));
  if (result == OutOfMemory) {
    *error = notEnoughMemory(facts, name, bytes, freeBytes());
    return false;
  }
  address = pointer;
  return good(result, "give memory", error);
}

uint64_t CudaDevice::freeBytes() {
  size_t free = 0, total = 0;
  return api.memoryInfo(&free, &total) == Success ? free : 0;
}

void *CudaDevice::allocateStaging(uint64_t bytes, std::string *error) {
  void *staging = nullptr;
  if (!good(api.allocateHost(&staging, size_t(std::max<uint64_t>(bytes, 1))),
            "pin memory of this machine", error))
    return nullptr;
  return staging;
}

bool CudaDevice::record(size_t event, std::string *error) {
  if (events.size() <= event)
    events.resize(event + 1, nullptr);
  if (!events[event] &&
      !good(api.createEvent(&events[event], 0), "make an event", error))
    return false;
  return good(api.record(events[event], stream), "record an event", error);
}

bool CudaDevice::seconds(size_t from, size_t to, double &result,
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
bool CudaDevice::findKernel(const quartet_launch &launch, int64_t workers,
                            Function &function, std::string *error) {
  std::string name = std::string("kernel '") + launch.kernel + "'";
  int result = api.getFunction(&function, module, launch.kernel);
  if (result != Success) {
    *error = name + " is not in the images of this executable: " +
             explain(api, result);
    return false;
  }
  if (launch.shared_bytes > plainShared &&
      !good(api.setAttribute(function, MaxDynamicShared,
                             int(launch.shared_bytes)),
            (name + " give " + std::to_string(launch.shared_bytes) +
             " bytes of shared memory")
                .c_str(),
            error))
    return false;
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

bool CudaDevice::addNode(Step &step, size_t index,
                         std::vector<GraphNode> &nodes, std::string *error) {
  const quartet_launch &launch = step.what.launches[index];
  DeviceAddress args = step.what.args;
  int64_t layer = launch.layer;
  void *parameters[] = {&args, &layer};
  KernelNode node = {};
  node.function = step.functions[index];
  node.gridX = unsigned(step.what.workers);
  node.blockX = unsigned(program.threads);
  node.gridY = node.gridZ = node.blockY = node.blockZ = 1;
  node.sharedBytes = unsigned(launch.shared_bytes);
  node.parameters = parameters;
  bool early = index > 0 && launch.overlap && api.addEdges;
  GraphNode added = nullptr;
  if (!good(api.addKernel(&added, step.graph,
                          index && !early ? &nodes[index - 1] : nullptr,
                          index && !early ? 1 : 0, &node),
            "build a graph", error))
    return false;
  if (early) {
    EdgeData edge = {};
    edge.fromPort = ProgrammaticPort;
    edge.type = ProgrammaticEdge;
    if (!good(api.addEdges(step.graph, &nodes[index - 1], &added, &edge, 1),
              "build a graph", error))
      return false;
  }
  if (launch.cooperative) {
    LaunchAttribute attribute = {};
    attribute.value.number = 1;
    if (!good(api.setNodeAttribute(added, Cooperative, &attribute.value),
              "build a graph", error))
      return false;
  }
  nodes.push_back(added);
  return true;
}

bool CudaDevice::buildGraph(Step &step, std::string *error) {
  if (!good(api.createGraph(&step.graph, 0), "build a graph", error))
    return false;
  std::vector<GraphNode> nodes;
  for (size_t i = 0; i != step.functions.size(); ++i)
    if (!addNode(step, i, nodes, error))
      return false;
  return good(api.instantiate(&step.exec, step.graph, 0), "build a graph",
              error);
}

int64_t CudaDevice::prepare(const DeviceStep &what, std::string *error) {
  steps.emplace_back();
  Step &step = steps.back();
  step.what = what;
  for (int64_t i = 0; i != what.count; ++i) {
    Function function = nullptr;
    if (!findKernel(what.launches[i], what.workers, function, error))
      return -1;
    step.functions.push_back(function);
  }
  if (what.count > 1 && !buildGraph(step, error))
    return -1;
  return int64_t(steps.size()) - 1;
}

bool CudaDevice::run(int64_t number, std::string *error) {
  const Step &step = steps[size_t(number)];
  return step.exec
             ? good(api.launchGraph(step.exec, stream), "start a step", error)
             : launch(number, 0, error);
}

bool CudaDevice::launch(int64_t number, int64_t index, std::string *error) {
  const Step &step = steps[size_t(number)];
  const quartet_launch &launch = step.what.launches[index];
  DeviceAddress args = step.what.args;
  int64_t layer = launch.layer;
  void *parameters[] = {&args, &layer};
  LaunchAttribute attribute = {};
  attribute.id = Cooperative;
  attribute.value.number = 1;
  LaunchConfig config = {};
  config.gridX = unsigned(step.what.workers);
  config.blockX = unsigned(program.threads);
  config.gridY = config.gridZ = config.blockY = config.blockZ = 1;
  config.sharedBytes = unsigned(launch.shared_bytes);
  config.stream = stream;
  config.attributes = &attribute;
  config.attributeCount = launch.cooperative ? 1 : 0;
  return good(
      api.launch(&config, step.functions[size_t(index)], parameters, nullptr),
      "start a kernel", error);
}
} // namespace

bool listCuda(std::vector<DeviceInfo> &devices, std::string *error) {
  Api api;
  int version = 0;
  if (!startDriver(api, version, error))
    return false;
  int result = api.init(0), count = 0;
  if (result == Success)
    result = api.deviceCount(&count);
  if (result == NoDevice || (result == Success && count == 0)) {
    *error = "this program sees no NVIDIA GPU; nvidia-smi lists those that "
             "there are, and CUDA_VISIBLE_DEVICES may hide them";
    return false;
  }
  if (result != Success) {
    *error = "the NVIDIA driver does not start: " + explain(api, result) +
             "; does nvidia-smi work?";
    return false;
  }
  for (int i = 0; i != count; ++i) {
    int device = 0, units = 0, major = 0, minor = 0;
    size_t bytes = 0;
    char name[256] = "";
    if (api.deviceGet(&device, i) != Success)
      continue;
    api.deviceName(name, sizeof(name) - 1, device);
    api.deviceBytes(&bytes, device);
    api.deviceAttribute(&units, Multiprocessors, device);
    api.deviceAttribute(&major, MajorCapability, device);
    api.deviceAttribute(&minor, MinorCapability, device);
    DeviceInfo info;
    info.kind = QUARTET_DEVICE_CUDA;
    info.index = i;
    info.name = name;
    info.arch = "sm_" + std::to_string(10 * major + minor);
    info.units = units;
    info.bytes = bytes;
    info.driver = "CUDA " + versionText(version, 1000, 10);
    devices.push_back(info);
  }
  return true;
}

std::unique_ptr<Device> openCuda(const quartet_device &program,
                                 const DeviceInfo &info, std::string *error) {
  Api api;
  int version = 0;
  if (!startDriver(api, version, error))
    return nullptr;
  if (int result = api.init(0); result != Success) {
    *error = "the NVIDIA driver does not start: " + explain(api, result);
    return nullptr;
  }
  auto device = std::make_unique<CudaDevice>(api, program, info);
  if (!device->open(error))
    return nullptr;
  return device;
}

} // namespace quartet::rt
