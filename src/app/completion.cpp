#include "app/completion.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

// The bash and fish scripts walk through the words before the cursor, to find the command they belong to, and how many
// positional words it has got so far. "pantile run 0" then is the first place of `run`, "pantile run --output" a value
// of that option. zsh's _arguments does the walking itself.

namespace pantile::app {
namespace {

using Kind = Values::Kind;

std::string joined(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, " ")); }

std::vector<std::string> names_of(const std::vector<Argument>& arguments) {
  std::vector<std::string> names;
  std::transform(arguments.begin(), arguments.end(), std::back_inserter(names), [](auto& one) { return one.name; });
  return names;
}

/// All commands below the first one, and all options that want a value, each with its command before it.
struct Walk {
  std::vector<std::string> commands;
  std::vector<std::string> options;
  explicit Walk(const std::vector<CommandWords>& all) {
    for (const CommandWords& words : all) {
      if (&words != &all.front()) {
        commands.push_back(words.command);
      }
      for (const Argument& option : words.options) {
        if (option.takes_value) {
          options.push_back(words.command + " " + option.name);
        }
      }
    }
  }
};

/// 'text' for any of the shells: a quote in it ends the quoted text, stands for itself, and opens it again.
std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) {
    result += c == '\'' ? std::string{"'\\''"} : std::string{c};
  }
  return result + "'";
}

// -- bash

std::string bash_case(const std::string& where, const Values& values) {
  switch (values.kind) {
    case Kind::nothing: return "";
    case Kind::choices: return fmt::format("    \"{}\") words=\"{}\" ;;\n", where, joined(values.choices));
    case Kind::keys: return fmt::format("    \"{}\") words=\"{}\"; tail=1 ;;\n", where, joined(settable_keys()));
    case Kind::jobs: return fmt::format("    \"{}\") files=jobs ;;\n", where);
    case Kind::folders: return fmt::format("    \"{}\") files=folders ;;\n", where);
    case Kind::files: return fmt::format("    \"{}\") files=all ;;\n", where);
  }
  return "";
}

std::string bash_script(const std::vector<CommandWords>& all) {
  const Walk walk{all};
  std::string cases;
  for (const CommandWords& one : all) {
    std::vector<std::string> dashed = names_of(one.options);
    dashed.emplace_back("--help");
    cases += fmt::format("    \"{} -\") words=\"{}\" ;;\n", one.command, joined(dashed));
    if (!one.commands.empty()) {
      cases += fmt::format("    \"{} 0\") words=\"{}\" ;;\n", one.command, joined(one.commands));
    }
    for (const Argument& option : one.options) {
      cases += bash_case(one.command + " " + option.name, option.values);
    }
    for (std::size_t i = 0; i < one.places.size(); ++i) {
      cases += bash_case(fmt::format("{} {}", one.command, i), one.places[i].values);
    }
  }
  return fmt::format(R"(# Completion of pantile for bash. Made by: pantile completion bash
_pantile() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} command=pantile option= place=0 words= files= tail= i
  for ((i = 1; i < COMP_CWORD; ++i)); do
    # --format=json is three words to bash; the third is no place, nor the next option's value.
    [[ ${{COMP_WORDS[i]}} == "=" ]] && {{ ((++i < COMP_CWORD)) && option=; continue; }}
    [[ -n $option ]] && {{ option=; continue; }}
    case "$command ${{COMP_WORDS[i]}}" in
      "{}") command+=" ${{COMP_WORDS[i]}}" ;;
      "{}") option=${{COMP_WORDS[i]}} ;;
      "$command -"*) ;;
      *) ((++place)) ;;
    esac
  done
  [[ $current == "=" ]] && current=
  if [[ -n $option ]]; then
    place=$option
  elif [[ $current == -* ]]; then
    place=-
  fi
  case "$command $place" in
{}  esac
  COMPREPLY=()
  [[ -n $words ]] && mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  [[ -n $tail ]] && compopt -o nospace 2> /dev/null
  [[ -n $files ]] && compopt -o filenames 2> /dev/null
  case "$files" in
    all) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    folders) mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
    jobs)
      mapfile -t COMPREPLY < <(
        compgen -d -- "$current"
        compgen -f -X '!*.yaml' -- "$current"
        compgen -f -X '!*.yml' -- "$current"
      )
      ;;
  esac
}}
complete -F _pantile pantile
)",
                     fmt::join(walk.commands, "\" | \""), fmt::join(walk.options, "\" | \""), cases);
}

// -- zsh

/// In the messages of _arguments brackets and colons are syntax.
std::string zsh_words(const std::string& text) {
  std::string result;
  for (const char c : text) {
    result += std::string_view{"[]:\\\""}.find(c) == std::string_view::npos ? std::string{c} : std::string{"\\"} + c;
  }
  return result;
}

std::string zsh_action(const Values& values) {
  switch (values.kind) {
    case Kind::nothing: return " ";
    case Kind::choices: return "(" + joined(values.choices) + ")";
    case Kind::keys: return "_pantile_keys";
    case Kind::jobs: return "_files -g \"*.(yaml|yml)\"";
    case Kind::folders: return "_files -/";
    case Kind::files: return "_files";
  }
  return " ";
}

std::string zsh_function(const std::string& command) {
  std::string name = "_" + command;
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}

