#include "engine/ranker/features.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string_view>

#include "engine/ranker/word_classes.h"

namespace tern {
namespace {

constexpr size_t kHeadBytes = 6144;
constexpr size_t kTailBytes = 2048;

// What a bucket stands for, beside the words hashed with it. The order is part of the features'
// definition: who changes it counts kFeaturesVersion up.
enum class Kind : uint64_t {
  kBias,
  kWord,
  kPair,
  kStem,
  kEnding,
  kClass,
  kClassPair,   // the classes of two words, in their order, however far apart
  kClassPlace,  // the class of one of the first words, by its place
  kPlace,       // one of the first words, by its place
  kOpening,     // the first two, three or four words together
  kLast,        // the last word, and its size by the first one
  kCounted,     // what a number counts
  kHeadNumber,  // a number, by the first word
  kRange,       // the distance of two numbers, by the word between
  kSize,        // bytes and words of the prompt
  kHeadSize,    // the same, by the first word
  kMarks,       // commas, lines, questions, …
  kHeadMarks,   // the same, by the first word
  kTurns,
};

// The finaliser of MurmurHash3: every bit of the result depends on every bit of `h`.
constexpr uint64_t mix(uint64_t h) {
  h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdu;
  h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53u;
  return h ^ (h >> 33);
}

constexpr uint64_t combine(uint64_t a, uint64_t b) {
  return mix(a * 0x9e3779b97f4a7c15u + b);
}

constexpr uint64_t hash_word(std::string_view word) {
  uint64_t hash = kWordHashSeed;
  for (const char c : word) hash = add_to_word_hash(hash, c);
  return hash;
}

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

constexpr bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || uint8_t(c) >= 0x80;
}

// Whether three bytes form a character of a script that writes no spaces (U+3000 to U+9FFF): each
// is a word of its own.
bool is_ideograph(std::string_view text) {
  return text.size() >= 3 && uint8_t(text[0]) >= 0xe3 && uint8_t(text[0]) <= 0xe9 &&
         (uint8_t(text[1]) & 0xc0) == 0x80 && (uint8_t(text[2]) & 0xc0) == 0x80;
}

struct NumberWord {
  uint64_t hash;
  double value;
};
constexpr NumberWord kNumberWords[] = {
    {hash_word("one"), 1},      {hash_word("two"), 2},       {hash_word("three"), 3},
    {hash_word("four"), 4},     {hash_word("five"), 5},      {hash_word("six"), 6},
    {hash_word("seven"), 7},    {hash_word("eight"), 8},     {hash_word("nine"), 9},
    {hash_word("ten"), 10},     {hash_word("eleven"), 11},   {hash_word("twelve"), 12},
    {hash_word("fifteen"), 15}, {hash_word("twenty"), 20},   {hash_word("thirty"), 30},
    {hash_word("fifty"), 50},   {hash_word("hundred"), 100},
};

constexpr double kNoNumber = -1;

struct Word {
  uint64_t hash = 0;
  uint64_t stem = 0;    // of its first five bytes
  uint64_t ending = 0;  // of its last three
  double number = kNoNumber;
  uint32_t size = 0;  // bytes
  uint8_t word_class = 0;
};

Word make_word(std::string_view text) {
  Word word{.hash = kWordHashSeed, .size = uint32_t(text.size())};
  double number = 0;
  uint64_t singular = 0;  // the word without a last s
  bool all_digits = true;
  for (size_t i = 0; i < text.size(); ++i) {
    if (i + 1 == text.size() && lower_case(text[i]) == 's') singular = word.hash;
    word.hash = add_to_word_hash(word.hash, text[i]);
    if (i < 5) word.stem = word.hash;
    all_digits &= is_digit(text[i]) || text[i] == ',';
    if (all_digits && text[i] != ',') number = std::min(number * 10 + (text[i] - '0'), 1e9);
  }
  if (all_digits) {
    word.number = number;
    return word;
  }
  if (text.size() >= 3) word.ending = hash_word(text.substr(text.size() - 3));
  word.word_class = uint8_t(word_class(word.hash));
  if (word.word_class == 0 && singular != 0) word.word_class = uint8_t(word_class(singular));
  for (const NumberWord& n : kNumberWords)
    if (n.hash == word.hash) word.number = n.value;
  return word;
}

// The words looked at, and what stands between them.
struct Words {
  std::array<Word, kNumHeadWords + kNumTailWords> words;
  int size = 0;
  int commas = 0, lines = 0, questions = 0, stops = 0, colons = 0, quotes = 0, other = 0;

