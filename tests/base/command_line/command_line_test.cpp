// What the command lines say of mistakes, of their options, and write for shells and man.
#include "base/command_line/command_line.h"

#include <catch2/catch.hpp>
#include <cstdint>
#include <vector>

#include "base/command_line/generated.h"
#include "base/command_line/value_rules.h"

using namespace tern;

namespace {

struct Program {
  Program() {
    set_help_style(app);
    app.require_subcommand(1);
    app.fallthrough();
    app.add_flag("--verbose", verbose, "Say more");
    CLI::App* generate = app.add_subcommand("generate", "Answer a prompt");
    generate->add_option("prompt,--prompt", text, "The prompt")->option_text("TEXT");
    generate->add_option("--temperature", number, "0 = greedy");
    generate->add_option("--n", count, "Answers")->check(CLI::Range(1, 128));
    generate->add_flag("--bos,!--no-bos", verbose, "Begin with BOS");
    generate->add_option("--seed", seed, "Of the draws");
    CLI::Option* list = generate->add_option("--ids", ids, "Only these")->delimiter(',');
    generate->add_option("--top-p", number, "Nucleus")
        ->check(CLI::Range(0.0, 1.0))
        ->needs(generate->get_option("--temperature"));
    generate->add_option("--even", text, "A number")
        ->check([](const std::string& v) { return v == "2" ? "" : "must be even, is '" + v + "'"; })
        ->excludes(list);
    CLI::App* score = app.add_subcommand("score", "Log-probabilities");
    CLI::Option_group* input = score->add_option_group("input", "Input");
    input->add_option("--text", text, "The text");
    input->add_option("--file", text, "Its file");
    input->require_option(1);
    score->add_option("--compute", choice, "Arithmetic")->check(CLI::IsMember({"f32", "fast"}));
    CLI::App* bench = app.add_subcommand("bench", "Measure");
    bench->require_subcommand(1);
    bench->add_subcommand("serve", "Load on a server")
        ->add_option("--rate", number, "R")
        ->required();
    app.add_option("--secret", text, "hidden")->group("");
    generate->add_option("--stop", stop, "End here; repeatable");
    generate->add_option("--wide", wide, "64 bits");
    generate->add_option("--signed", signed_number, "64 bits, with a sign");
    app.add_subcommand("abort", "End requests")
        ->add_option("ids", stop, "ids of requests")
        ->required()
        ->option_text("ID");
    app.add_subcommand("status", "The server")->add_option("--server", text, "Its address");
    CLI::App* inspect = app.add_subcommand("inspect", "What a model holds");
    inspect->add_option("--model", text, "A directory")->required();
    app.add_subcommand("log-level", "How much is logged")
        ->add_option("level", choice, "The level")
        ->required()
        ->check(CLI::IsMember({"debug", "info"}));
    set_value_rules(app);
  }

  std::string mistake(const std::string& arguments) {
    try {
      app.parse(arguments);
    } catch (const CLI::ParseError& error) {
      return explain_mistake(app, error);
    }
    return "";
  }

  CLI::App app{"Talks to servers", "tern"};
  std::string text, choice;
  double number = 0;
  int count = 0;
  uint32_t seed = 0;
  std::vector<uint32_t> ids;
  std::vector<std::string> stop;
  uint64_t wide = 0;
  int64_t signed_number = 0;
  bool verbose = false;
};

}  // namespace

