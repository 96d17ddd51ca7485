#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "backends/serving_lease.hpp"

namespace router {

using backends::lease_clock;

/// A token that nobody has chosen: 32 hexadecimal digits.
std::string new_token();

/// One coordinator's right to change this router's ring in two phases: held under a token that
/// only it knows, for a time counted from its own last request. Pure but for the clock, which is
/// passed in.
class CoordinatorLease {
 public:
  /// `holder`: a token that the coordinator has chosen, by which it may also take its own lease
  /// again; empty: one is made. nullopt: somebody else's lease runs.
  std::optional<std::string> take(std::chrono::nanoseconds now, std::chrono::milliseconds time,
                                  const std::string& holder = "");
  /// False: not the holder, or it has run out.
  bool renew(const std::string& token, std::chrono::nanoseconds now,
             std::chrono::milliseconds time);
  void give_back() { token_.clear(); }

  /// Taken and not given back, whether or not it has run out.
  [[nodiscard]] bool out() const { return !token_.empty(); }
  [[nodiscard]] bool held_by(const std::string& token) const { return out() && token == token_; }
  [[nodiscard]] bool expired(std::chrono::nanoseconds now) const { return out() && now >= until_; }
  [[nodiscard]] std::chrono::milliseconds left(std::chrono::nanoseconds now) const;
  /// When it runs out, or has run out; 0: not out.
  [[nodiscard]] std::chrono::nanoseconds end() const {
    return out() ? until_ : std::chrono::nanoseconds(0);
  }

 private:
  std::string token_;
  std::chrono::nanoseconds until_{};
};

}  // namespace router
