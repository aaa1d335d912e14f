// Rows that are read where their source has them: an embedding that stays in its file.
#include "base/check.h"
#include "kernels/formats/packing.h"

namespace tern {
namespace {

const RowSource& source_of(const WeightView& w) {
  return *reinterpret_cast<const RowSource*>(w.data);
}

}  // namespace

constinit const Packing kSourceRowsPacking = {
    .name = "source_rows",
    .type = "source_rows",
    .takes = [](const Encoding&) { return false; },  // nothing is packed so
    .packed_bytes = [](const Encoding&, int64_t, int64_t) { return size_t(0); },
    .unpack_row = [](const WeightView& w, int64_t row,
                     float* out) { source_of(w).read(row, out); }};

WeightView source_rows(const RowSource& rows) {
  return {.data = reinterpret_cast<const std::byte*>(&rows),
          .format = {&kSourceRowsPacking, rows.encoding()},
          .rows = rows.rows(),
          .cols = rows.cols()};
}

}  // namespace tern
