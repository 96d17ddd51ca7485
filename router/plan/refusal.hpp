#pragma once

#include <functional>
#include <stdexcept>
#include <string>
#include <variant>

namespace router {

/// Something that an operator asked for and can't have: nothing was changed. `code` is for
/// programs, what() for people.
struct Refusal : std::runtime_error {
  Refusal(std::string code_, const std::string& message)
      : std::runtime_error(message), code(std::move(code_)) {}
  std::string code;
};

/// What was asked for, or why not.
template <typename Result>
using Outcome = std::variant<Result, Refusal>;

/// Told once, on the thread that the call's owner names.
template <typename Result>
using Done = std::function<void(Outcome<Result>)>;

}  // namespace router
