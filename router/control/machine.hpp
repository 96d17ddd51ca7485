#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "ring/vnode_set.hpp"
#include "router/control/pending.hpp"
#include "router/control/plan_standing.hpp"
#include "router/plan/gate.hpp"
#include "router/plan/refusal.hpp"

namespace router {

/// The ring in force, as far as decisions go by it.
struct RingFacts {
  std::string digest;
  std::uint64_t generation = 0;  ///< 0: a plain directory
  std::uint32_t vnodes = 0;
};

/// A change of the ring in force, or of the one that is prepared. Its files' work takes seconds, so
/// changes are done one after the other, off the thread that everything else goes through.
struct Change {
  enum class Kind : std::uint8_t {
    reload,
    edit,
    rollback,
    prepare,
    rehearse,
    activate,
    abandon,
    decided,  ///< an activation that the plan's row asks for
    ended,    ///< an abandoning that it asks for
    fleet,    ///< what the fleet asks of its member: staged, withdrawn, or put in force
  };
  std::uint64_t id = 0;  ///< the caller's, who is told by it; 0: nobody is told
  Kind kind = Kind::reload;
  std::string what;           ///< for people
  std::string holder;         ///< prepare, rehearse, activate, abandon: who asks
  std::string expect_digest;  ///< activate: of the ring that is to come; empty: any

  [[nodiscard]] bool comes_into_force() const {
    return kind == Kind::reload || kind == Kind::edit || kind == Kind::rollback ||
           kind == Kind::activate || kind == Kind::decided || kind == Kind::fleet;
  }
};

/// What the machine asks of its owner.
namespace ask {
struct Begin {
  Change change;
};
struct Refuse {
  Change change;
  Refusal why;
};
/// The ring that is to come into force is in force.
struct Unchanged {
  Change change;
};
struct Row {
  PendingRing ring;
};
/// Whether the target takes writes to what the plan has moved.
struct Target {
  PendingRing ring;
};
/// The target of the ring in force takes writes, or is given up: its record is not needed.
struct Settled {};
/// Vnodes are served without a lease: whatever waits still to be sent may be sent.
struct ServeFreely {};
struct LeaseExpired {
  PendingRing ring;
  std::uint64_t held = 0;  ///< vnodes whose writes are refused now
};
/// A plan's ring is in force, and its coordinator has not unblocked what moves for too long.
struct Overdue {
  PendingRing ring;
  std::uint64_t held = 0;  ///< as above
};
struct Opened {
  ring::VnodeSet vnodes;
  std::string why;
};
/// What a person must know; `error`: and see to.
struct Tell {
  bool error = false;
  std::string text;
  PendingRing ring;
};
}  // namespace ask
using Ask =
    std::variant<ask::Begin, ask::Refuse, ask::Unchanged, ask::Row, ask::Target, ask::Settled,
                 ask::ServeFreely, ask::LeaseExpired, ask::Overdue, ask::Opened, ask::Tell>;

/// Decides what may change of a router's ring and gate, and when: which change goes on, which
/// vnodes are blocked, until when those of a prepared plan are served, and what becomes of a plan
/// whose coordinator is silent. Pure: it touches no file, socket, clock or thread; events come in
/// with their time (`lease_clock`), and what is to be done is taken from it after each (`take`).
/// Lives on one thread. Each call: O(ranges of the vnodes that are blocked or named).
///
/// Changes take turns: while one works on files, others wait, and blocks, unblocks, renewals and
/// the lease's end pass it by. No change begins that a prepared ring, or vnodes whose plan has just
/// been committed, stand against; that is judged when its turn comes.
class Machine {
 public:
  static constexpr std::size_t kChangesMax = 64;  ///< that wait; more are refused

  /// Before any other call, and wherever the ring comes into force by no change (at the start).
  void in_force(RingFacts facts) { in_force_ = std::move(facts); }
  [[nodiscard]] const RingFacts& ring() const { return in_force_; }
  /// The router is a member of this fleet, which alone changes its ring.
  void in_fleet(std::string fleet) { fleet_ = std::move(fleet); }
  /// An earlier process has left a prepared ring. Its vnodes are served when its plan's row says
  /// so.
  void found(PendingRing ring);
  /// An earlier process has put a plan's ring into force, and has not heard that its target takes
  /// writes to what the plan has moved.
  void found_in_force(PendingRing ring);

