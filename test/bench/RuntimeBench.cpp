// How fast the parts of the runtime are that the compiled step does not
// contain: the tokenizer, the hand-over of a parallel loop to the threads, and
// the host's sampler. For scale: a decode step of the 35B model takes tens of
// milliseconds and has a few hundred parallel loops.
#include "compiler/import/Tokenizer.h"
#include "runtime/src/device/Team.h"
#include "runtime/src/device/ThreadPool.h"
#include "runtime/src/engine/Sampler.h"
#include "runtime/src/text/Tokenizer.h"
#include <benchmark/benchmark.h>
#include <chrono>
#include <iterator>
#include <random>
#include <thread>

using namespace quartet;
using namespace quartet::rt;

namespace {
/// The tokenizer of the small trained model; null, with the benchmark skipped,
/// when it can't be read.
const Tokenizer *tokenizer(benchmark::State &state) {
  static std::string error;
  static std::vector<uint8_t> blob = [] {
    auto imported = importTokenizer(QUARTET_BENCH_TOKENIZER_DIR);
    if (imported)
      return std::move(*imported);
    error = llvm::toString(imported.takeError());
    return std::vector<uint8_t>();
  }();
  static std::unique_ptr<Tokenizer> loaded =
      error.empty() ? Tokenizer::load(blob.data(), blob.size(), error)
                    : nullptr;
  if (!loaded)
    state.SkipWithError(error.c_str());
  return loaded.get();
}

/// \p bytes of text like a prompt's: words, numbers, punctuation, a few
/// characters outside ASCII.
std::string sampleText(size_t bytes) {
  static const char *const words[] = {
      "In",         "the",         "beginning", "God",
      "created",    "heaven",      "and",       "earth",
      "1,234",      "caf\xc3\xa9", "don't",     "\xe6\xbc\xa2\xe5\xad\x97",
      "x = f(y);\n"};
  std::mt19937 random(1);
  std::string text;
  while (text.size() < bytes)
    text += std::string(words[random() % std::size(words)]) + " ";
  text.resize(bytes);
  return text;
}

void encode(benchmark::State &state) {
  const Tokenizer *loaded = tokenizer(state);
  if (!loaded)
    return;
  std::string text = sampleText(size_t(state.range(0))), error;
  std::vector<int32_t> ids;
  for (auto _ : state) {
    ids.clear();
    if (!loaded->encode(text, ids, error))
      return state.SkipWithError(error.c_str());
    benchmark::DoNotOptimize(ids.data());
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(encode)->Arg(100)->Arg(10'000)->Arg(1'000'000);

/// One piece without a place to cut it: the work of merging grows fastest here.
void encodeLongWord(benchmark::State &state) {
  const Tokenizer *loaded = tokenizer(state);
  if (!loaded)
    return;
  std::string text, error;
  std::mt19937 random(2);
  while (text.size() < size_t(state.range(0)))
    text += char('a' + random() % 26);
  std::vector<int32_t> ids;
  for (auto _ : state) {
    ids.clear();
    if (!loaded->encode(text, ids, error))
      return state.SkipWithError(error.c_str());
    benchmark::DoNotOptimize(ids.data());
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(encodeLongWord)->Arg(1'000)->Arg(1'000'000);

void decode(benchmark::State &state) {
  const Tokenizer *loaded = tokenizer(state);
  if (!loaded)
    return;
  std::string error, text;
  std::vector<int32_t> ids;
  if (!loaded->encode(sampleText(10'000), ids, error))
    return state.SkipWithError(error.c_str());
  for (auto _ : state) {
    if (!loaded->decode(ids, text, error))
      return state.SkipWithError(error.c_str());
    benchmark::DoNotOptimize(text.data());
  }
  state.SetItemsProcessed(state.iterations() * int64_t(ids.size()));
}
BENCHMARK(decode);

/// A parallel loop with next to no work: the time is that of handing it over.
void dispatch(benchmark::State &state) {
  ThreadPool pool{unsigned(state.range(0))};
  std::vector<int64_t> out(1024);
  auto body = [](void *context, int64_t begin, int64_t end) {
    for (int64_t i = begin; i != end; ++i)
      static_cast<int64_t *>(context)[i] = i;
  };
  for (auto _ : state)
    pool.parallelFor(body, out.data(), int64_t(out.size()), 1);
}
BENCHMARK(dispatch)->Arg(1)->Arg(2)->Arg(4)->UseRealTime();

/// The same after a pause in which the workers have gone to sleep.
void dispatchToSleepers(benchmark::State &state) {
  ThreadPool pool{unsigned(state.range(0))};
  std::vector<int64_t> out(1024);
  auto body = [](void *context, int64_t begin, int64_t end) {
    for (int64_t i = begin; i != end; ++i)
      static_cast<int64_t *>(context)[i] = i;
  };
  for (auto _ : state) {
    state.PauseTiming();
    std::this_thread::sleep_for(std::chrono::microseconds(300));
    state.ResumeTiming();
    pool.parallelFor(body, out.data(), int64_t(out.size()), 1);
  }
}
BENCHMARK(dispatchToSleepers)->Arg(2)->UseRealTime();

/// A change of phase in a step program: every worker claims a task, says that
/// it is done and waits for the others. Each has exactly one, so that nobody
/// can go through the phases alone. The time is that of one phase.
void phaseChange(benchmark::State &state) {
  Team team{unsigned(state.range(0))};
  constexpr int64_t phases = 10'000;
  constexpr int stride = QUARTET_SYNC_STRIDE;
  std::vector<uint32_t> sync(2 * phases * stride);
  auto work = [](void *context, int64_t, int64_t workers) {
    auto *counter = static_cast<uint32_t *>(context);
    for (int64_t i = 0; i != phases; ++i, counter += 2 * stride) {
      benchmark::DoNotOptimize(
          __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED));
      __atomic_fetch_add(counter + stride, 1, __ATOMIC_RELEASE);
      quartet_wait(counter + stride, uint32_t(workers));
    }
  };
  for (auto _ : state) {
    std::fill(sync.begin(), sync.end(), 0);
    auto start = std::chrono::steady_clock::now();
    team.run(work, sync.data());
    std::chrono::duration<double> time =
        std::chrono::steady_clock::now() - start;
    state.SetIterationTime(time.count() / phases);
  }
}
BENCHMARK(phaseChange)->Arg(1)->Arg(2)->Iterations(200)->UseManualTime();

/// An empty call of the team, spinning workers; with a pause in between, those
/// that sleep.
void teamRun(benchmark::State &state) {
  Team team{2};
  auto work = [](void *, int64_t, int64_t) {};
  std::chrono::microseconds pause(state.range(0));
  for (auto _ : state) {
    std::this_thread::sleep_for(pause);
    auto start = std::chrono::steady_clock::now();
    team.run(work, nullptr);
    std::chrono::duration<double> time =
        std::chrono::steady_clock::now() - start;
    state.SetIterationTime(time.count());
  }
}
BENCHMARK(teamRun)
    ->ArgName("pause_us")
    ->Arg(0)
    ->Arg(1000)
    ->Iterations(1000)
    ->UseManualTime();

/// A vocabulary of the 35B model's size; arguments: top-k and penalties.
void sample(benchmark::State &state) {
  constexpr int32_t vocabulary = 248'320;
  std::mt19937 random(3);
  std::normal_distribution<float> normal(0, 3);
  std::vector<float> logits(vocabulary);
  for (float &logit : logits)
    logit = normal(random);
  SamplingParams params;
  params.temperature = 0.7f;
  params.topK = int32_t(state.range(0));
  params.topP = 0.95f;
  params.presencePenalty = state.range(1) ? 1.5f : 0.0f;
  Sampler sampler(params, vocabulary);
  for (auto _ : state) {
    int32_t token = sampler.sample(logits.data());
    sampler.addOutput(token);
    benchmark::DoNotOptimize(token);
  }
}
BENCHMARK(sample)
    ->ArgNames({"top_k", "penalty"})
    ->Args({1, 0})
    ->Args({20, 0})
    ->Args({20, 1})
    ->Args({100, 0})
    ->Args({0, 0});
} // namespace
