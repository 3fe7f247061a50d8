// Reads the manifest. It comes from our own compiler, but a damaged executable
// must end in a message and not in a wild pointer, so every size is checked.
#include "runtime/src/engine/Manifest.h"
#include "quartet/abi.h"
#include "runtime/src/engine/Json.h"
#include <algorithm>
#include <set>

namespace quartet::rt {

int64_t elementBytes(std::string_view dtype) {
  static constexpr struct {
    std::string_view name;
    int64_t bytes;
  } types[] = {{"F64", 8},     {"I64", 8},     {"U64", 8}, {"F32", 4},
               {"I32", 4},     {"U32", 4},     {"F16", 2}, {"BF16", 2},
               {"I16", 2},     {"U16", 2},     {"I8", 1},  {"U8", 1},
               {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"BOOL", 1}};
  for (const auto &type : types)
    if (type.name == dtype)
      return type.bytes;
  return 0;
}

int64_t StateInfo::bytesPerUnit() const {
  int64_t bytes = elementBytes(dtype);
  for (int64_t extent : shape)
    if (extent >= 0)
      bytes *= extent;
  return bytes;
}

static int64_t sumUnits(const std::vector<StateInfo> &states, bool paged) {
  int64_t bytes = 0;
  for (const StateInfo &state : states)
    if (state.paged == paged)
      bytes += state.bytesPerUnit();
  return bytes;
}

int64_t Manifest::bytesPerSlot() const { return sumUnits(states, false); }
int64_t Manifest::bytesPerPage() const { return sumUnits(states, true); }

namespace {
/// No tensor of ours comes near this; products of checked extents stay far from
/// overflow.
constexpr int64_t maxBytes = int64_t(1) << 50;

/// Reads fields and keeps the first error.
class Reader {
public:
  explicit Reader(std::string *error) : error(error) {}

  bool fail(const std::string &message) {
    if (ok && error)
      *error = "manifest: " + message;
    ok = false;
    return false;
  }

  void string(const Json &object, const char *key, std::string &out,
              bool required = true) {
    const Json *value = find(object, key);
    if (!value && !required)
      return;
    if (!value || !value->is_string())
      fail("'" + std::string(key) + "' is " + describe(value) +
           ", expected a string");
    else
      out = value->get_ref<const std::string &>();
  }

  void count(const Json &object, const char *key, int64_t &out, int64_t least,
             int64_t most) {
    const Json *value = find(object, key);
    int64_t number = 0;
    if (!value || !getCount(*value, number) || number < least || number > most)
      fail("'" + std::string(key) + "' is " + describe(value) +
           ", expected a whole number from " + std::to_string(least) + " to " +
           std::to_string(most));
    else
      out = number;
  }

  void real(const Json &object, const char *key, double &out, double least,
            double most) {
    const Json *value = find(object, key);
    if (!value)
      return;
    if (!value->is_number() || !(value->get<double>() >= least) ||
        !(value->get<double>() <= most))
      fail("'" + std::string(key) + "' is " + describe(value) +
           ", expected a number from " + std::to_string(least) + " to " +
           std::to_string(most));
    else
      out = value->get<double>();
  }

  void weight(const Json &json, Manifest &manifest);
  void state(const Json &json, Manifest &manifest);
  void generation(const Json &json, Manifest &manifest);
  void planBucket(const Json &json, Manifest &manifest);

  bool ok = true;

private:
  void panels(const Json &json, const std::string &what, WeightInfo &info);

