// info: what this executable is and what it needs, without opening the weights.
#include "runtime/src/app/Commands.h"
#include "runtime/src/app/Output.h"
#include "runtime/src/engine/Json.h"
#include <cstdio>
#include <sys/stat.h>

namespace quartet::rt {

namespace {
std::string megabytes(uint64_t bytes) {
  char text[64];
  if (bytes < 10000)
    snprintf(text, sizeof(text), "%llu bytes",
             static_cast<unsigned long long>(bytes));
  else if (bytes < 10'000'000'000ull)
    snprintf(text, sizeof(text), "%.2f MB", double(bytes) / 1e6);
  else
    snprintf(text, sizeof(text), "%.2f GB", double(bytes) / 1e9);
  return text;
}

/// What is computed here and not in the manifest.
struct Numbers {
  unsigned threads;
  int64_t context;
  int64_t bytesPerSequence, bytesPerToken;
  bool embedded, present;
  std::string weights; ///< path; empty when embedded
};

Numbers compute(const Session &session) {
  const Manifest &manifest = session.manifest;
  Numbers numbers;
  numbers.threads = session.threads();
  numbers.context = session.line.global.context ? session.line.global.context
                                                : manifest.maxPositions;
  numbers.bytesPerSequence = manifest.bytesPerSlot();
  numbers.bytesPerToken = manifest.bytesPerPage() / QUARTET_PAGE_TOKENS;
  const std::string &option = session.line.global.weights;
  numbers.embedded = session.image.weights.data && option.empty();
  numbers.present = numbers.embedded;
  if (!numbers.embedded) {
    struct stat info;
    numbers.weights = weightPath(manifest, option, session.executable);
    numbers.present = stat(numbers.weights.c_str(), &info) == 0;
  }
  return numbers;
}

std::string jsonText(const Session &session, const Numbers &numbers) {
  // Ordered, so that the manifest reads as the compiler wrote it. It was parsed
  // once already, so it is valid.
  using Ordered = nlohmann::ordered_json;
  Ordered json = Ordered::parse(session.manifest.text, nullptr,
                                /*allow_exceptions=*/false);
  Ordered weights =
      numbers.embedded ? Ordered("embedded") : Ordered(numbers.weights);
  json["computed"] = {{"threads", numbers.threads},
                      {"context", numbers.context},
                      {"state_bytes_per_sequence", numbers.bytesPerSequence},
                      {"state_bytes_per_token", numbers.bytesPerToken},
                      {"weights", weights},
                      {"weights_present", numbers.present},
                      {"tokenizer_bytes", session.image.tokenizer.size},
                      {"chat_template_bytes", session.image.chatTemplate.size}};
  return json.dump(2, ' ', false, Ordered::error_handler_t::replace) + "\n";
}

/// "3 linear_attention, 1 full_attention" and the other parts of the model as
/// the manifest has them.
std::string modelLines(const Json &manifest) {
  std::string lines;
  const Json *model = find(manifest, "model");
  for (const char *part :
       {"attention", "linear_attention", "experts", "rope"}) {
    const Json *values = model ? find(*model, part) : nullptr;
    if (!values || !values->is_object() || values->empty())
      continue;
    std::string line;
    for (const auto &[key, value] : values->items())
      line += (line.empty() ? "" : ", ") + key + " " +
              (value.is_string() ? value.get_ref<const std::string &>()
                                 : describe(&value));
    char label[32];
    snprintf(label, sizeof(label), "%-17s", part);
    lines += label + line + "\n";
  }
  return lines;
}

std::string readableText(const Session &session, const Numbers &numbers) {
  const Manifest &manifest = session.manifest;
  std::string text;
  auto line = [&](const char *label, const std::string &value) {
    char start[32];
    snprintf(start, sizeof(start), "%-17s", label);
    text += start + value + "\n";
  };
  line("model", manifest.name + " (" + manifest.family + ")");
  line("layers", std::to_string(manifest.layers) + " in " +
                     std::to_string(manifest.blocks) + " blocks, hidden " +
                     std::to_string(manifest.hidden) + ", vocabulary " +
                     std::to_string(manifest.vocab));
  if (manifest.parameters)
    line("parameters", std::to_string(manifest.parameters));
  text += modelLines(Json::parse(manifest.text, nullptr, false));
  line("types", "weights " + manifest.quantization + ", computed in " +
                    manifest.dtype + ", KV cache " + manifest.kvDtype);
  line("target", manifest.cpu + ", " + manifest.triple);
  std::string buckets;
  for (const std::string &bucket : manifest.buckets)
    buckets += (buckets.empty() ? "" : ", ") + bucket;
  line("buckets", buckets);
  line("compiled by", "quartet " + manifest.version);
  std::string where =
      numbers.embedded ? "embedded in the executable" : numbers.weights;
  line("weights", where + " (" + megabytes(manifest.weightsBytes) +
                      (numbers.present ? ")" : ", not there)"));
  line("weights id", manifest.weightsId.empty()
                         ? "any with layout " + manifest.layoutId
                         : manifest.weightsId);
  line("tokenizer", session.image.tokenizer.size
                        ? megabytes(session.image.tokenizer.size)
                        : "none");
  line("state", megabytes(uint64_t(numbers.bytesPerSequence)) +
                    " per sequence and " +
                    megabytes(uint64_t(numbers.bytesPerToken)) +
                    " per token of context");
  line("context", std::to_string(numbers.context) + " tokens of at most " +
                      std::to_string(manifest.maxPositions));
  line("threads", std::to_string(numbers.threads));
  return text;
}
} // namespace

int infoCommand(const Session &session) {
  Numbers numbers = compute(session);
  Output output;
  output.write(session.line.infoJson ? jsonText(session, numbers)
                                     : readableText(session, numbers));
  if (output.ok() || output.closed())
    return 0;
  return session.fail(output.problem());
}

} // namespace quartet::rt
