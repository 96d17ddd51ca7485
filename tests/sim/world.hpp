#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/fleet.hpp"
#include "tests/sim/mission.hpp"
#include "tests/sim/router.hpp"
#include "tests/sim/scenario.hpp"

namespace sim {

/// What must not be.
enum class Wrong : std::uint8_t {
  nothing,
  lost,            ///< an acknowledged write
  back_from_dead,  ///< a deleted object
  went_back,       ///< a read, behind what anybody has seen
  absent,          ///< to a read, though it exists all along
  found_twice,     ///< by one find
  two_ids,
  two_uniques,
  misplaced,  ///< a row at a shard that does not own it
  refused,    ///< the owner is up, and writes are refused for too long
  closed,     ///< a change of the ring has closed the way
  never_ends,
  never_ends_without_server,
  no_ring,     ///< a router is not on the ring in force
  differs,     ///< the two sides, in a soak or where a verification has no cause
  sent_early,  ///< a write, to a shard that refuses it, where its router should have held it
  count,
};

inline constexpr std::array<std::string_view, static_cast<std::size_t>(Wrong::count)> kWrongNames{
    "nothing",
    "lost",
    "back_from_dead",
    "went_back",
    "absent",
    "found_twice",
    "two_ids",
    "two_uniques",
    "misplaced",
    "refused",
    "closed",
    "never_ends",
    "never_ends_without_server",
    "no_ring",
    "differs",
    "sent_early"};

class World {
 public:
  World(std::uint32_t seed, const Rules& rules);
  /// Its routers are members of a fleet.
  World(std::uint32_t seed, const Rules& rules, const FleetRules& fleet);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  /// Runs until all plans are over. The first thing found that must not be.
  std::optional<std::string> run();

  void trace() { fleet_->service.traces = true; }
  [[nodiscard]] Wrong wrong() const { return wrong_; }
  [[nodiscard]] const Scenario& scenario() const { return scenario_; }
  [[nodiscard]] long ticks() const { return now_; }
  [[nodiscard]] bool server_left() const { return left_; }
  [[nodiscard]] bool tables_changed() const { return table_changes_ > 0; }
  /// What was carried out.
  struct Done {
    int moved = 0, moved_back = 0, chains = 0, aborted = 0, left = 0, finds = 0;
    // Over a fleet: leases were waited for; the state was closed in a soak or later; plans
    // forgotten.
    int waited = 0, late = 0, forgotten = 0;
  };
  /// Over a fleet.
  [[nodiscard]] const FleetService::Done& fleet_done() const { return fleet_->service.done; }
  [[nodiscard]] const Done& done() const { return done_; }

 private:
  static constexpr int kRouters = 2;
  static constexpr long kLease = 60;
  static constexpr long kMargin = 10;
  static constexpr long kBudget = 250;  ///< of a block
  static constexpr long kCalm = 2'200;  ///< no more faults from there: all must end
  static constexpr long kTicksMost = 10'000;
  static constexpr long kRefusedMost = 700;  ///< after the last fault
  static constexpr long kForGood = 1'000'000;
  using Answered = std::optional<reshard::Outcome>;

  void step();
  void violate(Wrong wrong, const std::string& what);
  bool chance(int percent) { return draws_.chance(percent); }
  int any(int below) { return draws_.any(below); }
  [[nodiscard]] bool calm() const { return now_ > kCalm; }
  [[nodiscard]] bool hold(Rule rule) const { return rules_.hold(rule); }
  Database& database(int index) { return databases_[static_cast<std::size_t>(index)]; }
  [[nodiscard]] bool away(int index) const {
    return databases_[static_cast<std::size_t>(index)].away_until > now_;
  }
  [[nodiscard]] bool gone(int index) const {
    return databases_[static_cast<std::size_t>(index)].away_until >= kForGood;
  }
  Mission& mission(int index) { return missions_[index]; }
  [[nodiscard]] const Mission& mission_of(PlanId plan) const {
    return *std::find_if(missions_.begin(), missions_.end(),
                         [&](const Mission& each) { return each.number == plan; });
  }

  // writes
  void begin_write(Writer& writer);
  void step_writer(Writer& writer);
  void judge(Writer& writer, bool again);
  void commit(Writer& writer);
  void answer(Writer& writer);
  void release(Writer& writer);
  void count(Writer& writer, int by);
  [[nodiscard]] bool serves(const Router& router, Vnodes vnodes) const;

