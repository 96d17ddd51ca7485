#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "reshard/step.hpp"
#include "tests/sim/database.hpp"
#include "tests/sim/rules.hpp"

namespace sim {

/// A run's draws, all of them from its seed: splitmix64 (Steele, Lea and Flood, 2014), whose
/// seeding costs nothing.
class Draws {
 public:
  explicit Draws(std::uint64_t seed) : state_(seed) {}
  std::uint32_t operator()() {
    std::uint64_t mixed = state_ += 0x9e3779b97f4a7c15;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return static_cast<std::uint32_t>((mixed ^ (mixed >> 31)) >> 32);
  }

 private:
  std::uint64_t state_;
};

/// What a run is about; all of it from its seed.
struct Scenario {
  enum class Story : std::uint8_t {
    there,
    there_and_rolled_back,
    there_cleaned_and_back
  } story = Story::there;
  bool failovers = false;
  bool lagging_standbys = false;
  bool second_coordinators = false;
  bool zombie_router = false;  ///< writes to the first database, whatever it is told
  bool clock_jumps = false;
  bool quiet = false;         ///< few writes: what was missed is not written again soon
  bool deaf_routers = false;  ///< at times nothing reaches them but their clients
};

struct Pending {
  PlanId plan = 0;
  int generation = 0;
};

struct Router {
  int generation = 1;  // odd: the moving vnode is the first database's, even: the second's
  std::optional<Pending> pending;
  bool blocked = false;
  int in_flight = 0;
  bool leased = false;
  long lease_until = 0;
  long jump = 0;  // of the wall's clock
  bool up = true;
  int incarnation = 0;
  long deaf_until = 0;  // to coordinators, and its questions to databases wait
  enum class Renewal : std::uint8_t { none, asked, read } renewal = Renewal::none;
  long asked_at = 0;
  State read = State::preparing;
  bool read_decided = false;
  PlanId read_of = 0;
};

/// A client's write, from its router to its answer.
struct Writer {
  enum class Step : std::uint8_t {
    idle,
    judge,
    lock,
    judge_again,
    rows,
    commit,
    answer
  } step = Step::idle;
  int router = 0;  // -1: the zombie
  int incarnation = 0;
  int database = 0;
  Few<std::pair<Key, std::optional<int>>> keys;  // with their new unique values; nullopt: deleted
  bool loses_vnode = false;                      // a batch put of an old router
  bool by_filter = false;
  bool owner_of_moving = false;  // the shard, by the router's ring
  bool counted = false;          // in its router's in_flight
  long pause = 0;                // a slow statement: it goes on then
  TransactionId transaction = 0;
  int ended = 0;
  Judgement judgement;
  Few<LogEntry> log;
  Few<std::pair<Key, int>> written;
};

/// A statement, or a few, that a coordinator has sent to databases: it goes on when its coordinator
/// dies.
struct Task {
  reshard::Act act = reshard::Act::finished;
  int coordinator = 0;
  PlanId plan = 0;
  int epoch = 0;
  int attempt = 0;
  bool copies = true;
  bool verify_again = false;
  int step = 0;
  int from = 0, to = 0;
  std::array<int, 2> ended{};
  Few<LogEntry> log;
  ByKey<std::optional<Row>> rows;
  ByKey<int> versions;
  Key key = 0;
  long pause = 0;
  bool beside = false;  // nobody waits for it
};

/// Which way a plan goes.
struct Direction {
  PlanId plan = 1;
  int from = 0, to = 1, generation = 2;
};

struct Coordinator {
  Direction direction;
  bool alive = true;
  bool sessions = true;  // its locks and connections
  int source_ended = 0;  // how often transactions of its source had been ended when it took over
  int epoch = 0;
  reshard::Progress progress;
  bool running = false;  // a task of its is
  std::optional<reshard::Outcome> outcome;
  int tries = 0;
  std::size_t router = 0;
  long since = 0;
};

/// What outlives coordinators.
struct Journal {
  reshard::Progress progress;
  Direction direction;
  Key copied = 0;
  std::array<int, 2> timelines{};  // 0: not noted yet
  int soaked = 0;
};

class World {
 public:
  World(std::uint32_t seed, const Rules& rules);
  /// Runs to the plan's end. The first thing found that must not be.
  std::optional<std::string> run();

