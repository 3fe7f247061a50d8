// Runs steps: keeps the sequences, gives them slots and pages, lays out the
// arguments of the compiled step from ragged lists of tokens, and runs the
// bucket that is made for as many.
#ifndef QUARTET_RUNTIME_ENGINE_ENGINE_H
#define QUARTET_RUNTIME_ENGINE_ENGINE_H
#include "quartet/abi.h"
#include "runtime/src/device/Device.h"
#include "runtime/src/device/Memory.h"
#include "runtime/src/device/Team.h"
#include "runtime/src/engine/DeviceSteps.h"
#include "runtime/src/engine/Manifest.h"
#include "runtime/src/engine/States.h"
#include <memory>
#include <string>
#include <vector>

namespace quartet::rt {

struct EngineOptions {
  int64_t sequences = 1; ///< how many can be open at once (slots)
  int64_t context = 0;   ///< longest sequence in tokens; 0 = max_positions
  int64_t pages = 0;     ///< KV pages; 0 = enough for all at full context
  /// Runs the buckets that are for a team; null: the calling thread alone.
  /// Must outlive the engine.
  Team *team = nullptr;
  /// What runs a program that is for a device, with its images loaded; must
  /// outlive the engine. The weights are then addresses on it.
  Device *device = nullptr;
};

/// What always fits in one step. A step of more sequences with fewer tokens may
/// fit, too.
struct StepLimits {
  int64_t tokens = INT64_MAX, sequences = INT64_MAX;
};

/// How the step itself draws a token for one row (quartet.sample).
struct RowSampling {
  float temperature = 0.0f; ///< 0 = greedy
  int32_t topK = 1;         ///< 1..QUARTET_SAMPLE_CANDIDATES
  float topP = 1.0f, minP = 0.0f;
  float uniform = 0.0f; ///< in [0, 1)
};

/// A token whose logits are wanted.
struct StepRow {
  int32_t token = 0; ///< which of the piece's tokens, from 0
  RowSampling sampling;
};

/// The part of one sequence in a step.
struct StepPiece {
  int32_t sequence = -1;       ///< from Engine::open
  std::vector<int32_t> tokens; ///< at least one
  std::vector<StepRow> rows;   ///< in any order; may be empty
};

/// The part of one sequence in a step of multi-token prediction: pairs of a
/// token and the hidden state of the token before it. Rows are the pairs whose
/// logits are wanted: drafts of the token after the pair's.
struct MtpPiece : StepPiece {
  /// Pairs of the sequence that stay; those behind them, made from drafts that
  /// were not taken, are forgotten. Pair i has the hidden state of token i.
  int64_t past = 0;
  const float *hidden = nullptr; ///< [tokens, hidden]: StepResult::hidden
};

/// What a step gives back, rows in the order of the pieces and their rows.
/// Valid until the next step.
struct StepResult {
  int64_t rows = 0;
  const float *logits = nullptr;    ///< [rows, vocab]; null when not wanted
  const int32_t *sampled = nullptr; ///< [rows]
  /// [tokens, hidden] of all tokens in the order of the pieces; null without
  /// multi-token prediction, or when not wanted.
  const float *hidden = nullptr;
};

/// Not safe for use by several threads at once.
class Engine {
public:
  /// \p manifest, \p program and the memory behind \p weights must outlive the
  /// engine. Null when the options don't fit the model or memory can't be
  /// reserved.
  static std::unique_ptr<Engine> create(const Manifest &manifest,
                                        const quartet_program &program,
                                        void *const *weights,
                                        const EngineOptions &options,
                                        std::string *error);

  const Manifest &manifest() const { return *model; }
  int64_t context() const { return contextLimit; }
  const StepLimits &limits() const { return stepLimits; }

  /// Opens an empty sequence; -1 when all slots are taken.
  int32_t open(std::string *error);
  /// Gives the slot and the pages of \p sequence back.
  void close(int32_t sequence);
  /// Tokens that \p sequence has so far.
  int64_t length(int32_t sequence) const;

  /// For measurements: \p sequence has \p length tokens from now on, as if it
  /// had been given more of them. What it keeps of those is what the memory
  /// holds: zeros, or another sequence's.
  bool skip(int32_t sequence, int64_t length, std::string *error);

