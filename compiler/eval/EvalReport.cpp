// The result of eval-quant, for people and for programs.
#include "compiler/eval/EvalQuant.h"
#include "compiler/import/Progress.h"
#include "nlohmann/json.hpp"
#include "llvm/Support/Format.h"

using namespace llvm;
using namespace quartet;

void quartet::printReport(const EvalQuantResult &result, raw_ostream &out) {
  const DivergenceSummary &s = result.summary;
  auto line = [&](StringRef name) -> raw_ostream & {
    return out << left_justify(name, 15);
  };
  line("reference") << result.reference.formats << ", "
                    << formatBytes(result.reference.weightsBytes) << "\n";
  line("quantized") << result.quantized.formats << ", "
                    << formatBytes(result.quantized.weightsBytes) << "\n";
  line("text") << result.text << ": " << s.rows
               << " predictions, windows of up to " << result.context
               << " tokens\n";
  line("perplexity") << format("reference %.4f, quantized %.4f, ratio %.4f\n",
                               s.referencePerplexity, s.quantizedPerplexity,
                               s.perplexityRatio);
  line("KL divergence") << format("mean %.6f +- %.6f, median %.6f, 99 %% below "
                                  "%.6f, largest %.6f nats\n",
                                  s.mean, s.meanError, s.median, s.percentile99,
                                  s.max);
  line("same top token") << format("%.2f %%\n", 100 * s.sameTop);
  out << result.model << ", " << result.quantization << ": "
      << format(
             "mean KL %.4f nats per token, perplexity %+.2f %% (%.3f to "
             "%.3f), same top token %.1f %%, %.2f times the bytes\n",
             s.mean, 100 * (s.perplexityRatio - 1), s.referencePerplexity,
             s.quantizedPerplexity, 100 * s.sameTop,
             double(result.quantized.weightsBytes) /
                 double(std::max<uint64_t>(result.reference.weightsBytes, 1)));
}

void quartet::printJson(const EvalQuantResult &result, raw_ostream &out) {
  using Json = nlohmann::ordered_json;
  const DivergenceSummary &s = result.summary;
  auto model = [](const CompiledModel &of, double perplexity) -> Json {
    return {{"formats", of.formats},
            {"weights_bytes", of.weightsBytes},
            {"perplexity", perplexity}};
  };
  Json json;
  json["model"] = result.model;
  json["quantization"] = result.quantization;
  json["text"] = result.text;
  json["predictions"] = s.rows;
  json["context"] = result.context;
  json["reference"] = model(result.reference, s.referencePerplexity);
  json["quantized"] = model(result.quantized, s.quantizedPerplexity);
  json["perplexity_ratio"] = s.perplexityRatio;
  json["kl_divergence"] = {{"mean", s.mean},
                           {"mean_error", s.meanError},
                           {"median", s.median},
                           {"percentile_99", s.percentile99},
                           {"max", s.max}};
  json["same_top_token"] = s.sameTop;
  out << json.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
}
