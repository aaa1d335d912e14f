#include "engine/load/family_sampling.h"

#include <algorithm>
#include <cctype>
#include <iterator>

namespace tern {
namespace {

/// The first row counts whose architecture is the model's and whose parts its names all have.
struct Row {
  std::string_view family;
  std::string_view architecture;
  std::string_view parts[3];  ///< of letters and digits only, in lower case; empty: no more
  SamplingDefaults defaults;
};

// Each with the publisher's file or page that says so.
const Row kRows[] = {
    // deepseek-ai/DeepSeek-R1-Distill-*: generation_config.json
    {"DeepSeek R1 Distill",
     "LlamaForCausalLM",
     {"deepseekr1"},
     {.temperature = 0.6f, .top_p = 0.95f}},
    {"DeepSeek R1 Distill",
     "Qwen2ForCausalLM",
     {"deepseekr1"},
     {.temperature = 0.6f, .top_p = 0.95f}},
    // google/gemma-3-*-it: generation_config.json
    {"Gemma 3",
     "Gemma3ForCausalLM",
     {"gemma3"},
     {.temperature = 1.0f, .top_k = 64, .top_p = 0.95f}},
    // HuggingFaceTB/SmolLM2-*-Instruct: model card, "How to use"
    {"SmolLM2 Instruct", "LlamaForCausalLM", {"smollm2"}, {.temperature = 0.2f, .top_p = 0.9f}},
    // HuggingFaceTB/SmolLM3-3B: model card, generation_config.json
    {"SmolLM3", "SmolLM3ForCausalLM", {"smollm3"}, {.temperature = 0.6f, .top_p = 0.95f}},
    // meta-llama/Meta-Llama-3-8B-Instruct, Llama-3.1, -3.2, -3.3: generation_config.json
    {"Llama 3 Instruct",
     "LlamaForCausalLM",
     {"llama3", "instruct"},
     {.temperature = 0.6f, .top_p = 0.9f}},
    // microsoft/Phi-4-mini-reasoning, Phi-4-reasoning: model cards
    {"Phi-4 reasoning",
     "Phi3ForCausalLM",
     {"phi4", "reasoning"},
     {.temperature = 0.8f, .top_p = 0.95f}},
    // mistralai/Mistral-Nemo-Instruct-2407 and Mistral-Small-*-Instruct (2501 and newer): model
    // cards
    {"Mistral Nemo Instruct", "MistralForCausalLM", {"mistralnemo"}, {.temperature = 0.3f}},
    {"Mistral Nemo Instruct", "LlamaForCausalLM", {"mistralnemo"}, {.temperature = 0.3f}},
    {"Mistral Small Instruct",
     "MistralForCausalLM",
     {"mistralsmall", "25"},
     {.temperature = 0.15f}},
    {"Mistral Small Instruct", "LlamaForCausalLM", {"mistralsmall", "25"}, {.temperature = 0.15f}},
    // Qwen/QwQ-32B: generation_config.json
    {"QwQ", "Qwen2ForCausalLM", {"qwq"}, {.temperature = 0.6f, .top_k = 40, .top_p = 0.95f}},
    // Qwen/Qwen2-*-Instruct, Qwen2.5-*-Instruct: generation_config.json (the two smallest repeat
    // themselves more)
    {"Qwen2 Instruct",
     "Qwen2ForCausalLM",
     {"qwen2", "05b", "instruct"},
     {.temperature = 0.7f, .top_k = 20, .top_p = 0.8f, .repetition_penalty = 1.1f}},
    {"Qwen2 Instruct",
     "Qwen2ForCausalLM",
     {"qwen2", "15b", "instruct"},
     {.temperature = 0.7f, .top_k = 20, .top_p = 0.8f, .repetition_penalty = 1.1f}},
    {"Qwen2 Instruct",
     "Qwen2ForCausalLM",
     {"qwen2", "instruct"},
     {.temperature = 0.7f, .top_k = 20, .top_p = 0.8f, .repetition_penalty = 1.05f}},
    // Qwen/Qwen3-*-Instruct-2507: model cards ("non-thinking")
    {"Qwen3 Instruct",
     "Qwen3ForCausalLM",
     {"qwen3", "instruct"},
     {.temperature = 0.7f, .top_k = 20, .top_p = 0.8f}},
    // Qwen/Qwen3-*, Qwen3-*-Thinking-2507: generation_config.json
    {"Qwen3", "Qwen3ForCausalLM", {"qwen3"}, {.temperature = 0.6f, .top_k = 20, .top_p = 0.95f}},
};

/// Letters and digits, in lower case: "Llama-3.2 1B" is "llama321b".
std::string plain(std::string_view names) {
  std::string out;
  for (const char c : names)
    if (std::isalnum(static_cast<unsigned char>(c)))
      out += char(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

/// Whether "base" stands by itself: not in "database", nor in "tiny-basement".
bool is_base(std::string_view names) {
  constexpr std::string_view kBase = "base";
  std::string lower;
  std::ranges::transform(names, std::back_inserter(lower),
                         [](unsigned char c) { return char(std::tolower(c)); });
  const auto is_letter = [&](size_t i) {
    return i < lower.size() && std::isalpha(static_cast<unsigned char>(lower[i]));
  };
  for (size_t at = lower.find(kBase); at != lower.npos; at = lower.find(kBase, at + 1))
    if ((at == 0 || !is_letter(at - 1)) && !is_letter(at + kBase.size())) return true;
  return false;
}

}  // namespace

FamilySampling family_sampling(std::string_view architecture, std::string_view names,
                               bool has_chat_template) {
  if (!has_chat_template || is_base(names)) return {};
  const std::string name = plain(names);
  for (const Row& row : kRows) {
    const bool fits = row.architecture == architecture &&
                      std::ranges::all_of(row.parts, [&](std::string_view part) {
                        return name.find(part) != name.npos;
                      });
    if (fits) return {std::string(row.family), row.defaults};
  }
  return {};
}

}  // namespace tern
