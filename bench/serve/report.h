// A run's result as vLLM's result file, and as a table for people.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "bench/serve/metrics.h"

namespace tern::bench {

/// What the run was asked to do, for the record.
struct RunInfo {
  std::string date;      ///< "20261127-101500"
  std::string backend;   ///< Transport::name()
  std::string endpoint;  ///< Transport::endpoint()
  std::string model;
  std::string policy_label;
  std::string source;       ///< "random", or the file that requests come from
  double request_rate = 0;  ///< requests a second; infinity: all at once or a closed loop
  double burstiness = 1;
  int32_t max_concurrency = 0;  ///< 0: no limit
  uint64_t num_prompts = 0;     ///< sent
  uint64_t num_clipped = 0;
  uint64_t seed = 0;
  bool counts_from_schedule = false;
  bool interrupted = false;
  ServiceLevel slo;
};

/// Keys are vLLM's where vLLM has them; latencies `*_ms` in milliseconds, rates a second. The keys
/// `server_*` are there where the server sends its own times.
nlohmann::json to_json(const RunInfo& info, const Metrics& metrics);

/// vLLM's arrays, one entry a request in the order of sending, seconds: input_lens, output_lens,
/// ttfts, itls, start_times, errors; and outcomes.
void add_requests(const std::vector<RequestRecord>& records, nlohmann::json* document);

/// The run in three lines: its name; model and server; load, data and date.
std::vector<std::string> heading(const RunInfo& info);

/// Lines of text, with a line end each.
std::string to_table(const RunInfo& info, const Metrics& metrics);

/// What a reader of the figures should know, a sentence each; empty where all is well.
std::vector<std::string> warnings(const RunInfo& info, const Metrics& metrics);

}  // namespace tern::bench
