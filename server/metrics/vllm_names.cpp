#include <array>

#include "server/metrics/names.h"

namespace tern::metrics {
namespace {

// vLLM's word for an end; null: it counts no such request.
const char* finished_reason(Code code, Finish finish) {
  switch (finish) {
    case Finish::kRefused:
      return nullptr;
    case Finish::kFailed:
      return code == Code::kCancelled || code == Code::kDeadlineExceeded ? "abort" : "error";
    case Finish::kLength:
      return "length";
    default:
      return "stop";
  }
}

// Samples with the labels that all of vLLM's have.
class VllmFamilies {
 public:
  VllmFamilies(std::string_view model, Families& out) : model_(model), out_(out) {}

  void counter(const char* name, const char* help, uint64_t value) {
    out_.counter(name, help, {{"model_name", model_}, {"engine", "0"}}, double(value));
  }
  void counter(const char* name, const char* help, const char* reason, uint64_t value) {
    out_.counter(name, help, {{"model_name", model_}, {"engine", "0"}, {"finished_reason", reason}},
                 double(value));
  }
  void gauge(const char* name, const char* help, double value) {
    out_.gauge(name, help, {{"model_name", model_}, {"engine", "0"}}, value);
  }
  void histogram(const char* name, const char* help, const Histogram& values) {
    out_.histogram(name, help, {{"model_name", model_}, {"engine", "0"}}, values);
  }

 private:
  std::string_view model_;
  Families& out_;
};

void add_engine(const EngineStats& e, bool healthy, VllmFamilies& out) {
  out.gauge("vllm:num_requests_running", "Requests in the batch.", num_admitted(e));
  out.gauge("vllm:num_requests_waiting", "Requests in the queue.", e.num_queued_requests);
  out.gauge("vllm:kv_cache_usage_perc", "KV cache in use, 0 to 1.", kv_usage(e.scheduler));
  out.gauge("vllm:engine_healthy", "1 where the engine moves.", healthy);
  out.counter("vllm:prefix_cache_queries_total", "Tokens looked up in the prefix cache.",
              e.scheduler.prefix_cache_query_tokens);
  out.counter("vllm:prefix_cache_hits_total", "Tokens found in the prefix cache.",
              e.scheduler.prefix_cache_hit_tokens);
  out.counter("vllm:num_preemptions_total", "Preemptions.", e.scheduler.num_preemptions);
  out.counter("vllm:prompt_tokens_total", "Prompt tokens.", e.num_prompt_tokens);
  out.counter("vllm:generation_tokens_total", "Tokens generated.", e.num_generated_tokens);
  out.histogram("vllm:iteration_tokens_total", "Tokens of a step.", e.steps.tokens);
  out.histogram("vllm:inter_token_latency_seconds", "Time between tokens.",
                e.steps.token_gap_seconds);
}

void add_requests(const RequestTotals& totals, VllmFamilies& out) {
  for (const char* reason : {"stop", "length", "abort", "error"}) {
    uint64_t count = 0;
    for (const auto& by_code : totals.ended)
      for (size_t code = 0; code < kNumCodes; ++code)
        for (size_t finish = 0; finish < kFinishNames.size(); ++finish) {
          const char* word = finished_reason(static_cast<Code>(code), static_cast<Finish>(finish));
          if (word && std::string_view(word) == reason) count += by_code[code][finish];
        }
    out.counter("vllm:request_success_total", "Requests that have ended.", reason, count);
  }
  out.histogram("vllm:time_to_first_token_seconds", "Arrival to first token.", totals.ttft);
  out.histogram("vllm:request_time_per_output_token_seconds", "Mean time between tokens.",
                totals.tpot);
  out.histogram("vllm:e2e_request_latency_seconds", "Arrival to end.", totals.e2e);
  out.histogram("vllm:request_queue_time_seconds", "Arrival to admission.", totals.queue);
  out.histogram("vllm:request_prefill_time_seconds", "Admission to first token.", totals.prefill);
  out.histogram("vllm:request_decode_time_seconds", "First token to end.", totals.decode);
  out.histogram("vllm:request_inference_time_seconds", "Admission to end.", totals.inference);
  out.histogram("vllm:request_prompt_tokens", "Prompt tokens.", totals.prompt_tokens);
  out.histogram("vllm:request_generation_tokens", "Generated tokens.", totals.completion_tokens);
  out.histogram("vllm:request_params_n", "Answers asked for.", totals.n);
  out.histogram("vllm:request_params_max_tokens", "max_tokens asked for.", totals.max_tokens);
}

}  // namespace

void add_vllm_metrics(const Snapshot& snapshot, Families& out) {
  if (!snapshot.loaded) return;
  const SchedulerStats& s = snapshot.loaded->stats.scheduler;
  const std::string& model = snapshot.loaded->model->name;
  VllmFamilies named(model, out);
  add_engine(snapshot.loaded->stats, snapshot.state != "stuck", named);
  out.gauge("vllm:cache_config_info", "Shape of the KV cache; always 1.",
            {{"model_name", model},
             {"engine", "0"},
             {"block_size", std::to_string(s.block_size)},
             {"num_gpu_blocks", std::to_string(s.num_blocks)}},
            1);
  add_requests(snapshot.requests, named);
}

}  // namespace tern::metrics
