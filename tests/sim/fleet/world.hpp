#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "fleet/protocol/coordinator.hpp"
#include "fleet/protocol/member.hpp"
#include "fleet/protocol/overloaded.hpp"
#include "tests/sim/draws.hpp"
#include "tests/sim/fleet/ensemble.hpp"
#include "tests/sim/fleet/rules.hpp"

namespace fleet_sim {

inline constexpr int kPeople = 2;
inline constexpr std::chrono::milliseconds kLease{1'000};

/// A request under way to the service, and its answer on the way back. It may be carried out after
/// the process that has sent it has ended.
template <typename Asked>
struct Flight {
  Asked asked;
  int session = 0;
  double applied_at = 0, answered_at = 0;
  bool applied = false;
  bool lost = false;  ///< its answer
  coordination::Outcome outcome = coordination::Outcome::unknown;
  std::size_t failed = 0;
  std::variant<std::monostate, fleet::Seen, fleet::Roster, std::map<std::string, fleet::Heard>>
      found;
};
using MemberFlight = Flight<fleet::Request>;
using CoordinatorFlight = Flight<fleet::CoordinatorRequest>;

/// A connection with the service.
struct Link {
  Session session;
  bool connected = false, wrote = false;
  double cut_until = 0, lost_at = 0;
};

/// A coordinator's process: a person's at a command line, or part of a router that closes a change
/// which nobody takes further.
struct Driver {
  std::unique_ptr<fleet::Coordinator> coordinator;
  std::optional<CoordinatorFlight> flight;
  bool was_in_doubt = false;  ///< whether its last write was done
  fleet::CoordinatorRequest last_write;
  long first_look = 0;  ///< the transaction up to which it saw at first; 0: it has not looked
};

/// A router, its disk and what it has under way.
struct Router {
  fleet::OnDisk disk;
  std::optional<fleet::OnDisk> older;  ///< a copy of it, which somebody may put back
  std::unique_ptr<fleet::Member> member;
  std::string incarnation;
  int process = 0;  ///< counts its starts
  Link link;
  std::optional<MemberFlight> flight;
  std::optional<std::pair<fleet::Work, double>> work;  ///< until when it lasts
  double next = 0, up_at = 0, paused_until = 0, started_at = 0, left_at = 0, ended_at = 0;
  double clock_rate = 1, clock_offset = 0;
  bool must_wait = false;  ///< its disk may be from before: it has to start as one that waits
  bool clean_end = true;   ///< of the last process
  bool leaves = false, serves_on = false;
  bool unblocked = false;  ///< by a person, at this router alone
  std::uint64_t highest_seq = 0;
  std::optional<std::chrono::nanoseconds> wakes;  ///< what the member said, and no event since
  bool undisturbed = false;
  Driver closer;
  double close_at = 0;
};

/// Somebody at a command line.
struct Person {
  Driver driver;
  Link link;
  bool blocks = false, read_only = false, publishes = false;  ///< what the command is about
  std::string token;
  double next = 0, paused_until = 0;
};

/// A client's write on its way to a shard.
struct Writing {
  int router = 0, process = 0, shard = 0;
  double applied_at = 0;
};

/// Routers of a fleet, operators, clients, two shards that know nothing of rings, and the service
/// in which the fleet agrees: everything from a seed. One vnode is what all is about.
class World {
 public:
  World(std::uint32_t seed, const Rules& rules);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// nullopt: nothing went wrong.
  std::optional<std::string> run();

  struct Done {
    int committed = 0, abandoned = 0, closed = 0, joins = 0, blocks = 0, read_only = 0, removed = 0;
    int reads = 0, writes = 0;
  };
  [[nodiscard]] const Done& done() const { return done_; }
  /// What went wrong is only that the run did not come to rest.
  [[nodiscard]] bool only_stuck() const { return stuck_; }
  void trace(bool on) { traces_ = on; }

 private:
  /// The first of them is what the run says.
  void wrong(const std::string& what);
  void stuck(const std::string& what);
  void say(const std::string& what) const;
  [[nodiscard]] double random() { return static_cast<double>(draws_()) / 4294967296.0; }
  [[nodiscard]] bool hold(Rule rule) const { return rules_.hold(rule); }

  // The service.
  [[nodiscard]] bool reaches(const Link& link) const;
  void expire(int session);
  void lose_session(Link& link);
  [[nodiscard]] long view(Session& session);
  void wrote(Link& link);
  coordination::Outcome apply(int router, Link& link, MemberFlight& flight);
  coordination::Outcome touch(int router, Link& link, const fleet::ask::Touch& touch);
  coordination::Outcome join(int router, const fleet::ask::Join& join, std::size_t& failed);
  coordination::Outcome leave(int router, const fleet::ask::Leave& leave, std::size_t& failed);
  void apply(Driver& driver, Link& link);
  coordination::Outcome write(const fleet::ask::Write& write, bool any_version);
  [[nodiscard]] fleet::Seen look(int router, Session& session);
  [[nodiscard]] fleet::Seen look(Driver& driver, Session& session);
  [[nodiscard]] fleet::Roster roster(long transaction) const;
  [[nodiscard]] std::map<std::string, fleet::Heard> answers(const Driver& driver, Session& session);
  void apply_flights();

  // Routers.
  void start(int index);
  void end(int index, bool clean);
  void step_router(int index);
  void keep_link(int index);
  void finish_work(int index);
  void begin_work(int index);
  void send_request(int index);
  void check_wake(int index);
  static void put(fleet::OnDisk& disk, const fleet::Work& work);
  void put_by_rules(Router& router, const fleet::Work& work) const;
  void close_left_change(int index);
  [[nodiscard]] std::chrono::nanoseconds clock(const Router& router) const;
  [[nodiscard]] bool serves(Router& router) const;
  [[nodiscard]] fleet::Door door(const Router& router) const;
  [[nodiscard]] int under_way(int router) const;

  // Coordinators.
  void step_person(Person& person);
  void begin(Person& person);
  void drive(Driver& driver, Link& link, std::chrono::nanoseconds now);
  void deliver(Driver& driver, const Link& link, std::chrono::nanoseconds now);
  void move_data(const fleet::ask::Write& write);
  void ended(Person& person);

  void client();
  void apply_writes();
  void faults();
  void check_end();
  /// Rings are "A" and "B", by the shard that has the vnode, and "Ar", "Br" where it is read-only.
  [[nodiscard]] static int shard_of(const fleet::RingName& ring) {
    return ring.digest.front() == 'B' ? 1 : 0;
  }

  Rules rules_;
  sim::Draws draws_;
  double now_ = 0;
  bool calm_ = false, traces_ = false;
  Ensemble ensemble_;
  double away_until_ = 0;  // the service
  int sessions_ = 0, tokens_ = 0;
  std::array<Router, kMembers> routers_;
  std::array<Person, kPeople> people_;
  std::vector<std::pair<double, int>> ending_sessions_;            // of processes that have ended
  std::vector<std::pair<int, MemberFlight>> left_member_flights_;  // likewise; of which router
  std::vector<CoordinatorFlight> left_flights_;
  std::vector<Writing> writes_;
  std::array<long, 2> value_{};
  long last_value_ = 0, known_ = 0;    // the newest that a client has seen
  std::string blocked_by_;             // an operator was told so, and nobody has unblocked
  std::string read_only_by_;           // likewise
  std::map<std::string, bool> fates_;  // by token: whether it was committed
  std::set<std::string> stood_;        // blocks that were done
  std::optional<std::pair<double, fleet::Blocks>> late_blocks_;
  Done done_;
  std::optional<std::string> wrong_;
  bool stuck_ = false;
};

}  // namespace fleet_sim
