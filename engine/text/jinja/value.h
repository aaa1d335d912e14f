// Values of the chat-template language. All but namespaces are immutable, as Hugging Face's sandbox
// has it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/status.h"

namespace tern::jinja {

class Value;
struct Macro;
struct Function;

/// Nesting of lists and dicts that can be built: what recurses over values stays within the stack.
inline constexpr int kMaxValueDepth = 140;

/// Bytes that a value may weigh with all that it refers to, counting twice what it refers to twice:
/// what walks over values ends.
inline constexpr size_t kMaxValueBytes = size_t(256) << 20;

/// Why there is no value: printed as nothing, but an error for whatever needs one.
struct Undefined {
  std::shared_ptr<const std::string> reason;
};

struct None {};

/// A sequence. What Python tells apart only by printing or serializing shares one type here.
struct List {
  enum class Kind : uint8_t { kList, kTuple, kView, kGenerator };
  std::vector<Value> items;
  Kind kind = Kind::kList;
  int depth = 1;
  size_t weight = 0;
};

/// In the order of insertion. Keys are strings and integers.
struct Dict {
  std::vector<std::pair<Value, Value>> items;
  std::unordered_map<std::string, size_t> by_string;
  std::unordered_map<int64_t, size_t> by_integer;
  int depth = 1;
  size_t weight = 0;

  static bool is_key(const Value& value);
  const Value* find(const std::string& key) const;
  const Value* find(const Value& key) const;  ///< null also for what can be no key
  void set(Value key, Value value);           ///< `key` is one
};

/// What `namespace()` makes: the only thing that a template can change. The rendering owns it.
struct Namespace {
  std::unordered_map<std::string, Value> members;
};

/// `loop` within a `for`.
struct Loop {
  std::shared_ptr<const List> items;
  size_t index0 = 0;
};

/// `object.name` where that is to be called.
struct Method;

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
    kNamespace,
    kLoop,
    kMacro,
    kFunction,
    kMethod
  };

  Value() : rep_(None{}) {}
  Value(bool v) : rep_(v) {}     // NOLINT: implicit on purpose
  Value(int64_t v) : rep_(v) {}  // NOLINT
  Value(double v) : rep_(v) {}   // NOLINT
  Value(std::string v) : rep_(std::make_shared<const std::string>(std::move(v))) {}  // NOLINT
  Value(const char*) = delete;  // it would become a bool
  explicit Value(Undefined v) : rep_(std::move(v)) {}
  explicit Value(std::shared_ptr<const List> v) : rep_(std::move(v)) {}
  explicit Value(std::shared_ptr<const Dict> v) : rep_(std::move(v)) {}
  explicit Value(std::shared_ptr<const Loop> v) : rep_(std::move(v)) {}
  explicit Value(std::shared_ptr<const Method> v) : rep_(std::move(v)) {}
  explicit Value(Namespace* v) : rep_(v) {}
  explicit Value(const Macro* v) : rep_(v) {}
  explicit Value(const Function* v) : rep_(v) {}

  static Value undefined(std::string reason) {
    return Value(Undefined{std::make_shared<const std::string>(std::move(reason))});
  }

  Type type() const { return Type(rep_.index()); }
  bool is(Type t) const { return type() == t; }
  bool is_undefined() const { return is(Type::kUndefined); }
  bool is_none() const { return is(Type::kNone); }
  bool is_string() const { return is(Type::kString); }
  bool is_list() const { return is(Type::kList); }
  bool is_dict() const { return is(Type::kDict); }
  bool is_number() const { return is(Type::kBool) || is(Type::kInt) || is(Type::kFloat); }
  bool is_integer() const { return is(Type::kBool) || is(Type::kInt); }

  // Of the type that the caller has made sure of.
  const std::string& string() const { return *std::get<std::shared_ptr<const std::string>>(rep_); }
  const List& list() const { return *std::get<std::shared_ptr<const List>>(rep_); }
  const std::shared_ptr<const List>& shared_list() const {
    return std::get<std::shared_ptr<const List>>(rep_);
  }
  const Dict& dict() const { return *std::get<std::shared_ptr<const Dict>>(rep_); }
  const Loop& loop() const { return *std::get<std::shared_ptr<const Loop>>(rep_); }
  const Method& method() const { return *std::get<std::shared_ptr<const Method>>(rep_); }
  Namespace& name_space() const { return *std::get<Namespace*>(rep_); }
  const Macro& macro() const { return *std::get<const Macro*>(rep_); }
  const Function& function() const { return *std::get<const Function*>(rep_); }
  int64_t integer() const;  ///< of a bool or an int
  double number() const;    ///< of a bool, int or float
  const std::string& undefined_reason() const;

  bool truthy() const;
  int depth() const;      ///< nesting of lists and dicts; 0 for anything else
  size_t weight() const;  ///< bytes, with all that it refers to

 private:
  // In the order of Type.
  std::variant<Undefined, None, bool, int64_t, double, std::shared_ptr<const std::string>,
               std::shared_ptr<const List>, std::shared_ptr<const Dict>, Namespace*,
               std::shared_ptr<const Loop>, const Macro*, const Function*,
               std::shared_ptr<const Method>>
      rep_;
};

struct Method {
  Value self;
  std::string name;
};

/// kInvalidArgument where the result would be nested too deeply or weigh too much.
Result<Value> make_list(std::vector<Value> items, List::Kind kind = List::Kind::kList);
Result<Value> make_dict(Dict dict);

/// Python's name of the value's type, for messages: "str".
std::string_view type_name(const Value& value);
std::string quoted_type(const Value& value);  ///< "'str'"

bool equal(const Value& a, const Value& b);

/// Less, equal or greater than 0. kInvalidArgument where Python cannot order the two.
Result<int> compare(const Value& a, const Value& b);

/// As `{{ value }}` prints it. kInvalidArgument for what has no stable text (macros, generators,
/// …).
Result<std::string> to_text(const Value& value);

/// As Python's repr() shows a number, and a string with its quotes.
std::string float_text(double value);
std::string string_repr(std::string_view text);

/// Members that a loop over the value visits: a dict's keys, a string's characters.
/// kInvalidArgument where it cannot be iterated.
Result<std::shared_ptr<const List>> iterate(const Value& value);

}  // namespace tern::jinja
