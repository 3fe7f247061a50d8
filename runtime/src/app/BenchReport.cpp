// Rates are computed here and only here, from seconds and counts.
#include "runtime/src/app/BenchReport.h"
#include "runtime/src/engine/Json.h"
#include <algorithm>
#include <cstdarg>
#include <cstdio>

namespace quartet::rt {

using Ordered = nlohmann::ordered_json;

Spread spreadOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  size_t middle = values.size() / 2;
  double median = values.size() % 2 ? values[middle]
                                    : (values[middle - 1] + values[middle]) / 2;
  return {median, values.front(), values.back()};
}

std::string print(const char *format, ...) {
  char text[256];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  return text;
}

namespace {
/// \p count things in each of these times, as things per second.
Spread rates(const Spread &seconds, double count) {
  auto rate = [&](double time) { return time > 0 ? count / time : 0; };
  return {rate(seconds.median), rate(seconds.most), rate(seconds.least)};
}

Ordered spreadJson(const Spread &spread) {
  return {
      {"median", spread.median}, {"min", spread.least}, {"max", spread.most}};
}

std::string spreadText(const Spread &spread) {
  return print("%9.2f (%.2f to %.2f)", spread.median, spread.least,
               spread.most);
}

/// Adds what a step of \p seconds with \p cost, for \p tokens tokens, reached.
void addCost(Ordered &json, const BenchReport &report, double seconds,
             const std::optional<StepCost> &cost, double tokens) {
  if (!cost || seconds <= 0)
    return;
  json["bytes_per_token"] = cost->bytes / tokens;
  json["flops_per_token"] = cost->flops / tokens;
  json["bytes_per_second"] = cost->bytes / seconds;
  json["flops_per_second"] = cost->flops / seconds;
  if (report.readBandwidth > 0)
    json["fraction_of_bandwidth"] =
        cost->bytes / seconds / report.readBandwidth;
  if (double least = report.peaks.seconds(cost->flops, cost->int8Flops))
    json["fraction_of_matrix_peak"] = least / seconds;
}

std::string costText(const BenchReport &report, double seconds,
                     const std::optional<StepCost> &cost, double tokens) {
  if (!cost || seconds <= 0)
    return "";
  std::string text =
      print("  %.1f MB/token  %.2f GFLOP/s", cost->bytes / tokens / 1e6,
            cost->flops / seconds / 1e9);
  if (report.readBandwidth > 0)
    text += print("  %.0f%% of the bandwidth",
                  100 * cost->bytes / seconds / report.readBandwidth);
  if (double least = report.peaks.seconds(cost->flops, cost->int8Flops))
    text += print("  %.0f%% of the matrix peak", 100 * least / seconds);
  return text;
}

/// What the cost is divided by: the device's own time where there is one.
double busy(const BenchReport &report, const Spread &wall,
            const Spread &device) {
  return report.device.kind ? device.median : wall.median;
}

std::string deviceText(const BenchReport &report, const Spread &seconds) {
  return report.device.kind ? print("  device %.3f ms", seconds.median * 1e3)
                            : std::string();
}
} // namespace

std::string benchText(const BenchReport &report) {
  bool device = report.device.kind != 0;
  std::string text =
      report.model + " (" + report.quantization + "), " +
      (device ? report.device.name + " (" + report.device.driver + "), " : "") +
      print("%lld %s%s%s", (long long)(report.threads),
            device ? "block" : "thread", report.threads == 1 ? "" : "s",
            report.pinned ? ", pinned" : "") +
      ", program " + report.program + "\n";
  if (report.synthetic)
    text += print("weights made up with seed %llu in %.1f s\n",
                  (unsigned long long)(report.seed), report.fillSeconds);
  text += print("load              %9.3f s\n", report.loadSeconds);
  text += print("first token       %9.3f s, from the start, prompt of 16\n",
                report.firstTokenSeconds);
  text += "prompt of 16      " +
          spreadText({report.shortPromptSeconds.median * 1e3,
                      report.shortPromptSeconds.least * 1e3,
                      report.shortPromptSeconds.most * 1e3}) +
          " ms\n";
  for (const PrefillResult &result : report.prefill)
    text += print("prefill %-9lld ", (long long)(result.tokens)) +
            spreadText(rates(result.seconds, double(result.tokens))) +
            " tokens/s" + deviceText(report, result.deviceSeconds) +
            costText(report, busy(report, result.seconds, result.deviceSeconds),
                     result.cost, double(result.tokens)) +
            "\n";
  for (const DecodeResult &result : report.decode)
    text += print("decode %lld x %-7lld", (long long)(result.batch),
                  (long long)(result.context)) +
            spreadText(rates(result.secondsPerStep, double(result.batch))) +
            " tokens/s" + deviceText(report, result.deviceSecondsPerStep) +
            costText(report,
                     busy(report, result.secondsPerStep,
                          result.deviceSecondsPerStep),
                     result.cost, double(result.batch)) +
            "\n";
  if (device)
    return text +
           print("device memory     %9.1f MB in use, %.1f MB of it weights\n",
                 double(report.deviceBytes) / 1e6,
                 double(report.weightsBytes) / 1e6) +
           print("copy bandwidth    %9.1f GB/s\n", report.readBandwidth / 1e9) +
           (report.peaks.int8 > 0
                ? print("matrix peak       %9.1f TOP/s of int8, %.1f TFLOP/s "
                        "of bf16\n",
                        report.peaks.int8 / 1e12, report.peaks.bf16 / 1e12)
                : "");
  text += print("memory            %9.1f MB at most, %.1f MB of it weights\n",
                double(report.peakBytes) / 1e6,
                double(report.residentWeightsBytes) / 1e6);
  text += print("read bandwidth    %9.1f GB/s\n", report.readBandwidth / 1e9);
  return text;
}

