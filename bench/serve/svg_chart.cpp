#include "bench/serve/svg_chart.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace tern::bench {
namespace {

constexpr double kWidth = 760, kPanelHeight = 260;
constexpr double kLeft = 70, kRight = 20, kTop = 40, kBottom = 45;
constexpr double kPlotWidth = kWidth - kLeft - kRight, kPlotHeight = kPanelHeight - kTop - kBottom;
constexpr double kTitleHeight = 30;
constexpr int kTicks = 8;
constexpr size_t kMostPoints = 1500;  // twice the width in pixels
constexpr const char* kColors[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7"};  // Okabe and Ito's

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

// The least of 1, 2, 5 times a power of ten that covers `range` in kTicks steps.
double tick_step(double range) {
  const double power = std::pow(10, std::floor(std::log10(range / kTicks)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (power * factor * kTicks >= range * (1 - 1e-9)) return power * factor;
  return power * 10;
}

struct Axes {
  double x_max = 1, y_max = 1, top = 0;

  double x(double value) const { return kLeft + value / x_max * kPlotWidth; }
  double y(double value) const { return top + kTop + (1 - value / y_max) * kPlotHeight; }
};

Axes axes_of(const ChartPanel& panel, double top) {
  Axes axes{.x_max = 0, .y_max = panel.y_max, .top = top};
  for (const ChartSeries& series : panel.series)
    for (const auto& [x, y] : series.points) {
      axes.x_max = std::max(axes.x_max, x);
      if (panel.y_max == 0) axes.y_max = std::max(axes.y_max, y);
    }
  if (axes.x_max <= 0) axes.x_max = 1;
  if (axes.y_max <= 0) axes.y_max = 1;
  return axes;
}

std::string grid(const ChartPanel& panel, const Axes& axes) {
  std::string out;
  const double bottom = axes.top + kTop + kPlotHeight;
  const double x_step = tick_step(axes.x_max), y_step = tick_step(axes.y_max);
  for (double v = 0; v <= axes.x_max * (1 + 1e-9); v += x_step) {
    out +=
        print("<path class=\"grid\" d=\"M%.1f %.1fV%.1f\"/>\n", axes.x(v), axes.top + kTop, bottom);
    out += text_at(axes.x(v), bottom + 15, "text-anchor=\"middle\"", print("%g", v));
  }
  for (double v = 0; v <= axes.y_max * (1 + 1e-9); v += y_step) {
    out +=
        print("<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>\n", kLeft, axes.y(v), kWidth - kRight);
    out += text_at(kLeft - 6, axes.y(v) + 4, "text-anchor=\"end\"", print("%g", v));
  }
  out += text_at(kLeft + kPlotWidth / 2, bottom + 33, "text-anchor=\"middle\"", panel.x_label);
  const std::string turned = print("text-anchor=\"middle\" transform=\"rotate(-90 %.1f %.1f)\"",
                                   16.0, axes.top + kTop + kPlotHeight / 2);
  out += text_at(16, axes.top + kTop + kPlotHeight / 2, turned.c_str(), panel.y_label);
  return out;
}

std::string line_of(const ChartSeries& series, const Axes& axes, const char* color) {
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
  return print("<path class=\"line\" stroke=\"%s\" d=\"", color) + path + "\"/>\n";
}

std::string panel_svg(const ChartPanel& panel, double top) {
  const Axes axes = axes_of(panel, top);
  std::string out = text_at(kLeft, top + 18, "class=\"title\"", panel.title);
  out += grid(panel, axes);
  for (size_t i = 0; i < panel.series.size(); ++i) {
    const char* color = kColors[i % std::size(kColors)];
    out += line_of(panel.series[i], axes, color);
    if (panel.series.size() < 2) continue;
    const double x = kLeft + 10 + 130 * double(i);
    out += print("<path class=\"line\" stroke=\"%s\" d=\"M%.1f %.1fh18\"/>\n", color, x, top + 30);
    out += text_at(x + 23, top + 34, "", panel.series[i].name);
  }
  return out;
}

}  // namespace

std::string render_svg(const std::string& title, const std::vector<ChartPanel>& panels) {
  const double height = kTitleHeight + kPanelHeight * double(panels.size());
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  out += print(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
      "viewBox=\"0 0 %.0f %.0f\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n",
      kWidth, height, kWidth, height);
  out +=
      "<style>.grid{stroke:#ddd;fill:none}.line{fill:none;stroke-width:1.6}"
      ".title{font-weight:bold}</style>\n";
  out += print("<rect width=\"%.0f\" height=\"%.0f\" fill=\"#fff\"/>\n", kWidth, height);
  out += text_at(kLeft, 20, "class=\"title\" font-size=\"14\"", title);
  for (size_t i = 0; i < panels.size(); ++i)
    out += panel_svg(panels[i], kTitleHeight + kPanelHeight * double(i));
  return out + "</svg>\n";
}

}  // namespace tern::bench
