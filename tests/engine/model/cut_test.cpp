#include "engine/model/cut.h"

#include <catch2/catch.hpp>

using namespace tern;

namespace {

/// Weight (r, k) is 1000 r + k; as codes its lowest bits, with scales that tell row and group.
class Counted final : public RowSource {
 public:
  Counted(int64_t rows, int64_t cols, const Encoding& e) : RowSource(rows, cols, e, rows * cols) {}
  void read(int64_t row, float* out) const override {
    for (int64_t k = 0; k < cols(); ++k) out[k] = float(1000 * row + k);
  }
  void read_codes(int64_t row, uint8_t* codes, float* a, float* b) const override {
    for (int64_t k = 0; k < cols(); ++k) codes[k] = uint8_t((row + k) & 15);
    for (int64_t g = 0; g < groups(); ++g) a[g] = float(row), b[g] = float(g);
  }
};

std::unique_ptr<RowSource> counted(int64_t rows, int64_t cols,
                                   const Encoding& e = Encoding::floats(DType::kF32)) {
  return std::make_unique<Counted>(rows, cols, e);
}

std::vector<float> first_column(const RowSource& rows) {
  std::vector<float> column, row(rows.cols());
  for (int64_t r = 0; r < rows.rows(); ++r) {
    rows.read(r, row.data());
    column.push_back(row[0]);
  }
  return column;
}

}  // namespace

TEST_CASE("ranks divide the rows of every section", "[model][cut]") {
  const LinearName gate_up{"gate_up", 12, Cut::kRows, 1, {8, 4}};
  const auto first = *cut_rows(counted(12, 3), gate_up, {0, 2});
  const auto second = *cut_rows(counted(12, 3), gate_up, {1, 2});
  CHECK(first_column(*first) == std::vector<float>{0, 1000, 2000, 3000, 8000, 9000});
  CHECK(first_column(*second) == std::vector<float>{4000, 5000, 6000, 7000, 10000, 11000});
  std::vector<float> bias{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  CHECK(*cut_bias(bias, gate_up, {1, 2}) == std::vector<float>{4, 5, 6, 7, 10, 11});
}

TEST_CASE("heads stay whole", "[model][cut]") {
  const LinearName q{"model.q_proj", 24, Cut::kHeads, 8};
  CHECK((*cut_rows(counted(24, 2), q, {2, 3}))->rows() == 8);
  const auto bad = cut_rows(counted(24, 2), q, {0, 2});
  REQUIRE(!bad.ok());
  CHECK(bad.status().message() ==
        "model.q_proj: 24 rows in heads of 8 cannot be divided over 2 ranks");
}

TEST_CASE("columns are cut at whole groups, and the first rank has the bias", "[model][cut]") {
  const LinearName down{"down", 5, Cut::kCols};
  const auto second = *cut_rows(counted(5, 8), down, {1, 2});
  std::vector<float> row(4);
  second->read(3, row.data());
  CHECK(row == std::vector<float>{3004, 3005, 3006, 3007});

  const Encoding codes = Encoding::affine(4, 32, true);
  const auto coded = *cut_rows(counted(5, 128, codes), down, {1, 2});
  std::vector<uint8_t> c(64);
  std::vector<float> a(2), b(2);
  coded->read_codes(3, c.data(), a.data(), b.data());
  CHECK(c[0] == ((3 + 64) & 15));
  CHECK(a == std::vector<float>{3, 3});
  CHECK(b == std::vector<float>{2, 3});
  CHECK(cut_rows(counted(5, 96, codes), down, {0, 2}).status().message() ==
        "down: 96 columns in groups of 32 cannot be divided over 2 ranks");

  CHECK(*cut_bias({1, 2, 3, 4, 5}, down, {0, 2}) == std::vector<float>{1, 2, 3, 4, 5});
  CHECK(cut_bias({1, 2, 3, 4, 5}, down, {1, 2})->empty());
}

TEST_CASE("one rank, or a matrix that is not cut, has everything", "[model][cut]") {
  CHECK((*cut_rows(counted(7, 5), {"a", 7, Cut::kRows}, {0, 1}))->rows() == 7);
  CHECK((*cut_rows(counted(7, 5), {"a", 7}, {1, 2}))->rows() == 7);
}
