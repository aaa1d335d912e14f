#include "engine/text/tokenizer_classes.h"

#include <algorithm>

namespace tern {
namespace {

using Tokens = std::vector<std::pair<std::string_view, std::string_view>>;

struct TokenizerClass {
  std::string_view name;
  Tokens tokens;
};

const std::vector<TokenizerClass>& classes() {
  static const Tokens kOneToken = {{"bos_token", "<|endoftext|>"},
                                   {"eos_token", "<|endoftext|>"},
                                   {"unk_token", "<|endoftext|>"}};
  static const Tokens kQwen = {{"eos_token", "<|endoftext|>"},
                               {"unk_token", "<|endoftext|>"},
                               {"pad_token", "<|endoftext|>"}};
  static const Tokens kRoberta = {
      {"bos_token", "<s>"},   {"eos_token", "</s>"}, {"unk_token", "<unk>"},  {"sep_token", "</s>"},
      {"pad_token", "<pad>"}, {"cls_token", "<s>"},  {"mask_token", "<mask>"}};
  static const Tokens kLlama = {
      {"bos_token", "<s>"}, {"eos_token", "</s>"}, {"unk_token", "<unk>"}};
  static const Tokens kNeoX = {{"bos_token", "<|endoftext|>"},
                               {"eos_token", "<|endoftext|>"},
                               {"unk_token", "<|endoftext|>"},
                               {"pad_token", "<|padding|>"}};
  static const Tokens kGemma = {{"bos_token", "<bos>"},
                                {"eos_token", "<eos>"},
                                {"unk_token", "<unk>"},
                                {"pad_token", "<pad>"},
                                {"mask_token", "<mask>"}};
  static const Tokens kCohere = {
      {"bos_token", "<BOS_TOKEN>"},  {"eos_token", "<|END_OF_TURN_TOKEN|>"},
      {"unk_token", "<UNK>"},        {"sep_token", "<SEP>"},
      {"pad_token", "<PAD>"},        {"cls_token", "<CLS>"},
      {"mask_token", "<MASK_TOKEN>"}};
  static const Tokens kCodeLlama = {{"bos_token", "<s>"},
                                    {"eos_token", "</s>"},
                                    {"unk_token", "<unk>"},
                                    {"prefix_token", "\u2581<PRE>"},
                                    {"middle_token", "\u2581<MID>"},
                                    {"suffix_token", "\u2581<SUF>"},
                                    {"eot_token", "\u2581<EOT>"},
                                    {"fill_token", "<FILL_ME>"}};
  static const Tokens kBert = {{"unk_token", "[UNK]"},
                               {"sep_token", "[SEP]"},
                               {"pad_token", "[PAD]"},
                               {"cls_token", "[CLS]"},
                               {"mask_token", "[MASK]"}};
  static const Tokens kT5 = {{"eos_token", "</s>"}, {"unk_token", "<unk>"}, {"pad_token", "<pad>"}};
  static const std::vector<TokenizerClass> kClasses = {
      {"BartTokenizer", kRoberta},     {"BertTokenizer", kBert},
      {"CodeGenTokenizer", kOneToken}, {"CodeLlamaTokenizer", kCodeLlama},
      {"CohereTokenizer", kCohere},    {"GPT2Tokenizer", kOneToken},
      {"GPTNeoXTokenizer", kNeoX},     {"GemmaTokenizer", kGemma},
      {"LlamaTokenizer", kLlama},      {"LongformerTokenizer", kRoberta},
      {"Qwen2Tokenizer", kQwen},       {"Qwen3_5Tokenizer", kQwen},
      {"RobertaTokenizer", kRoberta},  {"T5Tokenizer", kT5},
      {"WhisperTokenizer", kOneToken}, {"XLMRobertaTokenizer", kRoberta},
  };
  return kClasses;
}

struct ModelType {
  std::string_view model_type, tokenizer_class;
};

constexpr ModelType kModelTypes[] = {
    {"code_llama", "CodeLlamaTokenizer"},
    {"codegen", "GPT2Tokenizer"},
    {"cohere", "CohereTokenizer"},
    {"cohere2", "CohereTokenizer"},
    {"gemma", "GemmaTokenizer"},
    {"gemma2", "GemmaTokenizer"},
    {"gemma3", "GemmaTokenizer"},
    {"gemma3_text", "GemmaTokenizer"},
    {"gemma3n", "GemmaTokenizer"},
    {"gemma3n_text", "GemmaTokenizer"},
    {"gpt2", "GPT2Tokenizer"},
    {"gpt_neo", "GPT2Tokenizer"},
    {"gpt_neox", "GPTNeoXTokenizer"},
    {"gptj", "GPT2Tokenizer"},
    {"olmo", "GPTNeoXTokenizer"},
    {"olmoe", "GPTNeoXTokenizer"},
    {"phi", "GPT2Tokenizer"},
    {"qwen2", "Qwen2Tokenizer"},
    {"qwen2_5_vl", "Qwen2Tokenizer"},
    {"qwen2_moe", "Qwen2Tokenizer"},
    {"qwen2_vl", "Qwen2Tokenizer"},
    {"qwen3", "Qwen2Tokenizer"},
    {"qwen3_5", "Qwen3_5Tokenizer"},
    {"qwen3_5_text", "Qwen3_5Tokenizer"},
    {"qwen3_moe", "Qwen2Tokenizer"},
    {"qwen3_next", "Qwen2Tokenizer"},
    {"qwen3_vl", "Qwen2Tokenizer"},
    {"starcoder2", "GPT2Tokenizer"},
};

}  // namespace

Tokens tokens_of_class(std::string_view tokenizer_class) {
  const auto found = std::ranges::find(classes(), tokenizer_class, &TokenizerClass::name);
  return found == classes().end() ? Tokens() : found->tokens;
}

std::string tokenizer_class_of(std::string_view model_type) {
  const auto* found = std::ranges::find(kModelTypes, model_type, &ModelType::model_type);
  return found == std::end(kModelTypes) ? std::string() : std::string(found->tokenizer_class);
}

}  // namespace tern
