#include "engine/model/rope_table.h"

#include <algorithm>
#include <cmath>

#include <numbers>
#include <vector>
#include "kernels/registry.h"

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
void scale_yarn(const RopeConfig& rope, Frequencies& f) {
  const double length = rope.original_max_position_embeddings;
  const int32_t rotary_dim = 2 * static_cast<int32_t>(f.inverse.size());
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

// LongRoPE (arXiv 2402.13753): every frequency has a divisor of its own.
void scale_longrope(const RopeConfig& rope, bool is_long, Frequencies& f) {
  const std::vector<double>& factors = is_long ? rope.long_factor : rope.short_factor;
  for (size_t i = 0; i < f.inverse.size(); ++i) f.inverse[i] /= factors[i];
  if (rope.attention_factor) {
    f.scale = *rope.attention_factor;
  } else if (rope.factor > 1) {
    f.scale =
        std::sqrt(1 + std::log(rope.factor) / std::log(rope.original_max_position_embeddings));
  }
}

// `is_long`: of sequences that leave the original context; matters to longrope alone.
Frequencies frequencies(const RopeConfig& rope, int32_t rotary_dim, bool is_long) {
  Frequencies f;
  for (int32_t i = 0; i < rotary_dim; i += 2)
    f.inverse.push_back(std::pow(rope.theta, -double(i) / rotary_dim));
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
      scale_yarn(rope, f);
      break;
    case RopeType::kLongrope:
      scale_longrope(rope, is_long, f);
      break;
  }
  return f;
}

void fill(const Frequencies& f, MatView<float> rows) {
  const size_t half = f.inverse.size();
  for (int64_t position = 0; position < rows.rows; ++position)
    for (size_t i = 0; i < half; ++i) {
      const double angle = double(position) * f.inverse[i];
      rows.row(position)[i] = float(std::cos(angle) * f.scale);
      rows.row(position)[half + i] = float(std::sin(angle) * f.scale);
    }
}

bool has_long_variant(const RopeConfig& rope, int32_t max_positions) {
  // Phi-4 mini writes the same list twice: then no sequence differs from another.
  return rope.short_factor != rope.long_factor &&
         max_positions > rope.original_max_position_embeddings;
}

}  // namespace

size_t RopeTable::bytes_for(const RopeConfig& rope, int32_t head_dim, int32_t max_positions) {
  const int64_t extra =
      has_long_variant(rope, max_positions) ? rope.original_max_position_embeddings : 0;
  return size_t(max_positions + extra) * size_t(rope.rotary_dim(head_dim)) * sizeof(float);
}

Result<RopeTable> RopeTable::create(const RopeConfig& rope, int32_t head_dim, int32_t max_positions,
                                    DeviceMemory& memory) {
  const int32_t dim = rope.rotary_dim(head_dim);
  const bool has_long = has_long_variant(rope, max_positions);
  RopeTable table;
  table.short_positions_ = has_long ? rope.original_max_position_embeddings : max_positions;
  table.rows_ = table.short_positions_ + (has_long ? max_positions : 0);
  table.rotary_dim_ = dim;
  TERN_ASSIGN(Buffer rows, Buffer::allocate(bytes_for(rope, head_dim, max_positions)));
  float* data = rows.as<float>();
  fill(frequencies(rope, dim, false), {data, table.short_positions_, dim, dim});
  if (has_long)
    fill(frequencies(rope, dim, true),
         {data + table.short_positions_ * dim, max_positions, dim, dim});
  TERN_ASSIGN(table.buffer_, Buffer::upload(std::move(rows), memory));
  return table;
}

void RopeTable::turn(const StepBatch& batch, MatView<float> x, int64_t head_dim,
                     const Exec& ex) const {
  const bool has_variants = rows_ > short_positions_;
  dispatch(kernels().rope,
           {.x = x,
            .positions = batch.positions.data(),
            .head_dim = head_dim,
            .cos_sin = {buffer_.as<float>(), rows_, rotary_dim_, rotary_dim_},
            .variants = has_variants ? batch.rope_variants.data() : nullptr,
            .variant_rows = short_positions_},
           ex);
}

}  // namespace tern
