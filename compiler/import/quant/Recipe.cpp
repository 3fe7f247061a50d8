// Recipes from options and from JSON, read as hostile input.
#include "compiler/import/quant/Recipe.h"
#include "compiler/import/JsonTree.h"
#include "compiler/import/StrictJson.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace llvm;
using namespace quartet;
using Json = nlohmann::json;

static constexpr std::array<const char *, kWeightClasses> kClassNames = {
    "experts", "delta_in", "delta_out", "attention_in", "attention_out",
    "mlp",     "head",     "embedding", "router",       "delta_controls"};
static constexpr int64_t kDefaultGroup = 64;

StringRef quartet::stringify(WeightClass weightClass) {
  return kClassNames[size_t(weightClass)];
}

std::optional<WeightClass> quartet::classOf(StringRef weightName) {
  StringRef part = weightName.substr(weightName.rfind('.') + 1);
  return StringSwitch<std::optional<WeightClass>>(part)
      .Cases({"gate_up", "down", "shared_gate_up", "shared_down"},
             WeightClass::Experts)
      .Cases({"qkv", "z"}, WeightClass::DeltaIn)
      .Case("delta_out", WeightClass::DeltaOut)
      .Cases({"q", "k", "v"}, WeightClass::AttentionIn)
      .Case("attn_out", WeightClass::AttentionOut)
      .Cases({"mlp_gate_up", "mlp_down"}, WeightClass::Mlp)
      .Case("lm_head", WeightClass::Head)
      .Case("embed", WeightClass::Embedding)
      .Cases({"router", "shared_gate"}, WeightClass::Router)
      .Cases({"a", "b"}, WeightClass::DeltaControls)
      .Default(std::nullopt);
}

/// Small, or read by index: not worth, or not possible, to quantize.
static bool staysFloat(WeightClass weightClass) {
  return weightClass == WeightClass::Embedding ||
         weightClass == WeightClass::Router ||
         weightClass == WeightClass::DeltaControls;
}

void Recipe::setMatrices(const PackedFormat &format) {
  for (size_t i = 0; i < kWeightClasses; ++i)
    if (!staysFloat(WeightClass(i)))
      formats[i] = format;
}

std::optional<PackedFormat> Recipe::formatOf(StringRef weightName) const {
  std::optional<WeightClass> found = classOf(weightName);
  return found ? formatOf(*found) : std::nullopt;
}

std::vector<std::string> Recipe::formatsOf(const WeightPlan &weights,
                                           const WeightSource *source) const {
  std::vector<std::string> texts;
  bool tied = true;
  for (const Weight &weight : weights.weights) {
    std::optional<WeightClass> known = classOf(weight.name);
    tied &= known != WeightClass::Head;
    if (!known || *known == WeightClass::Embedding)
      continue;
    std::optional<PackedFormat> format = formatOf(*known);
    if (!format && source)
      format = source->ownFormat(weight);
    if (format)
      texts.push_back(weight.name + "=" + format->str());
  }
  // A head tied to the embedding is no weight of its own; packed it is one,
  // beside the table, and quantize calls it so.
  if (auto format = formatOf(WeightClass::Head); format && tied)
    texts.push_back("lm_head=" + format->str());
  return texts;
}

std::string Recipe::str() const {
  std::string text;
  for (size_t i = 0; i < kWeightClasses; ++i)
    if (formats[i])
      text += (text.empty() ? "" : ", ") + std::string(kClassNames[i]) + " " +
              formats[i]->str();
  return text;
}

Expected<Recipe> Recipe::fromOption(StringRef option,
                                    std::optional<int64_t> group) {
  Recipe recipe;
  if (option.empty()) {
    if (!group)
      return recipe;
    option = "int4";
  }
  bool plain = option == "bf16" || option == "f16";
  bool scaled = option == "fp8" || option == "int8" || option == "int6" ||
                option == "int4";
  if (group && !scaled)
    return createStringError("--quant-group " + Twine(*group) + ": --quant " +
                             option +
                             " takes no group, expected it with fp8, "
                             "int8, int6 or int4");
  if (plain || scaled) {
    std::string text = option.str();
    if (scaled)
      text += ":" + std::to_string(group.value_or(kDefaultGroup));
    auto format = PackedFormat::parse(text);
    if (!format)
      return createStringError("--quant-group " +
                               Twine(group.value_or(kDefaultGroup)) +
                               ": expected 16, 32, 64 or 128");
    recipe.setMatrices(*format);
    return recipe;
  }
  if (option == "w4" || option == "w8") {
    recipe.setMatrices(
        *PackedFormat::parse(option == "w4" ? "int4:64" : "int8:64"));
    recipe.formats[size_t(WeightClass::Head)] = PackedFormat::parse("int8:64");
    return recipe;
  }
  auto file = MemoryBuffer::getFile(option, /*IsText=*/false,
                                    /*RequiresNullTerminator=*/false);
  if (!file)
    return createStringError(
        file.getError(),
        "--quant " + option +
            ": expected bf16, f16, fp8, int8, int6, int4, w4, w8 or a recipe "
            "file (" +
            file.getError().message() + ")");
  return parse((*file)->getBuffer(), option);
}

