#include "cli/inspect.h"

#include <map>
#include <nlohmann/json.hpp>

#include "engine/cache/kv_layout.h"
#include "engine/runtime/loader.h"

namespace tern {

using nlohmann::json;

Result<json> inspect_model(const std::string& model) {
  TERN_ASSIGN(const std::string directory, resolve_model(model));
  TERN_ASSIGN(const ModelFiles files, read_model_files(directory));
  TERN_ASSIGN(const Checkpoint checkpoint, Checkpoint::open(directory));
  json tensors = json::array();
  std::map<std::string, int64_t> bytes_by_format;
  int64_t parameters = 0;
  for (const std::string& name : checkpoint.names()) {
    const TensorView& t = *checkpoint.find(name);
    const int64_t bytes = t.num_elements() * dtype_bytes(t.dtype);
    const std::string dtype(dtype_name(t.dtype));
    parameters += t.num_elements();
    bytes_by_format[dtype] += bytes;
    tensors.push_back({{"name", name},
                       {"shape", std::vector<int64_t>(t.shape, t.shape + t.rank)},
                       {"dtype", dtype},
                       {"bytes", bytes}});
  }
  const ModelConfig& c = files.config;
  const KvLayout kv{c.num_layers, c.num_kv_heads, c.head_dim};
  return json{{"name", files.assets.info.name},
              {"directory", directory},
              {"architecture", c.architecture},
              {"parameters", parameters},
              {"bytes", checkpoint.total_bytes()},
              {"bytes_by_format", bytes_by_format},
              {"vocab_size", c.vocab_size},
              {"layers", c.num_layers},
              {"hidden", c.hidden},
              {"heads", c.num_heads},
              {"kv_heads", c.num_kv_heads},
              {"head_dim", c.head_dim},
              {"context", c.max_position_embeddings},
              {"kv_bytes_per_token", kv.bytes_per_token()},
              {"tokenizer", files.assets.tokenizer != nullptr},
              {"chat_template", files.assets.info.has_chat_template},
              {"tensors", tensors}};
}

}  // namespace tern
