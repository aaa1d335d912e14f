// Metric families on their way to a scraper.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/histogram.h"

namespace prometheus {
struct ClientMetric;
struct MetricFamily;
}  // namespace prometheus

namespace tern::metrics {

/// Collects samples and prints them as Prometheus' text format 0.0.4. Samples of one name must come
/// one after the other. One thread.
class Families {
 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  Families();
  ~Families();

  /// `name` ends in _total.
  void counter(std::string_view name, std::string_view help, Labels labels, double value);
  void gauge(std::string_view name, std::string_view help, Labels labels, double value);
  void histogram(std::string_view name, std::string_view help, Labels labels,
                 const Histogram& values);

  std::string text() const;

 private:
  enum class Type { kCounter, kGauge, kHistogram };
  prometheus::ClientMetric& add(std::string_view name, std::string_view help, Labels labels,
                                Type type);

  std::vector<prometheus::MetricFamily> families_;
};

}  // namespace tern::metrics
