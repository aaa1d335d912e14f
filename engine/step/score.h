// Teacher-forced passes through the served path: paged KV, chunked prefill, logits of every
// position.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "engine/load/loader.h"
#include "engine/step/build_batch.h"
#include "engine/step/model_runner.h"
#include "scheduler/scheduler.h"

namespace tern {

struct ScoreOptions {
  int32_t max_len = 0;  ///< longest sequence that run() will see
  int32_t block_size = 16;
  int32_t chunk = 512;       ///< tokens of one step
  KernelLog* log = nullptr;  ///< if not null, notes the kernels that ran; must outlive the scorer
  ProgressFn on_progress;    ///< of load(); may be empty
};

/// One thread at a time.
class Scorer {
 public:
  /// Loads a directory or a GGUF file. kResourceExhausted before weights are read where memory is
  /// short; errors of load_weights().
  static Result<std::unique_ptr<Scorer>> load(const std::string& model, const ModelConfig& config,
                                              const ComputeOptions& compute,
                                              const ScoreOptions& options);

  static Result<std::unique_ptr<Scorer>> create(const LoadedModel& model,
                                                const ComputeOptions& compute,
                                                const ScoreOptions& options);

  /// Calls on_logits(position, logits [vocab_size]) for each of `token_ids` in order.
  Status run(std::span<const int32_t> token_ids,
             const std::function<void(int32_t, std::span<const float>)>& on_logits);

 private:
  Scorer(std::unique_ptr<Scheduler> scheduler, std::unique_ptr<ForwardRunner> runner);

  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<ForwardRunner> runner_;
  BatchBuilder builder_;
};

}  // namespace tern
