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
  TERN_ASSIGN(const Bound a, bind(args, {"", "", ""}, 1));
  List list;
  list.kind = List::Kind::kRange;
  TERN_ASSIGN(list.start, a.integer(0, 0));
  TERN_ASSIGN(list.stop, a.integer(1, 0));
  TERN_ASSIGN(list.range_step, a.integer(2, 1));
  if (!a[1]) list.stop = std::exchange(list.start, 0);
  const int64_t step = list.range_step;
  if (step == 0) return invalid_argument("range() arg 3 must not be zero");
  for (int64_t i = list.start; step > 0 ? i < list.stop : i > list.stop;) {
    if (int64_t(list.items.size()) == kMaxItems)
      return invalid_argument("range() exceeds " + std::to_string(kMaxItems) + " items");
    list.items.emplace_back(i);
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  TERN_TRY(interpreter.charge(list.items.size() * sizeof(Value), int64_t(list.items.size())));
  return make_list(std::move(list));
}

/// What Python's dict() makes of its arguments.
Result<Dict> dict_of(Interpreter& interpreter, const CallArgs& args) {
  if (args.positional.size() > 1) return invalid_argument("takes at most 1 argument(s)");
  Dict dict;
  if (!args.positional.empty() && args.positional[0].is_dict()) {
    dict = args.positional[0].dict();
  } else if (!args.positional.empty()) {
    if (args.positional[0].is_undefined())
      return invalid_argument(args.positional[0].undefined_reason());
    TERN_ASSIGN(const auto pairs, iterate(args.positional[0]));
    for (const Value& item : pairs->items) {
      TERN_ASSIGN(const auto pair, iterate(item));
      if (pair->items.size() != 2) return invalid_argument("dict() needs pairs of key and value");
      TERN_TRY(dict.set(pair->items[0], pair->items[1]));
    }
  }
  for (const auto& [name, value] : args.named) dict.set(name, value);
  TERN_TRY(interpreter.charge(dict.items.size() * sizeof(Value), int64_t(dict.items.size())));
  return dict;
}

Result<Value> run_namespace(Interpreter& interpreter, const CallArgs& args) {
  TERN_TRY(interpreter.charge(sizeof(Namespace)));
  TERN_ASSIGN(Dict members, dict_of(interpreter, args));
  Namespace* space = interpreter.new_namespace();
  for (auto& [name, member] : members.items) {
    if (name.is_string())
      TERN_TRY(set_member(*space, name.string(), member));
    else
      TERN_TRY(space->members.set(name, member));
  }
  return Value(space);
}

Result<Value> run_dict(Interpreter& interpreter, const CallArgs& args) {
  TERN_ASSIGN(Dict dict, dict_of(interpreter, args));
  return make_dict(std::move(dict));
}

Result<Value> run_cycler(Interpreter& interpreter, const CallArgs& args) {
  if (args.positional.empty() || !args.named.empty())
    return invalid_argument("cycler() needs at least one item, and no names");
  TERN_TRY(interpreter.charge((1 + args.positional.size()) * sizeof(Value)));
  Cycler* cycler = interpreter.new_cycler();
  cycler->items = args.positional;
  return Value(cycler);
}

Result<Value> run_joiner(Interpreter& interpreter, const CallArgs& args) {
  TERN_ASSIGN(const Bound a, bind(args, {"sep"}));
  TERN_TRY(interpreter.charge(sizeof(Joiner)));
  Joiner* joiner = interpreter.new_joiner();
  joiner->separator = a[0] ? *a[0] : Value(std::string(", "));
  return Value(joiner);
}

Result<Value> run_lipsum(Interpreter&, const CallArgs&) {
  return Status(Code::kUnimplemented,
                "tern refuses lipsum(): its text is random, and a prompt is not");
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
    {"cycler", run_cycler},
    {"joiner", run_joiner},
    {"lipsum", run_lipsum},
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

Result<size_t> Bound::width(size_t i, int64_t otherwise) const {
  TERN_ASSIGN(const int64_t width, integer(i, otherwise));
  if (width > int64_t(kMaxStringBytes))
    return invalid_argument("a width of " + std::to_string(width) + " exceeds " +
                            std::to_string(kMaxStringBytes));
  return size_t(std::max<int64_t>(width, 0));
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
      return invalid_argument(parameters.begin()[i].empty()
                                  ? "lacks an argument"
                                  : "lacks the argument " + string_repr(parameters.begin()[i]));
  return Bound(std::move(values));
}

const Function* find_function(std::string_view name) {
  const Function* f = std::find_if(std::begin(kFunctions), std::end(kFunctions),
                                   [&](const Function& f) { return f.name == name; });
  return f == std::end(kFunctions) ? nullptr : f;
}

}  // namespace tern::jinja