  /// What \p sequence, an open one, keeps in the state with this number in the
  /// manifest, which has slots: its bytes, without the dimension of the slots.
  /// Empty, with \p error set, when a device fails.
  std::vector<uint8_t> readState(int32_t sequence, size_t state,
                                 std::string *error = nullptr) const;

  /// Advances every sequence in \p pieces by its tokens in one step. Refuses,
  /// and changes nothing: unknown or repeated sequences, an empty piece, ids
  /// outside [0, vocab), rows outside the piece, sequences that would pass the
  /// context limit, more tokens or sequences than any bucket holds, and more
  /// pages than there are. A device that fails in the step is an error, too,
  /// after which nothing more can be done with the engine. \p wish saves a
  /// device the copies that nobody wants.
  bool step(const std::vector<StepPiece> &pieces, StepResult &result,
            std::string *error, const StepWish &wish = StepWish());

  /// Whether the program has a step of multi-token prediction.
  bool hasMtp() const { return program->num_mtp_buckets > 0; }
  /// Pairs that the multi-token prediction of \p sequence has seen.
  int64_t mtpLength(int32_t sequence) const;
  /// Runs multi-token prediction on pairs of the sequences, in one step. The
  /// model's own state and lengths stay. Refuses what step() refuses, and pasts
  /// beyond mtpLength().
  bool mtpStep(const std::vector<MtpPiece> &pieces, StepResult &result,
               std::string *error, const StepWish &wish = StepWish());

  /// The memory of the device that steps of \p rows rows share: activations,
  /// results, states. Until such a step the addresses stay.
  bool regions(int64_t rows, std::vector<DeviceRegion> &regions,
               std::string *error);
  /// The device that runs the steps; null: the CPU does.
  Device *device() const { return options.device; }
  /// Seconds that the device was busy with the last step.
  bool lastDeviceSeconds(double &seconds, std::string *error) {
    return deviceSteps->lastSeconds(seconds, error);
  }
  /// The bucket for a step of so many tokens and sequences; null: none is.
  const quartet_bucket *bucketFor(int64_t tokens, int64_t sequences) const;

private:
  struct Sequence {
    bool open = false;
    int64_t length = 0, mtpLength = 0;
    std::vector<int32_t> pages;
  };
  Engine() = default;
  bool reserveScratch(std::string *error);
  bool prepareDevice(std::string *error);
  bool isOpen(int32_t sequence) const;
  std::string whyNotPiece(const StepPiece &piece, int64_t past,
                          std::vector<bool> &taken) const;
  /// Pages that a sequence of \p length tokens needs beyond those it has.
  int64_t missingPages(int32_t sequence, int64_t length) const;
  std::string whyNotPages(int64_t more) const;
  std::string whyNotFits(const quartet_bucket *bucket, int64_t tokens,
                         int64_t sequences, int64_t newPages) const;
  std::string whyNotStep(const std::vector<StepPiece> &pieces) const;
  std::string whyNotMtp(const std::vector<MtpPiece> &pieces) const;
  // The arguments of a step: begin, all pieces, finish.
  void beginLayout();
  void addPiece(const StepPiece &piece, int64_t past);
  void finishLayout(const StepWish &wish);
  void growPages(int32_t sequence, int64_t length);
  /// Runs the step that was laid out by \p bucket. Fails only on a device.
  bool runStep(const quartet_bucket &bucket, const StepWish &wish,
               StepResult &result, std::string *error);
  void runBucket(const quartet_bucket &bucket, quartet_step_args &args);

  const Manifest *model = nullptr;
  const quartet_program *program = nullptr;
  EngineOptions options;
  void *const *weights = nullptr;
  StepLimits stepLimits;
  Memory scratch, local, sync; ///< for the bucket that needs most
  std::unique_ptr<States> states;
  std::unique_ptr<DeviceSteps> deviceSteps; ///< when there is a device
  int64_t contextLimit = 0, tableWidth = 0;
  std::vector<Sequence> sequences; ///< by slot
  std::vector<int32_t> pageTable;  ///< [slots, tableWidth]

  // The arrays of quartet_step_args, kept between steps for their capacity.
  std::vector<int32_t> tokens, positions, tokenSeq, seqStart, seqPast, seqSlot;
  std::vector<int32_t> rows, topK, sampled;
  std::vector<float> temperature, topP, minP, uniform, logits;
  std::vector<float> hiddenIn, hiddenOut; ///< of multi-token prediction
};

} // namespace quartet::rt
#endif
