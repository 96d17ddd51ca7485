#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "reshard/plan.hpp"

namespace reshard {

/// What a router said, or why it said nothing.
struct RouterAnswer {
  std::string router;
  bool answered = false;
  bool ok = false;
  std::string code, message;  ///< of a refusal; without an answer `message` says why there is none
  std::string result;         ///< JSON
  std::chrono::nanoseconds took{};
};

/// The routers of a plan, spoken to by their admin sockets (docs/admin.md), all at once. Any
/// thread; calls wait.
class Routers {
 public:
  explicit Routers(const Plan& plan) : plan_(plan) {}

  /// One answer a router, in the plan's order.
  [[nodiscard]] std::vector<RouterAnswer> tell(const std::string& command,
                                               const nlohmann::ordered_json& arguments,
                                               std::chrono::milliseconds limit) const;

  /// Each of these throws ActFailed naming the first router that did not do it.
  void prepare(std::chrono::milliseconds limit) const;
  void block(std::chrono::milliseconds limit) const;
  /// Those that have not: their leases, and a margin, are waited for by the caller.
  [[nodiscard]] std::vector<RouterAnswer> activate(std::chrono::milliseconds limit) const;

 private:
  const Plan& plan_;
};

/// Sends one command to an admin socket and waits for its answer.
RouterAnswer ask_router(const std::string& socket, const std::string& command,
                        const nlohmann::ordered_json& arguments, std::chrono::milliseconds limit);

}  // namespace reshard
