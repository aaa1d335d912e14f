// Values of the chat-template language. Strings, lists and dicts are immutable, as Hugging Face's
// sandbox has it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/status.h"

namespace tern::jinja {

class Value;
struct Closure;
struct Function;
struct Loop;
struct Method;

/// Nesting of lists and dicts that can be built: what recurses over values stays within the stack.
inline constexpr int kMaxValueDepth = 140;

/// Bytes that a value may weigh with all that it refers to, counting twice what it refers to twice:
/// what walks over values ends.
inline constexpr size_t kMaxValueBytes = size_t(256) << 20;

/// The most that one string may have, and that a template may print.
inline constexpr size_t kMaxStringBytes = size_t(64) << 20;

/// Why there is no value: printed as nothing, but an error for whatever needs one.
struct Undefined {
  std::shared_ptr<const std::string> reason;
};

/// Python's None. A blank one is None for every test, comparison and tojson, but its text is empty
/// and it does what an empty string does where Python's None is an error.
struct None {
  bool is_blank = false;
};

/// Python's str, or markupsafe's Markup: text that counts as escaped HTML.
struct String {
  std::string text;
  bool is_markup = false;
};

/// A Python int that 64 bits cannot hold: printed as it was written, and not computed with.
struct BigInteger {
  std::string digits;  ///< with their sign
};

/// A sequence, or a view of a dict.
struct List {
  enum class Kind : uint8_t { kList, kTuple, kRange, kKeys, kValues, kItems };
  std::vector<Value> items;
  Kind kind = Kind::kList;
  bool is_group = false;                        ///< a tuple of `groupby`: .grouper and .list
  std::optional<std::string> text;              ///< what is printed in its place
  int64_t start = 0, stop = 0, range_step = 1;  ///< of a range, which prints them
  int depth = 1;
  size_t weight = 0;

  bool is_view() const { return kind >= Kind::kKeys; }
};

/// A dict keeps the order of insertion. Keys are what Python can hash.
struct Dict {
  std::vector<std::pair<Value, Value>> items;
  std::unordered_map<std::string, size_t> by_string;
  std::unordered_map<std::string, size_t> by_other;  ///< by a text that equal keys share
  std::optional<std::string> text;                   ///< what is printed in its place
  bool* is_read = nullptr;  ///< set once something looks into it; outlives the rendering
  int depth = 1;
  size_t weight = 0;

  const Value* find(const std::string& key) const;
  Result<const Value*> find(const Value& key) const;  ///< kInvalidArgument for what can be no key
  void set(std::string key, Value value);
  Status set(Value key, Value value);  ///< kInvalidArgument as find()

 private:
  void set_at(std::pair<std::unordered_map<std::string, size_t>::iterator, bool> slot, Value key,
              Value value);
};

/// What comes one by one and only once, as Python's generators.
struct Generator {
  using Next = std::function<Result<std::optional<Value>>()>;
  Next next;  ///< nothing at the end
  int depth = 1;
  size_t weight = 0;  ///< with what `next` refers to
};

/// What `namespace()` makes: all that a template can assign to. The rendering owns it.
struct Namespace {
  Dict members;
};

/// What `cycler()` and `joiner()` make. The rendering owns them.
struct Cycler {
  std::vector<Value> items;
  size_t at = 0;
};
struct Joiner;

class Value {
 public:
  enum class Type : uint8_t {
    kUndefined,
    kNone,
    kBool,
    kInt,
    kFloat,
    kString,
    kList,
    kDict,
    kGenerator,
    kNamespace,
    kCycler,
    kJoiner,
    kLoop,
    kMacro,
    kFunction,
    kMethod,
    kBigInteger
  };

  Value() : rep_(None{}) {}
  Value(bool v) : rep_(v) {}                             // NOLINT: implicit on purpose
  Value(int64_t v) : rep_(v) {}                          // NOLINT
  Value(double v) : rep_(v) {}                           // NOLINT
  Value(std::string v) : Value(String{std::move(v)}) {}  // NOLINT
  Value(String v) : rep_(std::make_shared<const String>(std::move(v))) {}  // NOLINT
  Value(const char*) = delete;                                             // it would become a bool
  explicit Value(Undefined v) : rep_(std::move(v)) {}
  explicit Value(std::shared_ptr<const List> v) : rep_(std::move(v)) {}
  explicit Value(std::shared_ptr<const Dict> v) : rep_(std::move(v)) {}
  explicit Value(std::shared_ptr<Generator> v) : rep_(std::move(v)) {}
  explicit Value(std::shared_ptr<Loop> v) : rep_(std::move(v)) {}
  explicit Value(std::shared_ptr<const Method> v) : rep_(std::move(v)) {}
  explicit Value(std::shared_ptr<const BigInteger> v) : rep_(std::move(v)) {}
  explicit Value(Namespace* v) : rep_(v) {}
  explicit Value(Cycler* v) : rep_(v) {}
  explicit Value(Joiner* v) : rep_(v) {}
  explicit Value(const Closure* v) : rep_(v) {}
  explicit Value(const Function* v) : rep_(v) {}

  static Value blank_none() {
    Value none;
    none.rep_ = None{.is_blank = true};
    return none;
  }
  static Value undefined(std::string reason) {
    return Value(Undefined{std::make_shared<const std::string>(std::move(reason))});
  }