  std::string *error;
  std::set<std::string> names;
};

/// Where the parts of a packed matrix are.
void Reader::panels(const Json &json, const std::string &what,
                    WeightInfo &info) {
  string(json, "format", info.format);
  count(json, "panel_bytes", info.panelBytes, 1, maxBytes);
  count(json, "scale_bytes", info.scaleBytes, 0, info.panelBytes);
  count(json, "zeros_offset", info.zerosOffset, info.scaleBytes,
        info.panelBytes);
  count(json, "values_offset", info.valuesOffset, info.zerosOffset,
        info.panelBytes);
  if (ok && int64_t(info.bytes) % info.panelBytes != 0)
    fail(what + std::to_string(info.bytes) +
         " bytes are no whole number of "
         "panels of " +
         std::to_string(info.panelBytes));
  // As long as the longest loads and stores.
  constexpr int64_t alignment = 16;
  for (int64_t number :
       {info.panelBytes, info.scaleBytes, info.zerosOffset, info.valuesOffset})
    if (ok && number % alignment != 0)
      fail(what + "a panel has something at " + std::to_string(number) +
           ", expected a multiple of " + std::to_string(alignment));
}

/// A figure of a plan for people; absent is zero.
static double figure(const Json &json, const char *key, double absent = 0) {
  const Json *value = find(json, key);
  return value && value->is_number() && value->get<double>() >= 0
             ? value->get<double>()
             : absent;
}

void Reader::planBucket(const Json &json, Manifest &manifest) {
  PlanBucket bucket;
  count(json, "tokens", bucket.tokens, 1, INT64_MAX);
  const Json *phases = find(json, "phases");
  if (ok && (!phases || !phases->is_array())) {
    fail("'phases' is " + describe(phases) + ", expected a list");
    return;
  }
  if (!ok)
    return;
  for (const Json &entry : *phases) {
    PlanPhase phase;
    (void)getString(entry, "name", phase.name);
    phase.repeat = figure(entry, "repeat", 1);
    phase.weightBytes = figure(entry, "weight_bytes");
    phase.expertBytes = figure(entry, "expert_bytes");
    phase.experts = figure(entry, "experts");
    phase.expertsPerToken =
        std::min(figure(entry, "experts_per_token"), phase.experts);
    phase.stateBytes = figure(entry, "state_bytes");
    phase.stateWriteBytes = figure(entry, "state_write_bytes");
    phase.kvBytesPerPosition = figure(entry, "kv_bytes_per_position");
    phase.tokenBytes = figure(entry, "token_bytes");
    phase.tokenWriteBytes = figure(entry, "token_write_bytes");
    phase.macs = figure(entry, "macs");
    phase.macsPerPosition = figure(entry, "macs_per_position");
    phase.macsPerRow = figure(entry, "macs_per_row");
    phase.int8Macs = std::min(figure(entry, "int8_macs"), phase.macs);
    phase.int8MacsPerRow =
        std::min(figure(entry, "int8_macs_per_row"), phase.macsPerRow);
    bucket.phases.push_back(std::move(phase));
  }
  manifest.plan.push_back(std::move(bucket));
}

void Reader::weight(const Json &json, Manifest &manifest) {
  WeightInfo info;
  string(json, "name", info.name);
  string(json, "dtype", info.dtype);
  std::string what = "weight '" + info.name + "': ";
  int64_t size = elementBytes(info.dtype), offset = 0, bytes = 0;
  if (ok && size == 0)
    fail(what + "unknown dtype '" + info.dtype + "'");
  if (ok && !names.insert("weight " + info.name).second)
    fail(what + "listed twice");
  count(json, "offset", offset, 0, maxBytes);
  count(json, "bytes", bytes, 0, maxBytes);
  const Json *shape = find(json, "shape");
  if (ok && (!shape || !shape->is_array()))
    fail(what + "'shape' is " + describe(shape) + ", expected a list");
  if (!ok)
    return;
  int64_t expected = size;
  for (const Json &extent : *shape) {
    int64_t number = 0;
    if (!getCount(extent, number) || number == 0 ||
        number > maxBytes / expected) {
      fail(what + "'shape' has the extent " + describe(&extent));
      return;
    }
    expected *= number;
    info.shape.push_back(number);
  }
  if (bytes != expected)
    fail(what + "'bytes' is " + std::to_string(bytes) + ", its shape has " +
         std::to_string(expected));
  else if (uint64_t(offset) + uint64_t(bytes) > manifest.weightsBytes)
    fail(what + "ends at byte " + std::to_string(offset + bytes) + " of " +
         std::to_string(manifest.weightsBytes));
  info.offset = uint64_t(offset);
  info.bytes = uint64_t(bytes);
  if (ok && find(json, "format"))
    panels(json, what, info);
  manifest.weights.push_back(std::move(info));
}

void Reader::state(const Json &json, Manifest &manifest) {
  StateInfo info;
  string(json, "name", info.name);
  string(json, "dtype", info.dtype);
  std::string what = "state '" + info.name + "': ";
  int64_t bytes = elementBytes(info.dtype);
  if (ok && bytes == 0)
    fail(what + "unknown dtype '" + info.dtype + "'");
  if (ok && !names.insert("state " + info.name).second)
    fail(what + "listed twice");
  const Json *shape = find(json, "shape");
  if (ok && (!shape || !shape->is_array()))
    fail(what + "'shape' is " + describe(shape) + ", expected a list");
  if (!ok)
    return;
  int chosen = 0;
  for (const Json &extent : *shape) {
    if (extent.is_string()) {
      const auto &word = extent.get_ref<const std::string &>();
      info.paged = word == "pages";
      if ((!info.paged && word != "slots") || ++chosen > 1) {
        fail(what + "'shape' is " + describe(shape) +
             ", expected exactly one of \"slots\" and \"pages\"");
        return;
      }
      info.shape.push_back(info.paged ? StateInfo::Pages : StateInfo::Slots);
      continue;
    }
    int64_t number = 0;
    if (!getCount(extent, number) || number == 0 || number > maxBytes / bytes) {
      fail(what + "'shape' has the extent " + describe(&extent));
      return;
    }
    bytes *= number;
    info.shape.push_back(number);
  }
  if (chosen != 1)
    fail(what + "'shape' is " + describe(shape) +
         ", expected exactly one of \"slots\" and \"pages\"");
  manifest.states.push_back(std::move(info));
}

void Reader::generation(const Json &json, Manifest &manifest) {
  GenerationInfo &info = manifest.generation;
  if (const Json *value = find(json, "do_sample")) {
    if (!value->is_boolean())
      fail("'do_sample' is " + describe(value) + ", expected true or false");
    else
      info.doSample = value->get<bool>();
  }
  real(json, "temperature", info.temperature, 0, 1e6);
  real(json, "top_p", info.topP, 1e-6, 1);
  real(json, "min_p", info.minP, 0, 1);
  real(json, "repetition_penalty", info.repetitionPenalty, 1e-6, 1e6);
  real(json, "presence_penalty", info.presencePenalty, -1e6, 1e6);
  if (find(json, "top_k"))
    count(json, "top_k", info.topK, 0, INT32_MAX);
  const Json *stops = find(json, "stop_ids");
  if (!stops)
    return;
  if (!stops->is_array()) {
    fail("'stop_ids' is " + describe(stops) + ", expected a list");
    return;
  }
  for (const Json &stop : *stops) {
    int64_t id = 0;
    if (!getCount(stop, id) || id > INT32_MAX) {
      fail("'stop_ids' has " + describe(&stop) + ", expected token ids");
      return;
    }
    info.stopIds.push_back(int32_t(id));
  }
}
} // namespace

std::optional<Manifest> parseManifest(std::string_view text,
                                      std::string *error) {
  Reader reader(error);
  Json json = Json::parse(text.begin(), text.end(), nullptr,
                          /*allow_exceptions=*/false);
  if (!json.is_object()) {
    reader.fail("not a JSON object");
    return std::nullopt;
  }
  int64_t abi = 0, page = 0, bytes = 0;
  reader.count(json, "abi", abi, QUARTET_ABI_VERSION, QUARTET_ABI_VERSION);
  reader.count(json, "page_tokens", page, QUARTET_PAGE_TOKENS,
               QUARTET_PAGE_TOKENS);
  Manifest manifest;
  manifest.text = std::string(text);
  reader.string(json, "quartet", manifest.version);
  reader.string(json, "name", manifest.name);
  reader.string(json, "dtype", manifest.dtype, /*required=*/false);
  reader.string(json, "kv_dtype", manifest.kvDtype, /*required=*/false);
  reader.string(json, "activations", manifest.activations, /*required=*/false);
  reader.string(json, "quantization", manifest.quantization, false);
  reader.string(json, "weights_id", manifest.weightsId);
  reader.string(json, "layout_id", manifest.layoutId);
  reader.string(json, "weights_file", manifest.weightsFile);
  reader.count(json, "weights_bytes", bytes, 0, maxBytes);
  manifest.weightsBytes = uint64_t(bytes);
  if (manifest.weightsFile.find('/') != std::string::npos)
    reader.fail("'weights_file' is \"" + manifest.weightsFile +
                "\", expected a file name without a folder");

  static const Json empty = Json::object();
  auto object = [&](const char *key) -> const Json & {
    const Json *value = find(json, key);
    if (value && value->is_object())
      return *value;
    reader.fail("'" + std::string(key) + "' is " + describe(value) +
                ", expected an object");
    return empty;
  };
  const Json &target = object("target");
  reader.string(target, "triple", manifest.triple);
  reader.string(target, "cpu", manifest.cpu);
  const Json &model = object("model");
  reader.string(model, "family", manifest.family);
  reader.count(model, "layers", manifest.layers, 1, 1 << 20);
  reader.count(model, "blocks", manifest.blocks, 1, 1 << 20);
  reader.count(model, "hidden", manifest.hidden, 1, 1 << 24);
  reader.count(model, "vocab", manifest.vocab, 1, 1 << 28);
  reader.count(model, "token_limit", manifest.tokenLimit, 1, manifest.vocab);
  reader.count(model, "max_positions", manifest.maxPositions, 1, 1 << 30);
  if (find(model, "parameters"))
    reader.count(model, "parameters", manifest.parameters, 0, INT64_MAX);

  auto list = [&](const Json &from, const char *key, auto member) {
    const Json *value = find(from, key);
    if (!value || !value->is_array()) {
      reader.fail("'" + std::string(key) + "' is " + describe(value) +
                  ", expected a list");
      return;
    }
    for (const Json &entry : *value)
      if (reader.ok)
        (reader.*member)(entry, manifest);
  };
  list(json, "weights", &Reader::weight);
  list(json, "states", &Reader::state);
  if (find(json, "plan"))
    list(object("plan"), "buckets", &Reader::planBucket);
  if (find(json, "mtp")) {
    int64_t layers = 0;
    reader.count(object("mtp"), "layers", layers, 1, 1);
    manifest.mtp = true;
  }
  if (find(json, "generation"))
    reader.generation(object("generation"), manifest);
  if (!reader.ok)
    return std::nullopt;
  return manifest;
}

} // namespace quartet::rt
