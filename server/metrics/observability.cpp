#include "server/metrics/observability.h"

#include "server/metrics/names.h"
#include "server/metrics/status_json.h"

namespace tern::metrics {
namespace {

const Clock& steady_clock() {
  static const SteadyClock clock;
  return clock;
}

}  // namespace

Observability::Observability(const MetricsOptions& options, ServingState& state)
    : options_(options), state_(state), requests_(steady_clock()), history_(requests_, state) {
  state.set_observer(&requests_);
}

Observability::~Observability() {
  state_.set_observer(nullptr);
}

std::string Observability::metrics() const {
  const Snapshot snapshot = take_snapshot(requests_, state_);
  Families families;
  add_native_metrics(snapshot, families);
  if (options_.compat == "vllm") add_vllm_metrics(snapshot, families);
  return families.text();
}

std::vector<Observability::Route> Observability::routes() const {
  return {
      {"/metrics", "text/plain; version=0.0.4; charset=utf-8", [this] { return metrics(); }},
      {"/status.json", "application/json", [this] { return status_json(requests_, state_); }},
      {"/status/history.json", "application/json",
       [this] { return history_json(history_.samples()); }},
      {"/", "text/html; charset=utf-8", [] { return std::string(status_page()); }},
      {"/status.css", "text/css; charset=utf-8", [] { return std::string(status_page_style()); }},
      {"/status.js", "text/javascript; charset=utf-8",
       [] { return std::string(status_page_script()); }},
  };
}

}  // namespace tern::metrics