  // reads
  void begin_read(Reader& reader);
  void step_reader(Reader& reader);
  void look(Reader& reader, int shard);
  void answer(const Reader& reader);
  /// Whether reads are under way that were planned by a ring by which some vnode is not `owner`'s.
  [[nodiscard]] bool reads_elsewhere(Vnodes vnodes, int owner) const;
  [[nodiscard]] bool finds_by_others(const Ring& ring) const;

  // routers
  void step_router(Router& router);
  void restart(Router& router);
  void restart_real(Router& router);
  void step_real(Router& router);
  void heard(Router& router, const PlanRow* row);
  const PlanRow* asked(const Router& router);
  static void activate(Router& router);
  static void opened(Router& router);
  [[nodiscard]] bool taken(const Router& router, PlanId plan) const;
  [[nodiscard]] long clock(const Router& router) const;
  [[nodiscard]] bool expired(const Router& router) const;
  [[nodiscard]] bool reached(const Router& router) {
    return router.up && router.deaf_until <= now_ && (calm() || !chance(2));
  }
  enum class Answer : std::uint8_t { done, other_ring, prepared, refused };
  Answer prepare(Router& router, const Coordinator& coordinator, std::uint32_t base);
  bool older(Router& router, const Coordinator& coordinator, bool notes);
  bool activate_as(Router& router, const Coordinator& coordinator);
  void abandon_as(Router& router, PlanId plan, int epoch);
  Answered keep_target(Coordinator& coordinator);
  static void unblock(Router& router, Vnodes vnodes);

  // a fleet
  [[nodiscard]] FleetControl& member(const Router& router) const;
  [[nodiscard]] FleetPart& part(const Coordinator& coordinator);
  [[nodiscard]] FleetPart& part_of(const Task& task) const {
    return *fleet_->parts[static_cast<std::size_t>(task.coordinator)];
  }
  [[nodiscard]] bool writes(const Router& router, Vnodes vnodes) const;
  void step_fleet();
  void step_member(Router& router);
  void step_question(Router& router);
  void fleet_fault();
  void publish_edits();
  void forget();
  void forget(Mission& plan);
  void check_sent(const Writer& writer, const Database& database, int vnode);
  void check_fleet_end();
  [[nodiscard]] bool may_write_state(const Coordinator& coordinator);
  void step_part(Coordinator& coordinator);
  void go_for(Coordinator& coordinator, fleet::Aim aim);
  void settle(Coordinator& coordinator);
  bool target_kept(Coordinator& coordinator);
  Answered tell_fleet(Coordinator& coordinator);
  Answered prepare_fleet(Coordinator& coordinator);
  Answered block_fleet(Coordinator& coordinator);
  Answered activate_fleet(Coordinator& coordinator);
  Answered settled_within(Coordinator& coordinator, long ticks);
  Answered ring_of_fleet(Task& task, Ring& ring);
  [[nodiscard]] bool ring_gives(Vnodes vnodes, int database) const;

  // people
  void step_people();
  void plan(Mission& mission);
  void roll_back(int index);
  void ask_abort(int index);
  void edit_rings();
  bool edit(Router& router);
  void change_tables();
  [[nodiscard]] bool may_change_table(int index);

  // coordinators
  void step_coordinators();
  void step_coordinator(int index);
  void start_coordinator(int mission);
  bool record(Coordinator& coordinator);
  // journal.cpp
  [[nodiscard]] bool usable(const Mission& mission, const std::array<Session, 2>& sessions,
                            std::size_t side) const;
  bool keep(Mission& plan, const std::array<Session, 2>& sessions, int epoch, reshard::Act act);
  void keep_first(Mission& plan);
  KeptJournal& kept(const Mission& plan, std::size_t side);
  void make_whole(const Mission& plan, std::size_t side, int epoch);
  bool know_again(Mission& plan);
  void look_again(Mission& plan);
  void begin_act(Coordinator& coordinator, int index);
  void begin_task(Coordinator& coordinator, int index);
  void take_over(Coordinator& coordinator);
  void take_side(Coordinator& coordinator, int side);
  void keep_source_open(Coordinator& coordinator);
  struct Sides {
    bool source = false, target = false;
  };
  [[nodiscard]] Sides needed(reshard::Act act) const;
  Answered tell_routers(Coordinator& coordinator);
  Answered tell(Router& router, Coordinator& coordinator);
  Answered wait_activated(Coordinator& coordinator);
  bool give(Router& router, Coordinator& coordinator);
  void next_act(Coordinator& coordinator, reshard::Outcome outcome);
  void end_mission(Coordinator& coordinator);
  void end_mission(Mission& plan);
  void stop(Mission& mission) { mission.journal.stopped = true; }

