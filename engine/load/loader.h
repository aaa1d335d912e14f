// A model, brought up from its directory or GGUF file: weights, tokenizer, chat template, defaults.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/thread_pool.h"
#include "engine/arch/registry.h"
#include "engine/load/model_assets.h"

namespace tern {

struct LoadProgress {
  const char* stage = "";  ///< "config", "tokenizer", "weights", "memory", "warm-up": in this order
  uint64_t done_bytes = 0;   ///< of weights, packed
  uint64_t total_bytes = 0;  ///< of weights; 0 in the other stages

  /// Of the stage, 0 to 1.
  double fraction() const { return total_bytes ? double(done_bytes) / double(total_bytes) : 0; }
};
using ProgressFn = std::function<void(const LoadProgress&)>;

/// The parts of a model that are not weights.
struct ModelFiles {
  ModelConfig config;
  ModelAssets assets;  ///< info lacks what only weights and memory tell
};

/// Of a directory: reads config.json, the tokenizer's files, those of chat templates and special
/// tokens, and generation_config.json; only config.json must be there. Of a GGUF file: its
/// metadata. `config_file` is read in place of the model's own config where not empty,
/// `chat_template_file` in place of its template. `on_progress` hears of the stages "config" and
/// "tokenizer".
Result<ModelFiles> read_model_files(const std::string& model, const std::string& config_file = "",
                                    const std::string& chat_template_file = "",
                                    const ProgressFn& on_progress = {});

/// Whether the file can be read. One that cannot be compiled costs chat alone, not the start.
Status check_chat_template_file(const std::string& path);

/// The config alone, of a directory or a GGUF file.
Result<ModelConfig> read_config(const std::string& model, const std::string& config_file = "");

/// The tokenizer alone, of a directory or a GGUF file. kNotFound where there is none.
Result<std::unique_ptr<Tokenizer>> read_tokenizer(const std::string& model);

/// A model and the threads that run it.
struct LoadedModel {
  std::shared_ptr<const Model> model;
  std::shared_ptr<ThreadPool> pool;
};

/// On what a model computes, and how.
struct ComputeOptions {
  std::string compute = "default";  ///< "default", "fast" or "f32": Compute
  int32_t num_threads = 0;          ///< 0 = every CPU this process may use
  Isa isa = Isa::kScalar;
  Device device = Device::kCpu;

  int num_pool_threads() const { return num_threads > 0 ? num_threads : cpu_info().num_cpus; }
};

/// What happens on the way; any may be empty.
struct LoadHooks {
  /// Called with the model's shapes and sizes before its weights are read: an error ends loading.
  std::function<Status(const Model& planned)> check;
  ProgressFn on_progress;  ///< of the stage "weights"; loading thread
};

/// Opens the weights of `model` (a directory or a GGUF file) and packs them for `max_model_len`
/// positions. Errors name file, tensor and what is wrong.
Result<LoadedModel> load_weights(const std::string& model, const ModelConfig& config,
                                 int32_t max_model_len, const ComputeOptions& compute,
                                 const LoadHooks& hooks);

/// The same without the weights themselves: a model that tells its sizes and cannot run.
Result<std::unique_ptr<Model>> plan_weights(const std::string& model, const ModelConfig& config,
                                            int32_t max_model_len, const ComputeOptions& compute);

}  // namespace tern