  void count_mark(char c) {
    commas += c == ',';
    lines += c == '\n';
    questions += c == '?';
    stops += c == '.' || c == '!';
    colons += c == ':' || c == ';';
    quotes += c == '"';
    other += c > ' ';
  }
};

// The end of the word that starts at `begin`: letters and digits, and an apostrophe between them.
// Digits and letters do not mix, so that "5km" is counted as "5 km" is.
size_t word_end(std::string_view text, size_t begin) {
  if (is_ideograph(text.substr(begin))) return begin + 3;
  const bool digits = is_digit(text[begin]);
  size_t end = begin + 1;
  for (; end < text.size(); ++end) {
    const char c = text[end];
    if (digits ? is_digit(c) : is_letter(c) && !is_ideograph(text.substr(end))) continue;
    if (!digits && c == '\'' && end + 1 < text.size() && is_letter(text[end + 1])) continue;
    if (digits && c == ',' && end + 3 < text.size() && is_digit(text[end + 1]) &&
        is_digit(text[end + 2]) && is_digit(text[end + 3]))
      continue;  // 1,000
    break;
  }
  return end;
}

// Gives `add` each word of `text` until it returns false; returns the bytes consumed.
template <class Add>
size_t each_word(std::string_view text, Words& words, const Add& add) {
  size_t at = 0;
  while (at < text.size()) {
    if (!is_letter(text[at]) && !is_digit(text[at])) {
      words.count_mark(text[at++]);
      continue;
    }
    const size_t end = word_end(text, at);
    if (!add(text.substr(at, end - at))) return at;
    at = end;
  }
  return at;
}

void read_words(std::string_view prompt, Words& words) {
  const size_t consumed =
      each_word(prompt.substr(0, kHeadBytes), words, [&](std::string_view text) {
        if (words.size == kNumHeadWords) return false;
        words.words[size_t(words.size++)] = make_word(text);
        return true;
      });
  std::string_view rest = prompt.substr(consumed);
  if (rest.size() > kTailBytes) rest.remove_prefix(rest.size() - kTailBytes);
  std::array<Word, kNumTailWords> tail;  // a ring
  size_t num_tail = 0;
  each_word(rest, words, [&](std::string_view text) {
    tail[num_tail++ % kNumTailWords] = make_word(text);
    return true;
  });
  const size_t first = num_tail > kNumTailWords ? num_tail - kNumTailWords : 0;
  for (size_t i = first; i < num_tail; ++i)
    words.words[size_t(words.size++)] = tail[i % kNumTailWords];
}

// Puts features into the list, each bucket once.
class Emitter {
 public:
  explicit Emitter(FeatureList& out) : out_(out) {}

  void add(Kind kind, uint64_t what, double value) {
    const uint64_t hash = combine(uint64_t(kind) + 1, what);
    const auto bucket = uint16_t(hash >> 48);
    uint64_t& seen = seen_[bucket / 64];
    const uint64_t bit = uint64_t{1} << bucket % 64;
    if (seen & bit || !(value > 0)) return;
    seen |= bit;
    out_.push_back({bucket, float(value)});
  }