TEST_CASE("a mistake is named by its cause", "[command_line]") {
  const auto mistake = [](const std::string& arguments) { return Program().mistake(arguments); };
  CHECK(mistake("generate --temprature 1 hello") ==
        "unknown option --temprature; did you mean --temperature?\nSee 'tern generate --help'.");
  CHECK(mistake("generate --temprature=1")
            .starts_with("unknown option --temprature; did you mean --temperature?"));
  CHECK(mistake("score --txt x").starts_with("unknown option --txt; did you mean --text?"));
  CHECK(mistake("score --compute f32 --flie x")
            .starts_with("unknown option --flie; did you mean --file?"));
  CHECK(
      mistake("generate --promt x").starts_with("unknown option --promt; did you mean --prompt?"));
  CHECK(mistake("bench serve --rat 3") ==
        "unknown option --rat; did you mean --rate?\nSee 'tern bench serve --help'.");
  CHECK(mistake("generate --verbos hello")
            .starts_with("unknown option --verbos; did you mean --verbose?"));
  CHECK(mistake("generate hello --zzzzzz").starts_with("unknown option --zzzzzz\n"));
  CHECK(mistake("generat --temperature 1 x") ==
        "unknown command 'generat'; did you mean generate?\nSee 'tern --help'.");
  CHECK(mistake("bench srve --rate 1")
            .starts_with("unknown command 'srve'; did you mean serve?\nSee 'tern bench --help'."));
  CHECK(mistake("zzzzzz").starts_with("unknown command 'zzzzzz'\n"));
  CHECK(mistake("--temperature 1 generate hello")
            .starts_with("option --temperature belongs behind the command that takes it"));
  CHECK(mistake("generate tell me")
            .starts_with("unexpected argument 'me' (text of several words needs quotes)\n"));
  // An argument of a command that takes none is a flag's value.
  CHECK(mistake("inspect tern-stories")
            .starts_with(
                "unexpected argument 'tern-stories': it needs its flag before it, --model\n"));
  CHECK(mistake("score hello")
            .starts_with(
                "unexpected argument 'hello': it needs its flag before it, --text or --file\n"));
  CHECK(mistake("status host:1")
            .starts_with("unexpected argument 'host:1': it needs its flag before it, --server\n"));
  CHECK(mistake("status extra")
            .starts_with("unexpected argument 'extra'; tern status takes no arguments\n"));
  CHECK(mistake("inspect --model x y")
            .starts_with("unexpected argument 'y'; tern inspect takes no arguments\n"));
  CHECK(mistake("log-level debug info")
            .starts_with("unexpected argument 'info'; tern log-level takes one LEVEL\n"));
  CHECK(mistake("generate --temp 0 x")
            .starts_with("unknown option --temp; did you mean --temperature?"));
  CHECK(mistake("abort") == "tern abort needs ID: ids of requests\nSee 'tern abort --help'.");
  CHECK(mistake("log-level").starts_with("tern log-level needs LEVEL: debug or info\n"));
  CHECK(mistake("generate -- --temperature").empty());
  CHECK(mistake("--secre x generate").starts_with("unknown option --secre\n"));  // stays hidden
  // Nothing is unknown.
  CHECK(mistake("bench serve").starts_with("--rate is required"));
  CHECK(mistake("generate --temperature hot x").find("--temperature") != std::string::npos);
  CHECK(mistake("generate --n 1000 x").find("--n") != std::string::npos);
  CHECK(mistake("generate hello --temperature 1").empty());
}

TEST_CASE("a wrong value is named with what is allowed", "[command_line]") {
  const auto mistake = [](const std::string& arguments) {
    const std::string text = Program().mistake(arguments);
    return text.substr(0, text.find('\n'));
  };
  CHECK(mistake("generate --n") == "--n has no value; it takes a whole number from 1 to 128");
  CHECK(mistake("generate x --temperature") == "--temperature has no value; it takes a number");
  CHECK(mistake("score --text x --compute") == "--compute has no value; it takes f32 or fast");
  CHECK(mistake("generate --seed five") == "--seed takes a whole number, not 'five'");
  CHECK(mistake("generate --seed 1.5") == "--seed takes a whole number, not '1.5'");
  CHECK(mistake("generate --seed=-1") == "--seed takes no negative number, but is -1");
  CHECK(mistake("generate --seed 99999999999") == "--seed cannot be as large as 99999999999");
  CHECK(mistake("generate --temperature hot") == "--temperature takes a number, not 'hot'");
  CHECK(mistake("generate --ids 1,x") ==
        "--ids takes whole numbers with commas between them, not 'x'");
  CHECK(mistake("generate --n 1000") == "--n takes a whole number from 1 to 128, not '1000'");
  CHECK(mistake("generate --n many") == "--n takes a whole number from 1 to 128, not 'many'");
  CHECK(mistake("generate --top-p 2") == "--top-p takes a number from 0 to 1, not '2'");
  CHECK(mistake("score --text x --compute fsat") ==
        "--compute takes f32 or fast, not 'fsat'; did you mean fast?");
  CHECK(mistake("score --text x --compute zzzzzz") == "--compute takes f32 or fast, not 'zzzzzz'");
  CHECK(mistake("generate --even 3") == "--even must be even, is '3'");
  CHECK(mistake("generate hello --prompt there") ==
        "--prompt is given 2 times, but takes one value (the argument TEXT is the same)");
  CHECK(mistake("generate --n 1 --n 2") == "--n is given 2 times, but takes one value");
  CHECK(mistake("score") == "one of --text and --file is required");
  CHECK(mistake("score --text x --file y") == "only one of --text and --file can be given");
  CHECK(mistake("generate --ids 1 --even 2") == "--ids and --even cannot both be given");
  CHECK(mistake("generate --top-p 0.5") == "--top-p needs --temperature");
  CHECK(mistake("bench") == "tern bench needs a command: serve");
  CHECK(mistake("") ==
        "tern needs a command: generate, score, bench, abort, status, inspect or log-level");
}