  // tasks
  void step_task(int index);
  Answered run_task(Task& task);
  bool use(Task& task, int side);
  Database& at(const Task& task, int side) {
    return database(mission(task.mission).at[static_cast<std::size_t>(side)]);
  }
  PlanRow* row(const Task& task, int side);
  reshard::Outcome set_state(const Task& task, int side, State from, State to);
  bool router_gives(Vnodes vnodes, int database);
  [[nodiscard]] bool any_silent() const;
  std::array<Noted, 2> noted(const Mission& mission);
  bool made_trigger(Database& database);
  Answered make_schema(Task& task);
  Answered arm(Task& task);
  Answered wait_armed(Task& task);
  static void give_vnodes(Database& from, Vnodes vnodes);
  Answered begin_copy(Task& task);
  Answered copy(Task& task);
  Answered pump(Task& task, bool reverse);
  Answered pump_pass(Task& task, bool reverse, int& step);
  Answered pump_beside_copy(Task& task);
  bool takes(const Task& task, Database& from, const LogEntry& entry);
  void make_room(const Task& task, const Changes& changes, bool reverse);
  reshard::Outcome apply(Task& task, bool reverse);
  Answered verify(Task& task);
  Answered bind(Task& task);
  Answered ring_of_routers(Task& task, Ring& ring);
  Answered barrier(Task& task, Rule rule);
  Answered fence(Task& task);
  Answered compare_servers(Task& task);
  Answered commit_plan(Task& task);
  Answered wait_commit_flushed(Task& task);
  Answered back_out(Task& task);
  Answered abort_plan(Task& task);
  Answered abort_both(Task& task);
  Answered clean_target(Task& task);
  void drop_copied(const Mission& mission);
  Answered commit_target(Task& task);
  Answered soak(Task& task);
  Answered finalize(Task& task);
  Answered begin_cleanup(Task& task);
  Answered clean(Task& task);
  Answered end_cleanup(Task& task);

  // faults
  void fault();
  void fail_over(int index);
  bool commits_to(int index, const Mission* but);
  void go_away(int index, long until);

  // checks
  void check();
  void check_ids();
  void check_places();
  void check_refusals();
  void check_soak(const Mission& mission);
  void check_end();
  [[nodiscard]] bool over() const;

  Draws draws_;
  const Rules& rules_;
  Scenario scenario_;
  std::array<Database, kDatabases> databases_;
  std::array<Router, kRouters> routers_;
  std::array<Writer, 4> writers_;
  std::array<Reader, 3> readers_;
  Few<Mission, kPlansMost> missions_;
  std::vector<Coordinator> coordinators_;
  std::vector<Task> tasks_;
  std::unique_ptr<Fleet> fleet_;  // null: routers are told one by one
  Edit edit_;
  TableChange change_;
  Ring first_ring_;
  int table_changes_ = 0, oids_ = 1;
  int numbers_ = 0, epochs_ = 0, task_numbers_ = 0;
  long now_ = 0, last_fault_ = 0;
  int version_ = 0;
  bool left_ = false;  // the server that goes has gone
  TransactionId next_transaction_ = 1;
  std::array<int, kVnodes> owner_{};     // by the plans that nothing can take back
  std::array<int, kVnodes> moved_by_{};  // the plan that did
  std::array<long, kVnodes> refused_since_{};
  std::array<int, kKeys> acknowledged_{};         // the newest version that a client was told of
  std::array<int, kKeys> seen_{};                 // the newest that anybody has seen
  std::array<int, kKeys> deleted_{};              // the newest version that was a delete
  std::array<int, kKeys> told_by_{}, seen_at_{};  // by which database
  Done done_;
  Wrong wrong_ = Wrong::nothing;
  std::string violation_;
};

}  // namespace sim
