#include "engine/load/loader_gguf.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "engine/io/gguf.h"
#include "engine/text/chat_template_files.h"
#include "engine/text/gguf_vocabulary.h"

namespace tern {
namespace {

using nlohmann::ordered_json;
using Strings = std::vector<std::string_view>;

const std::string kPrefix = "tokenizer.ggml.";

/// The texts of the tokens that templates name.
Result<ordered_json> special_tokens(const GgufFile& file) {
  TERN_ASSIGN(const auto tokens, file.get_optional<Strings>(kPrefix + "tokens"));
  ordered_json out = ordered_json::object();
  for (const auto& [variable, key] : {std::pair("bos_token", "bos_token_id"),
                                      {"eos_token", "eos_token_id"},
                                      {"pad_token", "padding_token_id"},
                                      {"unk_token", "unknown_token_id"},
                                      {"sep_token", "seperator_token_id"},  // so spelled
                                      {"cls_token", "cls_token_id"},
                                      {"mask_token", "mask_token_id"}}) {
    TERN_ASSIGN(const auto id, file.get_optional<int64_t>(kPrefix + key));
    if (id && tokens && *id >= 0 && *id < int64_t(tokens->size()))
      out[variable] = sanitize_utf8((*tokens)[*id]);
  }
  return out;
}

/// `out` becomes the value of tokenizer.ggml.`key`, where the file has it.
template <class T, class Member>
Status read_key(const GgufFile& file, const std::string& key, Member& out) {
  TERN_ASSIGN(auto value, file.get_optional<T>(kPrefix + key));
  if (value) out = Member(*std::move(value));
  return {};
}

Status read_id(const GgufFile& file, const std::string& key, std::optional<int32_t>& out) {
  std::optional<int64_t> id;
  TERN_TRY(read_key<int64_t>(file, key, id));
  if (id && (*id < 0 || *id > INT32_MAX))
    return invalid_argument(file.path() + ": " + kPrefix + key + ": " + std::to_string(*id) +
                            " is not the id of a token");
  if (id) out = int32_t(*id);
  return {};
}

Status read_strings(const GgufFile& file, const std::string& key, std::vector<std::string>& out) {
  Strings views;
  TERN_TRY(read_key<Strings>(file, key, views));
  out.assign(views.begin(), views.end());
  return {};
}

Status read_special_tokens(const GgufFile& file, GgufVocabulary& v) {
  TERN_TRY(read_id(file, "bos_token_id", v.bos_id));
  TERN_TRY(read_id(file, "eos_token_id", v.eos_id));
  TERN_TRY(read_id(file, "unknown_token_id", v.unk_id));
  TERN_TRY(read_id(file, "seperator_token_id", v.sep_id));  // so spelled in the format
  TERN_TRY(read_key<bool>(file, "add_bos_token", v.add_bos));
  return read_key<bool>(file, "add_eos_token", v.add_eos);
}

Result<GgufVocabulary> read_vocabulary(const GgufFile& file) {
  GgufVocabulary v;
  TERN_TRY(read_key<std::string_view>(file, "model", v.model));
  TERN_TRY(read_key<std::string_view>(file, "pre", v.pre));
  TERN_ASSIGN(const auto name, file.get_optional<std::string_view>("general.name"));
  v.name = name.value_or("");
  TERN_TRY(read_strings(file, "tokens", v.tokens));
  TERN_TRY(read_strings(file, "merges", v.merges));
  TERN_TRY(read_key<std::vector<float>>(file, "scores", v.scores));
  TERN_TRY(read_key<std::vector<int32_t>>(file, "token_type", v.token_types));
  TERN_TRY(read_special_tokens(file, v));
  TERN_TRY(read_key<bool>(file, "add_space_prefix", v.add_space_prefix));
  TERN_TRY(read_key<bool>(file, "remove_extra_whitespaces", v.remove_extra_whitespaces));
  TERN_TRY(read_key<bool>(file, "normalizer.lowercase", v.lowercase));
  TERN_TRY(read_key<bool>(file, "normalizer.strip_accents", v.strip_accents));
  std::vector<int32_t> charsmap;
  TERN_TRY(read_key<std::vector<int32_t>>(file, "precompiled_charsmap", charsmap));
  v.precompiled_charsmap.assign(charsmap.begin(), charsmap.end());
  return v;
}

bool has_vocabulary(const GgufFile& file) {
  const Result<std::string_view> model = file.get<std::string_view>(kPrefix + "model");
  return model.ok() ? *model != "no_vocab" && *model != "none"
                    : model.status().code() != Code::kNotFound;
}

Result<std::unique_ptr<Tokenizer>> make_tokenizer(const GgufFile& file) {
  TERN_ASSIGN(const GgufVocabulary vocabulary, read_vocabulary(file));
  return make_gguf_tokenizer(vocabulary, file.path());
}

Result<std::unique_ptr<ChatRenderer>> read_templates(const GgufFile& file,
                                                     const std::string& chat_template_file) {
  std::vector<ChatTemplateSource> sources;
  if (!chat_template_file.empty()) {
    TERN_ASSIGN(ChatTemplateSource source, read_chat_template_file("default", chat_template_file));
    sources.push_back(std::move(source));
  } else {
    for (const auto& [name, key] : {std::pair("default", "tokenizer.chat_template"),
                                    {"default", "tokenizer.chat_template.default"},
                                    {"tool_use", "tokenizer.chat_template.tool_use"}}) {
      TERN_ASSIGN(const auto text, file.get_optional<std::string_view>(key));
      if (text && !text->empty())
        sources.push_back({name, std::string(*text), file.path() + ": " + key});
    }
  }
  if (sources.empty()) return std::unique_ptr<ChatRenderer>();
  TERN_ASSIGN(ordered_json tokens, special_tokens(file));
  return std::make_unique<ChatRenderer>(sources, std::move(tokens));
}

}  // namespace

Status read_gguf_assets(const std::string& path, const std::string& chat_template_file,
                        ModelAssets& assets) {
  TERN_ASSIGN(const GgufFile file, GgufFile::open(path));
  assets.info.name = std::filesystem::path(path).stem().string();
  for (const char* key : {"general.name", "general.basename", "general.finetune"}) {
    TERN_ASSIGN(const auto name, file.get_optional<std::string_view>(key));
    if (name) assets.published_name += sanitize_utf8(*name) + " ";
  }
  if (has_vocabulary(file)) {
    TERN_ASSIGN(assets.tokenizer, make_tokenizer(file));
    if (assets.tokenizer->vocab_size() > assets.info.vocab_size)
      return invalid_argument(path + ": " + kPrefix + "tokens: there are " +
                              std::to_string(assets.tokenizer->vocab_size()) +
                              ", but the embedding has " + std::to_string(assets.info.vocab_size) +
                              " rows");
  }
  TERN_ASSIGN(assets.chat, read_templates(file, chat_template_file));
  return {};
}

Result<std::unique_ptr<Tokenizer>> read_gguf_tokenizer(const std::string& path) {
  TERN_ASSIGN(const GgufFile file, GgufFile::open(path));
  if (has_vocabulary(file)) return make_tokenizer(file);
  return Status(Code::kNotFound, path + ": has no vocabulary");
}

}  // namespace tern
