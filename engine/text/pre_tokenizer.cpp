#include "engine/text/pre_tokenizer.h"

#include "engine/text/byte_level.h"

namespace tern {
namespace {

constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

/// A stretch of a piece: a match, or what lies between two.
struct Stretch {
  Span span;
  bool is_match = false;
};

std::vector<Stretch> stretches_of(const std::vector<Span>& matches, size_t size, bool invert) {
  std::vector<Stretch> stretches;
  size_t covered = 0;
  for (const Span& match : matches) {
    if (match.begin > covered) stretches.push_back({{covered, match.begin}, invert});
    stretches.push_back({match, !invert});
    covered = match.end;
  }
  if (covered < size) stretches.push_back({{covered, size}, invert});
  return stretches;
}

/// Whether `next` continues the piece that ends with `previous`.
bool joins(SplitBehavior behavior, const Stretch& previous, const Stretch& next) {
  switch (behavior) {
    case SplitBehavior::kMergedWithPrevious:
      return next.is_match && !previous.is_match;
    case SplitBehavior::kMergedWithNext:
      return previous.is_match && !next.is_match;
    case SplitBehavior::kContiguous:
      return previous.is_match == next.is_match;
    case SplitBehavior::kRemoved:
    case SplitBehavior::kIsolated:
      return false;
  }
  return false;
}

class Split final : public PreTokenizer {
 public:
  Split(Regex regex, SplitBehavior behavior, bool invert)
      : regex_(std::move(regex)), behavior_(behavior), invert_(invert) {}

  Result<Pieces> apply(Pieces pieces) const override {
    Pieces out;
    out.text.reserve(pieces.text.size());
    std::vector<Span> matches;
    for (size_t i = 0; i < pieces.size(); ++i) {
      matches.clear();
      TERN_TRY(regex_.find_all(pieces[i], matches));
      cut(pieces[i], stretches_of(matches, pieces[i].size(), invert_), out);
    }
    return out;
  }

 private:
  void cut(std::string_view piece, const std::vector<Stretch>& stretches, Pieces& out) const {
    for (size_t i = 0; i < stretches.size(); ++i) {
      if (behavior_ == SplitBehavior::kRemoved && stretches[i].is_match) continue;
      Span span = stretches[i].span;
      for (; i + 1 < stretches.size() && joins(behavior_, stretches[i], stretches[i + 1]); ++i)
        span.end = stretches[i + 1].span.end;
      out.add(piece.substr(span.begin, span.end - span.begin));
    }
  }

  Regex regex_;
  SplitBehavior behavior_;
  bool invert_;
};

class ByteLevel final : public PreTokenizer {
 public:
  ByteLevel(bool add_prefix_space, std::unique_ptr<PreTokenizer> split)
      : add_prefix_space_(add_prefix_space), split_(std::move(split)) {}

  Result<Pieces> apply(Pieces pieces) const override {
    if (add_prefix_space_) pieces = with_prefix_spaces(pieces);
    if (split_) {
      TERN_ASSIGN(pieces, split_->apply(std::move(pieces)));
    }
    Pieces out;
    out.text.reserve(pieces.text.size() + pieces.text.size() / 4);
    out.ends.reserve(pieces.ends.size());
    for (size_t i = 0; i < pieces.size(); ++i) {
      append_byte_level(out.text, pieces[i]);
      out.ends.push_back(out.text.size());
    }
    return out;
  }

 private:
  static Pieces with_prefix_spaces(const Pieces& pieces) {
    Pieces out;
    for (size_t i = 0; i < pieces.size(); ++i)
      out.add(pieces[i].front() == ' ' ? std::string(pieces[i]) : ' ' + std::string(pieces[i]));
    return out;
  }

  bool add_prefix_space_;
  std::unique_ptr<PreTokenizer> split_;  // null: each piece stays whole
};

class Sequence final : public PreTokenizer {
 public:
  explicit Sequence(std::vector<std::unique_ptr<PreTokenizer>> parts) : parts_(std::move(parts)) {}

  Result<Pieces> apply(Pieces pieces) const override {
    for (const auto& part : parts_) {
      TERN_ASSIGN(pieces, part->apply(std::move(pieces)));
    }
    return pieces;
  }

 private:
  std::vector<std::unique_ptr<PreTokenizer>> parts_;
};

}  // namespace

std::optional<SplitBehavior> parse_split_behavior(std::string_view name) {
  constexpr std::pair<std::string_view, SplitBehavior> kNames[] = {
      {"Removed", SplitBehavior::kRemoved},
      {"Isolated", SplitBehavior::kIsolated},
      {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
      {"MergedWithNext", SplitBehavior::kMergedWithNext},
      {"Contiguous", SplitBehavior::kContiguous}};
  for (const auto& [text, behavior] : kNames)
    if (text == name) return behavior;
  return std::nullopt;
}

std::unique_ptr<PreTokenizer> make_split(Regex regex, SplitBehavior behavior, bool invert) {
  return std::make_unique<Split>(std::move(regex), behavior, invert);
}

std::unique_ptr<PreTokenizer> make_byte_level(bool add_prefix_space, bool use_regex) {
  std::unique_ptr<PreTokenizer> split;
  if (use_regex) {
    auto regex = Regex::compile(kGpt2Pattern);
    TERN_CHECK(regex.ok(), "GPT-2's pattern compiles");
    split = make_split(*std::move(regex), SplitBehavior::kIsolated, false);
  }
  return std::make_unique<ByteLevel>(add_prefix_space, std::move(split));
}

std::unique_ptr<PreTokenizer> make_sequence(std::vector<std::unique_ptr<PreTokenizer>> parts) {
  return std::make_unique<Sequence>(std::move(parts));
}

}  // namespace tern
