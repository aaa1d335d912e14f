#include "engine/text/tokenizer.h"

#include <filesystem>

#include "base/utf8.h"
#include "engine/io/mapped_file.h"
#include "engine/text/bpe_files.h"
#include "engine/text/sentencepiece_model.h"
#include "engine/text/tokenizer_config.h"
#include "engine/text/tokenizer_json.h"

namespace tern {
namespace {

using TokenizerPtr = std::unique_ptr<Tokenizer>;

/// A link to nothing exists, too: reading it tells so.
bool exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(std::filesystem::symlink_status(path, ignored));
}

Result<TokenizerPtr> load_model_file(const std::string& directory) {
  const std::string path = directory + "/tokenizer.model";
  TERN_ASSIGN(const std::string bytes, read_text_file(path));
  TERN_ASSIGN(const TokenizerConfig config, read_tokenizer_config(directory));
  auto tokenizer = is_tiktoken(bytes) ? parse_tiktoken(bytes, config)
                                      : parse_sentencepiece_tokenizer(bytes, config);
  if (!tokenizer.ok()) return tokenizer.status().with_context(path);
  return tokenizer;
}

Result<TokenizerPtr> load_vocab_merges(const std::string& directory) {
  VocabMerges files;
  files.vocab_source = directory + "/vocab.json";
  files.merges_source = directory + "/merges.txt";
  TERN_ASSIGN(const std::string vocab, read_text_file(files.vocab_source));
  TERN_ASSIGN(const std::string merges, read_text_file(files.merges_source));
  TERN_ASSIGN(const TokenizerConfig config, read_tokenizer_config(directory));
  files.vocab = vocab;
  files.merges = merges;
  return parse_vocab_merges(files, config);
}

}  // namespace

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special_tokens) const {
  std::string bytes;
  for (const int32_t id : ids)
    if (!skip_special_tokens || !is_special(id)) bytes += token_bytes(id);
  return sanitize_utf8(bytes);
}

Result<TokenizerPtr> load_tokenizer(const std::string& directory) {
  const std::string path = directory + "/tokenizer.json";
  if (exists(path)) {
    TERN_ASSIGN(const std::string text, read_text_file(path));
    TERN_ASSIGN(const ConfiguredTokens configured, read_configured_tokens(directory));
    return parse_tokenizer_json(text, path, configured);
  }
  if (exists(directory + "/tokenizer.model")) return load_model_file(directory);
  if (exists(directory + "/vocab.json")) return load_vocab_merges(directory);
  if (exists(directory + "/tekken.json"))
    return Status(Code::kUnimplemented, directory +
                                            "/tekken.json: tern does not read Mistral's own "
                                            "format: it needs the model's tokenizer.json");
  return Status(Code::kNotFound, directory +
                                     ": there is no tokenizer.json, no tokenizer.model and "
                                     "no vocab.json");
}

}  // namespace tern
