#include "cli/files/inspect.h"

#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "engine/cache/cache_layout.h"
#include "engine/load/loader.h"
#include "engine/load/resolve_model.h"
#include "engine/text/chat_renderer.h"

namespace tern {

using nlohmann::json;

Result<json> inspect_model(const std::string& model) {
  TERN_ASSIGN(const std::string directory, resolve_model(model));
  TERN_ASSIGN(const ModelFiles files, read_model_files(directory));
  TERN_ASSIGN(const auto weights, open_weights(directory));
  json tensors = json::array();
  std::map<std::string, uint64_t> bytes_by_format;
  uint64_t bytes = 0;
  int64_t parameters = 0;
  for (const TensorInfo& t : weights->tensors()) {
    parameters += std::accumulate(t.shape.begin(), t.shape.end(), int64_t{1}, std::multiplies<>());
    bytes += t.bytes;
    bytes_by_format[t.dtype] += t.bytes;
    tensors.push_back(
        {{"name", t.name}, {"shape", t.shape}, {"dtype", t.dtype}, {"bytes", t.bytes}});
  }
  const ModelConfig& c = files.config;
  const ChatRenderer* const chat = files.assets.chat.get();
  json problems = json::array();
  if (chat)
    for (const Status& problem : chat->problems()) problems.push_back(problem.message());
  const CacheLayout::Paged kv{c.num_kv_heads, c.head_dim};
  return json{{"name", files.assets.info.name},
              {"directory", directory},
              {"architecture", c.architecture},
              {"parameters", parameters},
              {"bytes", bytes},
              {"bytes_by_format", bytes_by_format},
              {"vocab_size", c.vocab_size},
              {"layers", c.num_layers},
              {"hidden", c.hidden},
              {"heads", c.num_heads},
              {"kv_heads", c.num_kv_heads},
              {"head_dim", c.head_dim},
              {"context", c.max_position_embeddings},
              {"kv_bytes_per_token", size_t(c.num_layers) * kv.bytes_per_token()},
              {"tokenizer", files.assets.tokenizer != nullptr},
              {"chat_template", files.assets.info.has_chat_template},
              {"chat_template_problems", problems},
              {"tensors", tensors}};
}

}  // namespace tern
