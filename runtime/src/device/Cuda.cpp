// NVIDIA GPUs, by the driver's own library. A step is a graph whose edges let a
// launch start early where the kernels are made for that.
#include "runtime/src/device/CudaApi.h"
#include "runtime/src/device/DriverDevice.h"
#include "runtime/src/device/Library.h"

namespace quartet::rt {

namespace {
using namespace cuda;

constexpr int oldestDriver = 12000;       ///< CUDA 12.0, for sm_90
constexpr int64_t plainShared = 48 << 10; ///< bytes that need no permission
constexpr int64_t ownShared = 1 << 10;    ///< the driver's, of each block
constexpr const char *newDriver =
    "; install a newer NVIDIA driver (nvidia-smi shows which one is there)";

std::string cudaVersionText(int version) {
  return versionText(version, 1000, 10);
}

/// See DriverDevice.
class CudaDriver : public Api {
public:
  using Pointer = cuda::Pointer;
  static constexpr int64_t kind = QUARTET_DEVICE_CUDA;
  static constexpr const char *startsNot = "the NVIDIA driver does not start: ";
  static constexpr const char *tool = "nvidia-smi";
  static constexpr const char *noDevice =
      "this program sees no NVIDIA GPU; nvidia-smi lists those that there are, "
      "and CUDA_VISIBLE_DEVICES may hide them";

