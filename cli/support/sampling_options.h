// The flags that choose tokens, the same in every command that generates.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tern/v1/inference.pb.h"

namespace tern {

/// Unset flags stay unset: the model's defaults are the server's business.
struct SamplingOptions {
  std::optional<uint32_t> max_tokens, min_tokens, top_k;
  std::optional<float> temperature, top_p, min_p;
  std::optional<float> presence_penalty, frequency_penalty, repetition_penalty;
  std::optional<uint64_t> seed;
  std::vector<std::string> stop, bad_words;
  std::vector<std::string> logit_bias;  ///< "ID=BIAS", checked
  std::vector<uint32_t> allowed_token_ids, stop_token_ids;
  bool ignore_eos = false;
};

/// `options` must live until the command has run.
void add_sampling_options(CLI::App& command, SamplingOptions& options);

void set_sampling(const SamplingOptions& options, v1::SamplingParams* out);

/// --priority and --deadline.
struct SchedulingOptions {
  std::string priority = "default";
  std::optional<double> deadline_seconds;
};

void add_scheduling_options(CLI::App& command, SchedulingOptions& options);

v1::PriorityClass priority_class(const SchedulingOptions& options);

}  // namespace tern