namespace {

/// The members of one class.
class ClassReader {
public:
  ClassReader(const Json &object, StringRef fileName, StringRef className)
      : object(object), where((fileName + ": '" + className).str()) {}

  Expected<std::optional<PackedFormat>> read(bool mustStayFloat) {
    if (!object.is_object())
      return createStringError(where + "': " + shorten(object) +
                               " found, expected an object such as "
                               R"({"format": "int4", "group": 64})");
    for (const auto &member : object.items())
      if (!is_contained({"format", "group", "zero", "scale"},
                        StringRef(member.key())))
        return createStringError(where + "." + printable(member.key(), 60) +
                                 "': unknown key, expected format, group, zero "
                                 "or scale");
    SmallVector<StringRef> allowed = {"f32", "bf16", "f16", "keep"};
    if (!mustStayFloat)
      allowed.append({"fp8", "int8", "int6", "int4"});
    std::string format = word("format", "", allowed);
    if (format == "keep" || isPlain(format)) {
      for (StringRef key : {"group", "zero", "scale"})
        if (problem.empty() && object.contains(key.str()))
          problem = where + "." + key.str() +
                    "': only fp8, int8, int6 and int4 have " +
                    "scales, the format is " + format;
      if (!problem.empty())
        return createStringError(problem);
      if (format == "keep")
        return std::nullopt;
      return PackedFormat::parse(format);
    }
    std::string group = groupText(format == "fp8");
    std::string zero = word("zero", "none", {"none", "point", "min"});
    std::string scale = word("scale", "f16", {"f16", "bf16", "f32"});
    if (format == "fp8" && zero != "none" && problem.empty())
      problem =
          where + ".zero': \"" + zero + "\" found, expected \"none\" with fp8";
    if (group == "0" && object.contains("scale") && problem.empty())
      problem = where + ".scale': no scales with group 0";
    if (!problem.empty())
      return createStringError(problem);
    if (group == "0")
      return PackedFormat::parse(format);
    std::string text = format + ":" + group;
    if (zero != "none")
      text += ":" + zero;
    return PackedFormat::parse(text + ":" + scale);
  }

private:
  const Json &object;
  std::string where, problem; // the first problem

  static bool isPlain(StringRef format) {
    return format == "f32" || format == "bf16" || format == "f16";
  }
  static std::string shorten(const Json &value) {
    return printable(value.dump(-1, ' ', false, Json::error_handler_t::replace),
                     60);
  }

  /// One of \p allowed; without a fallback the member must be there.
  std::string word(StringRef key, StringRef fallback,
                   ArrayRef<StringRef> allowed) {
    auto found = object.find(key.str());
    if (found == object.end() && !fallback.empty())
      return fallback.str();
    if (found != object.end() && found->is_string())
      if (const auto &text = found->get_ref<const std::string &>();
          is_contained(allowed, StringRef(text)))
        return text;
    if (problem.empty())
      problem = where + "." + key.str() +
                "': " + (found == object.end() ? "nothing" : shorten(*found)) +
                " found, expected one of " + join(allowed, ", ");
    return "";
  }

  std::string groupText(bool mayBeZero) {
    auto found = object.find("group");
    if (found == object.end())
      return std::to_string(kDefaultGroup);
    if (found->is_number_integer()) {
      std::string text = found->dump();
      if (is_contained({"16", "32", "64", "128"}, StringRef(text)) ||
          (mayBeZero && text == "0"))
        return text;
    }
    if (problem.empty())
      problem = where + ".group': " + shorten(*found) + " found, expected " +
                (mayBeZero ? "0, " : "") + "16, 32, 64 or 128";
    return "";
  }
};

} // namespace

Expected<Recipe> Recipe::parse(StringRef text, StringRef fileName) {
  auto tree = parseJsonTree(text, fileName);
  if (!tree)
    return tree.takeError();
  if (!tree->is_object())
    return createStringError(fileName + ": expected an object with a format "
                                        "for each class of weights");
  Recipe recipe;
  for (const auto &member : tree->items()) {
    auto name = llvm::find_if(kClassNames, [&](StringRef one) {
      return one == StringRef(member.key());
    });
    if (name == kClassNames.end())
      return createStringError(fileName + ": '" + printable(member.key(), 60) +
                               "': unknown class of weights, expected " +
                               join(kClassNames, ", "));
    size_t index = size_t(name - kClassNames.begin());
    auto format = ClassReader(member.value(), fileName, *name)
                      .read(staysFloat(WeightClass(index)));
    if (!format)
      return format.takeError();
    recipe.formats[index] = *format;
  }
  return recipe;
}
