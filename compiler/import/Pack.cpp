// Makes the weight file in chunks: workers read (in the file's order, one at a
// time) and convert or quantize; one thread hashes and writes what is done.
#include "compiler/import/Pack.h"
#include "compiler/import/NewFile.h"
#include "compiler/import/PackRows.h"
#include "compiler/import/Progress.h"
#include "compiler/import/WeightLayout.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/BLAKE3.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

using namespace llvm;
using namespace quartet;

namespace {

// A worker holds a chunk of values twice, as f32 and packed: some 8 MB.
constexpr int64_t chunkValues = 1 << 20;
constexpr uint64_t chunkBytes = 4 << 20;
constexpr unsigned mostThreads = 64;

/// A piece of one weight, consecutive in the file.
struct Chunk {
  size_t index;  ///< of the weight in the plan
  int64_t begin; ///< plain: element; packed: panel of all experts together
  int64_t count; ///< panels of one expert; plain: unused
  uint64_t bytes;
};

std::vector<Chunk> makeChunks(const PackPlan &plan,
                              const WeightLayout &layout) {
  std::vector<Chunk> chunks;
  for (size_t index : fileOrder(layout)) {
    const PackedWeight &weight = layout.weights[index];
    const PackedMatrix &matrix = plan[index];
    if (!weight.format) {
      auto size = uint64_t(byteSize(weight.dtype));
      for (uint64_t done = 0; done < weight.bytes; done += chunkBytes)
        chunks.push_back({index, int64_t(done / size), 0,
                          std::min(chunkBytes, weight.bytes - done)});
      continue;
    }
    auto panelBytes = uint64_t(weight.storedShape().back());
    int64_t panels = panelCount(matrix.rows);
    int64_t step =
        std::max<int64_t>(1, chunkValues / (matrix.columns * kPanelRows));
    for (int64_t one = 0; one < matrix.repeat * matrix.experts; ++one)
      for (int64_t panel = 0; panel < panels; panel += step) {
        int64_t count = std::min(step, panels - panel);
        chunks.push_back(
            {index, one * panels + panel, count, uint64_t(count) * panelBytes});
      }
  }
  return chunks;
}

/// Makes the bytes of chunks.
class ChunkMaker {
public:
  ChunkMaker(const PackPlan &plan, const WeightPlan &weights,
             WeightSource &source, const ActivationStats *stats)
      : plan(plan), source(source), wide(weights), stats(stats) {
    for (const Weight &weight : weights.weights)
      byName[weight.name] = &weight;
  }

  /// Calls the source before \p afterRead, not after.
  Error make(const Chunk &chunk, std::vector<uint8_t> &out,
             function_ref<void()> afterRead) const {
    const PackedMatrix &matrix = plan[chunk.index];
    out.resize(chunk.bytes);
    if (!matrix.format) {
      const Weight &weight = *byName.lookup(matrix.parts[0].source);
      Error error = source.read(weight, chunk.begin, out);
      afterRead();
      return error;
    }
    int64_t panels = panelCount(matrix.rows);
    int64_t one = chunk.begin / panels, firstPanel = chunk.begin % panels;
    RowPacker packer(matrix, wide, source, stats);
    auto rows = packer.read(one / matrix.experts, one % matrix.experts,
                            firstPanel * kPanelRows, chunk.count * kPanelRows);
    afterRead();
    if (!rows)
      return rows.takeError();
    PanelQuantizer quantizer(*matrix.format, matrix.columns);
    for (int64_t i = 0; i < chunk.count; ++i)
      if (Error error =
              packer.pack(*rows, (firstPanel + i) * kPanelRows, quantizer,
                          &out[size_t(i * quantizer.layout.bytes)]))
        return error;
    return Error::success();
  }

private:
  const PackPlan &plan;
  WeightSource &source;
  WideWeights wide;
  const ActivationStats *stats;
  StringMap<const Weight *> byName;
};

/// Runs workers that make chunks ahead of who takes them, in order.
class ChunkQueue {
public:
  ChunkQueue(const std::vector<Chunk> &chunks, const ChunkMaker &maker,
             bool concurrentReads, unsigned threads)
      : chunks(chunks), maker(maker), concurrentReads(concurrentReads),
        window(2 * size_t(threads)) {
    for (unsigned i = 0; i < threads; ++i)
      workers.emplace_back([this] { work(); });
  }

