// What is called in chat templates: arguments, and the tables of what tern knows.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/jinja/value.h"

namespace tern::jinja {

class Interpreter;

struct CallArgs {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

/// Arguments by the parameters of a function.
class Bound {
 public:
  explicit Bound(std::vector<const Value*> values) : values_(std::move(values)) {}

  /// Null where the caller gave none.
  const Value* operator[](size_t i) const { return values_[i]; }

  // Argument `i` as a type, or `otherwise` where there is none. kInvalidArgument naming both types.
  Result<std::string> string(size_t i, std::string_view otherwise) const;
  Result<int64_t> integer(size_t i, int64_t otherwise) const;
  Result<size_t> width(size_t i, int64_t otherwise) const;  ///< of a text: 0 where negative
  bool truthy(size_t i, bool otherwise) const;

 private:
  std::vector<const Value*> values_;
};

/// `args` for `parameters`; the first `num_required` must be there. One whose name is empty cannot
/// be given by its name. kInvalidArgument naming the argument. Refers to `args`.
Result<Bound> bind(const CallArgs& args, std::initializer_list<std::string_view> parameters,
                   size_t num_required = 0);

/// A global function: `range`.
struct Function {
  std::string_view name;
  Result<Value> (*run)(Interpreter& interpreter, const CallArgs& args);
};

/// Null where tern does not know it.
const Function* find_function(std::string_view name);

/// Whether values of this type have the method `name`.
bool has_method(const Value& self, std::string_view name);
Result<Value> call_method(Interpreter& interpreter, const Value& self, const std::string& name,
                          const CallArgs& args);

// A table of methods for each type.
struct MethodEntry {
  std::string_view name;
  Result<Value> (*run)(Interpreter& interpreter, const Value& self, const CallArgs& args);
};
const MethodEntry* find_string_method(std::string_view name);

/// `value.name` and `value[key]`. Undefined where there is no such member; kInvalidArgument on
/// undefined. `attr` does not look among the members of a dict.
Result<Value> get_attribute(const Value& value, const std::string& name);
Result<Value> get_item(const Value& value, const Value& key);
Result<Value> get_own_attribute(const Value& value, const std::string& name);

/// Sets a member of a namespace. kInvalidArgument where its name begins with an underscore, as
/// Hugging Face has it.
Status set_member(Namespace& space, const std::string& name, const Value& value);

/// `a op b` for + - * / // % ** ~, and `in`.
Result<Value> arithmetic(Interpreter& interpreter, std::string_view op, const Value& a,
                         const Value& b);
Result<bool> contains(const Value& container, const Value& item);

}  // namespace tern::jinja
