// Arguments, and the global functions of chat templates.
#include <algorithm>
#include <ctime>

#include "engine/text/jinja/calls.h"
#include "engine/text/jinja/interpreter.h"

namespace tern::jinja {
namespace {

Status wrong_type(const Value& value, std::string_view expected) {
  if (value.is_undefined()) return invalid_argument(value.undefined_reason());
  return invalid_argument("an argument is " + quoted_type(value) + ", expected '" +
                          std::string(expected) + "'");
}

Result<Value> run_range(Interpreter& interpreter, const CallArgs& args) {
  constexpr int64_t kMaxItems = 100'000;  // as Jinja's sandbox has it
  TERN_ASSIGN(const Bound a, bind(args, {"start", "stop", "step"}, 1));
  TERN_ASSIGN(int64_t start, a.integer(0, 0));
  TERN_ASSIGN(int64_t stop, a.integer(1, 0));
  TERN_ASSIGN(const int64_t step, a.integer(2, 1));
  if (!a[1]) stop = std::exchange(start, 0);
  if (step == 0) return invalid_argument("range() arg 3 must not be zero");
  std::vector<Value> items;
  while (step > 0 ? start < stop : start > stop) {
    if (int64_t(items.size()) == kMaxItems)
      return invalid_argument("range() exceeds " + std::to_string(kMaxItems) + " items");
    items.emplace_back(start);
    if (__builtin_add_overflow(start, step, &start)) break;
  }
  return interpreter.list(std::move(items));
}

Result<Value> run_namespace(Interpreter& interpreter, const CallArgs& args) {
  TERN_TRY(interpreter.charge(sizeof(Namespace)));
  Namespace* space = interpreter.new_namespace();
  for (const Value& value : args.positional) {
    if (!value.is_dict()) return wrong_type(value, "dict");
    for (const auto& [name, member] : value.dict().items)
      if (name.is_string()) space->members[name.string()] = member;
  }
  for (const auto& [name, value] : args.named) space->members[name] = value;
  return Value(space);
}

Result<Value> run_dict(Interpreter& interpreter, const CallArgs& args) {
  TERN_ASSIGN(const Bound a, bind({args.positional, {}}, {"mapping"}));
  if (a[0] && !a[0]->is_dict()) return wrong_type(*a[0], "dict");
  Dict dict = a[0] ? a[0]->dict() : Dict();
  dict.weight = 0;  // counted anew
  for (const auto& [name, value] : args.named) dict.set(Value(name), value);
  TERN_TRY(interpreter.charge(dict.items.size() * sizeof(Value)));
  return make_dict(std::move(dict));
}

Result<Value> run_raise_exception(Interpreter& interpreter, const CallArgs& args) {
  TERN_ASSIGN(const Bound a, bind(args, {"message"}, 1));
  TERN_ASSIGN(const std::string message, to_text(*a[0]));
  interpreter.set_raised();
  return invalid_argument(message);
}

/// The variable `now` (seconds since 1970, UTC) makes it reproducible; without it, the clock's
/// local time.
Result<Value> run_strftime_now(Interpreter& interpreter, const CallArgs& args) {
  TERN_ASSIGN(const Bound a, bind(args, {"format"}, 1));
  TERN_ASSIGN(const std::string format, a.string(0, ""));
  const Value* now = interpreter.find_variable("now");
  const bool given = now && now->is_integer();
  const std::time_t seconds = given ? std::time_t(now->integer()) : std::time(nullptr);
  std::tm parts{};
  if (!(given ? ::gmtime_r(&seconds, &parts) : ::localtime_r(&seconds, &parts)))
    return invalid_argument("the time " + std::to_string(seconds) + " is out of range");
  char text[512];
  return interpreter.string(
      std::string(text, std::strftime(text, sizeof text, format.c_str(), &parts)));
}

constexpr Function kFunctions[] = {
    {"range", run_range},
    {"namespace", run_namespace},
    {"dict", run_dict},
    {"raise_exception", run_raise_exception},
    {"strftime_now", run_strftime_now},
};

}  // namespace

Result<std::string> Bound::string(size_t i, std::string_view otherwise) const {
  if (!values_[i]) return std::string(otherwise);
  if (!values_[i]->is_string()) return wrong_type(*values_[i], "str");
  return values_[i]->string();
}

Result<int64_t> Bound::integer(size_t i, int64_t otherwise) const {
  if (!values_[i]) return otherwise;
  if (!values_[i]->is_integer()) return wrong_type(*values_[i], "int");
  return values_[i]->integer();
}

bool Bound::truthy(size_t i, bool otherwise) const {
  return values_[i] ? values_[i]->truthy() : otherwise;
}

Result<Bound> bind(const CallArgs& args, std::initializer_list<std::string_view> parameters,
                   size_t num_required) {
  std::vector<const Value*> values(parameters.size(), nullptr);
  if (args.positional.size() > parameters.size())
    return invalid_argument("takes at most " + std::to_string(parameters.size()) +
                            " argument(s), got " + std::to_string(args.positional.size()));
  for (size_t i = 0; i < args.positional.size(); ++i) values[i] = &args.positional[i];
  for (const auto& [name, value] : args.named) {
    const auto it = std::find(parameters.begin(), parameters.end(), name);
    if (it == parameters.end()) return invalid_argument("takes no argument " + string_repr(name));
    const Value*& slot = values[size_t(it - parameters.begin())];
    if (slot) return invalid_argument("got two values for " + string_repr(name));
    slot = &value;
  }
  for (size_t i = 0; i < num_required; ++i)
    if (!values[i])
      return invalid_argument("lacks the argument " + string_repr(parameters.begin()[i]));
  return Bound(std::move(values));
}

const Function* find_function(std::string_view name) {
  const Function* f = std::find_if(std::begin(kFunctions), std::end(kFunctions),
                                   [&](const Function& f) { return f.name == name; });
  return f == std::end(kFunctions) ? nullptr : f;
}

}  // namespace tern::jinja
