#include "engine/step/model_runner.h"

#include "base/math.h"

namespace tern {
namespace {

constexpr size_t kPopulateBytes = size_t(4) << 20;  // a fraction of a millisecond's work

}  // namespace

void ModelRunner::launch(const StepBatch& batch, std::span<const RowRequest> rows) {
  const auto start = std::chrono::steady_clock::now();
  const MatView<const float> logits = execute(batch);
  const auto computed = std::chrono::steady_clock::now();
  if (!sampler_)
    sampler_ = std::make_unique<RowSampler>(static_cast<int32_t>(logits.cols),
                                            cpu_info().default_isa, nullptr);
  sampler_->sample(logits, rows, output_);
  output_.forward_time = computed - start;
  output_.sampling_time = std::chrono::steady_clock::now() - computed;
}

Result<std::unique_ptr<ForwardRunner>> ForwardRunner::create(std::shared_ptr<const Model> model,
                                                             std::shared_ptr<ThreadPool> pool,
                                                             const RunnerOptions& options) {
  const StepLimits& limits = options.limits;
  TERN_ASSIGN(KvCache kv,
              KvCache::create(model->kv_layout(), options.num_blocks, options.block_size));
  Result<Buffer> workspace = Buffer::allocate(model->workspace_bytes(limits));
  if (!workspace.ok()) return workspace.status().with_context("workspace of a step");
  Result<Buffer> logits = Buffer::allocate(logits_bytes(*model, limits));
  if (!logits.ok()) return logits.status().with_context("logits of a step");
  for (Buffer* buffer : {&*workspace, &*logits})
    parallel_for(pool.get(), ceil_div(buffer->size(), kPopulateBytes),
                 [&](int64_t i, int) { buffer->populate(i * kPopulateBytes, kPopulateBytes); });
  const Exec ex{.device = Device::kCpu, .isa = options.isa, .pool = pool.get(), .log = options.log};
  return std::unique_ptr<ForwardRunner>(
      new ForwardRunner(std::move(model), std::move(pool), ex, std::move(kv),
                        Workspace(*std::move(workspace)), *std::move(logits), options.populate_kv));
}

ForwardRunner::ForwardRunner(std::shared_ptr<const Model> model, std::shared_ptr<ThreadPool> pool,
                             const Exec& ex, KvCache kv, Workspace workspace, Buffer logits,
                             bool populate)
    : ModelRunner(std::make_unique<RowSampler>(model->vocab_size(), ex.isa, pool.get())),
      model_(std::move(model)),
      pool_(std::move(pool)),
      ex_(ex),
      kv_(std::move(kv)),
      workspace_(std::move(workspace)),
      logits_(std::move(logits)),
      populate_(populate ? std::jthread([this](const std::stop_token& stop) { populate_kv(stop); })
                         : std::jthread()) {}

void ForwardRunner::populate_kv(const std::stop_token& stop) {
  for (size_t first = 0; first < kv_.bytes() && !stop.stop_requested(); first += kPopulateBytes)
    kv_.populate(first, kPopulateBytes);
}

MatView<const float> ForwardRunner::execute(const StepBatch& batch) {
  const MatView<float> logits{logits_.as<float>(), int64_t(batch.logits_rows.size()),
                              model_->vocab_size(), model_->vocab_size()};
  model_->forward(batch, kv_, workspace_, ex_, logits);
  return read_only(logits);
}

}  // namespace tern
