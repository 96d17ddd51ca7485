#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "config/image_url.hpp"
#include "fleet/images/image.hpp"
#include "fleet/operator/operator.hpp"
#include "reshard/fleet/cutover.hpp"
#include "reshard/plan.hpp"
#include "reshard/routers.hpp"

namespace reshard {

/// The members of the fleet that a plan names: all of those in its roster, over the service in
/// which they agree (docs/fleet.md, "A cutover"). A cutover is one change of the fleet's, whose
/// stages are prepare, block and activate. The plan's row decides, and the state follows: what
/// could not be written there, while the service was away, `settled` writes later.
class FleetRouters final : public Routers {
 public:
  /// Connects when it is needed. Throws std::runtime_error where the plan's credentials can't be
  /// read, std::invalid_argument where its URL of images is none.
  explicit FleetRouters(Plan plan);
  ~FleetRouters() override;

  void set_coordinator(std::uint64_t number) override;
  void set_options(const PlanOptions& options) override { plan_.options = options; }
  void set_confirm(std::function<void()> confirm) override { confirm_ = std::move(confirm); }
  [[nodiscard]] std::vector<std::string> names() const override;

  std::vector<RouterAnswer> try_prepare(std::chrono::milliseconds limit) override;
  Rehearsal rehearse(std::chrono::milliseconds limit) override;
  bool prepare(const BoundRings& rings, std::chrono::milliseconds limit) override;
  void renew(std::chrono::milliseconds) override {}  // a lease begins with `block`
  void block(std::chrono::milliseconds limit) override;
  std::vector<RouterAnswer> activate(const BoundRings& rings, std::chrono::milliseconds limit,
                                     bool held, const std::function<void()>& confirm) override;
  Released unblock(bool committed, std::chrono::milliseconds limit) override;
  Released abandon(std::chrono::milliseconds limit) override;
  Released end(bool committed, std::chrono::milliseconds limit) override;
  bool settled(bool committed, std::chrono::milliseconds limit) override;
  std::vector<Ownership> ownership(const std::string& pnode, const ring::VnodeSet& vnodes,
                                   std::chrono::milliseconds limit) override;
  using Routers::ownership;

  /// In force. Throws Waiting.
  std::shared_ptr<const ring::Ring> ring();
  /// Throws Waiting.
  fleet::FleetView view();

 private:
  using Clock = std::chrono::steady_clock;
  /// The fleet as it is now, and its ring.
  struct Look {
    fleet::FleetView view;
    std::shared_ptr<const ring::Ring> ring;
  };
  enum class Closing : std::uint8_t {
    done,
    otherwise,  ///< it was closed, and not so
    none,       ///< no change of the plan is open
    not_told,
  };

  [[nodiscard]] const Plan& plan() const override { return plan_; }
  [[nodiscard]] std::string named() const { return "fleet \"" + plan_.fleet->name + "\""; }
  [[nodiscard]] fleet::PlanName plan_name() const;
  [[nodiscard]] bool is_there() const { return cutover_ != nullptr && !cutover_->has_ended(); }
  /// A change of the plan's, which this process may go on with.
  [[nodiscard]] bool is_open() const { return is_there() && ours_; }
  [[nodiscard]] std::string why() const;
  [[nodiscard]] RouterAnswer missing(const std::string& what) const;

  // asked.hpp
  template <typename Ask>
  auto asked(Ask ask);

  // fleet_looks.cpp
  [[nodiscard]] Look look();
  void require_together(const Look& look) const;
  [[nodiscard]] std::shared_ptr<const ring::Ring> next_of(const ring::Ring& base) const;
  [[nodiscard]] std::shared_ptr<const ring::Ring> given(const ring::Ring& base) const;
  [[nodiscard]] bool has_given();

  // fleet_rings.cpp
  [[nodiscard]] std::shared_ptr<const ring::Ring> in_service(const std::string& digest,
                                                             const fleet::Geometry& geometry,
                                                             std::string& why);
  [[nodiscard]] std::shared_ptr<const ring::Ring> in_force(const fleet::FleetView& view);
  void put(const ring::Ring& base, const ring::Ring& next);

  // fleet_routers.cpp
  std::unique_ptr<Cutover> cutover_of(const fleet::PlanName& plan, const BoundRings& rings,
                                      fleet::Aim aim, std::chrono::milliseconds members_close);
  Cutover& begin(const BoundRings& rings, fleet::Aim aim, std::chrono::milliseconds members_close);
  Closing found(std::chrono::milliseconds limit);
  Closing close(fleet::Aim aim, std::chrono::milliseconds limit);
  bool settle_committed(std::chrono::milliseconds limit);
  bool given_or_anew();
  std::vector<RouterAnswer> given_anew_in_time();
  void give_anew();
  void end_taken_back(Look& look, std::chrono::milliseconds limit);

  Plan plan_;
  const fleet::Paths paths_;
  std::function<void()> confirm_;
  boost::asio::io_context loop_;
  const fleet::MakeSession session_;
  const std::optional<config::ImageUrl> image_url_;
  std::unique_ptr<fleet::Operator> service_;
  std::shared_ptr<const ring::Ring> ring_;  // in force, as of the last look
  std::unique_ptr<Cutover> cutover_;        // the change that was opened, or looked for, last
  bool ours_ = false;  // it was opened here, or found, and then this was the coordinator still
  /// How the fleet is known to have closed what the plan had open; nullopt: it may be open.
  std::optional<bool> settled_;
  bool all_activated_ = false;
  std::optional<Clock::time_point> leases_over_;  // of members that have not
  Clock::time_point try_again_{};
  /// All members have had that ring since then.
  std::optional<std::pair<fleet::RingName, Clock::time_point>> together_;
};

}  // namespace reshard
