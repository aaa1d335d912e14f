#include "kernels/formats/packing.h"

namespace tern {

std::span<const Packing* const> packings() {
  static constexpr const Packing* kAll[] = {&kF32Packing,     &kF16Packing,         &kBf16Packing,
                                            &kBf16DotPacking, &kBfp16Packing,       &kInt8Packing,
                                            &kInt4Packing,    &kInt4OffsetPacking,  &kInt8A8Packing,
                                            &kInt4A8Packing,  &kInt4OffsetA8Packing};
  return kAll;
}

std::vector<Format> example_formats() {
  std::vector<Format> formats;
  for (const Packing* p : packings())
    for (const Encoding& e : p->examples) formats.push_back({p, e});
  return formats;
}

std::string Format::name() const {
  std::string name(packing->name);
  if (encoding.is_codes()) name += "_g" + std::to_string(encoding.group);
  return name.append(packing->input->suffix);
}

size_t Format::packed_bytes(int64_t rows, int64_t cols) const {
  return packing->packed_bytes(encoding, rows, cols);
}

int64_t Format::input_row_bytes(int64_t cols) const {
  return packing->input->row_bytes(cols, encoding.group);
}

Result<Compute> parse_compute(std::string_view name) {
  if (name == "default") return Compute::kDefault;
  if (name == "fast") return Compute::kFast;
  if (name == "f32") return Compute::kF32;
  return invalid_argument("compute: must be default, fast or f32, is '" + std::string(name) + "'");
}

}  // namespace tern
