// Sequences and steps. A step is checked completely before anything changes, so
// that a refused one leaves every sequence as it was.
#include "runtime/src/engine/Engine.h"
#include "runtime/src/engine/Programs.h"
#include <algorithm>
#include <cerrno>
#include <cstring>

namespace quartet::rt {

std::unique_ptr<Engine> Engine::create(const Manifest &manifest,
                                       const quartet_program &program,
                                       void *const *weights,
                                       const EngineOptions &options,
                                       std::string *error) {
  auto fail = [&](const std::string &message) {
    if (error)
      *error = message;
    return nullptr;
  };
  int64_t context = options.context ? options.context : manifest.maxPositions;
  if (context < 1 || context > manifest.maxPositions)
    return fail("the context is " + std::to_string(context) +
                " tokens, expected 1 to " +
                std::to_string(manifest.maxPositions) +
                " (the model's max_positions)");
  if (options.sequences < 1 || options.sequences > (1 << 20))
    return fail(std::to_string(options.sequences) +
                " sequences, expected 1 to " + std::to_string(1 << 20));
  if (std::string problem = whyNotProgram(program); !problem.empty())
    return fail("this executable is damaged: " + problem);
  std::unique_ptr<Engine> engine(new Engine);
  engine->model = &manifest;
  engine->program = &program;
  engine->options = options;
  engine->weights = weights;
  const quartet_bucket &largest = program.buckets[program.num_buckets - 1];
  engine->stepLimits = {largest.tokens, largest.sequences};
  engine->contextLimit = context;
  engine->tableWidth = pagesFor(context);
  int64_t pages =
      options.pages ? options.pages : options.sequences * engine->tableWidth;
  if (pages < 1 || pages > INT32_MAX)
    return fail(std::to_string(pages) + " pages, expected 1 to " +
                std::to_string(INT32_MAX) +
                "; a smaller context (--context N) needs less");
  if (program.device && !options.device)
    return fail("program '" + std::string(program.target) +
                "' is for a device, and none was opened");
  Device *device = program.device ? options.device : nullptr;
  engine->options.device = device;
  engine->states =
      States::create(manifest, options.sequences, pages, error, device);
  if (!engine->states ||
      !(device ? engine->prepareDevice(error) : engine->reserveScratch(error)))
    return nullptr;
  // Compiled code may refuse null pointers, also where a count is zero.
  for (auto *list : {&engine->rows, &engine->topK, &engine->sampled})
    list->reserve(16);
  for (auto *list : {&engine->temperature, &engine->topP, &engine->minP,
                     &engine->uniform, &engine->logits, &engine->hiddenIn})
    list->reserve(16);
  engine->sequences.resize(size_t(options.sequences));
  engine->pageTable.assign(size_t(options.sequences * engine->tableWidth), 0);
  return engine;
}

/// Reserves what a step needs besides the states, for the bucket that needs
/// most of each.
bool Engine::reserveScratch(std::string *error) {
  LargestSizes most = largestSizes(*program, tableWidth);
  int64_t workers = options.team ? options.team->workers() : 1;
  struct {
    Memory &memory;
    const char *what;
    int64_t count, bytes;
  } parts[] = {{scratch, "activations", 1, most.scratch},
               {local, "the workers", workers, most.local},
               {sync, "counters", most.counters,
                QUARTET_SYNC_STRIDE * int64_t(sizeof(uint32_t))}};
  for (const auto &part : parts) {
    int64_t bytes = 0;
    if (__builtin_mul_overflow(part.count, part.bytes, &bytes))
      bytes = INT64_MAX;
    if (!part.memory.allocate(uint64_t(bytes))) {
      if (error)
        *error = "cannot reserve " + std::to_string(bytes) + " bytes for " +
                 part.what + ": " + strerror(errno) +
                 "; a smaller context (--context N) needs less";
      return false;
    }
  }
  return true;
}

bool Engine::prepareDevice(std::string *error) {
  StepSizes sizes;
  sizes.slots = states->slots();
  sizes.tableWidth = tableWidth;
  sizes.vocab = model->vocab;
  sizes.hidden = model->hidden;
  sizes.mtp = hasMtp();
  std::vector<DeviceAddress> addresses;
  for (size_t i = 0; i != model->weights.size(); ++i)
    addresses.push_back(reinterpret_cast<uintptr_t>(weights[i]));
  std::string ignored;
  deviceSteps =
      DeviceSteps::create(*options.device, *program, sizes, addresses,
                          states->addresses(), error ? error : &ignored);
  return deviceSteps != nullptr;
}

bool Engine::regions(int64_t count, std::vector<DeviceRegion> &list,
                     std::string *error) {
  list.clear();
  if (!deviceSteps->addRegions(count, list, error))
    return false;
  std::vector<DeviceAddress> addresses = states->addresses();
  for (size_t i = 0; i != addresses.size(); ++i)
    list.push_back(
        {"state " + model->states[i].name, addresses[i], states->bytes(i)});
  return true;
}

const quartet_bucket *Engine::bucketFor(int64_t count,
                                        int64_t sequenceCount) const {
  return chooseBucket(*program, count, sequenceCount);
}

bool Engine::isOpen(int32_t sequence) const {
  return sequence >= 0 && size_t(sequence) < sequences.size() &&
         sequences[size_t(sequence)].open;
}

std::vector<uint8_t> Engine::readState(int32_t sequence, size_t state,
                                       std::string *error) const {
  std::vector<uint8_t> bytes(size_t(model->states[state].bytesPerUnit()));
  std::string ignored;
  if (!states->copySlot(state, sequence, bytes.data(),
                        error ? error : &ignored))
    bytes.clear();
  return bytes;
}

int32_t Engine::open(std::string *error) {
  int32_t slot = states->allocateSlot();
  if (slot < 0) {
    if (error)
      *error =
          "all " + std::to_string(states->slots()) + " sequences are in use";
    return -1;
  }
  sequences[size_t(slot)] = Sequence();
  sequences[size_t(slot)].open = true;
  return slot;
}

void Engine::close(int32_t sequence) {
  if (!isOpen(sequence))
    return;
  for (int32_t page : sequences[size_t(sequence)].pages)
    states->freePage(page);
  sequences[size_t(sequence)] = Sequence();
  auto row = pageTable.begin() + sequence * tableWidth;
  std::fill(row, row + tableWidth, 0);
  states->freeSlot(sequence);
}

int64_t Engine::length(int32_t sequence) const {
  return isOpen(sequence) ? sequences[size_t(sequence)].length : 0;
}

bool Engine::skip(int32_t sequence, int64_t length, std::string *error) {
  std::string name = "sequence " + std::to_string(sequence);
  std::string problem;
  if (!isOpen(sequence))
    problem = name + " is not open";
  else if (length < sequences[size_t(sequence)].length || length > contextLimit)
    problem = name + " would have " + std::to_string(length) +
              " tokens, expected " +
              std::to_string(sequences[size_t(sequence)].length) + " to " +
              std::to_string(contextLimit);
  else
    problem = whyNotPages(missingPages(sequence, length));
  if (!problem.empty()) {
    if (error)
      *error = problem;
    return false;
  }
  growPages(sequence, length);
  sequences[size_t(sequence)].length = length;
  return true;
}

int64_t Engine::missingPages(int32_t sequence, int64_t length) const {
  const std::vector<int32_t> &pages = sequences[size_t(sequence)].pages;
  return std::max<int64_t>(0, pagesFor(length) - int64_t(pages.size()));
}

/// Says what is wrong with \p piece, which begins behind \p past tokens; marks
/// its sequence as taken.
std::string Engine::whyNotPiece(const StepPiece &piece, int64_t past,
                                std::vector<bool> &taken) const {
  std::string name = "sequence " + std::to_string(piece.sequence);
  if (taken[size_t(piece.sequence)])
    return name + " is twice in one step";
  taken[size_t(piece.sequence)] = true;
  if (piece.tokens.empty())
    return name + " has no tokens in this step";
  int64_t length = past + int64_t(piece.tokens.size());
  if (length > contextLimit)
    return name + " would have " + std::to_string(length) +
           " tokens, the context holds " + std::to_string(contextLimit) +
           (contextLimit < model->maxPositions
                ? "; --context N raises it to at most " +
                      std::to_string(model->maxPositions)
                : " (the model's max_positions)");
  for (int32_t token : piece.tokens)
    if (token < 0 || token >= model->vocab)
      return "token id " + std::to_string(token) + ", expected 0 to " +
             std::to_string(model->vocab - 1);
  for (const StepRow &row : piece.rows) {
    if (row.token < 0 || size_t(row.token) >= piece.tokens.size())
      return "logits of token " + std::to_string(row.token) + " of " + name +
             ", expected 0 to " + std::to_string(piece.tokens.size() - 1);
    if (row.sampling.topK < 1 || row.sampling.topK > QUARTET_SAMPLE_CANDIDATES)
      return "top-k of a step is " + std::to_string(row.sampling.topK) +
             ", expected 1 to " + std::to_string(QUARTET_SAMPLE_CANDIDATES);
  }
  return "";
}

std::string Engine::whyNotFits(const quartet_bucket *bucket, int64_t tokens,
                               int64_t count, int64_t newPages) const {
  if (tokens > INT32_MAX)
    return std::to_string(tokens) + " tokens in one step";
  if (!bucket)
    return std::to_string(tokens) + " tokens of " + std::to_string(count) +
           " sequences in one step, this executable runs up to " +
           std::to_string(stepLimits.tokens) + " of " +
           std::to_string(stepLimits.sequences);
  return whyNotPages(newPages);
}

std::string Engine::whyNotPages(int64_t more) const {
  if (more <= states->freePages())
    return "";
  return "the KV cache is full: " + std::to_string(more) + " more pages of " +
         std::to_string(QUARTET_PAGE_TOKENS) + " tokens are needed, " +
         std::to_string(states->freePages()) + " are free";
}

/// Says what is wrong with \p pieces, or returns an empty string.
std::string Engine::whyNotStep(const std::vector<StepPiece> &pieces) const {
  if (pieces.empty())
    return "a step without sequences";
  std::vector<bool> taken(sequences.size(), false);
  int64_t newPages = 0, total = 0;
  for (const StepPiece &piece : pieces) {
    if (!isOpen(piece.sequence))
      return "sequence " + std::to_string(piece.sequence) + " is not open";
    int64_t past = sequences[size_t(piece.sequence)].length;
    if (std::string why = whyNotPiece(piece, past, taken); !why.empty())
      return why;
    int64_t count = int64_t(piece.tokens.size());
    newPages += missingPages(piece.sequence, past + count);
    total += count;
  }
  return whyNotFits(chooseBucket(*program, total, int64_t(pieces.size())),
                    total, int64_t(pieces.size()), newPages);
}

/// Makes \p sequence own the pages of its first \p length tokens.
void Engine::growPages(int32_t sequence, int64_t length) {
  std::vector<int32_t> &pages = sequences[size_t(sequence)].pages;
  while (int64_t(pages.size()) < pagesFor(length)) {
    int32_t page = states->allocatePage(); // There is one: whyNotStep counted.
    pageTable[size_t(sequence * tableWidth) + pages.size()] = page;
    pages.push_back(page);
  }
}

void Engine::beginLayout() {
  for (auto *list : {&tokens, &positions, &tokenSeq, &seqStart, &seqPast,
                     &seqSlot, &rows, &topK})
    list->clear();
  hiddenIn.clear();
  for (auto *list : {&temperature, &topP, &minP, &uniform})
    list->clear();
}

/// \p piece, behind \p past tokens of its sequence, goes into the arrays of the
/// step's arguments.
void Engine::addPiece(const StepPiece &piece, int64_t past) {
  growPages(piece.sequence, past + int64_t(piece.tokens.size()));
  int32_t start = int32_t(tokens.size()), number = int32_t(seqSlot.size());
  seqStart.push_back(start);
  seqPast.push_back(int32_t(past));
  seqSlot.push_back(piece.sequence);
  tokens.insert(tokens.end(), piece.tokens.begin(), piece.tokens.end());
  for (size_t i = 0; i != piece.tokens.size(); ++i) {
    tokenSeq.push_back(number);
    positions.push_back(int32_t(past) + int32_t(i));
  }
  for (const StepRow &row : piece.rows) {
    rows.push_back(start + row.token);
    temperature.push_back(row.sampling.temperature);
    topK.push_back(row.sampling.topK);
    topP.push_back(row.sampling.topP);
    minP.push_back(row.sampling.minP);
    uniform.push_back(row.sampling.uniform);
  }
}

void Engine::finishLayout(const StepWish &wish) {
  seqStart.push_back(int32_t(tokens.size()));
  // Text has the same position on all three axes.
  size_t count = tokens.size();
  positions.resize(3 * count);
  std::copy_n(positions.begin(), count, positions.begin() + count);
  std::copy_n(positions.begin(), count, positions.begin() + 2 * count);
  // On a CPU the step writes them in any case.
  size_t wanted = rows.size() * size_t(model->vocab);
  if (logits.size() < wanted && (wish.logits || !deviceSteps))
    logits.resize(wanted);
  sampled.assign(rows.size(), 0);
  if (hasMtp() && hiddenOut.size() < count * size_t(model->hidden))
    hiddenOut.resize(count * size_t(model->hidden));
}

void Engine::runBucket(const quartet_bucket &bucket, quartet_step_args &args) {
  args.scratch = reinterpret_cast<char *>(scratch.data());
  args.local = reinterpret_cast<char *>(local.data());
  args.sync = reinterpret_cast<uint32_t *>(sync.data());
  for (int64_t i = 0; i != bucket.sync_counters; ++i)
    args.sync[i * QUARTET_SYNC_STRIDE] = 0;
  if (!bucket.team || !options.team)
    return bucket.run(&args, 0, 1);
  struct Call {
    const quartet_bucket &bucket;
    const quartet_step_args &args;
  } call = {bucket, args};
  options.team->run(
      [](void *context, int64_t worker, int64_t workers) {
        auto *call = static_cast<Call *>(context);
        call->bucket.run(&call->args, worker, workers);
      },
      &call);
}

bool Engine::runStep(const quartet_bucket &bucket, const StepWish &wish,
                     StepResult &result, std::string *error) {
  quartet_step_args args = {};
  args.num_tokens = int64_t(tokens.size());
  args.num_sequences = int64_t(seqSlot.size());
  args.num_rows = int64_t(rows.size());
  args.num_slots = states->slots();
  args.num_pages = states->pages();
  args.table_width = tableWidth;
  args.tokens = tokens.data();
  args.positions = positions.data();
  args.token_seq = tokenSeq.data();
  args.seq_start = seqStart.data();
  args.seq_past = seqPast.data();
  args.seq_slot = seqSlot.data();
  args.page_table = pageTable.data();
  args.rows = rows.data();
  args.temperature = temperature.data();
  args.top_k = topK.data();
  args.top_p = topP.data();
  args.min_p = minP.data();
  args.uniform = uniform.data();
  args.weights = weights;
  args.states = states->pointers();
  args.logits = logits.data();
  args.sampled = sampled.data();
  args.hidden_in = hiddenIn.data();
  args.hidden_out = hasMtp() ? hiddenOut.data() : nullptr;
  if (deviceSteps) {
    std::string ignored;
    if (hiddenIn.empty())
      args.hidden_in = nullptr;
    if (!deviceSteps->run(bucket, args, wish, error ? error : &ignored))
      return false;
  } else {
    runBucket(bucket, args);
  }
  result.rows = args.num_rows;
  result.logits = wish.logits || !deviceSteps ? logits.data() : nullptr;
  result.sampled = sampled.data();
  result.hidden = wish.hidden || !deviceSteps ? args.hidden_out : nullptr;
  return true;
}

bool Engine::step(const std::vector<StepPiece> &pieces, StepResult &result,
                  std::string *error, const StepWish &wish) {
  std::string problem = whyNotStep(pieces);
  if (!problem.empty()) {
    if (error)
      *error = problem;
    return false;
  }
  beginLayout();
  for (const StepPiece &piece : pieces)
    addPiece(piece, sequences[size_t(piece.sequence)].length);
  finishLayout(wish);
  if (!runStep(*chooseBucket(*program, int64_t(tokens.size()),
                             int64_t(pieces.size())),
               wish, result, error))
    return false;
  for (const StepPiece &piece : pieces)
    sequences[size_t(piece.sequence)].length += int64_t(piece.tokens.size());
  return true;
}

} // namespace quartet::rt
