#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "reshard/journal.hpp"
#include "reshard/plan.hpp"

namespace reshard {

/// For an answer of a router, where nothing else says how long it may take.
inline constexpr std::chrono::seconds kRouterLimit{5};

/// What a router said, or why it said nothing.
struct RouterAnswer {
  std::string router;
  bool answered = false;
  bool ok = false;
  std::string code,
      message;         ///< of a refusal; without an answer `message` says why there is none
  std::string result;  ///< JSON
  std::chrono::nanoseconds took{};
  /// It serves by an older ring without a lease that would end: it is waited for until it has the
  /// ring.
  bool unleased = false;
};

/// What a prepare would do now, at all routers.
struct Rehearsal {
  BoundRings rings;
  std::uint64_t hold_ms = 0;  ///< for which writes are held at most, by the shortest; 0: unknown
};

/// To whom a router's ring gives the plan's vnodes, and who still reads by another one.
struct Ownership {
  std::string router;
  std::string problem;      ///< not empty: it did not answer, and says nothing of the rest
  bool in_fleet = false;    ///< with a problem, too, the ring is known, which is the fleet's
  std::string application;  ///< as its sessions at databases are called
  bool all = false;         ///< every vnode is that pnode's
  bool none = false;        ///< no vnode is
  std::string other;        ///< a vnode that is not, and whose it is; for people
  std::uint64_t reads = 0;  ///< under way by a ring in which one of the vnodes is that pnode's
  std::uint64_t older_reads = 0;  ///< under way by any ring but the one in force
  /// Since when all are known to go by the ring in force: who asks the databases knows what is
  /// under way since before that, and `reads` and `older_reads` are not known otherwise. nullopt:
  /// they are.
  std::optional<std::chrono::steady_clock::time_point> since;
  std::uint64_t pnode_vnodes = 0;  ///< that it has in the ring in force
  ring::VnodeSet owned;            ///< of those asked about, that pnode's
};

/// What has become of vnodes that were to be unblocked, or of a ring that was to be dropped.
struct Released {
  std::vector<std::string> problems;  ///< of routers that have not done it, for people
  bool unheard = false;               ///< a router did not hear of it, and is to be told again
};

/// The routers that serve a plan's ring, all told at once. Calls wait, on one thread.
class Routers {
 public:
  virtual ~Routers() = default;
  /// How many coordinators the plan has had, this one counted. One that was stopped, and wakes when
  /// another has taken over, can't take away what that one has prepared.
  virtual void set_coordinator(std::uint64_t number) = 0;
  /// The options in force: a plan's may change while it runs.
  virtual void set_options(const PlanOptions& options) = 0;
  /// Throws where this is not the coordinator any more: asked before what a coordinator before it
  /// has left open is closed.
  virtual void set_confirm(std::function<void()> confirm) = 0;
  /// For people: how they are named, or found.
  [[nodiscard]] virtual std::vector<std::string> names() const = 0;

  /// A prepare that changes nothing, and is tried as far as each router's disk: one answer a
  /// router, for `agreed`.
  virtual std::vector<RouterAnswer> try_prepare(std::chrono::milliseconds limit) = 0;
  /// Both: the ring that all routers are on, and the one that follows.
  /// Throws Waiting naming a router that does not answer, holds another plan's ring, or is on
  /// another ring; Stuck where vnodes are not the source's any more.
  virtual Rehearsal rehearse(std::chrono::milliseconds limit) = 0;
  /// False: a router is on another ring by now. Throws ActFailed naming the first router that did
  /// not do it.
  virtual bool prepare(const BoundRings& rings, std::chrono::milliseconds limit) = 0;
  /// Their leases begin now. Throws likewise.
  virtual void renew(std::chrono::milliseconds limit) = 0;
  /// Throws likewise.
  virtual void block(std::chrono::milliseconds limit) = 0;
  /// Those that have not: their leases, and a margin, are waited for by the caller. A router that
  /// knows nothing of it any more is given the vnodes in the ring that it has. `held`: its
  /// writes wait until the vnodes are unblocked. `confirm`: throws where this is not the
  /// coordinator any more; called between a router's prepare and its activate, so that one that was
  /// stopped before that gives nothing away, and after that finds its lease run out.
  virtual std::vector<RouterAnswer> activate(const BoundRings& rings,
                                             std::chrono::milliseconds limit, bool held,
                                             const std::function<void()>& confirm) = 0;
  /// Writes go on: at the target where it is `committed`, else at the source.
  virtual Released unblock(bool committed, std::chrono::milliseconds limit) = 0;
  /// The prepared ring is dropped.
  virtual Released abandon(std::chrono::milliseconds limit) = 0;
  /// The plan is over, and its rows go: nothing may be left by which somebody would ask them.
  /// Throws std::runtime_error where a fleet's service can't be told.
  virtual Released end(bool committed, std::chrono::milliseconds limit) = 0;
  /// Nothing of the plan is open there; what is, is closed: as committed, or as abandoned. Only
  /// where the plan's row is so, and by its coordinator, or when it is over. False: something may
  /// be open, and it is to be asked again. Returns at once where nothing is.
  virtual bool settled(bool committed, std::chrono::milliseconds limit) = 0;
  /// Of all of the plan's vnodes, or of these.
  std::vector<Ownership> ownership(const std::string& pnode, std::chrono::milliseconds limit) {
    return ownership(pnode, plan().vnodes, limit);
  }
  virtual std::vector<Ownership> ownership(const std::string& pnode, const ring::VnodeSet& vnodes,
                                           std::chrono::milliseconds limit) = 0;

 protected:
  [[nodiscard]] virtual const Plan& plan() const = 0;
};

/// What all routers of a rehearsed prepare agree about. Throws as `Routers::rehearse`.
Rehearsal agreed(const std::vector<RouterAnswer>& rehearsed);

}  // namespace reshard
