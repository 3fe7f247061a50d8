// The reference runs a step first and what each launch changes is kept. The
// device then runs launch by launch, and gets the reference's memory behind
// each, so that a difference is that of one phase.
#include "runtime/src/app/PhaseTest.h"
#include "runtime/src/app/BenchReport.h"
#include "runtime/src/app/TokenSource.h"
#include "runtime/src/engine/Programs.h"
#include <algorithm>
#include <cmath>
#include <cstring>

namespace quartet::rt {

namespace {
/// Relative to the largest float in the same line of words: what other
/// roundings of one phase explain, with some room; a unit in the last place of
/// a bf16.
constexpr double tolerance = 0.01;
constexpr size_t lineWords = 64;
constexpr int64_t mostTokens = 40;   ///< of a step: more than a chunk
constexpr int64_t mostSequences = 3; ///< of a step
/// A number that activations don't have; what looks larger is no float.
constexpr float mostSane = 1e20f;

uint32_t wordAt(const uint8_t *memory, size_t word) {
  uint32_t value;
  memcpy(&value, memory + word * 4, 4);
  return value;
}
float asFloat(uint32_t bits) {
  float value;
  memcpy(&value, &bits, 4);
  return value;
}
bool isSane(float value) { return std::abs(value) < mostSane; } // no NaN

size_t tokensOf(const std::vector<StepPiece> &pieces) {
  size_t tokens = 0;
  for (const StepPiece &piece : pieces)
    tokens += piece.tokens.size();
  return tokens;
}

/// Every byte is at most one apart, as a signed number.
bool areNeighbours(uint32_t a, uint32_t b) {
  for (int i = 0; i != 32; i += 8) {
    int apart = int(int8_t(a >> i)) - int(int8_t(b >> i));
    if (apart < -1 || apart > 1)
      return false;
  }
  return true;
}
} // namespace

void MemoryDifference::add(const MemoryDifference &other) {
  words += other.words;
  wrong += other.wrong;
  largest = std::max(largest, other.largest);
  if (first < 0)
    first = other.first;
}

MemoryDifference compareMemory(const uint8_t *found, const uint8_t *expected,
                               const uint8_t *before, size_t bytes) {
  MemoryDifference difference;
  size_t words = bytes / 4;
  for (size_t line = 0; line < words; line += lineWords) {
    size_t end = std::min(words, line + lineWords);
    if (memcmp(found + line * 4, expected + line * 4, (end - line) * 4) == 0 &&
        memcmp(before + line * 4, expected + line * 4, (end - line) * 4) == 0)
      continue;
    float around = 0;
    for (size_t i = line; i != end; ++i)
      if (float value = asFloat(wordAt(expected, i)); isSane(value))
        around = std::max(around, std::abs(value));
    for (size_t i = line; i != end; ++i) {
      uint32_t got = wordAt(found, i), wanted = wordAt(expected, i);
      if (got == wanted) {
        difference.words += wanted != wordAt(before, i);
        continue;
      }
      ++difference.words;
      float a = asFloat(got), b = asFloat(wanted);
      double apart = isSane(a) && isSane(b) && around > 0
                         ? std::abs(double(a) - double(b)) / double(around)
                         : HUGE_VAL;
      if (apart <= tolerance) {
        difference.largest = std::max(difference.largest, apart);
      } else if (!areNeighbours(got, wanted)) {
        ++difference.wrong;
        if (difference.first < 0)
          difference.first = int64_t(i * 4);
      }
    }
  }
  return difference;
}

static bool samePhases(const quartet_bucket &a, const quartet_bucket &b) {
  if (a.tokens != b.tokens || a.sequences != b.sequences ||
      a.num_launches != b.num_launches || a.scratch_bytes != b.scratch_bytes ||
      a.scratch_page_bytes != b.scratch_page_bytes)
    return false;
  for (int64_t i = 0; i != a.num_launches; ++i)
    if (strcmp(a.launches[i].kernel, b.launches[i].kernel) != 0 ||
        a.launches[i].layer != b.launches[i].layer)
      return false;
  return true;
}

bool samePhases(const quartet_program &a, const quartet_program &b) {
  if (a.num_buckets != b.num_buckets)
    return false;
  for (int64_t i = 0; i != a.num_buckets; ++i)
    if (!samePhases(a.buckets[i], b.buckets[i]))
      return false;
  return true;
}

/// Reads all of \p regions of \p device into \p images.
static bool readAll(Device &device, const std::vector<DeviceRegion> &regions,
                    std::vector<std::vector<uint8_t>> &images,
                    std::string *error) {
  images.resize(regions.size());
  for (size_t i = 0; i != regions.size(); ++i) {
    images[i].resize(regions[i].bytes);
    if (!device.download(images[i].data(), regions[i].address, regions[i].bytes,
                         error))
      return false;
  }
  return device.synchronize(error);
}

bool PhaseTest::runReference(const std::vector<StepPiece> &pieces,
                             std::string *error) {
  Device &memory = *reference.device();
  Images now = images;
  changes.clear();
  StepWish wish;
  wish.afterLaunch = [&](int64_t, std::string *why) {
    Images after;
    if (!readAll(memory, referenceRegions, after, why))
      return false;
    std::vector<Change> changed;
    for (size_t r = 0; r != after.size(); ++r) {
      // Runs of lines, so that there are few.
      constexpr size_t line = lineWords * 4;
      size_t size = after[r].size();
      auto differs = [&](size_t at) {
        return memcmp(after[r].data() + at, now[r].data() + at,
                      std::min(line, size - at)) != 0;
      };
      for (size_t at = 0; at < size; at += line) {
        if (!differs(at))
          continue;
        size_t end = at;
        while (end < size && differs(end))
          end += line;
        end = std::min(end, size);
        changed.push_back(
            {r,
             at,
             {after[r].begin() + long(at), after[r].begin() + long(end)}});
        at = end - 1 - (end - 1) % line;
      }
    }
    now = std::move(after);
    changes.push_back(std::move(changed));
    return true;
  };
  StepResult result;
  return reference.step(pieces, result, error, wish);
}

bool PhaseTest::compareLaunch(int64_t launch, const quartet_bucket &bucket,
                              std::string *error) {
  Device &memory = *device.device();
  Images found, before = images;
  if (!readAll(memory, regions, found, error))
    return false;
  for (const Change &change : changes[size_t(launch)])
    std::copy(change.bytes.begin(), change.bytes.end(),
              images[change.region].begin() + long(change.begin));
  const quartet_launch &what = bucket.launches[launch];
  auto known = std::find_if(sums.begin(), sums.end(), [&](const PhaseSum &sum) {
    return sum.name == what.kernel;
  });
  if (known == sums.end()) {
    sums.emplace_back();
    sums.back().name = what.kernel;
    known = sums.end() - 1;
  }
  ++known->launches;
  for (size_t r = 0; r != found.size(); ++r) {
    MemoryDifference difference =
        compareMemory(found[r].data(), images[r].data(), before[r].data(),
                      found[r].size() / 4 * 4);
    if (difference.wrong && known->where.empty())
      known->where = "byte " + std::to_string(difference.first) + " of " +
                     regions[r].name + " in layer group " +
                     std::to_string(what.layer);
    known->difference.add(difference);
    // The next launch begins with what the reference has.
    if (found[r] != images[r] &&
        !memory.upload(regions[r].address, images[r].data(), images[r].size(),
                       error))
      return false;
  }
  return memory.synchronize(error);
}

void PhaseTest::report(const std::vector<StepPiece> &pieces,
                       const quartet_bucket &bucket) {
  size_t tokens = tokensOf(pieces);
  table += print("\n%zu %s of %zu %s, steps of up to %lld\n", tokens,
                 tokens == 1 ? "token" : "tokens", pieces.size(),
                 pieces.size() == 1 ? "sequence" : "sequences",
                 static_cast<long long>(bucket.tokens));
  table += print("%-32s %8s %10s %12s %9s\n", "phase", "launches", "words",
                 "difference", "wrong");
  for (const PhaseSum &sum : sums) {
    const MemoryDifference &difference = sum.difference;
    table += print("%-32s %8lld %10lld %12.2e %9lld  %s\n", sum.name.c_str(),
                   static_cast<long long>(sum.launches),
                   static_cast<long long>(difference.words), difference.largest,
                   static_cast<long long>(difference.wrong),
                   difference.wrong ? ("WRONG: " + sum.where).c_str() : "ok");
    passed &= difference.wrong == 0;
  }
}

bool PhaseTest::runStep(const std::vector<StepPiece> &pieces,
                        std::string *error) {
  size_t tokens = tokensOf(pieces);
  const quartet_bucket &bucket =
      *chooseBucket(program, int64_t(tokens), int64_t(pieces.size()));
  auto rows = int64_t(pieces.size());
  if (!device.regions(rows, regions, error) ||
      !reference.regions(rows, referenceRegions, error))
    return false;
  for (size_t i = 0; i != regions.size(); ++i)
    if (regions[i].bytes != referenceRegions[i].bytes) {
      *error = regions[i].name + " has " + std::to_string(regions[i].bytes) +
               " bytes on the device and " +
               std::to_string(referenceRegions[i].bytes) + " on the emulator";
      return false;
    }
  if (!readAll(*reference.device(), referenceRegions, images, error))
    return false;
  Images start = images;
  sums.clear();
  if (!runReference(pieces, error))
    return false;
  images = std::move(start);
  for (size_t i = 0; i != regions.size(); ++i)
    if (!device.device()->upload(regions[i].address, images[i].data(),
                                 images[i].size(), error))
      return false;
  StepWish wish;
  wish.afterLaunch = [&](int64_t launch, std::string *why) {
    return compareLaunch(launch, bucket, why);
  };
  StepResult result;
  if (!device.step(pieces, result, error, wish))
    return false;
  report(pieces, bucket);
  return true;
}

bool PhaseTest::run(std::string *error) {
  TokenSource source(reference.manifest(), 3);
  std::vector<int32_t> sequences;
  for (int64_t i = 0; i != mostSequences; ++i) {
    int32_t sequence = reference.open(error);
    if (sequence < 0 || device.open(error) != sequence)
      return false;
    sequences.push_back(sequence);
  }
  auto pieceOf = [&](size_t sequence, int64_t tokens) {
    StepPiece piece;
    piece.sequence = sequences[sequence];
    piece.tokens = source.next(tokens);
    piece.rows.push_back({int32_t(tokens) - 1, RowSampling()});
    return piece;
  };
  // The second token has states in front of it.
  for (int i = 0; i != 2; ++i)
    if (!runStep({pieceOf(0, 1)}, error))
      return false;
  const StepLimits &limits = device.limits();
  if (mostSequences <= std::min(limits.tokens, limits.sequences) &&
      !runStep({pieceOf(0, 1), pieceOf(1, 1), pieceOf(2, 1)}, error))
    return false;
  int64_t most = std::min(mostTokens, device.context() - 4);
  for (int64_t i = 0; i != program.num_buckets; ++i) {
    int64_t before = i ? program.buckets[i - 1].tokens : 1;
    int64_t tokens = std::min(program.buckets[i].tokens, most);
    if (tokens > before && !runStep({pieceOf(0, tokens)}, error))
      return false;
  }
  for (int32_t sequence : sequences) {
    reference.close(sequence);
    device.close(sequence);
  }
  return true;
}

} // namespace quartet::rt
