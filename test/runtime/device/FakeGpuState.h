// The state behind the fake drivers; one per library.
#ifndef QUARTET_TEST_RUNTIME_FAKEGPUSTATE_H
#define QUARTET_TEST_RUNTIME_FAKEGPUSTATE_H
#include "FakeGpu.h"
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <vector>

namespace quartet::rt::test {

struct FakeModule {
  const FakeImage *image;
};

struct FakeNode {
  const FakeImage::Kernel *kernel;
  const quartet_step_args *args;
  int64_t layer;
  int64_t *stamps;
  unsigned blocks, threads, shared;
};

struct FakeGraph {
  std::vector<FakeNode *> nodes;
};

struct FakeEvent {
  size_t at = 0; ///< pieces of work in front of it
};

struct FakeGpu {
  std::string log;
  std::vector<std::function<void()>> queue;
  size_t done = 0;    ///< pieces of work, ever
  size_t dropped = 0; ///< of them that are no longer in the queue
  std::map<void *, size_t> memory;
  FakeGraph *capturing = nullptr;

  static std::string setting(const char *name, const char *fallback) {
    const char *value = getenv(name);
    return value ? value : fallback;
  }
  static long long number(const char *name, long long fallback) {
    const char *value = getenv(name);
    return value ? atoll(value) : fallback;
  }
  /// What FAKE_GPU_FAIL says about \p function.
  static int result(const char *function) {
    std::string list = "," + setting("FAKE_GPU_FAIL", "");
    std::string key = "," + std::string(function) + "=";
    size_t at = list.find(key);
    return at == std::string::npos ? 0 : atoi(list.c_str() + at + key.size());
  }

  /// As a driver gives back what a process leaves.
  ~FakeGpu() {
    for (const auto &piece : memory)
      free(piece.first);
  }

  void note(const std::string &line) { log += line + "\n"; }
  void enqueue(std::function<void()> work) { queue.push_back(std::move(work)); }
  size_t queued() const { return dropped + queue.size(); }
  /// Does the work in front of number \p end.
  void runUntil(size_t end) {
    for (; done < end; ++done)
      queue[done - dropped]();
  }
  void finish() {
    runUntil(queued());
    dropped = done;
    queue.clear();
  }

  size_t totalBytes() const {
    return size_t(number("FAKE_GPU_BYTES", 1LL << 32));
  }
  size_t freeBytes() const {
    size_t used = 0;
    for (const auto &piece : memory)
      used += piece.second;
    return totalBytes() > used ? totalBytes() - used : 0;
  }
  void *allocate(size_t bytes) {
    if (bytes > freeBytes())
      return nullptr;
    void *base = aligned_alloc(256, (bytes + 255) / 256 * 256);
    memset(base, 0xff, bytes); // NaNs and large numbers
    memory[base] = bytes;
    return base;
  }
  /// Frees what allocate gave; \returns false for anything else.
  bool release(void *base) {
    finish();
    if (!memory.erase(base))
      return false;
    free(base);
    return true;
  }
  void copy(const char *what, void *to, const void *from, size_t bytes) {
    note(std::string(what) + " " + std::to_string(bytes));
    enqueue([=] { memcpy(to, from, bytes); });
  }
  void run(const FakeNode &node) {
    enqueue([=] { node.kernel->run(node.args, node.layer, node.stamps); });
  }
  static std::string text(const FakeNode &node) {
    return std::string(node.kernel->name) +
           " layer=" + std::to_string(node.layer) +
           " blocks=" + std::to_string(node.blocks) +
           " threads=" + std::to_string(node.threads) +
           " shared=" + std::to_string(node.shared);
  }
  static FakeNode node(const void *kernel, void **parameters, unsigned blocks,
                       unsigned threads, unsigned shared) {
    FakeNode node;
    node.kernel = static_cast<const FakeImage::Kernel *>(kernel);
    uint64_t args = 0;
    memcpy(&args, parameters[0], sizeof(args));
    node.args = reinterpret_cast<const quartet_step_args *>(args);
    memcpy(&node.layer, parameters[1], sizeof(node.layer));
    memcpy(&node.stamps, parameters[2], sizeof(node.stamps));
    node.blocks = blocks;
    node.threads = threads;
    node.shared = shared;
    return node;
  }
  static const FakeImage::Kernel *find(const void *module, const char *name) {
    const FakeImage *image = static_cast<const FakeModule *>(module)->image;
    for (uint64_t i = 0; i != image->count; ++i)
      if (strcmp(image->kernels[i].name, name) == 0)
        return &image->kernels[i];
    return nullptr;
  }
};

/// The library's GPU.
inline FakeGpu &gpu() {
  static FakeGpu gpu;
  return gpu;
}

} // namespace quartet::rt::test

#define FAKE_EXPORT extern "C" __attribute__((visibility("default")))
#endif
