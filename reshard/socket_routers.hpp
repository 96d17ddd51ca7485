#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "reshard/plan.hpp"
#include "reshard/routers.hpp"

namespace reshard {

/// The routers that a plan names, spoken to by their admin sockets (docs/admin.md).
class SocketRouters final : public Routers {
 public:
  explicit SocketRouters(Plan plan) : plan_(std::move(plan)), holder_(plan_.token) {}

  void set_coordinator(std::uint64_t number) override {
    holder_ = plan_.token + "/" + std::to_string(number);
  }
  void set_options(const PlanOptions& options) override { plan_.options = options; }
  void set_confirm(std::function<void()>) override {}  // leases name their holder
  [[nodiscard]] std::vector<std::string> names() const override { return plan_.routers; }

  std::vector<RouterAnswer> try_prepare(std::chrono::milliseconds limit) override;
  Rehearsal rehearse(std::chrono::milliseconds limit) override;
  bool prepare(const BoundRings& rings, std::chrono::milliseconds limit) override;
  void renew(std::chrono::milliseconds limit) override;
  void block(std::chrono::milliseconds limit) override;
  std::vector<RouterAnswer> activate(const BoundRings& rings, std::chrono::milliseconds limit,
                                     bool held, const std::function<void()>& confirm) override;
  Released unblock(bool committed, std::chrono::milliseconds limit) override;
  Released abandon(std::chrono::milliseconds limit) override;
  Released end(bool, std::chrono::milliseconds limit) override { return abandon(limit); }
  bool settled(bool, std::chrono::milliseconds) override { return true; }  // each goes by the row
  std::vector<Ownership> ownership(const std::string& pnode, const ring::VnodeSet& vnodes,
                                   std::chrono::milliseconds limit) override;
  using Routers::ownership;

 private:
  [[nodiscard]] const Plan& plan() const override { return plan_; }
  /// One answer a router, in the plan's order.
  [[nodiscard]] std::vector<RouterAnswer> tell(const std::string& command,
                                               const nlohmann::ordered_json& arguments,
                                               std::chrono::milliseconds limit) const;
  [[nodiscard]] nlohmann::ordered_json prepare_arguments() const;

  Plan plan_;
  std::string holder_;  // of the leases: the plan's token, and who
};

/// Sends one command to an admin socket and waits for its answer.
RouterAnswer ask_router(const std::string& socket, const std::string& command,
                        const nlohmann::ordered_json& arguments, std::chrono::milliseconds limit);

}  // namespace reshard
