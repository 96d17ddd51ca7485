#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace objects {

/// What a client gets to see of a failed RPC.
struct Error {
  std::string name;
  std::string message;
  std::string context = "{}";  ///< JSON
  std::string info = "{}";     ///< JSON
  bool operator==(const Error&) const = default;
};

/// A value or the error instead.
template <typename T>
class Result {
 public:
  Result(T value) : state_(std::move(value)) {}
  Result(Error error) : state_(std::move(error)) {}

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& operator*() & { return std::get<0>(state_); }
  const T& operator*() const& { return std::get<0>(state_); }
  T&& operator*() && { return std::move(std::get<0>(state_)); }
  T* operator->() { return &std::get<0>(state_); }
  const T* operator->() const { return &std::get<0>(state_); }
  [[nodiscard]] const Error& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

/// Nothing, or the error.
using Failed = std::optional<Error>;

}  // namespace objects
