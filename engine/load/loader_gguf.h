// What read_model_files() takes from the metadata of a GGUF file.
#pragma once

#include <memory>
#include <string>

#include "engine/load/model_assets.h"

namespace tern {

/// Fills tokenizer, chat template and names from `path`'s metadata; `assets.info` holds what the
/// config tells. `chat_template_file` is read in place of the file's own template where not empty.
/// A file whose tokenizer.ggml.model is "no_vocab" has no tokenizer. Errors name file and key.
Status read_gguf_assets(const std::string& path, const std::string& chat_template_file,
                        ModelAssets& assets);

/// The tokenizer alone. kNotFound where the file has no vocabulary.
Result<std::unique_ptr<Tokenizer>> read_gguf_tokenizer(const std::string& path);

}  // namespace tern
