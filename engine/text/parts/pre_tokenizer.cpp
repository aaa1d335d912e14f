#include "engine/text/parts/pre_tokenizer.h"

#include "engine/text/parts/byte_level.h"

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
    out.at_start = pieces.at_start;
    std::vector<Span> matches;
    for (size_t i = 0; i < pieces.size(); ++i) {
      matches.clear();
      TERN_TRY(regex_.find_all(pieces[i], matches));
      const std::vector<Stretch> stretches = stretches_of(matches, pieces[i].size(), invert_);
      if (i == 0 && is_removed(stretches.front())) out.at_start = false;
      cut(pieces[i], stretches, out);
    }
    return out;
  }

 private:
  bool is_removed(const Stretch& stretch) const {
    return behavior_ == SplitBehavior::kRemoved && stretch.is_match;
  }

  void cut(std::string_view piece, const std::vector<Stretch>& stretches, Pieces& out) const {
    for (size_t i = 0; i < stretches.size(); ++i) {
      if (is_removed(stretches[i])) continue;
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
    out.at_start = pieces.at_start;
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
    out.at_start = pieces.at_start;
    for (size_t i = 0; i < pieces.size(); ++i)
      out.add(pieces[i].front() == ' ' ? std::string(pieces[i]) : ' ' + std::string(pieces[i]));
    return out;
  }

  bool add_prefix_space_;
  std::unique_ptr<PreTokenizer> split_;  // null: each piece stays whole
};

class Metaspace final : public PreTokenizer {
 public:
  Metaspace(std::string replacement, PrependScheme scheme, std::unique_ptr<PreTokenizer> split)
      : replacement_(std::move(replacement)), scheme_(scheme), split_(std::move(split)) {}

  Result<Pieces> apply(Pieces pieces) const override {
    Pieces out;
    out.at_start = pieces.at_start;
    std::string piece;
    for (size_t i = 0; i < pieces.size(); ++i) {
      piece.clear();
      for (const char c : pieces[i]) {
        if (c == ' ')
          piece += replacement_;
        else
          piece += c;
      }
      const bool wanted = scheme_ == PrependScheme::kAlways ||
                          (scheme_ == PrependScheme::kFirst && i == 0 && pieces.at_start);
      out.add(wanted && !piece.starts_with(replacement_) ? replacement_ + piece : piece);
    }
    return split_ ? split_->apply(std::move(out)) : Result<Pieces>(std::move(out));
  }

 private:
  std::string replacement_;
  PrependScheme scheme_;
  std::unique_ptr<PreTokenizer> split_;  // null: each piece stays whole
};

class DigitGroups final : public PreTokenizer {
 public:
  explicit DigitGroups(std::unique_ptr<PreTokenizer> split, Regex digit)
      : split_(std::move(split)), digit_(std::move(digit)) {}

  Result<Pieces> apply(Pieces pieces) const override {
    TERN_ASSIGN(pieces, split_->apply(std::move(pieces)));
    Pieces out;
    out.at_start = pieces.at_start;
    std::vector<Span> digits;
    for (size_t i = 0; i < pieces.size(); ++i) {
      const std::string_view piece = pieces[i];
      digits.clear();
      TERN_TRY(digit_.find_all(piece, digits));
      size_t done = 0;  // a piece is all digits, or has none
      for (size_t d = digits.size() % kGroup; d < digits.size(); d += kGroup) {
        out.add(piece.substr(done, digits[d].begin - done));
        done = digits[d].begin;
      }
      out.add(piece.substr(done));
    }
    return out;
  }

 private:
  static constexpr size_t kGroup = 3;
  std::unique_ptr<PreTokenizer> split_;  // at runs of digits
  Regex digit_;
};

/// A pattern of tern's own.
Regex own_pattern(std::string_view pattern) {
  auto regex = Regex::compile(pattern);
  TERN_CHECK(regex.ok(), "tern's own patterns compile");
  return *std::move(regex);
}

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
  if (use_regex) split = make_split(own_pattern(kGpt2Pattern), SplitBehavior::kIsolated, false);
  return std::make_unique<ByteLevel>(add_prefix_space, std::move(split));
}

std::unique_ptr<PreTokenizer> make_metaspace(std::string replacement, PrependScheme scheme,
                                             bool split) {
  std::unique_ptr<PreTokenizer> splitter;
  if (split) {
    auto regex = Regex::literal(replacement);
    TERN_CHECK(regex.ok(), "a literal pattern compiles");
    splitter = make_split(*std::move(regex), SplitBehavior::kMergedWithNext, false);
  }
  return std::make_unique<Metaspace>(std::move(replacement), scheme, std::move(splitter));
}

std::unique_ptr<PreTokenizer> make_digit_groups() {
  return std::make_unique<DigitGroups>(
      make_split(own_pattern("\\p{N}+"), SplitBehavior::kIsolated, false), own_pattern("\\p{N}"));
}

Regex punctuation_regex() {
  return own_pattern(R"([\p{P}$+<=>^`|~])");
}

std::unique_ptr<PreTokenizer> make_bert_pre_tokenizer() {
  std::vector<std::unique_ptr<PreTokenizer>> parts;
  parts.push_back(make_split(own_pattern("\\s"), SplitBehavior::kRemoved, false));
  parts.push_back(make_split(punctuation_regex(), SplitBehavior::kIsolated, false));
  return make_sequence(std::move(parts));
}

std::unique_ptr<PreTokenizer> make_whitespace() {
  // Rust's \w, which counts more as letters than Oniguruma's.
  constexpr std::string_view kWord = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{200c}\x{200d})";
  const std::string word(kWord);
  return make_split(own_pattern("[" + word + "]+|[^" + word + "\\s]+"), SplitBehavior::kRemoved,
                    true);
}

std::unique_ptr<PreTokenizer> make_sequence(std::vector<std::unique_ptr<PreTokenizer>> parts) {
  return std::make_unique<Sequence>(std::move(parts));
}

}  // namespace tern
