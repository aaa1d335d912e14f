// The measurements behind `tern eval`: each gives the JSON document of its command (docs/cli.md).
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/status.h"

namespace tern {

/// Told the share of the work that is done, 0 to 1.
using EvalProgress = std::function<void(double)>;

struct EvalCommon {
  std::string model;                ///< directory or bundled name
  std::string compute = "default";  ///< "default", "fast" or "f32"
  int32_t num_threads = 0;          ///< 0 = all CPUs
  std::string device = "cpu";       ///< open_device()
};

struct EvalLogitsOptions {
  EvalCommon common;
  std::string golden;       ///< safetensors: prompt.i.{input_ids, logits, greedy}
  std::string hf_config;    ///< config.json to read instead of the directory's; empty = that
  int32_t block_size = 16;  ///< of the paged KV
  int32_t chunk = 7;        ///< tokens of one prefill step
};

/// Compares logits at every position, and greedy tokens through the engine, with a golden file.
/// Keys: max_abs_diff, mean_kl, top1_match, greedy_match, logits_sha256 (of all bits, in order: equal where nothing
/// changed), prompts, positions, kernels.
Result<nlohmann::json> eval_logits(const EvalLogitsOptions& options, const EvalProgress& progress);

struct EvalPerplexityOptions {
  EvalCommon common;
  std::string text_file;     ///< exactly one of text_file and ids_file
  std::string ids_file;      ///< one sequence of token ids a line
  int32_t context = 0;       ///< tokens of a window; 0 = the model's context
  int32_t stride = 0;        ///< 0 = context
  bool bos = false;          ///< put the model's BOS before each window
  int64_t limit_chars = 0;   ///< of the text; 0 = all
  int64_t limit_tokens = 0;  ///< 0 = all
};

/// Perplexity by whole windows; the first token of a window is not scored.
/// Keys: perplexity, nll_per_token, nll_per_byte, tokens, windows.
Result<nlohmann::json> eval_perplexity(const EvalPerplexityOptions& options,
                                       const EvalProgress& progress);

struct EvalTasksOptions {
  EvalCommon common;
  std::string file;  ///< lines of {task, prompt, answer, check}
  int32_t max_tokens = 256;
  bool items = false;  ///< list every item with its text
};

/// Greedy answers through the engine and the chat template, many at once.
/// Keys: accuracy{task: [right, total]}, all; where lines have a `reference`: reference_mismatches.
Result<nlohmann::json> eval_tasks(const EvalTasksOptions& options, const EvalProgress& progress);

}  // namespace tern
