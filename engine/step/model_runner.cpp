#include "engine/step/model_runner.h"

#include "base/math.h"
#include "kernels/registry.h"

namespace tern {
namespace {

constexpr size_t kPopulateBytes = size_t(4) << 20;  // a fraction of a millisecond's work

Exec exec_of(const RunnerOptions& options, ThreadPool* pool) {
  return {.device = options.device, .isa = options.isa, .pool = pool, .log = options.log};
}

size_t logits_bytes(const Model& model, const StepLimits& limits) {
  return size_t(limits.max_logits_rows) * model.vocab_size() * sizeof(float);
}

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
  const Exec ex = exec_of(options, pool.get());
  DeviceMemory& memory = device_memory(options.device);
  TERN_ASSIGN(KvCache kv, KvCache::create(model->cache_layout(), choose_kv_format(ex),
                                          options.num_blocks, options.block_size, memory));
  TERN_ASSIGN(StateCache states,
              StateCache::create(model->cache_layout(), options.num_state_slots, memory));
  Result<Buffer> workspace =
      Buffer::allocate(tern::workspace_bytes(*model, options.limits, ex), memory);
  if (!workspace.ok()) return workspace.status().with_context("workspace of a step");
  Result<Buffer> logits = Buffer::allocate(logits_bytes(*model, options.limits), memory);
  if (!logits.ok()) return logits.status().with_context("logits of a step");
  for (Buffer* buffer : {&*workspace, &*logits, &states.buffer()})
    parallel_for(pool.get(), ceil_div(buffer->size(), kPopulateBytes),
                 [&](int64_t i, int) { buffer->populate(i * kPopulateBytes, kPopulateBytes); });
  Buffer host_logits;
  if (!memory.is_host()) {
    TERN_ASSIGN(host_logits, Buffer::allocate(logits->size()));
  }
  return std::unique_ptr<ForwardRunner>(
      new ForwardRunner(std::move(model), std::move(pool), ex, std::move(kv), std::move(states),
                        Workspace(*std::move(workspace)), *std::move(logits),
                        std::move(host_logits), options.populate_kv));
}

ForwardRunner::ForwardRunner(std::shared_ptr<const Model> model, std::shared_ptr<ThreadPool> pool,
                             const Exec& ex, KvCache kv, StateCache states, Workspace workspace,
                             Buffer logits, Buffer host_logits, bool populate)
    : ModelRunner(std::make_unique<RowSampler>(model->vocab_size(), ex.isa, pool.get())),
      model_(std::move(model)),
      pool_(std::move(pool)),
      ex_(ex),
      kv_(std::move(kv)),
      states_(std::move(states)),
      workspace_(std::move(workspace)),
      batch_(device_memory(ex.device)),
      logits_(std::move(logits)),
      host_logits_(std::move(host_logits)),
      populate_(populate ? std::jthread([this](const std::stop_token& stop) { populate_kv(stop); })
                         : std::jthread()) {}

size_t ForwardRunner::workspace_bytes(const Model& model, const RunnerOptions& options) {
  return tern::workspace_bytes(model, options.limits, exec_of(options, nullptr)) +
         logits_bytes(model, options.limits) +
         RowSampler::scratch_bytes(model.vocab_size(), options.limits.num_threads);
}

void ForwardRunner::populate_kv(const std::stop_token& stop) {
  for (size_t first = 0; first < kv_.bytes() && !stop.stop_requested(); first += kPopulateBytes)
    kv_.populate(first, kPopulateBytes);
}

MatView<const float> ForwardRunner::execute(const StepBatch& batch) {
  TERN_CHECK(int64_t(batch.state_slots.size()) == (states_.empty() ? 0 : batch.num_seqs()),
             "each sequence has a slot exactly where the model keeps a state");
  for (size_t i = 0; i < batch.slot_copies_from.size(); ++i)
    states_.copy(batch.slot_copies_from[i], batch.slot_copies_to[i], ex_.stream);
  const Result<StepBatch> staged = batch_.stage(batch, ex_.stream);
  TERN_CHECK(staged.ok(), staged.status().message().c_str());
  MatView<float> logits{logits_.as<float>(), int64_t(batch.logits_rows.size()),
                        model_->vocab_size(), model_->vocab_size()};
  Step step{.batch = *staged, .kv = kv_, .states = states_, .ws = workspace_, .ex = ex_};
  model_->forward(step, logits);
  DeviceMemory& memory = device_memory(ex_.device);
  if (!memory.is_host()) {
    memory.copy_to_host(host_logits_.data(), logits_.data(),
                        size_t(logits.rows * logits.cols) * sizeof(float), ex_.stream);
    memory.wait(ex_.stream);
    logits.data = host_logits_.as<float>();
  }
  return read_only(logits);
}

}  // namespace tern
