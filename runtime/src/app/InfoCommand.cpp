// info: what this executable is and what it needs, without opening the weights.
#include "runtime/src/app/Commands.h"
#include "runtime/src/app/DevicesInfo.h"
#include "runtime/src/app/Output.h"
#include "runtime/src/engine/Json.h"
#include "runtime/src/engine/Programs.h"
#include <cmath>
#include <cstdio>
#include <sys/stat.h>

namespace quartet::rt {

namespace {
/// 1234567 as "1,234,567".
std::string grouped(int64_t number) {
  std::string text = std::to_string(number);
  for (size_t at = text.size(); at > 3; at -= 3)
    text.insert(at - 3, ",");
  return text;
}

/// Bytes as the compiler prints them, in decimal units.
std::string size(uint64_t bytes) {
  if (bytes < 10'000)
    return grouped(int64_t(bytes)) + " bytes";
  double value = double(bytes) / 1e3;
  const char *unit = "kB";
  for (const char *larger : {"MB", "GB"}) {
    if (value < 1e3)
      break;
    value /= 1e3;
    unit = larger;
  }
  char text[32];
  snprintf(text, sizeof(text), "%.1f %s", value, unit);
  return text;
}

/// What is computed here and not in the manifest.
struct Numbers {
  unsigned threads;
  int64_t context;
  int64_t bytesPerSequence, bytesPerToken;
  bool embedded, present;
  std::string weights; ///< path; empty when embedded
  const quartet_program *chosen;
  DeviceInfo device;   ///< when the chosen one is for a device
  std::string whyNone; ///< when none is chosen
};

/// "any" or "up to 16 tokens of 16 sequences".
std::string holds(const quartet_bucket &bucket) {
  std::string text = bucket.tokens == INT64_MAX
                         ? "any number of tokens"
                         : "up to " + grouped(bucket.tokens) +
                               (bucket.tokens == 1 ? " token" : " tokens");
  if (bucket.sequences < bucket.tokens)
    text += " of " + grouped(bucket.sequences) +
            (bucket.sequences == 1 ? " sequence" : " sequences");
  return text;
}

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
  numbers.chosen = session.chooseProgram(numbers.device, &numbers.whyNone);
  return numbers;
}

nlohmann::ordered_json bucketsJson(const quartet_bucket *buckets,
                                   int64_t count) {
  using Ordered = nlohmann::ordered_json;
  Ordered list = Ordered::array();
  for (int64_t i = 0; i != count; ++i) {
    const quartet_bucket &bucket = buckets[i];
    auto most = [](int64_t number) {
      return number == INT64_MAX ? Ordered("any") : Ordered(number);
    };
    list.push_back({{"tokens", most(bucket.tokens)},
                    {"sequences", most(bucket.sequences)},
                    {"scratch_bytes", bucket.scratch_bytes},
                    {"scratch_page_bytes", bucket.scratch_page_bytes},
                    {"local_bytes", bucket.local_bytes},
                    {"sync_counters", bucket.sync_counters},
                    {"launches", bucket.num_launches},
                    {"team", bucket.team != 0}});
  }
  return list;
}

nlohmann::ordered_json programsJson(const Image &image,
                                    const quartet_program *chosen) {
  using Ordered = nlohmann::ordered_json;
  Ordered list = Ordered::array();
  for (int64_t i = 0; i != image.numPrograms; ++i) {
    const quartet_program &program = image.programs[i];
    list.push_back(
        {{"target", program.target},
         {"features", program.features},
         {"chosen", &program == chosen},
         {"buckets", bucketsJson(program.buckets, program.num_buckets)}});
    if (program.device)
      list.back()["device"] = deviceJson(*program.device);
    if (program.num_mtp_buckets)
      list.back()["mtp_buckets"] =
          bucketsJson(program.mtp_buckets, program.num_mtp_buckets);
  }
  return list;
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
                      {"programs", programsJson(session.image, numbers.chosen)},
                      {"weights", weights},
                      {"weights_present", numbers.present},
                      {"tokenizer_bytes", session.image.tokenizer.size},
                      {"chat_template_bytes", session.image.chatTemplate.size}};
  return json.dump(2, ' ', false, Ordered::error_handler_t::replace) + "\n";
}

/// A number of an object as text; "?" when it is not there.
std::string numberOf(const Json &object, const char *key) {
  const Json *value = find(object, key);
  int64_t count = 0;
  if (value && getCount(*value, count))
    return grouped(count);
  if (!value || !value->is_number())
    return "?";
  char text[32];
  double number = value->get<double>();
  snprintf(text, sizeof(text), "%.10g", number);
  return number == std::floor(number) && std::abs(number) < 1e15
             ? grouped(int64_t(number))
             : text;
}

/// "8: 2 x [D D D A] (D: ..., A: ...)".
std::string layersText(const Manifest &manifest, const Json &model) {
  const Json *pattern = find(model, "pattern");
  std::string block;
  bool linear = false, full = false;
  if (pattern && pattern->is_array())
    for (const Json &layer : *pattern) {
      bool isFull = layer == "full_attention";
      (isFull ? full : linear) = true;
      block += (block.empty() ? "" : " ") + std::string(isFull ? "A" : "D");
    }
  std::string text = std::to_string(manifest.layers);
  if (block.empty())
    return text;
  text += ": " + std::to_string(manifest.blocks) + " x [" + block + "], ";
  if (linear)
    text += "D = gated DeltaNet";
  if (full)
    text += std::string(linear ? ", " : "") + "A = attention";
  return text;
}

/// Label and text of each part of the model that the manifest has.
std::vector<std::pair<const char *, std::string>>
modelLines(const Json &model) {
  std::vector<std::pair<const char *, std::string>> lines;
  auto part = [&](const char *key, const char *label, auto describePart) {
    const Json *values = find(model, key);
    if (values && values->is_object())
      lines.emplace_back(label, describePart([values](const char *name) {
                           return numberOf(*values, name);
                         }));
  };
  part("linear_attention", "gated DeltaNet", [](auto get) {
    return get("value_heads") + " value heads of " + get("value_dim") + ", " +
           get("key_heads") + " key heads of " + get("key_dim") +
           ", convolution over " + get("conv_kernel") + " tokens";
  });
  part("attention", "attention", [](auto get) {
    return get("heads") + " heads and " + get("kv_heads") +
           " key/value heads of " + get("head_dim") + ", rotary in " +
           get("rotary_dim");
  });
  part("experts", "experts", [](auto get) {
    return get("count") + " of width " + get("intermediate") + ", " +
           get("per_token") + " per token, and a shared one of width " +
           get("shared_intermediate");
  });
  part("mlp", "dense MLP",
       [](auto get) { return "width " + get("intermediate"); });
  const Json *rope = find(model, "rope");
  std::string type;
  if (rope && getString(*rope, "type", type)) {
    std::string text = "theta " + numberOf(*rope, "theta");
    if (find(*rope, "factor"))
      text += ", " + type + ": " + numberOf(*rope, "original_max_positions") +
              " positions times " + numberOf(*rope, "factor");
    lines.emplace_back("rotary", text);
  }
  return lines;
}

std::string parametersText(const Manifest &manifest, const Json &model) {
  std::string text = grouped(manifest.parameters);
  int64_t active = manifest.parameters;
  if (const Json *value = find(model, "parameters_active"))
    getCount(*value, active);
  if (active != manifest.parameters)
    text += ", of which a token uses " + grouped(active);
  return text;
}

std::string readableText(const Session &session, const Numbers &numbers) {
  const Manifest &manifest = session.manifest;
  std::string text;
  auto line = [&](const char *label, const std::string &value) {
    char start[32];
    snprintf(start, sizeof(start), "%-16s", label);
    text += start + value + "\n";
  };
  Json json = Json::parse(manifest.text, nullptr, false);
  static const Json empty = Json::object();
  const Json *found = find(json, "model");
  const Json &model = found ? *found : empty;
  line("model", manifest.name + " (" + manifest.family + ")");
  line("layers", layersText(manifest, model));
  line("hidden size", grouped(manifest.hidden));
  line("vocabulary", grouped(manifest.vocab) +
                         (manifest.tokenLimit == manifest.vocab
                              ? ""
                              : ", of which " + grouped(manifest.tokenLimit) +
                                    " have a token"));
  if (manifest.parameters)
    line("parameters", parametersText(manifest, model));
  for (const auto &[label, value] : modelLines(model))
    line(label, value);
  if (manifest.mtp)
    line("drafts", "multi-token prediction, by 'logits --mtp' only");

  text += "\n";
  line("compiled by", "quartet " + manifest.version);
  line("target", manifest.cpu + ", " + manifest.triple);
  line("quantization", manifest.quantization);
  line("types", "weights " + manifest.dtype + ", KV cache " + manifest.kvDtype +
                    (manifest.activations.empty()
                         ? ""
                         : ", activations of prompts " + manifest.activations));
  for (int64_t i = 0; i != session.image.numPrograms; ++i) {
    const quartet_program &program = session.image.programs[i];
    std::string what = program.target;
    if (*program.features)
      what += ", needs " + std::string(program.features);
    if (program.device)
      what += ", " + deviceText(*program.device);
    if (&program == numbers.chosen)
      what += program.device ? " (used here, on " + numbers.device.name + ")"
                             : " (the one used here)";
    line("program", what);
    for (int64_t b = 0; b != program.num_buckets; ++b)
      line(b ? "" : "  steps of",
           holds(program.buckets[b]) + launchesText(program.buckets[b]));
  }
  if (!numbers.chosen)
    line("", numbers.whyNone);
  line("tokenizer", session.image.tokenizer.size
                        ? size(session.image.tokenizer.size)
                        : "none: prompts are token ids");

  text += "\n";
  std::string where =
      numbers.embedded ? "embedded in the executable" : numbers.weights;
  line("weights", where + (numbers.present ? "" : " (not there)"));
  line("weights size", size(manifest.weightsBytes));
  line("weights id", manifest.weightsId.empty()
                         ? "any with layout " + manifest.layoutId
                         : manifest.weightsId);

  text += "\n";
  line("context", grouped(numbers.context) + " tokens of at most " +
                      grouped(manifest.maxPositions));
  line("state", size(uint64_t(numbers.bytesPerSequence)) +
                    " per sequence and " +
                    size(uint64_t(numbers.bytesPerToken)) + " per token");
  int64_t whole = numbers.bytesPerSequence + numbers.bytesPerToken *
                                                 QUARTET_PAGE_TOKENS *
                                                 pagesFor(numbers.context);
  line("", size(uint64_t(whole)) + " for a full context");
  if (numbers.chosen && numbers.chosen->device)
    line("device memory",
         needText(session, *numbers.chosen, numbers.device, numbers.context));
  line("threads", std::to_string(numbers.threads));
  return text;
}
} // namespace

int infoCommand(const Session &session) {
  if (session.line.infoDevices)
    return printDevices(session);
  Numbers numbers = compute(session);
  Output output;
  output.write(session.line.infoJson ? jsonText(session, numbers)
                                     : readableText(session, numbers));
  return session.finish(output);
}

} // namespace quartet::rt
