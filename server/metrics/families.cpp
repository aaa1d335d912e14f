#include "server/metrics/families.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <limits>

namespace tern::metrics {

Families::Families() = default;
Families::~Families() = default;

prometheus::ClientMetric& Families::add(std::string_view name, std::string_view help, Labels labels,
                                        Type type) {
  if (families_.empty() || families_.back().name != name) {
    prometheus::MetricFamily& family = families_.emplace_back();
    family.name = name;
    family.help = help;
    family.type = type == Type::kCounter ? prometheus::MetricType::Counter
                  : type == Type::kGauge ? prometheus::MetricType::Gauge
                                         : prometheus::MetricType::Histogram;
  }
  prometheus::ClientMetric& metric = families_.back().metric.emplace_back();
  for (const auto& [key, value] : labels)
    metric.label.push_back({std::string(key), std::string(value)});
  return metric;
}

void Families::counter(std::string_view name, std::string_view help, Labels labels, double value) {
  add(name, help, labels, Type::kCounter).counter.value = value;
}

void Families::gauge(std::string_view name, std::string_view help, Labels labels, double value) {
  add(name, help, labels, Type::kGauge).gauge.value = value;
}

void Families::histogram(std::string_view name, std::string_view help, Labels labels,
                         const Histogram& values) {
  prometheus::ClientMetric::Histogram& out = add(name, help, labels, Type::kHistogram).histogram;
  out.sample_count = values.count();
  out.sample_sum = values.sum();
  uint64_t cumulative = 0;
  for (size_t i = 0; i < values.counts().size(); ++i) {
    cumulative += values.counts()[i];
    const bool is_last = i == values.bounds().size();
    out.bucket.push_back(
        {cumulative, is_last ? std::numeric_limits<double>::infinity() : values.bounds()[i]});
  }
}

std::string Families::text() const {
  return prometheus::TextSerializer().Serialize(families_);
}

}  // namespace tern::metrics
