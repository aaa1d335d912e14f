#include "engine/decode/row_sampler.h"

#include <utility>

namespace tern {
namespace {

Status serve(const RowRequest& request, std::span<const float> logits, Sampler& sampler,
             int32_t& token_id, TokenLogprobs& logprobs) {
  token_id = request.known_token_id;
  if (request.params != nullptr) {
    TERN_ASSIGN(token_id, sampler.sample(logits, *request.params, request.history));
  }
  if (request.num_logprobs < 0) return {};
  TERN_ASSIGN(logprobs,
              compute_logprobs(logits, token_id, request.num_logprobs, request.logprob_token_ids));
  return {};
}

}  // namespace

RowSampler::RowSampler(int32_t vocab_size, Isa isa, ThreadPool* pool) : pool_(pool) {
  samplers_.reserve(num_threads(pool));
  for (int i = 0; i < num_threads(pool); ++i) samplers_.emplace_back(vocab_size, isa);
}

size_t RowSampler::scratch_bytes(int32_t vocab_size, int num_threads) {
  return size_t(num_threads) * (sizeof(Sampler) + Sampler::scratch_bytes(vocab_size));
}

void RowSampler::sample(MatView<const float> logits, std::span<const RowRequest> requests,
                        StepOutput& output) {
  output.statuses.resize(requests.size());
  output.token_ids.resize(requests.size());
  output.logprobs.resize(requests.size());
  parallel_for(pool_, static_cast<int64_t>(requests.size()), [&](int64_t i, int thread) {
    const RowRequest& request = requests[i];
    output.statuses[i] = serve(request, {logits.row(request.row), size_t(logits.cols)},
                               samplers_[thread], output.token_ids[i], output.logprobs[i]);
  });
}

}  // namespace tern
