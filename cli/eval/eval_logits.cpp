#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/sha256.h"
#include "base/unaligned.h"
#include "cli/eval/eval.h"
#include "cli/support/load_bar.h"
#include "engine/decode/logprobs.h"
#include "engine/io/safetensors.h"
#include "engine/load/resolve_model.h"
#include "engine/serve/generate_all.h"
#include "engine/step/score.h"
#include "kernels/registry.h"

namespace tern {
namespace {

using nlohmann::json;

struct GoldenPrompt {
  std::vector<int32_t> input_ids;
  std::vector<float> logits;  // [input_ids, vocab_size]
  std::vector<int32_t> greedy;
};

Result<std::vector<int32_t>> ids_of(const SafetensorsFile& file, const std::string& name,
                                    int32_t vocab_size) {
  const TensorView* t = file.find(name);
  if (t == nullptr || t->dtype != DType::kI64 || t->rank != 1)
    return invalid_argument(file.path() + ": " + name + ": must be a vector of i64");
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < t->shape[0]; ++i) {
    const auto id = load_unaligned<int64_t>(t->data, i);
    if (id < 0 || id >= vocab_size)
      return invalid_argument(file.path() + ": " + name + ": id " + std::to_string(id) +
                              " is outside the vocabulary of " + std::to_string(vocab_size));
    ids.push_back(static_cast<int32_t>(id));
  }
  return ids;
}

Result<std::vector<GoldenPrompt>> read_golden(const SafetensorsFile& file, int32_t vocab_size) {
  std::vector<GoldenPrompt> prompts;
  for (int i = 0;; ++i) {
    const std::string prefix = "prompt." + std::to_string(i) + ".";
    if (file.find(prefix + "input_ids") == nullptr) break;
    GoldenPrompt p;
    TERN_ASSIGN(p.input_ids, ids_of(file, prefix + "input_ids", vocab_size));
    TERN_ASSIGN(p.greedy, ids_of(file, prefix + "greedy", vocab_size));
    const TensorView* logits = file.find(prefix + "logits");
    if (logits == nullptr || logits->dtype != DType::kF32 || logits->rank != 2 ||
        logits->shape[0] != int64_t(p.input_ids.size()) || logits->shape[1] != vocab_size)
      return invalid_argument(file.path() + ": " + prefix + "logits: must be f32 [" +
                              std::to_string(p.input_ids.size()) + ", " +
                              std::to_string(vocab_size) + "]");
    p.logits.resize(size_t(logits->num_elements()));
    std::memcpy(p.logits.data(), logits->data, p.logits.size() * sizeof(float));
    prompts.push_back(std::move(p));
  }
  if (prompts.empty()) return invalid_argument(file.path() + ": has no prompt.0.input_ids");
  return prompts;
}

struct Comparison {
  double max_abs_diff = 0, kl_sum = 0;
  int64_t positions = 0, top1_equal = 0, greedy_equal = 0, greedy_total = 0;
  Sha256 hash{};  // of the last hash and a row of logits, row after row

