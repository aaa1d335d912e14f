// What the command lines say of mistakes, of their options, and write for shells and man.
#include "base/command_line/command_line.h"

#include <catch2/catch.hpp>

#include "base/command_line/generated.h"

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
  CHECK(mistake("generate tell me").starts_with("unexpected argument 'me'"));
  CHECK(mistake("generate -- --temperature").empty());
  CHECK(mistake("--secre x generate").starts_with("unknown option --secre\n"));  // stays hidden
  // Nothing is unknown: what CLI11 says stands.
  CHECK(mistake("bench serve").starts_with("--rate is required"));
  CHECK(mistake("generate --temperature hot x").find("--temperature") != std::string::npos);
  CHECK(mistake("generate --n 1000 x").find("--n") != std::string::npos);
  CHECK(mistake("generate hello --temperature 1").empty());
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
