// libamdhip64.so as far as the runtime uses it, in front of FakeGpu.
#include "FakeGpuState.h"
#include "runtime/src/device/HipApi.h"

using namespace quartet::rt::hip;
using namespace quartet::rt::test;

namespace {
constexpr int invalidImage = 200, notFound = 500, invalidValue = 1;
} // namespace

// Every entry point may be told to fail.
#define FAKE(name)                                                             \
  if (int told = FakeGpu::result(#name))                                       \
    return told;

FAKE_EXPORT const char *fakeGpuLog() { return gpu().log.c_str(); }
FAKE_EXPORT void fakeGpuReset() { gpu().log.clear(); }

FAKE_EXPORT int hipInit(unsigned) {
  FAKE(hipInit)
  return 0;
}
FAKE_EXPORT int hipRuntimeGetVersion(int *version) {
  *version = int(FakeGpu::number("FAKE_GPU_VERSION", 60342134));
  return 0;
}
FAKE_EXPORT const char *hipGetErrorName(int error) {
  static std::string name;
  name = "hipError" + std::to_string(error);
  return name.c_str();
}
FAKE_EXPORT const char *hipGetErrorString(int) { return "as told"; }
FAKE_EXPORT int hipGetDeviceCount(int *count) {
  FAKE(hipGetDeviceCount)
  *count = int(FakeGpu::number("FAKE_GPU_COUNT", 1));
  return 0;
}
FAKE_EXPORT int hipGetDevicePropertiesR0600(Properties *properties,
                                            int device) {
  std::string arch = FakeGpu::setting("FAKE_GPU_ARCH", "gfx942");
  memset(properties, 0, propertiesSize);
  snprintf(properties->name, sizeof(properties->name), "Fake GPU %d", device);
  snprintf(properties->arch, sizeof(properties->arch), "%s:sramecc+:xnack-",
           arch.c_str());
  properties->bytes = gpu().totalBytes();
  properties->units = 4;
  return 0;
}
FAKE_EXPORT int hipSetDevice(int) {
  FAKE(hipSetDevice)
  gpu().note("context");
  return 0;
}
FAKE_EXPORT int hipMemGetInfo(size_t *free, size_t *total) {
  *free = gpu().freeBytes();
  *total = gpu().totalBytes();
  return 0;
}
FAKE_EXPORT int hipMalloc(void **pointer, size_t bytes) {
  FAKE(hipMalloc)
  *pointer = gpu().allocate(bytes);
  return *pointer ? 0 : int(OutOfMemory);
}
FAKE_EXPORT int hipFree(void *pointer) {
  return gpu().release(pointer) ? 0 : invalidValue;
}
FAKE_EXPORT int hipHostMalloc(void **memory, size_t bytes, unsigned) {
  FAKE(hipHostMalloc)
  *memory = malloc(bytes);
  return 0;
}
FAKE_EXPORT int hipHostFree(void *memory) {
  gpu().finish();
  free(memory);
  return 0;
}
FAKE_EXPORT int hipMemcpyHtoDAsync(void *to, const void *from, size_t bytes,
                                   Stream) {
  FAKE(hipMemcpyHtoDAsync)
  gpu().copy("upload", to, from, bytes);
  return 0;
}
FAKE_EXPORT int hipMemcpyDtoHAsync(void *to, void *from, size_t bytes, Stream) {
  FAKE(hipMemcpyDtoHAsync)
  gpu().copy("download", to, from, bytes);
  return 0;
}
FAKE_EXPORT int hipMemcpyDtoDAsync(void *to, void *from, size_t bytes, Stream) {
  gpu().copy("copy", to, from, bytes);
  return 0;
}
FAKE_EXPORT int hipMemsetAsync(void *to, int value, size_t bytes, Stream) {
  gpu().note("fill " + std::to_string(bytes));
  gpu().enqueue([=] { memset(to, value, bytes); });
  return 0;
}
FAKE_EXPORT int hipStreamCreateWithFlags(Stream *stream, unsigned) {
  *stream = reinterpret_cast<Stream>(&gpu());
  return 0;
}
FAKE_EXPORT int hipStreamDestroy(Stream) { return 0; }
FAKE_EXPORT int hipStreamSynchronize(Stream) {
  gpu().finish();
  FAKE(hipStreamSynchronize)
  return 0;
}
FAKE_EXPORT int hipEventCreateWithFlags(Event *event, unsigned) {
  *event = reinterpret_cast<Event>(new FakeEvent);
  return 0;
}
FAKE_EXPORT int hipEventDestroy(Event event) {
  delete reinterpret_cast<FakeEvent *>(event);
  return 0;
}
FAKE_EXPORT int hipEventRecord(Event event, Stream) {
  reinterpret_cast<FakeEvent *>(event)->at = gpu().queued();
  return 0;
}
FAKE_EXPORT int hipEventSynchronize(Event event) {
  gpu().runUntil(reinterpret_cast<FakeEvent *>(event)->at);
  FAKE(hipEventSynchronize)
  return 0;
}
FAKE_EXPORT int hipEventElapsedTime(float *milliseconds, Event from, Event to) {
  // A millisecond for each piece of work.
  *milliseconds = float(reinterpret_cast<FakeEvent *>(to)->at -
                        reinterpret_cast<FakeEvent *>(from)->at);
  return 0;
}
FAKE_EXPORT int hipModuleLoadData(Module *module, const void *data) {
  FAKE(hipModuleLoadData)
  auto *image = static_cast<const FakeImage *>(data);
  if (image->magic != FakeImage::expected)
    return invalidImage;
  *module = reinterpret_cast<Module>(new FakeModule{image});
  return 0;
}
FAKE_EXPORT int hipModuleUnload(Module module) {
  delete reinterpret_cast<FakeModule *>(module);
  return 0;
}
FAKE_EXPORT int hipModuleGetFunction(Function *function, Module module,
                                     const char *name) {
  const FakeImage::Kernel *kernel = FakeGpu::find(module, name);
  *function =
      reinterpret_cast<Function>(const_cast<FakeImage::Kernel *>(kernel));
  return kernel ? 0 : notFound;
}
FAKE_EXPORT int hipModuleOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks,
                                                                   Function,
                                                                   int,
                                                                   size_t) {
  *blocks = int(FakeGpu::number("FAKE_GPU_ROOM", 2));
  return 0;
}

static int launch(const FakeNode &node, bool cooperative) {
  if (gpu().capturing) {
    gpu().note("node " + FakeGpu::text(node));
    gpu().capturing->nodes.push_back(new FakeNode(node));
    return 0;
  }
  gpu().note("launch " + FakeGpu::text(node) +
             (cooperative ? " cooperative" : ""));
  gpu().run(node);
  return 0;
}

FAKE_EXPORT int hipModuleLaunchKernel(Function function, unsigned blocks,
                                      unsigned, unsigned, unsigned threads,
                                      unsigned, unsigned, unsigned shared,
                                      Stream, void **parameters, void **) {
  FAKE(hipModuleLaunchKernel)
  return launch(FakeGpu::node(function, parameters, blocks, threads, shared),
                false);
}
FAKE_EXPORT int
hipModuleLaunchCooperativeKernel(Function function, unsigned blocks, unsigned,
                                 unsigned, unsigned threads, unsigned, unsigned,
                                 unsigned shared, Stream, void **parameters) {
  return launch(FakeGpu::node(function, parameters, blocks, threads, shared),
                true);
}
FAKE_EXPORT int hipStreamBeginCapture(Stream, int) {
  gpu().capturing = new FakeGraph;
  gpu().note("graph");
  return 0;
}
FAKE_EXPORT int hipStreamEndCapture(Stream, Graph *graph) {
  *graph = reinterpret_cast<Graph>(gpu().capturing);
  gpu().capturing = nullptr;
  return 0;
}
FAKE_EXPORT int hipGraphDestroy(Graph graph) {
  auto *fake = reinterpret_cast<FakeGraph *>(graph);
  for (FakeNode *node : fake->nodes)
    delete node;
  delete fake;
  return 0;
}
FAKE_EXPORT int hipGraphInstantiateWithFlags(GraphExec *exec, Graph graph,
                                             unsigned long long) {
  FAKE(hipGraphInstantiateWithFlags)
  *exec = reinterpret_cast<GraphExec>(
      new FakeGraph(*reinterpret_cast<FakeGraph *>(graph)));
  return 0;
}
FAKE_EXPORT int hipGraphExecDestroy(GraphExec exec) {
  delete reinterpret_cast<FakeGraph *>(exec);
  return 0;
}
FAKE_EXPORT int hipGraphLaunch(GraphExec exec, Stream) {
  FAKE(hipGraphLaunch)
  gpu().note("graph launch");
  for (FakeNode *node : reinterpret_cast<FakeGraph *>(exec)->nodes)
    gpu().run(*node);
  return 0;
}