std::string zsh_group(const CommandWords& group, const std::vector<CommandWords>& all) {
  std::string list;
  std::string cases;
  for (const std::string& name : group.commands) {
    const std::string command = group.command + " " + name;
    const auto below = std::find_if(all.begin(), all.end(), [&](auto& one) { return one.command == command; });
    list += fmt::format("    {}\n", quoted(name + ":" + zsh_words(below->doc)));
    cases += fmt::format("    {}) {} ;;\n", name, zsh_function(command));
  }
  return fmt::format(R"({}() {{
  local curcontext="$curcontext" context state state_descr line
  typeset -A opt_args
  local -a commands=(
{}  )
  _arguments -C '(-)'{{-h,--help}}'[help]' '1:command:->command' '*::argument:->rest'
  [[ $state == command ]] && _describe command commands
  [[ $state == rest ]] && case $line[1] in
{}  esac
}}
)",
                     zsh_function(group.command), list, cases);
}

std::string zsh_script(const std::vector<CommandWords>& all) {
  std::string text = fmt::format(
      "#compdef pantile\n# Completion of pantile for zsh. Made by: pantile completion zsh\n"
      "_pantile_keys() {{ compadd -S '' -- {} }}\n",
      joined(settable_keys()));
  for (const CommandWords& one : all) {
    if (!one.commands.empty()) {
      text += zsh_group(one, all);
      continue;
    }
    text += fmt::format("{}() {{\n  _arguments '(-)'{{-h,--help}}'[help]'", zsh_function(one.command));
    for (std::size_t i = 0; i < one.places.size(); ++i) {
      const Argument& place = one.places[i];
      text += " \\\n    " + quoted(fmt::format("{}:{}:{}", place.repeats ? "*" : std::to_string(i + 1), place.name,
                                               zsh_action(place.values)));
    }
    for (const Argument& option : one.options) {
      text += " \\\n    " + quoted(fmt::format("{}{}{}[{}]{}", option.repeats ? "*" : "", option.name,
                                               option.takes_value ? "=" : "", zsh_words(option.doc),
                                               option.takes_value ? ":value:" + zsh_action(option.values) : ""));
    }
    text += "\n}\n";
  }
  // In a folder of $fpath the file is the function itself; sourced, it registers the function.
  return text + "if [[ $funcstack[1] == _pantile ]]; then _pantile \"$@\"; else compdef _pantile pantile; fi\n";
}

// -- fish

std::string fish_values(const Values& values) {
  switch (values.kind) {
    case Kind::nothing: return "-x";
    case Kind::choices: return "-x -a " + quoted(joined(values.choices));
    case Kind::keys: return "-x -a " + quoted(joined(settable_keys()));
    case Kind::jobs: return "-x -k -a '(__fish_complete_suffix .yaml; __fish_complete_suffix .yml)'";
    case Kind::folders: return "-x -a '(__fish_complete_directories)'";
    case Kind::files: return "-r -F";
  }
  return "";
}

std::string fish_script(const std::vector<CommandWords>& all) {
  const Walk walk{all};
  std::string text = fmt::format(R"(# Completion of pantile for fish. Made by: pantile completion fish
function __pantile_place
    set -l command pantile
    set -l option
    set -l place 0
    for word in (commandline -opc)[2..-1]
        if test -n "$option"
            set option
            continue
        end
        switch "$command $word"
            case '{}'
                set command "$command $word"
            case '{}'
                set option $word
            case "$command -*"
            case '*'
                set place (math $place + 1)
        end
    end
    echo $command $place
end
function __pantile_in
    string match -qr "^$argv[1] [0-9]+\$" -- (__pantile_place)
end
function __pantile_at
    test (__pantile_place) = "$argv[1]"
end
complete -c pantile -f
)",
                                 fmt::join(walk.commands, "' '"), fmt::join(walk.options, "' '"));
  const auto add = [&](const std::string& condition, const std::string& rest) {
    text += fmt::format("complete -c pantile -n {} {}\n", quoted(condition), rest);
  };
  for (const CommandWords& one : all) {
    if (&one != &all.front()) {
      const std::size_t space = one.command.rfind(' ');
      add(fmt::format("__pantile_at \"{} 0\"", one.command.substr(0, space)),
          fmt::format("-a {} -d {}", one.command.substr(space + 1), quoted(one.doc)));
    }
    for (std::size_t i = 0; i < one.places.size(); ++i) {
      if (one.places[i].values.kind != Kind::nothing) {
        add(fmt::format("__pantile_at \"{} {}\"", one.command, i), fish_values(one.places[i].values));
      }
    }
    for (const Argument& option : one.options) {
      add(fmt::format("__pantile_in \"{}\"", one.command),
          fmt::format("-l {} -d {}{}", option.name.substr(2), quoted(option.doc),
                      option.takes_value ? " " + fish_values(option.values) : ""));
    }
    add(fmt::format("__pantile_in \"{}\"", one.command), "-s h -l help -d 'Help'");
  }
  return text;
}

}  // namespace

std::string completion_script(Shell shell, const std::vector<CommandWords>& commands) {
  switch (shell) {
    case Shell::bash: return bash_script(commands);
    case Shell::zsh: return zsh_script(commands);
    case Shell::fish: return fish_script(commands);
  }
  return "";
}

ExitCode carry_out(const CompletionCommand& command) {
  const Grammar grammar;
  fmt::print("{}", completion_script(command.shell, completion_words(grammar.app())));
  return ExitCode::done;
}

}  // namespace pantile::app
