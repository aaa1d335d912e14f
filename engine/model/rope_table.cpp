#include "engine/model/rope_table.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace tern {
namespace {

// Inverse wavelengths of the rotary_dim / 2 pairs, and what cos and sin are multiplied by.
struct Frequencies {
  std::vector<double> inverse;
  double scale = 1.0;
};

// Long wavelengths are stretched by `factor`, short ones kept, those between blended (Llama 3.1).
void scale_llama3(const RopeConfig& rope, std::vector<double>& inverse) {
  const double length = rope.original_max_position_embeddings;
  for (double& inv : inverse) {
    const double wavelength = 2 * std::numbers::pi / inv;
    if (wavelength < length / rope.high_freq_factor) continue;
    const double stretched = inv / rope.factor;
    const double blend = std::max(0.0, (length / wavelength - rope.low_freq_factor) /
                                           (rope.high_freq_factor - rope.low_freq_factor));
    inv = (1 - blend) * stretched + blend * inv;
  }
}

double yarn_mscale(double factor, double m) {
  return factor <= 1 ? 1.0 : 0.1 * m * std::log(factor) + 1.0;
}

// YaRN (arXiv 2309.00071, section 3.2): dimensions that turn often keep their wavelength.
void scale_yarn(const RopeConfig& rope, int32_t max_position_embeddings, int32_t rotary_dim,
                Frequencies& f) {
  const double length = rope.original_max_position_embeddings > 0
                            ? rope.original_max_position_embeddings
                            : max_position_embeddings;
  const auto dimension_of = [&](double rotations) {
    return rotary_dim * std::log(length / (2 * std::numbers::pi * rotations)) /
           (2 * std::log(rope.theta));
  };
  double low = dimension_of(rope.beta_fast), high = dimension_of(rope.beta_slow);
  if (rope.truncate) low = std::floor(low), high = std::ceil(high);
  low = std::max(low, 0.0), high = std::min(high, rotary_dim - 1.0);
  if (low == high) high += 0.001;
  for (size_t i = 0; i < f.inverse.size(); ++i) {
    const double ramp = std::clamp((double(i) - low) / (high - low), 0.0, 1.0);
    f.inverse[i] = f.inverse[i] / rope.factor * ramp + f.inverse[i] * (1 - ramp);
  }
  if (rope.attention_factor) {
    f.scale = *rope.attention_factor;
  } else if (rope.mscale && rope.mscale_all_dim && *rope.mscale != 0 && *rope.mscale_all_dim != 0) {
    f.scale =
        yarn_mscale(rope.factor, *rope.mscale) / yarn_mscale(rope.factor, *rope.mscale_all_dim);
  } else {
    f.scale = yarn_mscale(rope.factor, 1.0);
  }
}

Frequencies frequencies(const ModelConfig& config) {
  const RopeConfig& rope = config.rope;
  Frequencies f;
  for (int32_t i = 0; i < config.rotary_dim(); i += 2)
    f.inverse.push_back(std::pow(rope.theta, -double(i) / config.rotary_dim()));
  switch (rope.type) {
    case RopeType::kDefault:
      break;
    case RopeType::kLinear:
      for (double& inv : f.inverse) inv /= rope.factor;
      break;
    case RopeType::kLlama3:
      scale_llama3(rope, f.inverse);
      break;
    case RopeType::kYarn:
      scale_yarn(rope, config.max_position_embeddings, config.rotary_dim(), f);
      break;
  }
  return f;
}

}  // namespace

Result<RopeTable> RopeTable::create(const ModelConfig& config, int32_t max_positions) {
  RopeTable table;
  table.max_positions_ = max_positions;
  table.rotary_dim_ = config.rotary_dim();
  TERN_ASSIGN(table.buffer_,
              Buffer::allocate(size_t(max_positions) * config.rotary_dim() * sizeof(float)));
  const Frequencies f = frequencies(config);
  float* row = table.buffer_.as<float>();
  for (int32_t position = 0; position < max_positions; ++position, row += config.rotary_dim()) {
    for (size_t i = 0; i < f.inverse.size(); ++i) {
      const double angle = position * f.inverse[i];
      row[i] = float(std::cos(angle) * f.scale);
      row[i + f.inverse.size()] = float(std::sin(angle) * f.scale);
    }
  }
  return table;
}

}  // namespace tern
