// The program of a chat template.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/jinja/value.h"

namespace tern::jinja {

struct Expr;
struct Stmt;
using ExprPtr = std::unique_ptr<Expr>;
using Body = std::vector<std::unique_ptr<Stmt>>;

struct Expr {
  enum class Kind {
    kLiteral,      ///< `literal`
    kName,         ///< `name`
    kList,         ///< children
    kTuple,        ///< children
    kDict,         ///< children: key, value, key, value, …
    kAttribute,    ///< child 0 . name
    kItem,         ///< child 0 [ child 1 ]
    kSlice,        ///< child 0 [ child 1 : child 2 : child 3 ], the last three may be null
    kCall,         ///< child 0 ( the others, named )
    kFilter,       ///< child 0 | name ( the others, named )
    kTest,         ///< child 0 is name ( the others, named )
    kUnary,        ///< name ("-", "+", "not") child 0
    kBinary,       ///< child 0 name child 1: arithmetic and "~", "and", "or"
    kCompare,      ///< child 0 operators[0] child 1 operators[1] child 2 …
    kConditional,  ///< child 1 if child 0 else child 2, which may be null
  };
  Kind kind = Kind::kLiteral;
  int line = 0;
  int depth = 1;  ///< of the tree: bounded, so that recursion over it is
  std::string name;
  Value literal;
  std::vector<ExprPtr> children;
  std::vector<std::pair<std::string, ExprPtr>> named;
  ExprPtr star;         ///< *args of a call
  ExprPtr double_star;  ///< **kwargs
  std::vector<std::string> operators;
};

struct Macro {
  struct Parameter {
    std::string name;
    ExprPtr otherwise;  ///< null: undefined where the caller gives none
  };
  std::string name;  ///< empty: what {% call %} calls back
  std::vector<Parameter> parameters;
  Body body;
  // Whether the body asks for more than the parameters.
  bool takes_caller = false, takes_kwargs = false, takes_varargs = false;
};

struct Scope;

/// A macro as a value: it sees the variables of the place where it stands. The rendering owns it.
struct Closure {
  const Macro* macro = nullptr;
  Scope* scope = nullptr;
};

struct Stmt {
  enum class Kind {
    kText,      ///< `text`
    kPrint,     ///< {{ expr }}
    kIf,        ///< branches
    kFor,       ///< for target in expr if condition: body, else: otherwise
    kSet,       ///< set target = expr
    kSetBlock,  ///< set target: body, through the filters of `expr`, if any
    kWith,      ///< assignments, body
    kMacro,     ///< macro
    kCall,      ///< expr, a call, with `macro` as its caller
    kBreak,
    kContinue,
    kFilterBlock,  ///< body through the filters of `expr`
    kBlock,        ///< body with variables of its own, seeing the template's own only
    kScope,        ///< body with variables of its own
    kRefused,      ///< fails with `text` where it is reached
  };
  struct Branch {
    ExprPtr condition;  ///< null: else
    Body body;
  };
  Kind kind = Kind::kText;
  int line = 0;
  bool recursive = false;  ///< a `for` whose `loop` can be called
  std::string text;
  ExprPtr target;  ///< a name, a tuple of targets, or namespace.name
  ExprPtr expr;    ///< of filters on a block: their innermost child is kName with an empty name
  ExprPtr condition;
  std::vector<std::pair<ExprPtr, ExprPtr>> assignments;  ///< of `with`
  std::vector<Branch> branches;
  Body body;
  Body otherwise;
  std::unique_ptr<Macro> macro;
};

/// Whether `name` stands anywhere in `program` for the value of a variable.
bool reads_variable(const Body& program, std::string_view name);

}  // namespace tern::jinja
