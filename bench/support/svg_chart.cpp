#include "bench/support/svg_chart.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace tern::bench {
namespace {

constexpr double kWidth = 760, kPanelHeight = 260;
constexpr double kLeft = 70, kRight = 20, kTop = 40, kBottom = 45;
constexpr double kPlotWidth = kWidth - kLeft - kRight, kPlotHeight = kPanelHeight - kTop - kBottom;
constexpr double kTitleHeight = 30, kHeadingLine = 17;
constexpr int kTicks = 8;
constexpr double kFarLimit = 2;       // times what the data reach
constexpr size_t kMostPoints = 1500;  // twice the width in pixels
// Okabe and Ito's, less black and yellow; a second round of them is dashed.
constexpr const char* kColors[] = {"#0072b2", "#d55e00", "#009e73",
                                   "#cc79a7", "#56b4e9", "#e69f00"};
constexpr size_t kNamesOfALine = 5;
constexpr double kNameWidth = 132, kNameHeight = 15;

template <class... Values>
std::string print(const char* format, Values... values) {
  char text[512];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else
      out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out;
}

std::string text_at(double x, double y, const char* attributes, const std::string& text) {
  return print("<text x=\"%.1f\" y=\"%.1f\" %s>", x, y, attributes) + escaped(text) + "</text>\n";
}

// What the names of the series take beyond the first line of them.
double legend_height(const ChartPanel& panel) {
  const size_t num_lines = (panel.series.size() + kNamesOfALine - 1) / kNamesOfALine;
  return num_lines > 1 ? kNameHeight * double(num_lines - 1) : 0;
}

// The least of 1, 2, 5 times a power of ten that covers `range` in kTicks steps.
double tick_step(double range) {
  const double power = std::pow(10, std::floor(std::log10(range / kTicks)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (power * factor * kTicks >= range * (1 - 1e-9)) return power * factor;
  return power * 10;
}

// The nearest of 1, 2, 5 times a power of ten that is no more, or no less, than a value over 0.
double round_down(double value) {
  const double power = std::pow(10, std::floor(std::log10(value)));
  return power * (value >= 5 * power ? 5 : value >= 2 * power ? 2 : 1);
}
double round_up(double value) {
  const double below = round_down(value);
  return below >= value ? below : round_down(below * 2.5 * (1 + 1e-9));
}

struct Axes {
  double x_max = 1, y_max = 1, x_step = 1, y_step = 1, top = 0;
  double x_first = 0;           // where an axis of equal steps begins
  double x_min = 0, y_min = 0;  // over 0: the axis is logarithmic, from there on

  double x(double value) const {
    if (x_min > 0)
      return kLeft +
             std::log(std::max(value, x_min) / x_min) / std::log(x_max / x_min) * kPlotWidth;
    return kLeft + (value - x_first) / (x_max - x_first) * kPlotWidth;
  }
  double y(double value) const {
    const double share = y_min > 0
                             ? std::log(std::max(value, y_min) / y_min) / std::log(y_max / y_min)
                             : value / y_max;
    return top + kTop + (1 - share) * kPlotHeight;
  }
};

double least_y(const ChartPanel& panel, double most) {
  double least = most;
  for (const ChartSeries& series : panel.series)
    for (const auto& [x, y] : series.points)
      if (y > 0) least = std::min(least, y);
  return least;
}

double least_x(const ChartPanel& panel, double most) {
  double least = most;
  for (const ChartSeries& series : panel.series)
    for (const auto& [x, y] : series.points)
      if (x > 0) least = std::min(least, x);
  return least;
}

// Where x is read: equal steps, or powers of ten.
std::vector<double> x_ticks(const Axes& axes) {
  std::vector<double> out;
  if (axes.x_min > 0) {
    for (double v = std::pow(10, std::ceil(std::log10(axes.x_min))); v <= axes.x_max; v *= 10)
      out.push_back(v);
    return out;
  }
  for (double i = std::round(axes.x_first / axes.x_step);
       i * axes.x_step <= axes.x_max * (1 + 1e-9); ++i)
    out.push_back(i * axes.x_step);
  return out;
}

// Where y is read: equal steps, or 1, 2, 5 times the powers of ten.
std::vector<double> y_ticks(const Axes& axes) {
  std::vector<double> out;
  if (axes.y_min > 0) {
    for (double v = axes.y_min; v <= axes.y_max * (1 + 1e-9); v = round_up(v * 1.5))
      out.push_back(v);
    return out;
  }
  for (int i = 0; i * axes.y_step <= axes.y_max * (1 + 1e-9); ++i) out.push_back(i * axes.y_step);
  return out;
}

Axes axes_of(const ChartPanel& panel, double top) {
  Axes axes{.x_max = 0, .y_max = panel.y_max, .top = top};
  for (const ChartSeries& series : panel.series)
    for (const auto& [x, y] : series.points) {
      axes.x_max = std::max(axes.x_max, x);
      if (panel.y_max == 0) axes.y_max = std::max(axes.y_max, y);
    }
  if (panel.limit && panel.limit->x <= kFarLimit * axes.x_max)
    axes.x_max = std::max(axes.x_max, panel.limit->x * 1.02);
  if (axes.x_max <= 0) axes.x_max = 1;
  if (panel.log_x) axes.x_min = std::min(least_x(panel, axes.x_max), axes.x_max / 10);
  if (axes.y_max <= 0) axes.y_max = 1;
  const bool begins_later = panel.x_from > 0 && panel.x_from < axes.x_max;
  axes.x_step = tick_step(axes.x_max - (begins_later ? panel.x_from : 0));
  if (begins_later) axes.x_first = std::floor(panel.x_from / axes.x_step + 1e-9) * axes.x_step;
  axes.y_step = tick_step(axes.y_max);
  if (panel.counts_y) axes.y_step = std::max(axes.y_step, 1.0);
  if (panel.log_y) {
    axes.y_min = round_down(least_y(panel, axes.y_max));
    axes.y_max = std::max(round_up(axes.y_max), 10 * axes.y_min);
  } else if (panel.y_max == 0) {
    axes.y_max = std::ceil(axes.y_max / axes.y_step - 1e-9) * axes.y_step;
  }
  return axes;
}

std::string tick_text(double value, double step) {
  return step >= 1 ? print("%.0f", value) : print("%g", value);
}

std::string grid(const ChartPanel& panel, const Axes& axes) {
  std::string out;
  const double bottom = axes.top + kTop + kPlotHeight;
  for (const double v : x_ticks(axes)) {
    out +=
        print("<path class=\"grid\" d=\"M%.1f %.1fV%.1f\"/>\n", axes.x(v), axes.top + kTop, bottom);
    out += text_at(axes.x(v), bottom + 15, "text-anchor=\"middle\"",
                   tick_text(v, axes.x_min > 0 ? std::min(v, 1.0) : axes.x_step));
  }
  for (const double v : y_ticks(axes)) {
    out +=
        print("<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>\n", kLeft, axes.y(v), kWidth - kRight);
    out += text_at(kLeft - 6, axes.y(v) + 4, "text-anchor=\"end\"",
                   tick_text(v, axes.y_min > 0 ? std::min(v, 1.0) : axes.y_step));
  }
  out += text_at(kLeft + kPlotWidth / 2, bottom + 33, "text-anchor=\"middle\"", panel.x_label);
  const std::string turned = print("text-anchor=\"middle\" transform=\"rotate(-90 %.1f %.1f)\"",
                                   16.0, axes.top + kTop + kPlotHeight / 2);
  out += text_at(16, axes.top + kTop + kPlotHeight / 2, turned.c_str(), panel.y_label);
  return out;
}

// The colour of the series, and whether its line is dashed.
std::string stroke_of(size_t series_index) {
  const bool is_dashed = series_index / std::size(kColors) % 2 == 1;
  return print("stroke=\"%s\"%s", kColors[series_index % std::size(kColors)],
               is_dashed ? " stroke-dasharray=\"6 3\"" : "");
}

std::string line_of(const ChartSeries& series, const Axes& axes, const std::string& stroke) {
  std::string path;
  const size_t stride = std::max<size_t>(1, series.points.size() / kMostPoints);
  for (size_t i = 0; i < series.points.size();) {
    const auto& [x, y] = series.points[i];
    if (path.empty())
      path = print("M%.1f %.1f", axes.x(x), axes.y(y));
    else if (series.is_stepped)
      path += print("H%.1fV%.1f", axes.x(x), axes.y(y));
    else
      path += print("L%.1f %.1f", axes.x(x), axes.y(y));
    // The last point always shows.
    i = i + 1 < series.points.size() ? std::min(i + stride, series.points.size() - 1) : i + 1;
  }
  if (path.empty()) return "";
  return "<path class=\"line\" " + stroke + " d=\"" + path + "\"/>\n";
}

// A rising line leaves room below and to the right of its points, and above and to the left: the
// label goes where the plot goes on.
std::string mark_svg(const ChartMark& mark, const Axes& axes) {
  const double x = axes.x(mark.x), y = axes.y(mark.y);
  const bool is_left = x > kLeft + kPlotWidth * 0.7;
  return print("<path class=\"mark\" d=\"M%.1f %.1fV%.1f\"/>\n", x, y, axes.y(0)) +
         print("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>\n", x, y) +
         (is_left ? text_at(x - 6, y - 4, "text-anchor=\"end\"", mark.label)
                  : text_at(x + 6, y + 12, "", mark.label));
}

std::string limit_svg(const ChartLimit& limit, const Axes& axes) {
  std::string out = text_at(kWidth - kRight, axes.top + 18,
                            "class=\"limit-text\" text-anchor=\"end\"", limit.label);
  if (limit.x <= axes.x_max)
    out += print("<path class=\"limit\" d=\"M%.1f %.1fV%.1f\"/>\n", axes.x(limit.x), axes.y(0),
                 axes.top + kTop);
  return out;
}

bool is_empty(const ChartPanel& panel) {
  return std::all_of(panel.series.begin(), panel.series.end(),
                     [](const ChartSeries& series) { return series.points.empty(); });
}

std::string panel_svg(const ChartPanel& panel, double top) {
  const Axes axes = axes_of(panel, top + legend_height(panel));
  std::string out = text_at(kLeft, top + 18, "class=\"title\"", panel.title);
  out += grid(panel, axes);
  if (panel.limit) out += limit_svg(*panel.limit, axes);
  if (is_empty(panel))
    out += text_at(kLeft + kPlotWidth / 2, axes.y(axes.y_max / 2), "text-anchor=\"middle\"",
                   "no values");
  for (size_t i = 0; i < panel.series.size(); ++i) {
    const std::string stroke = stroke_of(i);
    out += line_of(panel.series[i], axes, stroke);
    if (panel.series.size() < 2) continue;
    const double x = kLeft + 10 + kNameWidth * double(i % kNamesOfALine);
    const double y = top + 30 + kNameHeight * double(i / kNamesOfALine);
    out += print("<path class=\"line\" %s d=\"M%.1f %.1fh18\"/>\n", stroke.c_str(), x, y);
    out += text_at(x + 23, y + 4, "", panel.series[i].name);
  }
  for (const ChartMark& mark : panel.marks) out += mark_svg(mark, axes);
  return out;
}

}  // namespace

std::string render_svg(const std::vector<std::string>& heading,
                       const std::vector<ChartPanel>& panels) {
  const double more_lines = heading.empty() ? 0 : double(heading.size() - 1);
  const double panels_top = kTitleHeight + kHeadingLine * more_lines;
  double height = panels_top;
  for (const ChartPanel& panel : panels) height += kPanelHeight + legend_height(panel);
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  out += print(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
      "viewBox=\"0 0 %.0f %.0f\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n",
      kWidth, height, kWidth, height);
  out +=
      "<style>.grid{stroke:#ddd;fill:none}.line{fill:none;stroke-width:1.6}"
      ".title{font-weight:bold}.mark{stroke:#222;fill:none;stroke-dasharray:2 3}"
      ".limit{stroke:#b3261e;fill:none;stroke-width:1.6;stroke-dasharray:7 4}"
      ".limit-text{fill:#b3261e}</style>\n";
  out += print("<rect width=\"%.0f\" height=\"%.0f\" fill=\"#fff\"/>\n", kWidth, height);
  for (size_t i = 0; i < heading.size(); ++i)
    out += text_at(kLeft, 20 + kHeadingLine * double(i),
                   i == 0 ? "class=\"title\" font-size=\"14\"" : "fill=\"#555\"", heading[i]);
  double top = panels_top;
  for (const ChartPanel& panel : panels) {
    out += panel_svg(panel, top);
    top += kPanelHeight + legend_height(panel);
  }
  return out + "</svg>\n";
}

}  // namespace tern::bench