  /// How many of the story's plans were carried out.
  [[nodiscard]] int plans_done() const { return decided_plan_; }
  [[nodiscard]] long ticks() const { return now_; }

 private:
  static constexpr long kLease = 60;
  static constexpr long kMargin = 10;

  void step();
  void violate(const std::string& what);
  bool chance(int percent) { return static_cast<int>(random_() % 100) < percent; }
  int any(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
  [[nodiscard]] bool calm() const { return now_ > 2500; }  // no more faults: all must end

  // clients
  void begin_write(Writer& writer);
  void step_writer(Writer& writer);
  void fail(Writer& writer);
  void commit(Writer& writer);
  void answer(Writer& writer);
  void release(Writer& writer);
  [[nodiscard]] bool serves(const Router& router) const;
  static int owner(int generation) { return generation % 2 == 1 ? 0 : 1; }
  void read();

  // routers
  void step_router(Router& router);
  void restart(Router& router);
  void heard(Router& router, State state, bool decided);
  [[nodiscard]] bool decided_at_source(const Router& router);
  void activate(Router& router);
  [[nodiscard]] long clock(const Router& router) const;
  [[nodiscard]] State source_state(const Router& router);

  // coordinators
  void step_coordinators();
  void step_coordinator(std::size_t index);
  void start_coordinator();
  void begin_act(Coordinator& coordinator, std::size_t index);
  void take_over(Coordinator& coordinator);
  std::optional<reshard::Outcome> tell_routers(Coordinator& coordinator);
  std::optional<reshard::Outcome> wait_activated(Coordinator& coordinator);
  void next_act(Coordinator& coordinator, reshard::Outcome outcome);
  void end_of_plan(Coordinator& coordinator);

  // tasks: true when over, `outcome` set
  void step_task(std::size_t index);
  std::optional<reshard::Outcome> run_task(Task& task);
  static bool populated(const Task& task, bool reverse);
  std::optional<reshard::Outcome> make_schema(Task& task);
  std::optional<reshard::Outcome> copy(Task& task);
  std::optional<reshard::Outcome> pump(Task& task, bool reverse);
  void make_room(const Task& task, const Changes& changes, bool reverse);
  reshard::Outcome apply(Task& task, bool reverse);
  reshard::Outcome set_state(int database, PlanId plan, State from, State to);
  reshard::Outcome commit_plan(Task& task);
  reshard::Outcome back_out(const Task& task);
  reshard::Outcome verify(const Task& task);
  reshard::Outcome clean(const Task& task);

  void fault();
  void fail_over(int database);
  void check_ids();
  void check_end();

  Draws random_;
  const Rules& rules_;
  Scenario scenario_;
  std::array<Database, 2> databases_;
  std::vector<Router> routers_;
  std::vector<Writer> writers_;
  std::vector<Coordinator> coordinators_;
  std::vector<Task> tasks_;
  Journal journal_;
  int epoch_ = 0;
  long now_ = 0;
  int version_ = 0;
  TransactionId next_transaction_ = 1;
  std::array<int, kKeys> acknowledged_{};         // the newest version that a client was told of
  std::array<int, kKeys> seen_{};                 // the newest that anybody has seen
  std::array<int, kKeys> told_by_{}, seen_at_{};  // by which database
  bool ending_ = false;                           // no new writes
  PlanId decided_plan_ = 0;                       // the newest whose commit nothing can take back
  std::optional<std::string> violation_;
};

}  // namespace sim
