#include "server/http/compat_fields.h"

namespace tern::http {
namespace {

constexpr const char* kMissing = "this server does not have this feature";

struct CompatField {
  const char* name;
  const char* neutral = "[]";  // JSON: the values that ask for nothing, besides null
  const char* why = kMissing;
};

constexpr CompatField kBoth[] = {
    // Answers in a given form.
    {"response_format", R"([{"type": "text"}])"},
    {"structured_outputs", "[{}]"},
    {"structural_tag"},
    {"guided_json"},
    {"guided_regex"},
    {"guided_choice"},
    {"guided_grammar"},
    {"guided_decoding_backend"},
    {"guided_whitespace_pattern"},
    {"json_schema"},
    {"regex"},
    {"ebnf"},
    {"grammar", R"([""])"},
    {"grammar_lazy", "[false]"},
    // Ways of choosing tokens.
    {"use_beam_search", "[false]"},
    {"length_penalty", "[1]"},
    {"early_stopping", "[false]"},
    {"repeat_penalty", "[1]", "send repetition_penalty"},
    {"typical_p", "[1]"},
    {"tfs_z", "[1]"},
    {"top_n_sigma", "[-1]"},
    {"xtc_probability", "[0]"},
    {"dynatemp_range", "[0]"},
    {"dry_multiplier", "[0]"},
    {"mirostat", "[0]"},
    {"adaptive_target", "[-1]"},
    {"min_keep", "[0]"},
    {"samplers"},
    {"backend_sampling", "[false]"},
    {"logits_processors", "[[]]"},
    {"custom_logit_processor"},
    {"custom_params", "[{}]"},
    {"watermarking", "[false]"},
    {"thinking_token_budget"},
    {"reasoning_budget", "[-1]"},
    {"repetition_detection"},
    // Where an answer ends, and how much of the prompt counts.
    {"n_predict", "[-1]", "send max_tokens"},
    {"n_cmpl", "[1]", "send n"},
    {"n_indent", "[0]"},
    {"n_keep", "[0, -1]"},
    {"n_discard", "[0]"},
    {"t_max_predict_ms", "[0, -1]", "send the header X-Request-Timeout-Ms"},
    {"stop_regex", R"([[], ""])"},
    {"no_stop_trim", "[false]", "send include_stop_str_in_output"},
    {"truncation_side", R"(["left"])", "the end of the prompt is kept"},
    // What a prompt is made of.
    {"prompt_embeds"},
    {"input_ids", "[]", "send prompt"},
    {"mm_processor_kwargs", "[{}]"},
    {"media_io_kwargs", "[{}]"},
    {"mm_payload"},
    {"images_config", "[{}]"},
    {"max_dynamic_patch"},
    {"min_dynamic_patch"},
    {"use_audio_in_video", "[false]"},
    // What an answer brings along.
    {"logprob_token_ids", "[[]]"},
    {"n_probs", "[0]", "send logprobs"},
    {"post_sampling_probs", "[false]"},
    {"return_tokens", "[false]", "send return_token_ids"},
    {"return_tokens_as_token_ids", "[false]", "send return_token_ids"},
    {"return_prompt_token_ids", "[false]", "send return_token_ids"},
    {"return_prompt_text", "[false]"},
    {"return_token_offsets", "[false]"},
    {"return_hidden_states", "[false]"},
    {"return_routed_experts", "[false]"},
    {"routed_experts_prompt_start", "[0]"},
    {"routed_experts_start_len", "[0]"},
    {"return_cached_tokens_details", "[false]"},
    {"return_meta_info", "[false]"},
    {"return_mm_kwargs", "[false]"},
    {"return_weight_versions", "[false]"},
    {"return_progress", "[false]"},
    {"timings_per_token", "[false]"},
    {"verbose", "[false]"},
    {"response_fields", "[[]]"},
    {"stream_interval", "[1]"},
    {"include_reasoning", "[true]", "reasoning is part of the text"},
    {"reasoning_format", R"(["none", "auto"])", "reasoning is part of the text"},
    {"thinking_forced_open", "[false]"},
    // Where and with what a request runs. Whom a cache is kept from is no hint.
    {"cache_salt"},
    {"extra_key"},
    {"lora", "[[]]"},
    {"lora_path"},
    {"kv_transfer_params", "[{}]"},
    {"ec_transfer_params", "[{}]"},
    {"vllm_xargs", "[{}]"},
    {"session_params", "[{}]"},
    {"bootstrap_host"},
    {"bootstrap_port"},
    {"bootstrap_room"},
    {"routed_dp_rank"},
    {"disagg_prefill_dp_rank"},
    {"data_parallel_rank"},
    {"ngram_corpus_id"},
    // Other services of OpenAI's.
    {"modalities", R"([["text"]])"},
    {"verbosity", R"(["medium"])"},
    {"prediction"},
    {"audio"},
    {"moderation"},
    {"web_search_options"},
    {"functions", "[[]]", "send tools"},
    {"function_call", R"(["none", "auto"])", "send tools"},
};

constexpr CompatField kCompletions[] = {
    {"suffix", R"([""])", "text is generated at the end only"},
    {"reasoning_effort", R"(["none"])", "only a chat has it"},
    {"tools", "[[]]", "only a chat has them"},
};

constexpr CompatField kChat[] = {
    {"suffix", R"([""])", "text is generated at the end only"},
    {"echo", "[false]", "an answer begins behind the prompt"},
    {"add_special_tokens", "[false]", "the chat template writes them"},
    {"chat_template", "[]", "the model's own is used"},
    {"task"},
};

// Text of the table to JSON, once.
template <size_t kSize>
std::vector<std::vector<Json>> parse_neutral(const CompatField (&rows)[kSize]) {
  std::vector<std::vector<Json>> out;
  for (const CompatField& row : rows) {
    const Json values = Json::parse(row.neutral);
    out.emplace_back(values.begin(), values.end());
  }
  return out;
}

template <size_t kSize>
void take_neutral(Fields& fields, const CompatField (&rows)[kSize],
                  const std::vector<std::vector<Json>>& neutral) {
  for (size_t i = 0; i < kSize; ++i) fields.only(rows[i].name, neutral[i], rows[i].why);
}

}  // namespace

void ignore_hints(Fields& fields) {
  // They name the client or the conversation, or say what other servers may keep and where.
  fields.ignore({"user", "metadata", "store", "service_tier", "safety_identifier",
                 "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options",
                 "cache_prompt", "n_cache_reuse", "keep_alive", "id_slot", "session_id", "rid",
                 "custom_labels", "sse_ping_interval", "separate_reasoning", "stream_reasoning"});
  // They shape samplers that are off: what turns these on is refused.
  fields.ignore({"xtc_threshold", "dynatemp_exponent", "repeat_last_n", "dry_base",
                 "dry_allowed_length", "dry_penalty_last_n", "dry_sequence_breakers",
                 "mirostat_tau", "mirostat_eta", "adaptive_decay"});
}

void read_compat_fields(Fields& fields, Endpoint endpoint) {
  static const auto both = parse_neutral(kBoth), completions = parse_neutral(kCompletions),
                    chat = parse_neutral(kChat);
  ignore_hints(fields);
  take_neutral(fields, kBoth, both);
  if (endpoint == Endpoint::kChat)
    take_neutral(fields, kChat, chat);
  else
    take_neutral(fields, kCompletions, completions);
}

}  // namespace tern::http
