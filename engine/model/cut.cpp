#include "engine/model/cut.h"

#include <algorithm>
#include <string>
#include <vector>

namespace tern {
namespace {

struct Range {
  int64_t begin, count;
};

/// Some rows, and of these some columns, of a matrix.
class CutSource final : public RowSource {
 public:
  CutSource(std::shared_ptr<const RowSource> source, Range rows, Range cols)
      : RowSource(rows.count, cols.count, source->encoding(),
                  source->bytes() * uint64_t(rows.count) / uint64_t(source->rows()) *
                      uint64_t(cols.count) / uint64_t(source->cols())),
        source_(std::move(source)),
        first_row_(rows.begin),
        first_col_(cols.begin) {}

  void read(int64_t row, float* out) const override {
    if (is_whole_row()) return source_->read(first_row_ + row, out);
    std::vector<float> whole(source_->cols());
    source_->read(first_row_ + row, whole.data());
    std::copy_n(whole.begin() + first_col_, cols(), out);
  }

  void read_codes(int64_t row, uint8_t* codes, float* a, float* b) const override {
    if (is_whole_row()) return source_->read_codes(first_row_ + row, codes, a, b);
    std::vector<uint8_t> whole(source_->cols());
    std::vector<float> scales(source_->groups()), offsets(source_->groups());
    source_->read_codes(first_row_ + row, whole.data(), scales.data(), offsets.data());
    const int64_t first_group = first_col_ / encoding().group;
    std::copy_n(whole.begin() + first_col_, cols(), codes);
    std::copy_n(scales.begin() + first_group, groups(), a);
    std::copy_n(offsets.begin() + first_group, groups(), b);
  }

  const std::byte* stored(int64_t row) const override {
    const std::byte* whole = source_->stored(first_row_ + row);
    return whole != nullptr ? whole + first_col_ * int64_t(dtype_bytes(encoding().dtype)) : nullptr;
  }

  void release(int64_t first_row, int64_t num_rows) const override {
    source_->release(first_row_ + first_row, num_rows);
  }

 private:
  bool is_whole_row() const { return cols() == source_->cols(); }

  const std::shared_ptr<const RowSource> source_;
  const int64_t first_row_, first_col_;
};

Status cannot_cut(const LinearName& name, const std::string& what, const Rank& rank) {
  return invalid_argument(name.name + ": " + what + " cannot be divided over " +
                          std::to_string(rank.count) + " ranks");
}

/// What may not be cut further: `size` rows or columns.
struct Unit {
  int64_t size;
  const char* name;
};

/// The rank's share of `total` rows or columns, in whole units.
Result<Range> share(int64_t total, const Unit& unit, const LinearName& name, const char* what,
                    const Rank& rank) {
  if (total % (unit.size * rank.count) != 0) {
    std::string of_units;
    if (unit.size > 1)
      of_units = " in " + std::string(unit.name) + " of " + std::to_string(unit.size);
    return cannot_cut(name, std::to_string(total) + " " + what + of_units, rank);
  }
  const int64_t count = total / rank.count;
  return Range{rank.index * count, count};
}

/// The rows that the rank has of every section.
Result<std::vector<Range>> output_ranges(const LinearName& name, const Rank& rank) {
  const std::vector<int64_t> sections =
      name.sections.empty() ? std::vector<int64_t>{name.out} : name.sections;
  const Unit unit{name.cut == Cut::kHeads ? name.head_dim : 1, "heads"};
  std::vector<Range> ranges;
  int64_t first = 0;
  for (const int64_t rows : sections) {
    TERN_ASSIGN(const Range range, share(rows, unit, name, "rows", rank));
    ranges.push_back({first + range.begin, range.count});
    first += rows;
  }
  return ranges;
}

}  // namespace

Result<std::unique_ptr<RowSource>> cut_rows(std::unique_ptr<RowSource> rows, const LinearName& name,
                                            const Rank& rank) {
  if (rank.count == 1 || name.cut == Cut::kNone) return rows;
  std::shared_ptr<const RowSource> source = std::move(rows);
  if (name.cut != Cut::kCols) {
    TERN_ASSIGN(const std::vector<Range> ranges, output_ranges(name, rank));
    std::vector<std::unique_ptr<RowSource>> parts;
    for (const Range& range : ranges)
      parts.push_back(std::make_unique<CutSource>(source, range, Range{0, source->cols()}));
    return make_row_stack(std::move(parts));
  }
  const Unit group{source->encoding().is_codes() ? source->encoding().group : 1, "groups"};
  if (source->encoding().input != InputTransform::kNone)
    return cannot_cut(name, "columns in an order of their own", rank);
  TERN_ASSIGN(const Range cols, share(source->cols(), group, name, "columns", rank));
  const Range all{0, source->rows()};
  return std::unique_ptr<RowSource>(std::make_unique<CutSource>(std::move(source), all, cols));
}

Result<std::vector<float>> cut_bias(std::vector<float> bias, const LinearName& name,
                                    const Rank& rank) {
  if (rank.count == 1 || name.cut == Cut::kNone) return bias;
  if (name.cut == Cut::kCols) return rank.index == 0 ? std::move(bias) : std::vector<float>();
  TERN_ASSIGN(const std::vector<Range> ranges, output_ranges(name, rank));
  std::vector<float> part;
  for (const Range& r : ranges)
    part.insert(part.end(), bias.begin() + r.begin, bias.begin() + r.begin + r.count);
  return part;
}

}  // namespace tern