  void submit(Change change, std::chrono::nanoseconds now);
  /// Of the change that goes on: its files' work is about to make a ring of so many vnodes what is
  /// in force. Refused where vnodes of today's ring are blocked, and that has another number; and
  /// where a reload brings another ring than a plan's whose target is awaited.
  [[nodiscard]] std::optional<Refusal> commit(std::uint32_t vnodes, const std::string& digest);
  // How the change has ended that `ask::Begin` named.
  void ended(std::chrono::nanoseconds now);                      ///< nothing is changed
  void ended(RingFacts in_force, std::chrono::nanoseconds now);  ///< a ring is in force
  void ended(PendingRing staged, std::chrono::nanoseconds now);  ///< prepared, on disk
  void ended_withdrawn(std::chrono::nanoseconds now);            ///< nothing is prepared any more

  /// `lease`: whose end turns hold into refuse; empty: nobody's.
  [[nodiscard]] std::optional<Refusal> block(const ring::VnodeSet& vnodes, GateMode mode,
                                             const std::string& lease,
                                             std::chrono::nanoseconds now);
  /// nullopt: all. Returns those that were blocked.
  ring::VnodeSet unblock(const std::optional<ring::VnodeSet>& vnodes);
  [[nodiscard]] std::optional<Refusal> renew(const std::string& token,
                                             std::chrono::milliseconds lease,
                                             std::chrono::nanoseconds now);

  /// `about`: the ring that was asked about, at `asked`.
  void plan_said(const PendingRing& about, PlanStanding standing, std::chrono::nanoseconds asked,
                 std::chrono::nanoseconds now);
  void target_said(const PendingRing& about, bool open, std::chrono::nanoseconds now);
  /// Whatever is due. At least as often as `wake` says.
  void tick(std::chrono::nanoseconds now);
  /// When `tick` has something to do; nullopt: never.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> wake() const;

  [[nodiscard]] std::vector<Ask> take();

  [[nodiscard]] const std::shared_ptr<const Gate>& gate() const { return gate_; }
  /// Vnodes that are served until then only; nullopt: none.
  struct Serving {
    ring::VnodeSet vnodes;
    std::chrono::nanoseconds until{};
  };
  [[nodiscard]] const std::optional<Serving>& serving() const { return serving_; }
  [[nodiscard]] const Pending& pending() const { return pending_; }
  /// A plan's ring is in force, and its target may not take writes to what it has moved.
  [[nodiscard]] bool awaits_target() const { return awaited_.has_value(); }
  [[nodiscard]] bool busy() const { return under_way_.has_value(); }
  [[nodiscard]] std::size_t waiting() const { return queue_.size(); }

 private:
  void advance(std::chrono::nanoseconds now, bool target_heard = false);
  [[nodiscard]] std::optional<Refusal> against(const Change& change,
                                               std::chrono::nanoseconds now) const;
  [[nodiscard]] std::optional<Refusal> against_awaited(const std::string& what) const;
  [[nodiscard]] std::optional<Refusal> against_alone(const std::string& what) const;
  [[nodiscard]] bool waits_for_target(const Change& change) const;
  [[nodiscard]] bool gives_up_target(const Change& change) const;
  [[nodiscard]] bool about_pending(const Change& change, std::chrono::nanoseconds now) const;
  void set_gate(Gate gate);
  void open(const ring::VnodeSet& vnodes, const char* why);
  void serve(const PendingRing& ring, std::chrono::nanoseconds until);
  void serve_freely();
  void follow();
  void follow_by_row(Change::Kind kind, std::chrono::nanoseconds now);
  void plan_stands(PlanStanding standing, std::chrono::nanoseconds now);
  void lease_expired();
  void refuse(const ring::VnodeSet& held);
  void hold_activated(const PendingRing& ring);
  void await_target();
  void target_settled();

  RingFacts in_force_;
  std::string fleet_;  // empty: none
  Pending pending_;
  std::shared_ptr<const Gate> gate_ = std::make_shared<const Gate>();
  std::optional<Serving> serving_;
  std::optional<PendingRing> awaited_;  // in force, and its target has not said that it is open
  /// Vnodes of a ring that came into force: held for its coordinator, who unblocks them, until
  /// then.
  struct Activated {
    PendingRing ring;
    ring::VnodeSet held;
    std::chrono::nanoseconds until{};
  };
  std::optional<Activated> activated_;
  ring::VnodeSet blocked_under_lease_;    // by the holder of the lease
  std::optional<PlanStanding> standing_;  // of the pending ring's plan, as it was said last
  bool asked_early_ = false;              // the row, before this lease's end
  bool expiry_told_ = false;              // of this lease
  bool following_ = false;                // a question about the pending ring's plan is out
  bool asking_target_ = false;
  bool ask_target_again_ = false;  // vnodes were opened since it was asked
  std::optional<std::chrono::nanoseconds> follow_at_, await_at_;
  std::deque<Change> queue_;
  std::optional<Change> under_way_;
  std::optional<std::uint32_t> committing_;  // vnodes of the ring that the change brings
  std::vector<Ask> asks_;
};

}  // namespace router
