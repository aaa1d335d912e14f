// Line charts as SVG that needs nothing from outside.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tern::bench {

struct ChartSeries {
  std::string name;
  std::vector<std::pair<double, double>> points;  ///< ascending x; values that are finite
  bool is_stepped = false;                        ///< a value holds until the next one
};

/// A point that is named, with a line down to where its x is read.
struct ChartMark {
  double x = 0, y = 0;
  std::string label;
};

/// An x that values should stay below.
struct ChartLimit {
  double x = 0;
  std::string label;
};

struct ChartPanel {
  std::string title, x_label, y_label;
  std::vector<ChartSeries> series;
  double y_max = 0;       ///< 0: from the data
  double x_from = 0;      ///< the axis begins at the tick below it; not of log_x
  bool log_x = false;     ///< x is over 0, and shown by its logarithm
  bool log_y = false;     ///< y is over 0, and shown by its logarithm; y_max does not count
  bool counts_y = false;  ///< y is a number of things: no ticks between whole ones
  std::vector<ChartMark> marks;
  std::optional<ChartLimit> limit;
};

/// Panels one below the other under the lines of `heading`, one XML document. Series of many points
/// are thinned to what the width can show. A limit far beyond the data is told but not drawn.
std::string render_svg(const std::vector<std::string>& heading,
                       const std::vector<ChartPanel>& panels);

}  // namespace tern::bench