std::string benchJson(const BenchReport &report) {
  Ordered json;
  json["model"] = report.model;
  json["quantization"] = report.quantization;
  json["cpu"] = report.cpu;
  json["program"] = {{"target", report.program}, {"features", report.features}};
  if (report.device.kind)
    json["device"] = {
        {"name", report.device.name},   {"arch", report.device.arch},
        {"units", report.device.units}, {"driver", report.device.driver},
        {"bytes", report.device.bytes}, {"bytes_in_use", report.deviceBytes}};
  json["threads"] = report.threads;
  json["pinned"] = report.pinned;
  json["synthetic_weights"] = report.synthetic;
  if (report.synthetic) {
    json["seed"] = report.seed;
    json["fill_seconds"] = report.fillSeconds;
  }
  json["load_seconds"] = report.loadSeconds;
  json["first_token_seconds"] = report.firstTokenSeconds;
  json["short_prompt"] = {{"tokens", 16},
                          {"seconds", spreadJson(report.shortPromptSeconds)}};
  json["prefill"] = Ordered::array();
  for (const PrefillResult &result : report.prefill) {
    Ordered entry = {
        {"tokens", result.tokens},
        {"seconds", spreadJson(result.seconds)},
        {"tokens_per_second",
         spreadJson(rates(result.seconds, double(result.tokens)))}};
    if (report.device.kind)
      entry["device_seconds"] = spreadJson(result.deviceSeconds);
    addCost(entry, report, busy(report, result.seconds, result.deviceSeconds),
            result.cost, double(result.tokens));
    json["prefill"].push_back(std::move(entry));
  }
  json["decode"] = Ordered::array();
  for (const DecodeResult &result : report.decode) {
    Ordered entry = {
        {"batch", result.batch},
        {"context", result.context},
        {"seconds_per_step", spreadJson(result.secondsPerStep)},
        {"tokens_per_second",
         spreadJson(rates(result.secondsPerStep, double(result.batch)))}};
    if (report.device.kind)
      entry["device_seconds_per_step"] =
          spreadJson(result.deviceSecondsPerStep);
    addCost(entry, report,
            busy(report, result.secondsPerStep, result.deviceSecondsPerStep),
            result.cost, double(result.batch));
    json["decode"].push_back(std::move(entry));
  }
  json["memory"] = {
      {"peak_bytes", report.peakBytes},
      {"weights_resident_bytes", report.residentWeightsBytes},
      {"other_bytes", report.peakBytes > report.residentWeightsBytes
                          ? report.peakBytes - report.residentWeightsBytes
                          : 0},
      {"weights_bytes", report.weightsBytes}};
  json["read_bandwidth"] = {{"bytes_per_second", report.readBandwidth},
                            {"buffer_bytes", report.bandwidthBytes}};
  if (report.peaks.int8 > 0)
    json["matrix_peak"] = {{"int8_operations_per_second", report.peaks.int8},
                           {"bf16_operations_per_second", report.peaks.bf16}};
  return json.dump(2, ' ', false, Ordered::error_handler_t::replace) + "\n";
}

} // namespace quartet::rt