 private:
  FeatureList& out_;
  std::array<uint64_t, kNumFeatureBuckets / 64> seen_{};
};

double log_size(double n) {
  return std::log2(1 + n);
}

void add_sizes(const RankerInput& input, const Words& words, uint64_t head, Emitter& emit) {
  const double sizes[] = {log_size(words.size), log_size(double(input.prompt.size()))};
  for (uint64_t i = 0; i < 2; ++i) {
    const auto bin = uint64_t(2 * sizes[i]);
    emit.add(Kind::kSize, combine(i, bin), 0.5);
    emit.add(Kind::kHeadSize, combine(head, combine(i, bin / 2)), 0.5);
  }
  const int marks[] = {words.commas, words.lines,  words.questions, words.stops,
                       words.colons, words.quotes, words.other};
  for (uint64_t i = 0; i < std::size(marks); ++i) {
    const auto bin = uint64_t(2 * log_size(marks[i]));
    emit.add(Kind::kMarks, combine(i, bin), 1);
    if (marks[i] > 0) emit.add(Kind::kHeadMarks, combine(head, combine(i, bin)), 0.5);
  }
  const int32_t turns = std::max(input.num_turns, 1);
  emit.add(Kind::kTurns, std::bit_width(uint32_t(turns)), turns > 1 ? 1 : 0);
}

void add_classes(const Words& words, Emitter& emit) {
  uint32_t seen = 0;
  std::array<uint32_t, kNumWordClasses + 1> paired{};  // with which before it
  for (int i = 0; i < words.size; ++i) {
    const uint32_t c = words.words[size_t(i)].word_class;
    if (c == 0) continue;
    emit.add(Kind::kClass, c, 1.5);
    if (i < 8) emit.add(Kind::kClassPlace, combine(c, uint64_t(i)), 1);
    for (uint32_t others = seen & ~paired[c]; others != 0; others &= others - 1)
      emit.add(Kind::kClassPair, combine(uint64_t(std::countr_zero(others)), c), 1);
    paired[c] |= seen;
    seen |= 1u << c;
  }
}

void add_number(const Words& words, int i, uint64_t head, Emitter& emit) {
  const double number = words.words[size_t(i)].number;
  const double value = log_size(number) * 0.25;
  emit.add(Kind::kHeadNumber, head, value);
  emit.add(Kind::kHeadNumber, combine(head, 1 + uint64_t(log_size(number) * 2)), 0.5);
  for (int j = i + 1; j < std::min(i + 4, words.size); ++j) {
    const Word& next = words.words[size_t(j)];
    if (next.number != kNoNumber) {
      const double distance = log_size(std::abs(next.number - number));
      const uint64_t between = words.words[size_t(j) - 1].hash;
      emit.add(Kind::kRange, between, distance * 0.25);
      emit.add(Kind::kRange, combine(between, 1 + uint64_t(distance * 2)), 0.5);
      break;
    }
    if (j > i + 2) continue;
    emit.add(Kind::kCounted, next.hash, value);
  }
}

}  // namespace

void FeatureList::normalize() {
  double square = 0;
  for (size_t i = 0; i < size_; ++i) square += double(features_[i].value) * features_[i].value;
  const auto scale = float(1 / std::sqrt(square));
  for (size_t i = 0; i < size_; ++i) features_[i].value *= scale;
}

void extract_features(const RankerInput& input, FeatureList& features) {
  features = {};
  Words words;
  read_words(input.prompt, words);
  Emitter emit(features);
  emit.add(Kind::kBias, 0, 1);
  const uint64_t head = words.size > 0 ? words.words[0].hash : 0;
  add_sizes(input, words, head, emit);
  if (words.size > 0) {
    const Word& last = words.words[size_t(words.size) - 1];
    emit.add(Kind::kLast, last.hash, 0.5);
    emit.add(Kind::kLast, combine(head, last.size), 0.5);
  }
  uint64_t opening = 0;
  for (int i = 0; i < std::min(words.size, 4); ++i) {
    const uint64_t hash = words.words[size_t(i)].hash;
    opening = combine(opening, hash);
    emit.add(Kind::kPlace, combine(hash, uint64_t(i)), 1);
    if (i > 0) emit.add(Kind::kOpening, opening, 1);
  }
  for (int i = 0; i < words.size; ++i) {
    const Word& word = words.words[size_t(i)];
    emit.add(Kind::kWord, word.hash, 1);
    if (i > 0) emit.add(Kind::kPair, combine(words.words[size_t(i) - 1].hash, word.hash), 0.7);
    if (word.size > 5) emit.add(Kind::kStem, word.stem, 0.7);
    if (word.size > 4) emit.add(Kind::kEnding, word.ending, 0.5);
    if (word.number != kNoNumber) add_number(words, i, head, emit);
  }
  add_classes(words, emit);
  features.normalize();
}

}  // namespace tern
