#include "server/metrics/names.h"

namespace tern::metrics {
namespace {

// Names and meaning are those of Prometheus' client libraries. What the system does not tell is
// missing.
void add_process(const ProcessInfo& p, Families& out) {
  const auto gauge = [&](const char* name, const char* help, const auto& value) {
    if (value) out.gauge(name, help, {}, double(*value));
  };
  out.counter("process_cpu_seconds_total", "User and system CPU time.", {}, p.cpu_seconds);
  gauge("process_resident_memory_bytes", "Resident memory.", p.resident_bytes);
  gauge("process_virtual_memory_bytes", "Virtual memory.", p.virtual_bytes);
  gauge("process_virtual_memory_max_bytes", "Most virtual memory there may be.",
        p.max_virtual_bytes);
  gauge("process_open_fds", "Open file descriptors.", p.open_fds);
  gauge("process_max_fds", "Most open file descriptors there may be.", p.max_fds);
  gauge("process_threads", "Threads of the operating system.", p.num_threads);
  gauge("process_start_time_seconds", "Start of the process, Unix seconds.", p.start_time);
}

void add_memory(const MemoryInfo& m, Families& out) {
  if (m.limit_bytes() == 0) return;
  out.gauge("tern_memory_available_bytes", "What the control group or the machine leaves.", {},
            double(m.available_bytes()));
  out.gauge("tern_memory_limit_bytes", "What that is left of.", {}, double(m.limit_bytes()));
}

void add_server(const Snapshot& s, Families& out) {
  out.gauge("tern_build_info", "Version of tern; always 1.", {{"version", s.server.version()}}, 1);
  out.gauge("tern_ready", "1 where requests are served and the engine moves.", {}, s.ready);
  for (const std::string_view state : kStateNames)
    out.gauge("tern_server_state", "1 for the state that the server is in, 0 for the others.",
              {{"state", state}}, s.state == state);
  out.gauge("tern_host_rss_bytes", "Resident memory of the process.", {},
            double(s.memory.resident_bytes));
  const std::string stage = s.loaded ? "ready" : s.server.load_stage();
  out.gauge("tern_model_load_progress_ratio", "Progress of the stage of loading that is going on.",
            {{"stage", stage}}, s.loaded ? 1 : s.server.load_fraction());
  out.counter("tern_stream_coalesced_total",
              "Token events that joined one which their client had not taken yet.", {},
              double(s.num_coalesced));
  out.counter("tern_stream_pauses_total", "Requests that left the batch for a slow client.", {},
              double(s.num_pauses));
  out.counter("tern_slow_consumer_total", "Requests ended because their client did not read.", {},
              double(s.requests.num_slow_consumers));
}

void add_kv_cache(const Snapshot::Loaded& loaded, Families& out) {
  const SchedulerStats& s = loaded.stats.scheduler;
  out.gauge("tern_kv_cache_info", "Shape of the KV cache; always 1.",
            {{"block_size", std::to_string(s.block_size)},
             {"num_blocks", std::to_string(s.num_blocks)},
             {"bytes_per_token", std::to_string(loaded.model->kv_bytes_per_token)}},
            1);
  out.gauge("tern_kv_cache_usage_ratio", "Share of the KV blocks that running sequences hold.", {},
            kv_usage(s));
  constexpr auto kBlocks = "tern_kv_blocks";
  constexpr auto kBlocksHelp = "KV blocks: held by a sequence, kept as a prefix, or empty.";
  out.gauge(kBlocks, kBlocksHelp, {{"state", "used"}}, s.num_used_blocks);
  out.gauge(kBlocks, kBlocksHelp, {{"state", "cached"}}, s.num_cached_blocks);
  out.gauge(kBlocks, kBlocksHelp, {{"state", "free"}}, s.num_free_blocks);
  out.counter("tern_kv_evictions_total", "Cached KV blocks that were given to others.", {},
              double(s.num_evicted_blocks));
  out.counter("tern_prefix_cache_queries_total", "Prompt tokens looked up in the prefix cache.", {},
              double(s.prefix_cache_query_tokens));
  out.counter("tern_prefix_cache_hits_total", "Prompt tokens found in the prefix cache.", {},
              double(s.prefix_cache_hit_tokens));
}

void add_queue(const Snapshot::Loaded& loaded, Families& out) {
  const EngineStats& e = loaded.stats;
  out.gauge("tern_requests_waiting", "Requests that are not admitted to the batch yet.", {},
            e.num_queued_requests);
  out.gauge("tern_requests_running", "Requests that are admitted and have not ended.", {},
            num_admitted(e));
  out.gauge("tern_sequences_waiting", "Sequences that wait, preempted ones too.", {},
            e.scheduler.num_waiting);
  out.gauge("tern_sequences_running", "Sequences in the batch.", {}, e.scheduler.num_running);
  out.gauge("tern_sequences_limit", "Sequences that may be in the batch.", {},
            e.scheduler.max_num_seqs);
  out.gauge("tern_queue_tokens", "Prompt tokens of the requests that wait.", {},
            double(e.num_queued_tokens));
  out.gauge("tern_queue_age_max_seconds", "Age of the request that waits longest.", {},
            loaded.oldest_queued.count());
  out.gauge("tern_queue_predicted_seconds", "What a request would wait that came now.", {},
            e.predicted_queue.count());
  if (!e.ranker.name.empty())
    out.counter("tern_ranker_answers_total",
                "Answers that the ranker has scored and that ended by themselves.", {},
                double(e.ranker.num_answers));
  if (e.ranker.tau)
    out.gauge("tern_ranker_tau",
              "Kendall's tau-b of the expected and the true lengths of the last 512 answers.", {},
              *e.ranker.tau);
  out.counter("tern_requests_accepted_total", "Requests that the engine has taken.", {},
              double(e.num_requests_submitted));
}

void add_engine(const Snapshot::Loaded& loaded, Families& out) {
  const EngineStats& e = loaded.stats;
  out.gauge("tern_model_info", "The served model; always 1.",
            {{"model", loaded.model->name},
             {"architecture", loaded.model->architecture},
             {"quant", loaded.model->weight_format}},
            1);
  out.counter("tern_prompt_tokens_total", "Prompt tokens of admitted requests.", {},
              double(e.num_prompt_tokens));
  out.counter("tern_generation_tokens_total", "Tokens generated.", {},
              double(e.num_generated_tokens));
  out.counter("tern_preemptions_total", "Sequences that gave their KV blocks to others.", {},
              double(e.scheduler.num_preemptions));
  out.counter("tern_recomputed_tokens_total", "Tokens computed again after a preemption.", {},
              double(e.scheduler.num_recomputed_tokens));
  out.counter("tern_engine_steps_total", "Steps of the engine.", {}, double(e.scheduler.num_steps));
  out.gauge("tern_last_step_age_seconds", "Time since the last step ended.", {},
            e.last_step_age.count());
  out.gauge("tern_silent_seconds", "Time without progress while there is work.", {},
            e.silent.count());
  constexpr auto kStep = "tern_step_seconds";
  constexpr auto kStepHelp = "Duration of steps: with a prompt's tokens in them, or without.";
  out.histogram(kStep, kStepHelp, {{"phase", "prefill"}}, e.steps.prefill_seconds);
  out.histogram(kStep, kStepHelp, {{"phase", "decode"}}, e.steps.decode_seconds);
  out.histogram("tern_step_batch_tokens", "Tokens computed in one step.", {}, e.steps.tokens);
  out.histogram("tern_inter_token_latency_seconds",
                "Time between two token events of one answer, as they leave the engine.", {},
                e.steps.token_gap_seconds);
}

void add_ends(const RequestTotals& totals, Families& out) {
  for (size_t priority = 0; priority < kNumClasses; ++priority)
    for (size_t code = 0; code < kNumCodes; ++code)
      for (size_t finish = 0; finish < kFinishNames.size(); ++finish)
        if (const uint64_t count = totals.ended[priority][code][finish])
          out.counter("tern_requests_total", "Requests that have ended or were refused.",
                      {{"code", code_name(static_cast<Code>(code))},
                       {"finish", kFinishNames[finish]},
                       {"class", priority_class_name(static_cast<PriorityClass>(priority))}},
                      double(count));
  for (size_t i = 0; i < kReasons.size(); ++i)
    out.counter("tern_requests_rejected_total", "Requests that were refused.",
                {{"reason", kReasons[i]}}, double(totals.refused[i]));
  for (size_t i = 0; i < kDeadlineMissNames.size(); ++i)
    out.counter("tern_deadline_missed_total",
                "Requests whose deadline passed, or could not have been met.",
                {{"where", kDeadlineMissNames[i]}}, double(totals.deadline_missed[i]));
}

void add_request_histograms(const RequestTotals& totals, Families& out) {
  const auto add = [&](const char* name, const char* help, const Histogram& values) {
    out.histogram(name, help, {}, values);
  };
  add("tern_time_to_first_token_seconds", "Arrival to first token.", totals.ttft);
  add("tern_request_time_per_output_token_seconds", "Mean time between tokens of a request.",
      totals.tpot);
  add("tern_e2e_request_latency_seconds", "Arrival to end.", totals.e2e);
  add("tern_request_queue_time_seconds", "Arrival to admission.", totals.queue);
  add("tern_request_prefill_time_seconds", "Admission to first token.", totals.prefill);
  add("tern_request_decode_time_seconds", "First token to end.", totals.decode);
  add("tern_cancel_to_free_seconds", "A client's cancellation to the request's end.",
      totals.cancel_to_end);
  add("tern_request_prompt_tokens", "Prompt tokens of a request.", totals.prompt_tokens);
  add("tern_request_generation_tokens", "Tokens of all answers to a request.",
      totals.completion_tokens);
}

}  // namespace

void add_native_metrics(const Snapshot& snapshot, Families& out) {
  add_server(snapshot, out);
  add_process(snapshot.process, out);
  add_memory(snapshot.memory, out);
  add_ends(snapshot.requests, out);
  add_request_histograms(snapshot.requests, out);
  if (!snapshot.loaded) return;
  add_queue(*snapshot.loaded, out);
  add_kv_cache(*snapshot.loaded, out);
  add_engine(*snapshot.loaded, out);
}

}  // namespace tern::metrics
