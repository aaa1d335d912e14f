// Counts what a test program takes from the heap.
#pragma once

#include <cstdint>

namespace tern::test {

/// How often `operator new` was called since the program began, by any thread. A program that calls
/// this gets the counting `operator new` for all of its code, so it is a binary of its own.
uint64_t num_allocations();

/// What these calls asked for.
uint64_t allocated_bytes();

}  // namespace tern::test