  Type type() const { return Type(rep_.index()); }
  bool is(Type t) const { return type() == t; }
  bool is_undefined() const { return is(Type::kUndefined); }
  bool is_none() const { return is(Type::kNone); }
  bool is_blank_none() const { return is_none() && std::get<None>(rep_).is_blank; }
  bool is_string() const { return is(Type::kString); }
  bool is_markup() const { return is_string() && shared_string().is_markup; }
  bool is_list() const { return is(Type::kList); }
  bool is_list(List::Kind kind) const { return is_list() && list().kind == kind; }
  /// What a list or dict prints in its place, and what methods and operators of strings take for
  /// it; null where it has none.
  const std::string* text_in_place() const;
  bool is_dict() const { return is(Type::kDict); }
  bool is_big_integer() const { return is(Type::kBigInteger); }
  bool is_generator() const { return is(Type::kGenerator); }
  bool is_float() const { return is(Type::kFloat); }
  bool is_number() const { return is(Type::kBool) || is(Type::kInt) || is(Type::kFloat); }
  bool is_integer() const { return is(Type::kBool) || is(Type::kInt); }

  // These are for a caller that has made sure of the type.
  const std::string& string() const { return shared_string().text; }
  const List& list() const { return *shared_list(); }
  const std::shared_ptr<const List>& shared_list() const {
    return std::get<std::shared_ptr<const List>>(rep_);
  }
  const Dict& dict() const {
    const Dict& dict = own_dict();
    if (dict.is_read != nullptr) *dict.is_read = true;
    return dict;
  }
  const std::shared_ptr<Generator>& generator() const {
    return std::get<std::shared_ptr<Generator>>(rep_);
  }
  Loop& loop() const { return *std::get<std::shared_ptr<Loop>>(rep_); }
  const std::string& big_integer() const {
    return std::get<std::shared_ptr<const BigInteger>>(rep_)->digits;
  }
  const Method& method() const { return *std::get<std::shared_ptr<const Method>>(rep_); }
  Namespace& name_space() const { return *std::get<Namespace*>(rep_); }
  Cycler& cycler() const { return *std::get<Cycler*>(rep_); }
  Joiner& joiner() const { return *std::get<Joiner*>(rep_); }
  const Closure& macro() const { return *std::get<const Closure*>(rep_); }
  const Function& function() const { return *std::get<const Function*>(rep_); }
  int64_t integer() const;  ///< of a bool or an int
  double number() const;    ///< of a bool, int or float
  const std::string& undefined_reason() const;

  bool truthy() const;
  int depth() const;      ///< nesting of what holds other values; 0 for anything else
  size_t weight() const;  ///< bytes, with all that it refers to
  bool is_same(const Value& other)
      const;  ///< Python's `is`, where that does not depend on how values are kept

 private:
  const String& shared_string() const { return *std::get<std::shared_ptr<const String>>(rep_); }
  const Dict& own_dict() const { return *std::get<std::shared_ptr<const Dict>>(rep_); }

  // In the order of Type.
  std::variant<Undefined, None, bool, int64_t, double, std::shared_ptr<const String>,
               std::shared_ptr<const List>, std::shared_ptr<const Dict>, std::shared_ptr<Generator>,
               Namespace*, Cycler*, Joiner*, std::shared_ptr<Loop>, const Closure*, const Function*,
               std::shared_ptr<const Method>, std::shared_ptr<const BigInteger>>
      rep_;
};

/// `object.name` where that is to be called.
struct Method {
  Value self;
  std::string name;
};

struct Joiner {
  Value separator;
  bool used = false;
};

/// Variables by their names.
using Variables = std::unordered_map<std::string, Value>;

// kInvalidArgument where the result would be nested too deeply or weigh too much.
Result<Value> make_list(std::vector<Value> items, List::Kind kind = List::Kind::kList);
Result<Value> make_list(List list);
Result<Value> make_dict(Dict dict);

/// A generator whose `next` refers to `sources`.
Result<Value> make_generator(Generator::Next next, std::initializer_list<Value> sources);

/// Python's name of the value's type, for messages: "str".
std::string_view type_name(const Value& value);
std::string quoted_type(const Value& value);  ///< "'str'"

/// The failure of an operation on integers beyond 64 bits, where one of `a` and `b` is one; else
/// ok.
Status check_size(const Value& a, const Value& b);

/// The failure of an operation that knows no `value`: an undefined one tells its reason.
Status type_error(const Value& value, std::string message);

bool equal(const Value& a, const Value& b);

/// Less, equal or greater than 0. kInvalidArgument where Python cannot order the two.
Result<int> compare(const Value& a, const Value& b);

/// `a op b` for < <= > >=. Also of numbers that are not ordered (NaN).
Result<bool> is_ordered(std::string_view op, const Value& a, const Value& b);

/// Returns what `{{ value }}` prints: Python's str(). kInvalidArgument for what has no stable text
/// (functions, generators, …) or a text beyond kMaxStringBytes.
Result<std::string> to_text(const Value& value);

/// Python's repr(): as the value stands within a list that is printed.
Result<std::string> repr(const Value& value);
std::string float_text(double value);
std::string string_repr(std::string_view text);
std::string ascii(std::string_view text);  ///< with escapes for all that is not ASCII

/// Goes once over what a loop over a value visits: a dict's keys, a string's characters.
class Iterator {
 public:
  Iterator() = default;  ///< over nothing
  explicit Iterator(Value value) : value_(std::move(value)) {}

  Result<std::optional<Value>> next();    ///< nothing at the end
  std::optional<int64_t> length() const;  ///< of all of it; none of a generator

 private:
  Value value_;
  size_t at_ = 0;  // of a string: bytes
};

/// kInvalidArgument where the value cannot be iterated.
Result<Iterator> iterator_over(const Value& value);

/// All that a loop over the value visits. Empties generators.
Result<std::shared_ptr<const List>> iterate(const Value& value);

}  // namespace tern::jinja
