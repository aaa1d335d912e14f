#include "engine/text/tokenizer.h"

#include "base/utf8.h"
#include "engine/io/mapped_file.h"

namespace tern {

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special_tokens) const {
  std::string bytes;
  for (const int32_t id : ids)
    if (!skip_special_tokens || !is_special(id)) bytes += token_bytes(id);
  return sanitize_utf8(bytes);
}

Result<std::unique_ptr<Tokenizer>> load_tokenizer(const std::string& directory) {
  const std::string path = directory + "/tokenizer.json";
  TERN_ASSIGN(const std::string text, read_text_file(path));
  return parse_tokenizer_json(text, path);
}

}  // namespace tern