TEST_CASE("a flag takes one word, however often it may come", "[command_line]") {
  const auto parsed = [](const std::string& arguments) {
    auto program = std::make_unique<Program>();
    CHECK(program->mistake(arguments) == "");
    return program;
  };
  using Words = std::vector<std::string>;
  auto program = parsed("generate --stop END \"Tell me\"");
  CHECK(program->stop == Words{"END"});
  CHECK(program->text == "Tell me");
  program = parsed("generate --stop a \"Tell me\" --stop=b --stop '[c,d]' --stop {} --stop %%");
  CHECK(program->stop == Words{"a", "b", "[c,d]", "{}", "%%"});
  CHECK(program->text == "Tell me");
  program = parsed("generate --ids 1,2 --ids 3 hello");
  CHECK(program->ids == std::vector<uint32_t>{1, 2, 3});
  CHECK(program->text == "hello");
  CHECK(parsed("abort a b c")->stop == Words{"a", "b", "c"});  // arguments go on
}

TEST_CASE("numbers are decimal, and as large as they are written", "[command_line]") {
  const auto parsed = [](const std::string& arguments) {
    auto program = std::make_unique<Program>();
    CHECK(program->mistake(arguments) == "");
    return program;
  };
  CHECK(parsed("generate --n 010")->count == 10);
  CHECK(parsed("generate --seed 0777")->seed == 777);
  CHECK(parsed("generate --seed=+7")->seed == 7);
  CHECK(parsed("generate --ids 08,010")->ids == std::vector<uint32_t>{8, 10});
  CHECK(parsed("generate --wide 18446744073709551615")->wide == UINT64_MAX);
  CHECK(parsed("generate --signed=-9223372036854775808")->signed_number == INT64_MIN);
  CHECK(parsed("generate --temperature 1e-2")->number == 0.01);
  const auto mistake = [](const std::string& arguments) {
    const std::string text = Program().mistake(arguments);
    return text.substr(0, text.find('\n'));
  };
  CHECK(mistake("generate --wide 18446744073709551616") ==
        "--wide cannot be as large as 18446744073709551616");
  CHECK(mistake("generate --wide 99999999999999999999") ==
        "--wide cannot be as large as 99999999999999999999");
  CHECK(mistake("generate --wide=-1") == "--wide takes no negative number, but is -1");
  CHECK(mistake("generate --signed 9223372036854775808") ==
        "--signed cannot be as large as 9223372036854775808");
  for (const std::string number : {"0x10", "1e3", "0b1", "1_000", "+-1", "--1"})
    CHECK(mistake("generate --wide=" + number) ==
          "--wide takes a whole number, not '" + number + "'");
  CHECK(mistake("generate --n 0x10") == "--n takes a whole number from 1 to 128, not '0x10'");
  for (const std::string number : {"0x1p3", "inf", "nan", "1e999", "1,5"})
    CHECK(mistake("generate --temperature " + number) ==
          "--temperature takes a number, not '" + number + "'");
}

TEST_CASE("help is for people", "[command_line]") {
  Program program;
  const auto help = [&](const char* command) {
    return program.app.get_subcommand(command)->help();
  };
  const std::string generate = help("generate");
  CHECK(generate.find("--n N ") != std::string::npos);
  CHECK(generate.find("Answers (1 to 128)") != std::string::npos);
  CHECK(generate.find("--temperature X") != std::string::npos);
  CHECK(generate.find("--bos, --no-bos ") != std::string::npos);
  CHECK(generate.find("[TEXT]") != std::string::npos);
  const std::string score = help("score");
  CHECK(score.find("Input (one of these):") != std::string::npos);
  CHECK(score.find("Arithmetic (f32|fast)") != std::string::npos);
  for (const std::string& text : {generate, score, program.app.help()})
    for (const char* artefact :
         {"{false}", "{f32", "UINT", ":INT", "FLOAT", "Option Group", "REQUIRED", "hidden"})
      CHECK(text.find(artefact) == std::string::npos);
}

TEST_CASE("shells and man get every command and option", "[command_line]") {
  Program program;
  for (const char* shell : kShells) {
    const std::string script = completion_script(program.app, shell);
    INFO(shell << "\n" << script);
    for (const char* word : {"generate", "serve", "temperature", "no-bos", "rate", "f32 fast"})
      CHECK(script.find(word) != std::string::npos);
    CHECK(script.find("secret") == std::string::npos);
  }
  const std::string page =
      man_page(program.app, {.section = 1, .version = "1", .see_also = "", .files = ""});
  CHECK(page.starts_with(".TH TERN 1"));
  CHECK(page.find(".SS bench serve\n") != std::string::npos);
  CHECK(page.find(".B \\-\\-temperature X\n0 = greedy\n") != std::string::npos);
  CHECK(page.find("secret") == std::string::npos);
}
