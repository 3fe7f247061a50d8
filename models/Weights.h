// Which weights the compiled model has, and from which parts of which
// checkpoint tensors each of them comes. The only place that knows tensor
// names.
#ifndef QUARTET_MODELS_WEIGHTS_H
#define QUARTET_MODELS_WEIGHTS_H
#include "models/Config.h"
#include <map>

namespace quartet {

/// Name, type and shape of a tensor in a checkpoint.
struct TensorType {
  Dtype dtype = Dtype::BF16;
  std::vector<int64_t> shape;
};
/// All tensors of a checkpoint by name. Types the family never uses for a text
/// weight (I64, U8, ...) are reported by the reader before this table exists.
using TensorTable = std::map<std::string, TensorType>;

/// A contiguous run of elements of one checkpoint tensor.
struct Run {
  std::string tensor;
  int64_t offset = 0; ///< elements from the tensor's start
  int64_t count = 0;  ///< elements
};

/// What a weight is for; decides its element type in the weight file and the
/// distribution of synthetic values.
enum class WeightRole {
  Matrix,    ///< big matrices: --dtype
  Router,    ///< MoE router and gates: --dtype, never quantized
  Norm,      ///< zero-centred norm: f32
  GatedNorm, ///< DeltaNet's plain norm: f32
  Conv,      ///< convolution taps: f32
  ALog,      ///< f32
  DtBias,    ///< f32
  Embedding  ///< token embedding and head: --dtype
};

/// One weight of the compiled model. Names: "embed", "norm", "lm_head" and
/// "l<j>.<part>" for layer j of the repeated block, where the first dimension
/// is the block. Parts (shape after the block dimension):
///   input_norm [H], post_norm [H],
///   qkv [C, H], z [Hv*Dv, H], b [Hv, H], a [Hv, H], conv [C, K], a_log [Hv],
///   dt_bias [Hv], delta_norm [Dv], delta_out [H, Hv*Dv],
///   q [Hq*2*D or Hq*D, H] (per head: D query rows, then D gate rows),
///   k [Hkv*D, H], v [Hkv*D, H], q_norm [D], k_norm [D], attn_out [H, Hq*D],
///   router [E, H], gate_up [E, 2*I, H] (gate rows, then up rows),
///   down [E, H, I], shared_gate_up [2*Is, H], shared_down [H, Is],
///   shared_gate [1, H], mlp_gate_up [2*I, H], mlp_down [H, I].
/// "lm_head" is absent when the head is tied to "embed".
///
/// With WeightOptions.mtp also "mtp.<part>", a first dimension of 1 before
/// these shapes: embed_norm [H], hidden_norm [H], fc_embed [H, H] and
/// fc_hidden [H, H] (the columns of mtp.fc that take the embedding and the
/// hidden state), norm [H], and the parts of an attention layer.
struct Weight {
  std::string name;
  WeightRole role = WeightRole::Matrix;
  std::vector<int64_t> shape; ///< with the leading block dimension, if any
  Dtype dtype = Dtype::BF16;  ///< in the weight file
  /// Where the elements come from, in order; empty for a model without a
  /// checkpoint. Covers exactly the product of the shape.
  std::vector<Run> runs;
};

struct WeightOptions {
  /// Element type of Matrix, Router and Embedding; absent: as in the
  /// checkpoint (the config's dtype without one).
  std::optional<Dtype> dtype;
  /// The layer of multi-token prediction, too; needs whyNotMtp() == "".
  bool mtp = false;
};

/// Why a tensor is in the checkpoint but not in the program.
struct SetAside {
  std::string tensor, reason;
};

struct WeightPlan {
  std::vector<Weight> weights; ///< in the order of the manifest
  std::vector<SetAside> setAside;
};

/// Why a tensor of this name is not part of the program (vision tower, and
/// without \p mtp multi-token prediction); empty for every other name.
llvm::StringRef setAsideByName(llvm::StringRef tensor, bool mtp = false);

/// Why the model's multi-token prediction cannot be compiled: there is none, or
/// it is of another kind than the family's. Empty if it can.
std::string whyNotMtp(const ModelConfig &config);

/// The weights of \p config without a checkpoint.
WeightPlan planWeights(const ModelConfig &config, const WeightOptions &options);

/// The same with sources: proves that every tensor of \p table is used exactly
/// once or set aside by name. All problems found (missing, unknown, mis-shaped,
/// mistyped) come in one error, each with its tensor, what was found and what
/// was expected; at most 20 are listed, then a count.
llvm::Expected<WeightPlan> planWeights(const ModelConfig &config,
                                       const WeightOptions &options,
                                       const TensorTable &table);

/// Parameters per component, computed from the config alone.
struct ParameterCounts {
  int64_t embedding = 0, head = 0, finalNorm = 0; ///< head 0 when tied
  int64_t mixers = 0, norms = 0, routers = 0, experts = 0, shared = 0,
          dense = 0;
  int64_t mtp = 0, vision = 0; ///< in the checkpoint, from the config's shapes
  int64_t decoder() const {
    return mixers + norms + routers + experts + shared + dense;
  }
  int64_t text() const { return embedding + decoder() + finalNorm + head; }
  int64_t active() const; ///< per token: experts_per_token of the experts
  int64_t expertsActive = 0;
};
ParameterCounts countParameters(const ModelConfig &config);

} // namespace quartet
#endif