  CudaDriver() = default;
  CudaDriver(const CudaDriver &) = delete;
  CudaDriver &operator=(const CudaDriver &) = delete;
  ~CudaDriver() {
    if (retained)
      releaseContext(entered);
  }
  bool start(std::string *error);
  std::string explain(int result) const;
  bool describe(int index, DeviceInfo &info) const;
  int enter(int index);
  int pin(void **memory, size_t bytes) const {
    return allocateHost(memory, bytes);
  }
  int load(Module &module, const quartet_image &image, std::string &log) const;
  static std::string imageText(const quartet_device &program,
                               const quartet_image &image) {
    return std::string(image.kind == QUARTET_IMAGE_PTX ? "PTX" : "cubin") +
           " for " + program.arch;
  }
  static std::string whyNotLoaded(const DeviceInfo &info,
                                  const std::string &reasons) {
    return "the driver of " + info.name + " (" + info.driver +
           ") does not load the kernels (" + reasons + ")" + newDriver +
           ", or compile the model with PTX for this one to compile (quartetc "
           "build --ptx)";
  }

private:
  int version = 0;
  int entered = 0;
  bool retained = false;
};

bool CudaDriver::start(std::string *error) {
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
  member = reinterpret_cast<decltype(member)>(library.find(#symbol));          \
  if (!member && !missing)                                                     \
    missing = #symbol;
  QUARTET_CUDA_FUNCTIONS(QUARTET_FIND)
  const char *required = missing;
  QUARTET_CUDA_OPTIONAL_FUNCTIONS(QUARTET_FIND)
#undef QUARTET_FIND
  if (driverVersion)
    driverVersion(&version);
  if (required || version < oldestDriver) {
    *error = "the NVIDIA driver is too old: it is for CUDA " +
             cudaVersionText(version) + ", expected " +
             cudaVersionText(oldestDriver) + " or newer" +
             (required ? std::string(" (it has no ") + required + ")" : "") +
             newDriver;
    return false;
  }
  return true;
}

std::string CudaDriver::explain(int result) const {
  const char *name = nullptr, *text = nullptr;
  if (errorName(result, &name) != Success || !name)
    name = "an unknown error";
  if (errorString(result, &text) != Success || !text)
    text = "";
  return std::string(name) + " (" + std::to_string(result) + ")" +
         (*text ? ": " : "") + text;
}

bool CudaDriver::describe(int index, DeviceInfo &info) const {
  int device = 0, units = 0, major = 0, minor = 0;
  size_t bytes = 0;
  char name[256] = "";
  if (deviceGet(&device, index) != Success)
    return false;
  deviceName(name, sizeof(name) - 1, device);
  deviceBytes(&bytes, device);
  deviceAttribute(&units, Multiprocessors, device);
  deviceAttribute(&major, MajorCapability, device);
  deviceAttribute(&minor, MinorCapability, device);
  info.name = name;
  info.arch = "sm_" + std::to_string(10 * major + minor);
  info.units = units;
  info.bytes = bytes;
  info.driver = "CUDA " + cudaVersionText(version);
  return true;
}

int CudaDriver::enter(int index) {
  Context context = nullptr;
  int result = deviceGet(&entered, index);
  if (result == Success)
    result = retainContext(&context, entered);
  if (result != Success)
    return result;
  retained = true;
  return setContext(context);
}

/// Loads an image; \p log gets what the driver's compiler says of PTX.
int CudaDriver::load(Module &module, const quartet_image &image,
                     std::string &log) const {
  char text[1024] = "";
  const int options[] = {ErrorLog, ErrorLogBytes};
  void *values[] = {text, reinterpret_cast<void *>(sizeof(text) - 1)};
  int result = loadModule(&module, image.data, 2, options, values);
  log = text;
  log.erase(log.find_last_not_of(" \n") + 1);
  return result;
}

class CudaDevice : public DriverDevice<CudaDriver> {
public:
  using DriverDevice::DriverDevice;
  bool launch(int64_t step, int64_t index, std::string *error) override;

private:
  bool permitShared(const quartet_launch &launch, Function function,
                    std::string *error) override;
  void shareAlike(const Step &step);
  bool buildGraph(int64_t number, std::string *error) override;
  bool buildGraph(Step &step, bool overlap, std::string *error);
  bool addNode(Step &step, size_t index, bool early,
               std::vector<GraphNode> &nodes, std::string *error);
};

bool CudaDevice::permitShared(const quartet_launch &launch, Function function,
                              std::string *error) {
  return launch.shared_bytes <= plainShared ||
         good(api.setAttribute(function, MaxDynamicShared,
                               int(launch.shared_bytes)),
              nameOf(launch) + " give " + std::to_string(launch.shared_bytes) +
                  " bytes of shared memory",
              error);
}

/// Asks for a share of a unit's memory that the blocks of any launch need; the
/// rest caches. A unit changes it only while it is empty, so launches that
/// overlap have to ask for the same. Only a hint: nothing is said of a refusal.
void CudaDevice::shareAlike(const Step &step) {
  bool overlaps = false;
  int64_t most = 0;
  for (int64_t i = 0; i != step.what.count; ++i) {
    overlaps |= step.what.launches[i].overlap != 0;
    most = std::max(most, step.what.launches[i].shared_bytes);
  }
  int bytes = 0;
  api.deviceAttribute(&bytes, SharedPerMultiprocessor, int(facts.index));
  if (!overlaps || bytes < 1)
    return;
  most = (most + ownShared) * program.blocks_per_unit;
  auto percent = int(std::min<int64_t>((100 * most + bytes - 1) / bytes, 100));
  for (Function function : step.functions)
    api.setAttribute(function, SharedCarveout, percent);
}

/// \p early: the launch may start before the one before has ended.
bool CudaDevice::addNode(Step &step, size_t index, bool early,
                         std::vector<GraphNode> &nodes, std::string *error) {
  const quartet_launch &launch = step.what.launches[index];
  KernelParameters parameters(step.what, int64_t(index));
  KernelNode node = {};
  node.function = step.functions[index];
  node.gridX = unsigned(step.what.workers);
  node.blockX = unsigned(program.threads);
  node.gridY = node.gridZ = node.blockY = node.blockZ = 1;
  node.sharedBytes = unsigned(launch.shared_bytes);
  node.parameters = parameters.places;
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

bool CudaDevice::buildGraph(Step &step, bool overlap, std::string *error) {
  if (!good(api.createGraph(&step.graph, 0), "build a graph", error))
    return false;
  std::vector<GraphNode> nodes;
  for (size_t i = 0; i != step.functions.size(); ++i)
    if (!addNode(step, i, overlap && i > 0 && step.what.launches[i].overlap,
                 nodes, error))
      return false;
  return good(api.instantiate(&step.exec, step.graph, 0), "build a graph",
              error);
}

bool CudaDevice::buildGraph(int64_t number, std::string *error) {
  Step &step = steps[size_t(number)];
  bool overlap = wish.overlap && api.addEdges;
  if (overlap)
    shareAlike(step);
  if (buildGraph(step, overlap, error) || !overlap)
    return step.exec != nullptr;
  // Without what not every driver and device may have in a graph.
  if (step.graph)
    api.destroyGraph(step.graph);
  step.graph = nullptr;
  return buildGraph(step, false, error);
}

bool CudaDevice::launch(int64_t number, int64_t index, std::string *error) {
  const Step &step = steps[size_t(number)];
  const quartet_launch &launch = step.what.launches[index];
  KernelParameters parameters(step.what, index);
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
  return good(api.launch(&config, step.functions[size_t(index)],
                         parameters.places, nullptr),
              "start a kernel", error);
}
} // namespace

bool listCuda(std::vector<DeviceInfo> &devices, std::string *error) {
  return listDriver<CudaDriver>(devices, error);
}

std::unique_ptr<Device> openCuda(const quartet_device &program,
                                 const DeviceInfo &info, const DeviceWish &wish,
                                 std::string *error) {
  return openDriver<CudaDevice>(program, info, wish, error);
}

} // namespace quartet::rt
