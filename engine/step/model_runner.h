// Runs one step on one device rank.
#pragma once

#include <memory>
#include <stop_token>
#include <thread>
#include <vector>

#include "base/buffer.h"
#include "base/thread_pool.h"
#include "base/workspace.h"
#include "engine/cache/kv_cache.h"
#include "engine/decode/row_sampler.h"
#include "engine/model/model.h"
#include "engine/model/step_batch.h"
#include "engine/step/stage_batch.h"

namespace tern {

/// Computes steps, one at a time. One thread.
class ModelRunner {
 public:
  /// Samples on the calling thread, by host memory's logits.
  ModelRunner() = default;
  virtual ~ModelRunner() = default;

  /// Logits of batch.logits_rows, [logits_rows, vocab_size], in host memory; valid until the next
  /// call.
  virtual MatView<const float> execute(const StepBatch& batch) = 0;

  /// Begins a step: its forward pass, and then what `rows` want of its logits. All arguments live
  /// until wait() has returned. A device may sample itself, and return before it is through; here
  /// execute() gives the logits and the host samples them, before launch() returns.
  virtual void launch(const StepBatch& batch, std::span<const RowRequest> rows);

  /// The output of the step that was launched, by request; its log-probabilities may be moved from.
  /// Valid until the next launch().
  virtual StepOutput& wait() { return output_; }

  /// Called once by the thread that will call execute(), before it does.
  virtual void bind_thread() {}

  /// Model::rope_variant.
  virtual int32_t rope_variant(int64_t num_positions) const {
    (void)num_positions;
    return 0;
  }

 protected:
  /// Samples by `sampler`.
  explicit ModelRunner(std::unique_ptr<RowSampler> sampler) : sampler_(std::move(sampler)) {}

 private:
  std::unique_ptr<RowSampler> sampler_;  // made when the vocabulary's size is known
  StepOutput output_;
};

struct RunnerOptions {
  Device device = Device::kCpu;
  Isa isa = Isa::kScalar;
  StepLimits limits;
  int32_t num_blocks = 0;
  int32_t block_size = 0;
  int32_t num_state_slots = 0;  ///< > 0 where the model keeps a state besides KV
  bool populate_kv = false;     ///< take the KV pool's memory now, not as blocks are used
  KernelLog* log = nullptr;     ///< if not null, must outlive the runner
};

/// A model, its KV pool, its slots of state and its scratch memory, on one device.
class ForwardRunner final : public ModelRunner {
 public:
  /// Allocates the KV pool, the slots and the workspace for steps up to `options`.limits. The
  /// system gives the workspace's and the slots' memory at once; the pool's as its blocks are used,
  /// or, where `options` say so, from a thread in the background: a start does not wait for it, and
  /// soon no step does. Several runners may share a model and a pool as long as one steps at a
  /// time. kResourceExhausted naming what does not fit.
  static Result<std::unique_ptr<ForwardRunner>> create(std::shared_ptr<const Model> model,
                                                       std::shared_ptr<ThreadPool> pool,
                                                       const RunnerOptions& options);

  MatView<const float> execute(const StepBatch& batch) override;
  void bind_thread() override { pool_->bind_owner(); }
  int32_t rope_variant(int64_t num_positions) const override {
    return model_->rope_variant(num_positions);
  }

  size_t kv_bytes() const { return kv_.bytes(); }

  /// Returns the bytes of scratch memory, of the step and of sampling, and of logits, for steps up
  /// to `options`.limits.
  static size_t workspace_bytes(const Model& model, const RunnerOptions& options);

 private:
  ForwardRunner(std::shared_ptr<const Model> model, std::shared_ptr<ThreadPool> pool,
                const Exec& ex, KvCache kv, StateCache states, Workspace workspace, Buffer logits,
                Buffer host_logits, bool populate);

  void populate_kv(const std::stop_token& stop);

  const std::shared_ptr<const Model> model_;
  const std::shared_ptr<ThreadPool> pool_;
  const Exec ex_;
  KvCache kv_;
  StateCache states_;
  Workspace workspace_;
  StagedBatch batch_;
  Buffer logits_;          // [max_logits_rows, vocab_size], on the device
  Buffer host_logits_;     // the same for whoever samples; empty where the device is the host
  std::jthread populate_;  // ends before what it touches
};

}  // namespace tern
