// AMD GPUs, by the HIP library of ROCm. A step is a graph that is captured from
// the launches of its kernels.
#include "runtime/src/device/DriverDevice.h"
#include "runtime/src/device/HipApi.h"
#include "runtime/src/device/Library.h"

namespace quartet::rt {

namespace {
using namespace hip;

constexpr int oldestRuntime = 60000000; ///< HIP 6.0, for gfx942
constexpr const char *newRuntime =
    "; install a newer ROCm (rocminfo shows that it works)";

std::string hipVersionText(int version) {
  return versionText(version, 10000000, 100000);
}

/// See DriverDevice.
class HipDriver : public Api {
public:
  using Pointer = hip::Pointer;
  static constexpr int64_t kind = QUARTET_DEVICE_HIP;
  static constexpr const char *startsNot = "ROCm does not start: ";
  static constexpr const char *tool = "rocminfo";
  static constexpr const char *noDevice =
      "this program sees no AMD GPU; rocminfo lists those that there are, the "
      "user must be in the groups 'render' and 'video', and "
      "HIP_VISIBLE_DEVICES may hide them";

  bool start(std::string *error);
  std::string explain(int result) const;
  bool describe(int index, DeviceInfo &info) const;
  int enter(int index) const { return setDevice(index); }
  int pin(void **memory, size_t bytes) const {
    return allocateHost(memory, bytes, 0);
  }
  int load(Module &module, const quartet_image &image, std::string &) const {
    return loadModule(&module, image.data);
  }
  static std::string imageText(const quartet_device &program,
                               const quartet_image &) {
    return program.arch;
  }
  static std::string whyNotLoaded(const DeviceInfo &info,
                                  const std::string &reasons) {
    return info.driver + " does not load the kernels on " + info.name + " (" +
           reasons + ")" + newRuntime;
  }

private:
  int version = 0;
};

bool HipDriver::start(std::string *error) {
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
#define QUARTET_FIND(member, symbol, parameters) find(member, #symbol);
  QUARTET_HIP_FUNCTIONS(QUARTET_FIND)
#undef QUARTET_FIND
  find(errorName, "hipGetErrorName");
  find(errorString, "hipGetErrorString");
  if (runtimeVersion)
    runtimeVersion(&version);
  if (missing || version < oldestRuntime) {
    *error = "ROCm is too old: it has HIP " + hipVersionText(version) +
             ", expected " + hipVersionText(oldestRuntime) + " or newer" +
             (missing ? std::string(" (it has no ") + missing + ")" : "") +
             newRuntime;
    return false;
  }
  return true;
}

std::string HipDriver::explain(int result) const {
  const char *name = errorName(result), *text = errorString(result);
  return std::string(name ? name : "an unknown error") + " (" +
         std::to_string(result) + ")" + (text ? ": " : "") + (text ? text : "");
}

bool HipDriver::describe(int index, DeviceInfo &info) const {
  Properties found = {};
  if (properties(&found, index) != Success)
    return false;
  found.name[sizeof(found.name) - 1] = 0;
  found.arch[sizeof(found.arch) - 1] = 0;
  info.name = *found.name ? found.name : "an AMD GPU";
  std::string arch = found.arch;
  info.arch = arch.substr(0, arch.find(':'));
  info.units = found.units;
  info.bytes = found.bytes;
  info.driver = "HIP " + hipVersionText(version);
  return true;
}

class HipDevice : public DriverDevice<HipDriver> {
public:
  using DriverDevice::DriverDevice;
  bool launch(int64_t step, int64_t index, std::string *error) override;

private:
  bool buildGraph(int64_t number, std::string *error) override;
};

/// Records the launches of a step as a graph instead of running them.
bool HipDevice::buildGraph(int64_t number, std::string *error) {
  Step &step = steps[size_t(number)];
  // Graphs have no cooperative launches; those are few and large.
  for (int64_t i = 0; i != step.what.count; ++i)
    if (step.what.launches[i].cooperative)
      return true;
  if (!good(api.beginCapture(stream, CaptureThreadLocal), "build a graph",
            error))
    return false;
  bool launched = true;
  for (int64_t i = 0; launched && i != step.what.count; ++i)
    launched = launch(number, i, error);
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

bool HipDevice::launch(int64_t number, int64_t index, std::string *error) {
  const Step &step = steps[size_t(number)];
  const quartet_launch &launch = step.what.launches[index];
  KernelParameters parameters(step.what, index);
  auto blocks = unsigned(step.what.workers);
  auto threads = unsigned(program.threads);
  auto shared = unsigned(launch.shared_bytes);
  Function function = step.functions[size_t(index)];
  int result = launch.cooperative
                   ? api.launchCooperative(function, blocks, 1, 1, threads, 1,
                                           1, shared, stream, parameters.places)
                   : api.launch(function, blocks, 1, 1, threads, 1, 1, shared,
                                stream, parameters.places, nullptr);
  return good(result, "start a kernel", error);
}
} // namespace

bool listHip(std::vector<DeviceInfo> &devices, std::string *error) {
  return listDriver<HipDriver>(devices, error);
}

std::unique_ptr<Device> openHip(const quartet_device &program,
                                const DeviceInfo &info, const DeviceWish &wish,
                                std::string *error) {
  return openDriver<HipDevice>(program, info, wish, error);
}

} // namespace quartet::rt
