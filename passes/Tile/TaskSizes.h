// How large the tasks of a step are. The schedule is the same for all machines;
// how finely it is cut depends on how many workers share it and what one keeps.
#ifndef QUARTET_PASSES_TILE_TASKSIZES_H
#define QUARTET_PASSES_TILE_TASKSIZES_H
#include <cstdint>

namespace quartet {

struct TaskSizes {
  /// Bytes of weights that a task of a step of few tokens reads: long enough to
  /// hide what a task costs, short enough to share out evenly.
  int64_t taskBytes = 128 << 10;
  /// Rows of weights of such a task are a multiple of this.
  int64_t rowUnit = 64;
  /// Rows of weights and tokens of a task of a step of many tokens: enough to
  /// use each weight often, few enough for the tokens' rows (CPU: in the
  /// second-level cache) and the results (GPU: in shared memory).
  int64_t manyRows = 512, manyTokens = 64;
  /// Rows of the experts' down projections of a task, which reads the staged
  /// rows of all experts: few enough for many workers, and in steps of many
  /// tokens enough to read those rows less often.
  int64_t fewDownRows = 64, manyDownRows = 128;
  /// Steps of many tokens: experts' down projections are tasks by expert that
  /// write their pairs, which others add up. More memory moves, but all workers
  /// have work; and the order of sums needs no worker to see all experts.
  bool downByExpert = false;
  /// Steps of many tokens: experts are chosen by tasks, a tile of tokens each,
  /// instead of by every worker for itself, which for 512 tokens takes a GPU's
  /// block some 50 us a layer: more than a phase costs.
  bool chooseAhead = false;
  /// Steps of many tokens: what the delta rule does with a chunk of tokens
  /// before it needs the state is a task of a phase in front, for each key
  /// head. Where several workers share a key head, all of them would do it, one
  /// chunk after the other.
  bool prepareAhead = false;
  /// Such a task takes the chunks that begin in a tile of tokens: a whole
  /// chunk, or fewer tokens (4 or more) while there are no more tasks than
  /// this. Where sequences have a token each, a tile has as many chunks.
  int64_t prepareTasks = 256;
  /// Pages of a range of split-KV attention, for few tokens.
  int64_t rangePages = 8;
  /// Query tokens of an attention task of a step of many tokens.
  int64_t attendTokens = 16;
  /// Tokens of a task that only stages or chooses experts: some 10 us of work
  /// on a CPU's core, a token for each warp of a GPU's block, and enough tasks
  /// for many workers.
  int64_t stageTokens = 8;

  /// For a few to some dozens of workers with a cache of their own (a task's
  /// cost: some 100 ns).
  static TaskSizes forCpu() { return {}; }
  /// For some hundred blocks that share memory's bandwidth: at 35B-A3B's sizes
  /// each phase of a token has one to three tasks for each.
  static TaskSizes forGpu() {
    TaskSizes sizes;
    sizes.taskBytes = 32 << 10;
    sizes.rowUnit = 32;
    sizes.manyRows = 128;
    sizes.fewDownRows = 32;
    sizes.manyDownRows = 128;
    sizes.downByExpert = true;
    sizes.chooseAhead = true;
    sizes.prepareAhead = true;
    sizes.rangePages = 2;
    sizes.attendTokens = 8;
    return sizes;
  }
};

} // namespace quartet
#endif
