// libcuda.so.1 as far as the runtime uses it, in front of FakeGpu. Takes a
// graph apart into nodes and edges and writes them to the log.
#include "FakeGpuState.h"
#include "runtime/src/device/CudaApi.h"

using namespace quartet::rt::cuda;
using namespace quartet::rt::test;

namespace {
constexpr int invalidImage = 200, notFound = 500, invalidValue = 1;

FakeGraph *graphOf(Graph graph) { return reinterpret_cast<FakeGraph *>(graph); }
FakeNode *nodeOf(GraphNode node) { return reinterpret_cast<FakeNode *>(node); }

std::string numberOf(FakeGraph *graph, GraphNode node) {
  for (size_t i = 0; i != graph->nodes.size(); ++i)
    if (graph->nodes[i] == nodeOf(node))
      return std::to_string(i);
  return "?";
}
} // namespace

// Every entry point may be told to fail.
#define FAKE(name)                                                             \
  if (int told = FakeGpu::result(#name))                                       \
    return told;

FAKE_EXPORT const char *fakeGpuLog() { return gpu().log.c_str(); }
FAKE_EXPORT void fakeGpuReset() { gpu().log.clear(); }

FAKE_EXPORT int cuInit(unsigned) {
  FAKE(cuInit)
  return 0;
}
FAKE_EXPORT int cuDriverGetVersion(int *version) {
  *version = int(FakeGpu::number("FAKE_GPU_VERSION", 13000));
  return 0;
}
FAKE_EXPORT int cuGetErrorName(int error, const char **text) {
  static std::string name;
  name = "CUDA_ERROR_" + std::to_string(error);
  *text = name.c_str();
  return 0;
}
FAKE_EXPORT int cuGetErrorString(int, const char **text) {
  *text = "as told";
  return 0;
}
FAKE_EXPORT int cuDeviceGetCount(int *count) {
  FAKE(cuDeviceGetCount)
  *count = int(FakeGpu::number("FAKE_GPU_COUNT", 1));
  return 0;
}
FAKE_EXPORT int cuDeviceGet(int *device, int ordinal) {
  FAKE(cuDeviceGet)
  *device = ordinal;
  return 0;
}
FAKE_EXPORT int cuDeviceGetName(char *name, int length, int device) {
  snprintf(name, size_t(length), "Fake GPU %d", device);
  return 0;
}
FAKE_EXPORT int cuDeviceTotalMem_v2(size_t *bytes, int) {
  *bytes = gpu().totalBytes();
  return 0;
}
FAKE_EXPORT int cuDeviceGetAttribute(int *value, int attribute, int) {
  std::string arch = FakeGpu::setting("FAKE_GPU_ARCH", "9.0");
  size_t point = arch.find('.');
  *value = attribute == MajorCapability   ? atoi(arch.c_str())
           : attribute == MinorCapability ? atoi(arch.c_str() + point + 1)
           : attribute == Multiprocessors ? 4
           : attribute == SharedPerMultiprocessor ? 228 << 10
                                                  : 1;
  return 0;
}
FAKE_EXPORT int cuDevicePrimaryCtxRetain(Context *context, int) {
  FAKE(cuDevicePrimaryCtxRetain)
  *context = reinterpret_cast<Context>(&gpu());
  gpu().note("context");
  return 0;
}
FAKE_EXPORT int cuDevicePrimaryCtxRelease_v2(int) { return 0; }
FAKE_EXPORT int cuCtxSetCurrent(Context) { return 0; }
FAKE_EXPORT int cuMemGetInfo_v2(size_t *free, size_t *total) {
  *free = gpu().freeBytes();
  *total = gpu().totalBytes();
  return 0;
}
FAKE_EXPORT int cuMemAlloc_v2(Pointer *pointer, size_t bytes) {
  FAKE(cuMemAlloc_v2)
  void *base = gpu().allocate(bytes);
  *pointer = reinterpret_cast<Pointer>(base);
  return base ? 0 : int(OutOfMemory);
}
FAKE_EXPORT int cuMemFree_v2(Pointer pointer) {
  return gpu().release(reinterpret_cast<void *>(pointer)) ? 0 : invalidValue;
}
FAKE_EXPORT int cuMemAllocHost_v2(void **memory, size_t bytes) {
  FAKE(cuMemAllocHost_v2)
  *memory = malloc(bytes);
  return 0;
}
FAKE_EXPORT int cuMemFreeHost(void *memory) {
  gpu().finish();
  free(memory);
  return 0;
}
FAKE_EXPORT int cuMemcpyHtoDAsync_v2(Pointer to, const void *from, size_t bytes,
                                     Stream) {
  FAKE(cuMemcpyHtoDAsync_v2)
  gpu().copy("upload", reinterpret_cast<void *>(to), from, bytes);
  return 0;
}
FAKE_EXPORT int cuMemcpyDtoHAsync_v2(void *to, Pointer from, size_t bytes,
                                     Stream) {
  FAKE(cuMemcpyDtoHAsync_v2)
  gpu().copy("download", to, reinterpret_cast<void *>(from), bytes);
  return 0;
}
FAKE_EXPORT int cuMemcpyDtoDAsync_v2(Pointer to, Pointer from, size_t bytes,
                                     Stream) {
  gpu().copy("copy", reinterpret_cast<void *>(to),
             reinterpret_cast<void *>(from), bytes);
  return 0;
}
FAKE_EXPORT int cuMemsetD8Async(Pointer to, unsigned char value, size_t bytes,
                                Stream) {
  gpu().note("fill " + std::to_string(bytes));
  gpu().enqueue([=] { memset(reinterpret_cast<void *>(to), value, bytes); });
  return 0;
}
FAKE_EXPORT int cuStreamCreate(Stream *stream, unsigned) {
  *stream = reinterpret_cast<Stream>(&gpu());
  return 0;
}
FAKE_EXPORT int cuStreamDestroy_v2(Stream) { return 0; }
FAKE_EXPORT int cuStreamSynchronize(Stream) {
  gpu().finish();
  FAKE(cuStreamSynchronize)
  return 0;
}
FAKE_EXPORT int cuEventCreate(Event *event, unsigned) {
  *event = reinterpret_cast<Event>(new FakeEvent);
  return 0;
}
FAKE_EXPORT int cuEventDestroy_v2(Event event) {
  delete reinterpret_cast<FakeEvent *>(event);
  return 0;
}
FAKE_EXPORT int cuEventRecord(Event event, Stream) {
  reinterpret_cast<FakeEvent *>(event)->at = gpu().queued();
  return 0;
}
FAKE_EXPORT int cuEventSynchronize(Event event) {
  gpu().runUntil(reinterpret_cast<FakeEvent *>(event)->at);
  FAKE(cuEventSynchronize)
  return 0;
}
FAKE_EXPORT int cuEventElapsedTime(float *milliseconds, Event from, Event to) {
  // A millisecond for each piece of work.
  *milliseconds = float(reinterpret_cast<FakeEvent *>(to)->at -
                        reinterpret_cast<FakeEvent *>(from)->at);
  return 0;
}
FAKE_EXPORT int cuModuleLoadDataEx(Module *module, const void *data,
                                   unsigned count, const int *options,
                                   void **values) {
  for (unsigned i = 0; i != count; ++i)
    if (options[i] == ErrorLog && FakeGpu::result("cuModuleLoadDataEx"))
      strcpy(static_cast<char *>(values[i]), "ptxas: as told\n");
  FAKE(cuModuleLoadDataEx)
  auto *image = static_cast<const FakeImage *>(data);
  if (image->magic != FakeImage::expected)
    return invalidImage;
  *module = reinterpret_cast<Module>(new FakeModule{image});
  return 0;
}
FAKE_EXPORT int cuModuleUnload(Module module) {
  delete reinterpret_cast<FakeModule *>(module);
  return 0;
}
FAKE_EXPORT int cuModuleGetFunction(Function *function, Module module,
                                    const char *name) {
  const FakeImage::Kernel *kernel = FakeGpu::find(module, name);
  *function =
      reinterpret_cast<Function>(const_cast<FakeImage::Kernel *>(kernel));
  return kernel ? 0 : notFound;
}
FAKE_EXPORT int cuFuncSetAttribute(Function, int attribute, int value) {
  if (attribute == MaxDynamicShared)
    FAKE(cuFuncSetAttribute)
  gpu().note("attribute " + std::to_string(attribute) + "=" +
             std::to_string(value));
  return 0;
}
FAKE_EXPORT int cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks,
                                                            Function, int,
                                                            size_t) {
  *blocks = int(FakeGpu::number("FAKE_GPU_ROOM", 2));
  return 0;
}
FAKE_EXPORT int cuLaunchKernelEx(const LaunchConfig *config, Function function,
                                 void **parameters, void **) {
  FAKE(cuLaunchKernelEx)
  FakeNode node = FakeGpu::node(function, parameters, config->gridX,
                                config->blockX, config->sharedBytes);
  bool cooperative = config->attributeCount == 1 &&
                     config->attributes[0].id == Cooperative &&
                     config->attributes[0].value.number == 1;
  gpu().note("launch " + FakeGpu::text(node) +
             (cooperative ? " cooperative" : ""));
  gpu().run(node);
  return 0;
}
FAKE_EXPORT int cuGraphCreate(Graph *graph, unsigned) {
  *graph = reinterpret_cast<Graph>(new FakeGraph);
  gpu().note("graph");
  return 0;
}
FAKE_EXPORT int cuGraphDestroy(Graph graph) {
  for (FakeNode *node : graphOf(graph)->nodes)
    delete node;
  delete graphOf(graph);
  return 0;
}
FAKE_EXPORT int cuGraphAddKernelNode_v2(GraphNode *added, Graph graph,
                                        const GraphNode *behind, size_t count,
                                        const KernelNode *what) {
  FAKE(cuGraphAddKernelNode_v2)
  FakeNode node = FakeGpu::node(what->function, what->parameters, what->gridX,
                                what->blockX, what->sharedBytes);
  std::string line = "node " + FakeGpu::text(node);
  for (size_t i = 0; i != count; ++i)
    line += " behind=" + numberOf(graphOf(graph), behind[i]);
  gpu().note(line);
  auto *kept = new FakeNode(node);
  graphOf(graph)->nodes.push_back(kept);
  *added = reinterpret_cast<GraphNode>(kept);
  return 0;
}
FAKE_EXPORT int cuGraphKernelNodeSetAttribute(GraphNode node, int attribute,
                                              const void *value) {
  int number = 0;
  memcpy(&number, value, sizeof(number));
  gpu().note(std::string("node attribute of ") + nodeOf(node)->kernel->name +
             " " + std::to_string(attribute) + "=" + std::to_string(number));
  return 0;
}
FAKE_EXPORT int cuGraphAddDependencies_v2(Graph graph, const GraphNode *from,
                                          const GraphNode *to,
                                          const EdgeData *edge, size_t count) {
  FAKE(cuGraphAddDependencies_v2)
  for (size_t i = 0; i != count; ++i)
    gpu().note("edge " + numberOf(graphOf(graph), from[i]) + "->" +
               numberOf(graphOf(graph), to[i]) +
               " port=" + std::to_string(edge[i].fromPort) +
               " type=" + std::to_string(edge[i].type));
  return 0;
}
FAKE_EXPORT int cuGraphInstantiateWithFlags(GraphExec *exec, Graph graph,
                                            unsigned long long) {
  FAKE(cuGraphInstantiateWithFlags)
  *exec = reinterpret_cast<GraphExec>(new FakeGraph(*graphOf(graph)));
  return 0;
}
FAKE_EXPORT int cuGraphExecDestroy(GraphExec exec) {
  delete reinterpret_cast<FakeGraph *>(exec);
  return 0;
}
FAKE_EXPORT int cuGraphLaunch(GraphExec exec, Stream) {
  FAKE(cuGraphLaunch)
  gpu().note("graph launch");
  for (FakeNode *node : reinterpret_cast<FakeGraph *>(exec)->nodes)
    gpu().run(*node);
  return 0;
}
