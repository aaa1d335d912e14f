// Line charts as SVG that needs nothing from outside.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace tern::bench {

struct ChartSeries {
  std::string name;
  std::vector<std::pair<double, double>> points;  ///< ascending x; values that are finite
  bool is_stepped = false;                        ///< a value holds until the next one
};

struct ChartPanel {
  std::string title, x_label, y_label;
  std::vector<ChartSeries> series;
  double y_max = 0;  ///< 0: from the data
};

/// Panels one below the other, one XML document. Series of many points are thinned to what the
/// width can show.
std::string render_svg(const std::string& title, const std::vector<ChartPanel>& panels);

}  // namespace tern::bench
