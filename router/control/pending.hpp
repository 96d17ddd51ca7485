#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "ring/vnode_set.hpp"
#include "router/control/coordinator_lease.hpp"
#include "router/plan/refusal.hpp"

namespace router {

/// Who has prepared a ring: `TOKEN/NUMBER`, the plan's token and how many coordinators it has had;
/// or a token alone, of a ring that was prepared by hand. A plan's later coordinator may replace
/// and abandon what an earlier one prepared; the earlier one, which may have been stopped and not
/// know that it was replaced, may not touch what the later one did.
struct Holder {
  std::string token;
  std::uint64_t coordinator = 0;

  static Holder parse(const std::string& text);
  /// Of the same plan, and at least as late.
  [[nodiscard]] bool may_replace(const Holder& other) const {
    return token == other.token && coordinator >= other.coordinator;
  }
};

/// A ring that is prepared and not in force, as the record in its store says it.
struct PendingRing {
  std::uint64_t generation = 0;
  std::string digest;
  std::string plan;   ///< its number, or a name for people
  std::string token;  ///< the holder's, as Holder reads it
  std::string from;   ///< the pnode whose database has the plan's row; empty: prepared by hand
  std::string to;
  ring::VnodeSet vnodes;  ///< that change hands
  std::chrono::milliseconds lease{};

  /// A plan of resharding's: its row says what becomes of the ring where its coordinator does not.
  [[nodiscard]] bool of_plan() const { return !from.empty(); }
  [[nodiscard]] std::string to_text() const;
  /// nullopt: the text is no record. Members that older versions did not write may be missing.
  static std::optional<PendingRing> parse(const std::string& text);
  bool operator==(const PendingRing&) const = default;
};

/// Which ring is prepared here, under whose lease, and what may be done meanwhile. A ring and its
/// lease begin and end together. Pure: time is passed in (`lease_clock`). Lives on the control's
/// thread.
///
/// A plan's ring outlives its lease and its process: the plan may have been committed, or be
/// committed still by a coordinator that was stalled, and whoever threw the ring away then would
/// serve by an older one for good. Nobody reads a row for a ring that was prepared by hand: the end
/// of its lease, or of the process, frees the router.
class Pending {
 public:
  /// An earlier process has left it on disk. No lease runs.
  void found(PendingRing ring);
  /// It is on disk and loaded; its lease begins. Without a token one is made. `ring.lease` is how
  /// long it lasts.
  void stage(PendingRing ring, std::chrono::nanoseconds now);
  /// In force, abandoned, or over.
  void end();
  /// Counts from now. Only where `against_holder` has no objection.
  void renew(std::chrono::nanoseconds now, std::chrono::milliseconds time);

  [[nodiscard]] const PendingRing* ring() const;  ///< null: nothing is prepared
  [[nodiscard]] bool staged() const { return std::holds_alternative<Staged>(state_); }
  [[nodiscard]] bool lease_runs(std::chrono::nanoseconds now) const;
  [[nodiscard]] std::chrono::milliseconds lease_left(std::chrono::nanoseconds now) const;
  /// By `lease_clock`; 0: none is out.
  [[nodiscard]] std::chrono::nanoseconds lease_end() const;

  // Each says why not; nullopt: it may be done.

  /// To an edit, a reload or a rollback, `what` by name.
  [[nodiscard]] std::optional<Refusal> against_change(const std::string& what,
                                                      std::chrono::nanoseconds now) const;
  /// To a prepare by `holder`; empty: it has no token yet.
  [[nodiscard]] std::optional<Refusal> against_prepare(const std::string& holder,
                                                       std::chrono::nanoseconds now) const;
  /// To what only the holder of a running lease may do: renew, activate, block under it.
  [[nodiscard]] std::optional<Refusal> against_holder(const std::string& token,
                                                      std::chrono::nanoseconds now) const;
  /// To an abandon, which outlives lease and process. A person names the plan's token alone.
  [[nodiscard]] std::optional<Refusal> against_abandon(const std::string& token) const;

 private:
  struct Nothing {};
  /// By an earlier process: nobody holds a lease.
  struct Left {
    PendingRing ring;
  };
  /// By this process, under a lease that is out until the ring's end.
  struct Staged {
    PendingRing ring;
    CoordinatorLease lease;
  };
  std::variant<Nothing, Left, Staged> state_;
};

}  // namespace router
