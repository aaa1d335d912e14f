// What `tern template` computes: a conversation through a model's own chat template.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/status.h"

namespace tern {

struct RenderOptions {
  std::string model;          ///< directory, GGUF file or bundled name
  std::string messages_file;  ///< JSON array of messages; "-" is stdin
  std::string tools_file;     ///< JSON array of tools; empty: none
  bool add_generation_prompt = true;
  bool continue_final_message = false;  ///< then no prompt for an answer follows
};

/// Keys: text; token_ids (null where the model has no tokenizer). Errors name file and place.
Result<nlohmann::json> render_template(const RenderOptions& options);

}  // namespace tern
