// The part of a matrix that one of several ranks holds.
#pragma once

#include <memory>
#include <vector>

#include "base/row_source.h"
#include "base/status.h"
#include "engine/model/linear.h"

namespace tern {

/// One of those that share a model.
struct Rank {
  int32_t index = 0;
  int32_t count = 1;
};

/// Rows and columns that `rank` reads of the matrix `name`: all where it is not cut or there is one
/// rank. Each section is cut apart from the others. kInvalidArgument naming the matrix, what is cut
/// and the number of ranks where that does not divide it (a column cut: whole groups of codes).
Result<std::unique_ptr<RowSource>> cut_rows(std::unique_ptr<RowSource> rows, const LinearName& name,
                                            const Rank& rank);

/// Cuts the matrix's bias [out], too: of a column cut the first rank alone has it, as the ranks'
/// results are summed; empty for the others.
Result<std::vector<float>> cut_bias(std::vector<float> bias, const LinearName& name,
                                    const Rank& rank);

}  // namespace tern