  ~ChunkQueue() {
    {
      std::lock_guard<std::mutex> lock(mutex);
      stopping = true;
    }
    changed.notify_all();
    for (std::thread &worker : workers)
      worker.join();
    for (Slot &slot : slots)
      if (slot.result)
        consumeError(std::move(*slot.result));
  }

  /// Waits for the next chunk in order.
  Expected<std::vector<uint8_t>> take() {
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [&] { return !slots.empty() && slots.front().result; });
    Slot slot = std::move(slots.front());
    slots.pop_front();
    ++taken;
    changed.notify_all();
    if (*slot.result)
      return std::move(*slot.result);
    return std::move(slot.bytes);
  }

  /// Memory of a chunk that was taken, to be used again.
  void giveBack(std::vector<uint8_t> bytes) {
    std::lock_guard<std::mutex> lock(mutex);
    spare.push_back(std::move(bytes));
  }

private:
  struct Slot {
    std::vector<uint8_t> bytes;
    std::optional<Error> result; ///< once done
  };
  const std::vector<Chunk> &chunks;
  const ChunkMaker &maker;
  const bool concurrentReads;
  const size_t window; ///< chunks that may wait or be in work
  std::mutex mutex, reading;
  std::condition_variable changed;
  std::deque<Slot> slots; ///< chunk `taken` and those after it
  std::vector<std::vector<uint8_t>> spare;
  size_t taken = 0;
  bool stopping = false;
  std::vector<std::thread> workers;

  void work() {
    for (;;) {
      // Whoever holds the lock on reading takes the next chunk, so that the
      // source sees them in order.
      std::unique_lock<std::mutex> readLock(reading);
      std::unique_lock<std::mutex> lock(mutex);
      changed.wait(lock, [&] { return stopping || slots.size() < window; });
      size_t next = taken + slots.size();
      if (stopping || next >= chunks.size())
        return;
      slots.emplace_back();
      std::vector<uint8_t> bytes;
      if (!spare.empty()) {
        bytes = std::move(spare.back());
        spare.pop_back();
      }
      lock.unlock();
      if (concurrentReads)
        readLock.unlock();
      Error error = maker.make(chunks[next], bytes, [&] {
        if (!concurrentReads)
          readLock.unlock();
      });
      lock.lock();
      // After an error nobody takes any more.
      Slot &slot = slots[next - taken];
      slot.bytes = std::move(bytes);
      slot.result = std::move(error);
      changed.notify_all();
    }
  }
};

} // namespace

Expected<std::string>
quartet::writeWeights(const PackPlan &plan, const WeightPlan &weights,
                      const WeightLayout &layout, WeightSource &source,
                      StringRef path, const PackOptions &options) {
  assert(plan.size() == layout.weights.size() &&
         "the layout is of another plan");
  if (Error error = checkPackPlan(plan, weights))
    return std::move(error);
  FileHeader header = makeHeader(layout, options.modelName);
  if (Error error = checkTarget(
          path, SaturatingAdd(layout.dataBytes, header.bytes.size())))
    return std::move(error);
  NewFile file(path);
  if (Error error = file.create())
    return std::move(error);
  if (Error error = file.write(arrayRefFromStringRef(header.bytes), 0))
    return std::move(error);

  std::vector<Chunk> chunks = makeChunks(plan, layout);
  unsigned threads = options.threads
                         ? options.threads
                         : std::max(1u, std::thread::hardware_concurrency());
  threads = std::min({threads, mostThreads, unsigned(chunks.size())});
  Progress progress("packing", layout.dataBytes, options.progress);
  BLAKE3 hash;
  uint64_t done = 0;
  ChunkMaker maker(plan, weights, source, options.stats);
  {
    ChunkQueue queue(chunks, maker, source.isConcurrent(), threads);
    for (size_t i = 0; i < chunks.size(); ++i) {
      auto bytes = queue.take();
      if (!bytes)
        return bytes.takeError();
      hash.update(*bytes);
      if (Error error = file.write(*bytes, header.bytes.size() + done))
        return std::move(error);
      done += bytes->size();
      progress.update(done);
      queue.giveBack(std::move(*bytes));
    }
  }

  BLAKE3Result<> digest = hash.final();
  std::string weightsId = toHex(ArrayRef<uint8_t>(digest.data(), digest.size()),
                                /*LowerCase=*/true);
  if (Error error =
          file.write(arrayRefFromStringRef(weightsId), header.weightsIdOffset))
    return std::move(error);
  if (Error error = file.keep())
    return std::move(error);
  return weightsId;
}