  void add(std::span<const float> golden, std::span<const float> ours) {
    const double golden_lse = log_sum_exp(golden), ours_lse = log_sum_exp(ours);
    for (size_t i = 0; i < golden.size(); ++i) {
      const double diff = std::abs(double(golden[i]) - ours[i]);
      if (!(diff <= max_abs_diff)) max_abs_diff = diff;  // a NaN must show
      const double log_p = golden[i] - golden_lse;
      kl_sum += std::exp(log_p) * (log_p - (ours[i] - ours_lse));
    }
    const auto top = [](std::span<const float> v) {
      return std::max_element(v.begin(), v.end()) - v.begin();
    };
    top1_equal += top(golden) == top(ours);
    ++positions;
    std::vector<std::byte> bytes(hash.size() + ours.size_bytes());
    std::memcpy(bytes.data(), hash.data(), hash.size());
    std::memcpy(bytes.data() + hash.size(), ours.data(), ours.size_bytes());
    hash = sha256(bytes);
  }
};

Status compare_logits(const std::vector<GoldenPrompt>& prompts, Scorer& scorer, Comparison& result,
                      const EvalProgress& progress) {
  for (size_t i = 0; i < prompts.size(); ++i) {
    const GoldenPrompt& p = prompts[i];
    TERN_TRY(scorer.run(p.input_ids, [&](int32_t position, std::span<const float> logits) {
      result.add(std::span(p.logits).subspan(position * logits.size(), logits.size()), logits);
    }));
    progress(0.5 * double(i + 1) / double(prompts.size()));
  }
  return {};
}

Status compare_greedy(const std::vector<GoldenPrompt>& prompts, Engine& engine,
                      Comparison& result) {
  std::vector<Request> requests;
  for (const GoldenPrompt& p : prompts) {
    Request& r = requests.emplace_back();
    r.prompt_token_ids = p.input_ids;
    r.sampling.temperature = 0;
    r.sampling.max_tokens = static_cast<int32_t>(p.greedy.size());
    r.sampling.ignore_eos = true;
  }
  TERN_ASSIGN(const std::vector<GeneratedAnswer> answers,
              generate_all(engine, std::move(requests), {}));
  for (size_t i = 0; i < prompts.size(); ++i)
    for (size_t k = 0; k < prompts[i].greedy.size(); ++k, ++result.greedy_total)
      result.greedy_equal +=
          k < answers[i].token_ids.size() && answers[i].token_ids[k] == prompts[i].greedy[k];
  return {};
}

std::vector<std::string> kernel_names(const KernelLog& log) {
  std::vector<std::string> names;
  for (const auto& [key, entry] : log.entries())
    names.push_back(std::string(key.first) + ":" + std::string(key.second));
  return names;
}

}  // namespace

Result<json> eval_logits(const EvalLogitsOptions& options, const EvalProgress& progress) {
  TERN_ASSIGN(const Isa isa, selected_isa());
  TERN_ASSIGN(const Device device, open_device(options.common.device));
  TERN_ASSIGN(const std::string directory, resolve_model(options.common.model));
  TERN_ASSIGN(const ModelConfig config, read_config(directory, options.hf_config));
  TERN_ASSIGN(const SafetensorsFile file, SafetensorsFile::open(options.golden));
  TERN_ASSIGN(const std::vector<GoldenPrompt> prompts, read_golden(file, config.vocab_size));
  int32_t longest = 0;
  for (const GoldenPrompt& p : prompts)
    longest = std::max(longest, static_cast<int32_t>(p.input_ids.size()));

  Comparison result;
  KernelLog log;
  {
    // The scorer's weights are gone before the engine loads its own: one copy in memory at a time.
    TERN_ASSIGN(const std::unique_ptr<Scorer> scorer,
                Scorer::load(directory, config,
                             {options.common.compute, options.common.num_threads, isa, device},
                             {longest, options.block_size, options.chunk, &log, show_loading()}));
    TERN_TRY(compare_logits(prompts, *scorer, result, progress));
  }
  EngineConfig engine_config;
  engine_config.model_dir = directory;
  engine_config.hf_config_file = options.hf_config;
  engine_config.compute = options.common.compute;
  engine_config.num_threads = options.common.num_threads;
  engine_config.device = options.common.device;
  engine_config.scheduler.block_size = options.block_size;
  engine_config.scheduler.max_num_batched_tokens = options.chunk;
  engine_config.scheduler.max_num_seqs =
      std::min(engine_config.scheduler.max_num_seqs, options.chunk);
  TERN_ASSIGN(const std::unique_ptr<Engine> engine, create_engine(engine_config, show_loading()));
  TERN_TRY(compare_greedy(prompts, *engine, result));
  progress(1);

  return json{{"max_abs_diff", result.max_abs_diff},
              {"mean_kl", result.kl_sum / double(result.positions)},
              {"top1_match", double(result.top1_equal) / double(result.positions)},
              {"greedy_match", double(result.greedy_equal) / double(result.greedy_total)},
              {"logits_sha256", to_hex(result.hash)},
              {"prompts", prompts.size()},
              {"positions", result.positions},
              {"isa", device == Device::kCpu ? isa_name(isa) : device_name(device)},
              {"kernels", kernel_names(log)}};
}

}  // namespace tern
