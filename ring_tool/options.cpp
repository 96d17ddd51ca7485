#include "ring_tool/options.hpp"

#include <algorithm>

#include "ring_tool/failure.hpp"

namespace ring_tool {
namespace {

const Option* find_letter(const std::vector<Option>& known, char letter) {
  const auto found = std::find_if(known.begin(), known.end(),
                                  [&](const Option& option) { return option.letter == letter; });
  return found == known.end() ? nullptr : &*found;
}

const Option* find_name(const std::vector<Option>& known, const std::string& name) {
  const auto found = std::find_if(known.begin(), known.end(), [&](const Option& option) {
    return std::find(option.names.begin(), option.names.end(), name) != option.names.end();
  });
  return found == known.end() ? nullptr : &*found;
}

[[noreturn]] void unknown(const std::string& option) {
  throw Failure("unknown option: \"" + option + "\"");
}
[[noreturn]] void missing(const std::string& option) {
  throw Failure("do not have enough args for \"" + option + "\" option");
}

}  // namespace

Options::Options(const std::vector<Option>& known, const std::vector<std::string>& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const auto next = [&](const std::string& option) {
      if (++i >= words.size()) missing(option);
      return words[i];
    };
    if (word == "--") {
      arguments_.insert(arguments_.end(), words.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                        words.end());
      return;
    }
    if (word.starts_with("--")) {
      const std::size_t equals = word.find('=');
      const std::string name = word.substr(2, equals == std::string::npos ? equals : equals - 2);
      const Option* option = find_name(known, name);
      if (option == nullptr) unknown("--" + name);
      std::string value;
      if (equals != std::string::npos) {
        if (!option->takes_value)
          throw Failure("argument given to \"--" + name + "\" option that does not take one: \"" +
                        word + "\"");
        value = word.substr(equals + 1);
      } else if (option->takes_value) {
        value = next("--" + name);
      }
      values_[option->names[0]].push_back(value);
    } else if (word.size() > 1 && word[0] == '-') {
      for (std::size_t at = 1; at < word.size(); ++at) {
        const Option* option = find_letter(known, word[at]);
        const std::string name{'-', word[at]};
        if (option == nullptr) unknown(name);
        if (!option->takes_value) {
          values_[option->names[0]].emplace_back();
          continue;
        }
        values_[option->names[0]].push_back(at + 1 < word.size() ? word.substr(at + 1)
                                                                 : next(name));
        break;
      }
    } else {
      arguments_.push_back(word);
    }
  }
}

std::optional<std::string> Options::get(std::string_view name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return std::nullopt;
  return found->second.back();
}

std::string Options::required(std::string_view name) const {
  auto value = get(name);
  if (!value || value->empty()) throw WrongUse("--" + std::string(name) + " is required");
  return *std::move(value);
}

std::vector<std::string> Options::all(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::vector<std::string>() : found->second;
}

}  // namespace ring_tool
