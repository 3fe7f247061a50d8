// Sampling defaults and the stop set, out of generation_config.json and the eos
// ids of config.json: the chat stop token often stands only in the former.
#include "models/ConfigParts.h"
#include "llvm/ADT/STLExtras.h"

namespace quartet {

llvm::Expected<GenerationConfig>
parseGeneration(llvm::StringRef text, llvm::StringRef fileName,
                int64_t vocabSize, llvm::ArrayRef<int64_t> configStops) {
  GenerationConfig result;
  auto addStops = [&](llvm::ArrayRef<int64_t> ids) {
    for (int64_t id : ids)
      if (!llvm::is_contained(result.stopIds, int32_t(id)))
        result.stopIds.push_back(int32_t(id));
  };
  if (text.empty()) {
    addStops(configStops);
    return result;
  }
  llvm::Expected<nlohmann::json> object = parseJsonObject(text, fileName);
  if (!object)
    return object.takeError();
  std::string problem;
  JsonFields fields(*object, fileName.str(), "", problem);
  result.doSample = fields.boolean("do_sample", false);
  result.temperature = fields.number("temperature", {0, 100}, 1);
  result.topP = fields.number("top_p", {0, 1}, 1);
  result.minP = fields.number("min_p", {0, 1}, 0);
  // -1 is another engine's spelling of "no limit".
  result.topK =
      std::max<int64_t>(0, fields.integer("top_k", {-1, int64_t(1) << 31}, 0));
  result.repetitionPenalty =
      fields.number("repetition_penalty", {0.01, 100}, 1);
  result.presencePenalty = fields.number("presence_penalty", {-10, 10}, 0);
  if (result.topP == 0)
    fields.expected("top_p", "a number above 0");
  addStops(fields.integers("eos_token_id", {0, vocabSize - 1}, /*orOne=*/true));
  addStops(configStops);
  if (fields.failed())
    return fields.takeError();
  return result;
}

} // namespace quartet
