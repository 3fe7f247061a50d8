// The block is the quartet_step_args followed by the step's arrays. The page
// table, which can be larger than all of them, changes only when a sequence
// gets a page, and goes then.
#include "runtime/src/engine/DeviceSteps.h"
#include "runtime/src/engine/Programs.h"
#include <algorithm>
#include <cstring>

namespace quartet::rt {

namespace {
// Marks in the device's queue.
enum Event : size_t { ResultsThere, StepBegins, StepEnds };

constexpr uint64_t arrayAlignment = 64;

uint64_t aligned(uint64_t bytes) {
  return (bytes + arrayAlignment - 1) / arrayAlignment * arrayAlignment;
}

/// One array of the arguments: where its pointer is, and how long it is.
struct Array {
  size_t member; ///< offset in quartet_step_args
  int64_t count; ///< of 4-byte elements
};

std::vector<Array> arraysOf(int64_t tokens, int64_t sequences, int64_t rows) {
  using Args = quartet_step_args;
  return {{offsetof(Args, tokens), tokens},
          {offsetof(Args, positions), 3 * tokens},
          {offsetof(Args, token_seq), tokens},
          {offsetof(Args, seq_start), sequences + 1},
          {offsetof(Args, seq_past), sequences},
          {offsetof(Args, seq_slot), sequences},
          {offsetof(Args, rows), rows},
          {offsetof(Args, temperature), rows},
          {offsetof(Args, top_k), rows},
          {offsetof(Args, top_p), rows},
          {offsetof(Args, min_p), rows},
          {offsetof(Args, uniform), rows}};
}

uint64_t blockSize(const std::vector<Array> &arrays) {
  uint64_t bytes = aligned(sizeof(quartet_step_args));
  for (const Array &array : arrays)
    bytes += aligned(uint64_t(array.count) * 4);
  return bytes;
}
} // namespace

int64_t deviceStepBytes(const quartet_program &program, const StepSizes &sizes,
                        int64_t workers) {
  LargestSizes most = largestSizes(program, sizes.tableWidth);
  int64_t sum = 0;
  bool overflow = false;
  auto add = [&](int64_t count, int64_t bytes) {
    int64_t product = 0;
    overflow |= __builtin_mul_overflow(count, bytes, &product) ||
                __builtin_add_overflow(sum, product, &sum);
  };
  add(1, most.scratch);
  add(workers, most.local);
  add(most.counters, QUARTET_SYNC_STRIDE * 4);
  add(sizes.slots * 4, sizes.tableWidth);
  add(most.tokens, 4 * (sizes.mtp ? 2 * sizes.hidden : 0) + 64);
  return overflow ? INT64_MAX : sum;
}

std::unique_ptr<DeviceSteps> DeviceSteps::create(
    Device &device, const quartet_program &program, const StepSizes &sizes,
    const std::vector<DeviceAddress> &weights,
    const std::vector<DeviceAddress> &states, std::string *error) {
  std::unique_ptr<DeviceSteps> steps(new DeviceSteps(device, program, sizes));
  if (!steps->allocate(weights, states, error) || !steps->prepare(error))
    return nullptr;
  return steps;
}

DeviceSteps::~DeviceSteps() {
  for (DeviceAddress address : owned)
    device.release(address);
  device.release(logits);
  for (void *memory :
       {static_cast<void *>(staged), static_cast<void *>(stagedTable),
        static_cast<void *>(stagedSampled)})
    if (memory)
      device.releaseStaging(memory);
}

bool DeviceSteps::take(const char *name, uint64_t bytes, DeviceAccess access,
                       DeviceAddress &address, std::string *error) {
  if (!device.allocate(name, bytes, access, address, error))
    return false;
  owned.push_back(address);
  return true;
}

bool DeviceSteps::allocate(const std::vector<DeviceAddress> &weights,
                           const std::vector<DeviceAddress> &states,
                           std::string *error) {
  LargestSizes most = largestSizes(program, sizes.tableWidth);
  int64_t workers = device.workers(), localBytes = 0;
  if (__builtin_mul_overflow(workers, most.local, &localBytes))
    localBytes = INT64_MAX;
  mostTokens = most.tokens;
  blockBytes = blockSize(arraysOf(most.tokens, most.sequences, most.tokens));
  syncBytes = uint64_t(most.counters) * QUARTET_SYNC_STRIDE * 4;
  scratchBytes = uint64_t(most.scratch);
  uint64_t tableBytes = uint64_t(sizes.slots * sizes.tableWidth) * 4;
  uint64_t hiddenBytes =
      sizes.mtp ? uint64_t(most.tokens * sizes.hidden) * 4 : 0;
  constexpr DeviceAccess readOnly = DeviceAccess::ReadOnly,
                         readWrite = DeviceAccess::ReadWrite,
                         undefined = DeviceAccess::Scratch;
  if (!take("the arguments", blockBytes, readOnly, block, error) ||
      !take("the page table", tableBytes, readOnly, table, error) ||
      !take("the list of weights", weights.size() * 8, readOnly, weightList,
            error) ||
      !take("the list of states", states.size() * 8, readOnly, stateList,
            error) ||
      !take("the activations", scratchBytes, undefined, scratch, error) ||
      !take("the workers", uint64_t(localBytes), undefined, local, error) ||
      !take("the counters", syncBytes, readWrite, sync, error) ||
      !take("the drawn tokens", uint64_t(mostTokens) * 4, undefined, sampled,
            error))
    return false;
  if (sizes.mtp &&
      (!take("hidden_in", hiddenBytes, readOnly, hiddenIn, error) ||
       !take("hidden_out", hiddenBytes, undefined, hiddenOut, error)))
    return false;
  auto stage = [&](auto *&memory, uint64_t bytes) {
    memory = static_cast<std::remove_reference_t<decltype(memory)>>(
        device.allocateStaging(bytes, error));
    return memory != nullptr;
  };
  if (!stage(staged, blockBytes) || !stage(stagedTable, tableBytes) ||
      !stage(stagedSampled, uint64_t(mostTokens) * 4))
    return false;
  return device.upload(weightList, weights.data(), weights.size() * 8, error) &&
         device.upload(stateList, states.data(), states.size() * 8, error) &&
         device.fillZero(sync, syncBytes, error) && growLogits(1, error) &&
         device.synchronize(error);
}

bool DeviceSteps::growLogits(int64_t rows, std::string *error) {
  if (rows <= logitRows)
    return true;
  device.release(logits);
  logits = 0;
  logitRows = 0;
  if (!device.allocate("the logits", uint64_t(rows) * uint64_t(sizes.vocab) * 4,
                       DeviceAccess::Scratch, logits, error))
    return false;
  logitRows = rows;
  return true;
}

bool DeviceSteps::addRegions(int64_t rows, std::vector<DeviceRegion> &regions,
                             std::string *error) {
  if (!growLogits(rows, error))
    return false;
  regions.push_back({"the activations", scratch, scratchBytes});
  regions.push_back(
      {"the logits", logits, uint64_t(rows) * uint64_t(sizes.vocab) * 4});
  regions.push_back({"the drawn tokens", sampled, uint64_t(rows) * 4});
  return true;
}

bool DeviceSteps::prepare(std::string *error) {
  auto add = [&](const quartet_bucket *buckets, int64_t count) {
    for (int64_t i = 0; i != count; ++i) {
      DeviceStep step;
      step.launches = buckets[i].launches;
      step.count = buckets[i].num_launches;
      step.workers = device.workers();
      step.args = block;
      int64_t number = device.prepare(step, error);
      if (number < 0)
        return false;
      prepared[&buckets[i]] = number;
    }
    return true;
  };
  return add(program.buckets, program.num_buckets) &&
         add(program.mtp_buckets, program.num_mtp_buckets);
}

/// Lays the block out and queues its copy.
bool DeviceSteps::uploadArgs(const quartet_step_args &args,
                             std::string *error) {
  std::vector<Array> arrays =
      arraysOf(args.num_tokens, args.num_sequences, args.num_rows);
  uint64_t bytes = blockSize(arrays);
  if (bytes > blockBytes || args.num_rows > mostTokens) {
    *error = "a step of " + std::to_string(args.num_rows) +
             " rows, expected at most " + std::to_string(mostTokens);
    return false;
  }
  quartet_step_args there = args;
  uint64_t at = aligned(sizeof(there));
  for (const Array &array : arrays) {
    auto *member = reinterpret_cast<char *>(&there) + array.member;
    const void *from = nullptr;
    memcpy(&from, member, sizeof(from));
    if (array.count > 0)
      memcpy(staged + at, from, size_t(array.count) * 4);
    uint64_t address = block + at;
    memcpy(member, &address, sizeof(address));
    at += aligned(uint64_t(array.count) * 4);
  }
  there.page_table = static_cast<const int32_t *>(asPointer(table));
  there.weights = static_cast<void *const *>(asPointer(weightList));
  there.states = static_cast<void *const *>(asPointer(stateList));
  there.logits = static_cast<float *>(asPointer(logits));
  there.sampled = static_cast<int32_t *>(asPointer(sampled));
  there.scratch = static_cast<char *>(asPointer(scratch));
  there.local = static_cast<char *>(asPointer(local));
  there.sync = static_cast<uint32_t *>(asPointer(sync));
  there.hidden_in =
      static_cast<const float *>(asPointer(args.hidden_in ? hiddenIn : 0));
  there.hidden_out = static_cast<float *>(asPointer(hiddenOut));
  memcpy(staged, &there, sizeof(there));
  return device.upload(block, staged, bytes, error);
}

bool DeviceSteps::uploadTable(const int32_t *now, std::string *error) {
  size_t bytes = size_t(sizes.slots * sizes.tableWidth) * 4;
  if (tableThere && memcmp(now, stagedTable, bytes) == 0)
    return true;
  memcpy(stagedTable, now, bytes);
  tableThere = true;
  return device.upload(table, stagedTable, bytes, error);
}

StampedStep *DeviceSteps::stampedStep(const quartet_bucket &bucket,
                                      std::string *error) {
  auto [entry, isNew] = stamped.try_emplace(&bucket);
  if (isNew) {
    entry->second =
        std::make_unique<StampedStep>(device, *program.device, bucket);
    if (!entry->second->prepare(block, error)) {
      stamped.erase(entry);
      return nullptr;
    }
  }
  return entry->second.get();
}

bool DeviceSteps::launch(const quartet_bucket &bucket, const StepWish &wish,
                         std::string *error) {
  StampedStep *times = nullptr;
  if (wish.times) {
    times = stampedStep(bucket, error);
    if (!times || !times->clear(error))
      return false;
  }
  int64_t step = prepared.at(&bucket);
  if (!device.record(StepBegins, error))
    return false;
  if (wish.afterLaunch) {
    for (int64_t i = 0; i != bucket.num_launches; ++i)
      if (!device.launch(step, i, error) || !device.synchronize(error) ||
          !wish.afterLaunch(i, error))
        return false;
  } else if (times ? !times->run(error) : !device.run(step, error)) {
    return false;
  }
  return device.record(StepEnds, error) && (!times || times->download(error));
}

bool DeviceSteps::download(const quartet_step_args &args, const StepWish &wish,
                           std::string *error) {
  uint64_t rows = uint64_t(args.num_rows);
  if (rows && !device.download(stagedSampled, sampled, rows * 4, error))
    return false;
  if (rows && wish.logits &&
      !device.download(args.logits, logits, rows * uint64_t(sizes.vocab) * 4,
                       error))
    return false;
  uint64_t hiddenBytes = uint64_t(args.num_tokens * sizes.hidden) * 4;
  if (args.hidden_out && wish.hidden &&
      !device.download(args.hidden_out, hiddenOut, hiddenBytes, error))
    return false;
  return true;
}

bool DeviceSteps::run(const quartet_bucket &bucket,
                      const quartet_step_args &args, const StepWish &wish,
                      std::string *error) {
  if (!growLogits(args.num_rows, error) ||
      !uploadTable(args.page_table, error) || !uploadArgs(args, error))
    return false;
  uint64_t hiddenBytes = uint64_t(args.num_tokens * sizes.hidden) * 4;
  if (hiddenIn && args.hidden_in &&
      !device.upload(hiddenIn, args.hidden_in, hiddenBytes, error))
    return false;
  // Counters are zeroed behind a step, while the host looks at its results.
  if (!launch(bucket, wish, error) || !download(args, wish, error) ||
      !device.record(ResultsThere, error) ||
      !device.fillZero(sync, syncBytes, error) ||
      !device.await(ResultsThere, error))
    return false;
  if (args.num_rows)
    memcpy(args.sampled, stagedSampled, size_t(args.num_rows) * 4);
  return !wish.times || stamped.at(&bucket)->read(*wish.times, error);
}

bool DeviceSteps::lastSeconds(double &seconds, std::string *error) {
  return device.seconds(StepBegins, StepEnds, seconds, error);
}

} // namespace quartet::rt
