// The names of metrics: tern's own, and those that tools made for vLLM scrape.
#pragma once

#include "server/metrics/families.h"
#include "server/metrics/snapshot.h"

namespace tern::metrics {

/// tern_*: docs/observability.md lists them.
void add_native_metrics(const Snapshot& snapshot, Families& out);

/// vllm:*, with the labels model_name and engine; nothing before a model is loaded.
void add_vllm_metrics(const Snapshot& snapshot, Families& out);

}  // namespace tern::metrics
