// states: what a sequence keeps after given tokens, as a safetensors file; for
// comparisons of the recurrent state, and for models that were compiled to
// record statistics in states of their own.
#include "runtime/src/app/Commands.h"
#include "runtime/src/app/Output.h"
#include "runtime/src/app/TokenList.h"
#include "runtime/src/engine/Generate.h"
#include "runtime/src/engine/Json.h"
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <unistd.h>

namespace quartet::rt {

/// The states to write, by their numbers in the manifest.
static std::vector<size_t> chosenStates(const Manifest &manifest,
                                        const std::string &suffix) {
  std::vector<size_t> chosen;
  for (size_t i = 0; i != manifest.states.size(); ++i) {
    const StateInfo &state = manifest.states[i];
    bool fits = state.name.size() >= suffix.size() &&
                state.name.compare(state.name.size() - suffix.size(),
                                   suffix.size(), suffix) == 0;
    if (!state.paged && fits)
      chosen.push_back(i);
  }
  return chosen;
}

/// The safetensors header of \p chosen, with its length before it.
static std::string headerOf(const Manifest &manifest,
                            const std::vector<size_t> &chosen) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  int64_t offset = 0;
  for (size_t i : chosen) {
    const StateInfo &state = manifest.states[i];
    nlohmann::ordered_json shape = nlohmann::ordered_json::array();
    for (int64_t extent : state.shape)
      if (extent >= 0)
        shape.push_back(extent);
    int64_t end = offset + state.bytesPerUnit();
    header[state.name] = {{"dtype", state.dtype},
                          {"shape", shape},
                          {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  uint64_t length = text.size();
  std::string bytes(8, '\0');
  for (int i = 0; i != 8; ++i)
    bytes[size_t(i)] = char(length >> (8 * i) & 0xff);
  return bytes + text;
}

/// Writes the file under a temporary name and renames it.
static bool writeStates(const Engine &engine, int32_t sequence,
                        const std::vector<size_t> &chosen,
                        const std::string &path, std::string *error) {
  std::string temporary = path + ".tmp-" + std::to_string(getpid());
  FILE *file = fopen(temporary.c_str(), "wb");
  bool good = file != nullptr;
  auto write = [&](const void *data, size_t size) {
    good = good && fwrite(data, 1, size, file) == size;
  };
  bool deviceFailed = false;
  std::string header = headerOf(engine.manifest(), chosen);
  write(header.data(), header.size());
  for (size_t i : chosen) {
    std::vector<uint8_t> bytes = engine.readState(sequence, i, error);
    if (bytes.empty())
      deviceFailed = true;
    write(bytes.data(), bytes.size());
  }
  int problem = errno;
  if (file && fclose(file) != 0 && good) {
    good = false;
    problem = errno;
  }
  if (deviceFailed) {
    unlink(temporary.c_str());
    return false;
  }
  if (good && rename(temporary.c_str(), path.c_str()) == 0)
    return true;
  if (good)
    problem = errno;
  *error = "cannot write '" + path + "': " + strerror(problem);
  if (file)
    unlink(temporary.c_str());
  return false;
}

/// Runs all of \p tokens; after each step a line says how far it is.
static bool runTokens(const Session &session, Engine &engine, int32_t sequence,
                      const std::vector<int32_t> &tokens, std::string *error) {
  int64_t limit =
      std::min(prefillTokens(engine, session.line.states.prefillChunk),
               engine.limits().tokens);
  auto total = int64_t(tokens.size());
  Output output;
  for (int64_t done = 0; done != total;) {
    int64_t end = std::min(done + limit, total);
    StepPiece piece;
    piece.sequence = sequence;
    piece.tokens.assign(tokens.begin() + done, tokens.begin() + end);
    StepResult result;
    if (!engine.step({piece}, result, error))
      return false;
    done = end;
    if (!session.line.global.quiet)
      output.write(std::to_string(done) + " of " + std::to_string(total) +
                   " tokens\n");
  }
  if (!output.ok() && !output.closed()) {
    *error = output.problem();
    return false;
  }
  return true;
}

int statesCommand(const Session &session) {
  const StatesOptions &options = session.line.states;
  std::string error, text = options.tokens.value_or("");
  const char *option = options.tokens ? "--tokens" : "--tokens-file";
  if (options.tokensFile && !readAll(*options.tokensFile, text, &error))
    return session.fail(error);
  std::optional<std::vector<int32_t>> tokens = parseList(text, option, &error);
  if (!tokens)
    return session.fail(error, ExitUsage);
  if (std::string why = session.whyNotTokens(*tokens); !why.empty())
    return session.fail(option + (": " + why), ExitUsage);
  std::vector<size_t> chosen = chosenStates(session.manifest, options.suffix);
  if (chosen.empty())
    return session.fail("--suffix: no state with slots ends in '" +
                            options.suffix + "'; info --json lists all",
                        ExitUsage);
  LoadedModel model;
  if (!loadModel(session, EngineOptions(), model, &error))
    return session.fail(error);
  int32_t sequence = model.engine->open(&error);
  if (sequence < 0 ||
      !runTokens(session, *model.engine, sequence, *tokens, &error) ||
      !writeStates(*model.engine, sequence, chosen, options.output, &error))
    return session.fail(error);
  return 0;
}

} // namespace quartet::rt
